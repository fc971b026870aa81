"""Reading an HTTP/1.1 reply (RFC 9112): status line, headers, and a body by length, in chunks, or until the close."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Reader", "Reply"]

_HEAD_LIMIT = 65536  # bytes of status line and headers
_LINE_LIMIT = 4096  # bytes of a chunk's size line
_PIECE = 65536  # bytes asked for at once
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Reply(NamedTuple):
    """A complete reply; header names in lower case, repeated ones joined by commas."""

    status: int
    headers: dict[str, str]
    body: bytes


class Reader:
    """Reads one reply through `receive(size, deadline)`, which hands over at least one byte, or b"" at the end.

    `keeps_alive` then says whether the connection can carry another request.
    """

    __slots__ = ("_buffer", "_deadline", "_receive", "keeps_alive")

    def __init__(self, receive: Callable[[int, float], bytes], deadline: float) -> None:
        self.keeps_alive = False
        self._receive = receive
        self._deadline = deadline
        self._buffer = b""

    def reply(self, *, bodiless: bool = False) -> Reply:
        """The reply. Raises ValueError if it is not HTTP, ConnectionError if it ends early, and what `receive` does."""
        while True:
            status, headers, version = self._head()
            if status >= 200:
                break  # 1xx only announces the reply
        framed = True
        if bodiless or status in (204, 304):
            body = b""
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise ValueError("unknown transfer encoding")
            body = self._chunked()
        elif "content-length" in headers:
            length = headers["content-length"]
            if not (length.isascii() and length.isdigit()):
                raise ValueError("bad content length")
            body = self._exactly(int(length))
        else:
            framed = False
            body = self._all()
        connection = headers.get("connection", "").lower()
        kept = "close" not in connection if version == "1" else "keep-alive" in connection
        # Bytes beyond the reply would be read as the next one's.
        self.keeps_alive = framed and kept and not self._buffer
        return Reply(status, headers, body)

    def _head(self) -> tuple[int, dict[str, str], str]:
        """Status, headers and minor version; what follows them stays in the buffer."""
        data = self._buffer or self._more()
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not data.startswith(b"HTTP/1."[: len(data)]):
                raise ValueError("no status line")
            if len(data) > _HEAD_LIMIT:
                raise ValueError("headers without an end")
            data += self._more()
        lines = data[:end].decode("latin-1").split("\r\n")
        self._buffer = data[end + 4 :]
        first = lines[0]
        code = first[9:12]
        if end > _HEAD_LIMIT or not first.startswith(("HTTP/1.1 ", "HTTP/1.0 ")) or not code.isdecimal():
            raise ValueError("no status line" if end <= _HEAD_LIMIT else "headers too large")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name[:1] in " \t" or name[-1] in " \t":
                raise ValueError("bad header")
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        return int(code), headers, first[7]

    def _more(self) -> bytes:
        data = self._receive(_PIECE, self._deadline)
        if not data:
            raise ConnectionError("closed early")
        return data

    def _exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        data = self._buffer
        if len(data) < size:
            pieces, missing = [data], size - len(data)
            while missing > 0:
                pieces.append(self._more())
                missing -= len(pieces[-1])
            data = b"".join(pieces)
        self._buffer = data[size:]
        return data[:size]

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise ValueError("line without an end")
            self._buffer += self._more()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _chunked(self) -> bytes:
        pieces = []
        while True:
            digits = self._line().partition(b";")[0].strip()
            if not digits or not _HEX.issuperset(digits):
                raise ValueError("bad chunk size")
            size = int(digits, 16)
            if not size:
                break
            pieces.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise ValueError("bad chunk")
        while self._line():
            pass  # trailers
        return b"".join(pieces)

    def _all(self) -> bytes:
        pieces = [self._buffer]
        self._buffer = b""
        while data := self._receive(_PIECE, self._deadline):
            pieces.append(data)
        return b"".join(pieces)
