"""Reading an HTTP/1.1 reply (RFC 9112): status line, headers, and a body by length, in chunks, or until the close."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

__all__ = ["Reader", "Reply"]

_HEAD_LIMIT = 65536  # bytes of status line and headers
_LINE_LIMIT = 4096  # bytes of a chunk's size line
_PIECE = 65536  # bytes asked for at once
_HEX = frozenset(b"0123456789abcdefABCDEF")
# Two expressions see to what every reply needs; names and values of all headers are wanted of few.
_HEAD = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?\r\n(?:[^\s:]+:[^\r\n]*\r\n)*")
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding|connection):[ \t]*([^\r]*)", re.IGNORECASE)


class Headers(Mapping[str, str]):
    """The headers of a head that was found well formed, taken apart when somebody asks."""

    __slots__ = ("_head", "_parsed")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._parsed: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._parsed is None:
            parsed = self._parsed = {}
            for line in self._head.decode("latin-1").split("\r\n")[1:-1]:
                name, _, value = line.partition(":")
                name, value = name.lower(), value.strip(" \t")
                parsed[name] = f"{parsed[name]}, {value}" if name in parsed else value
        return self._parsed

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


class Reply(NamedTuple):
    """A complete reply; header names in lower case, repeated ones joined by commas."""

    status: int
    headers: Mapping[str, str]
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
            status, head, keeps = self._head()
            if status >= 200:
                break  # 1xx only announces the reply
        framing: dict[bytes, bytes] = {}
        for spelled, value in _FRAMING.findall(head):
            name = spelled.lower()
            framing[name] = framing[name] + b"," + value if name in framing else value
        framed = True
        if bodiless or status in (204, 304):
            body = b""
        elif b"transfer-encoding" in framing:
            if framing[b"transfer-encoding"].strip().lower() != b"chunked":
                raise ValueError("unknown transfer encoding")
            body = self._chunked()
        elif b"content-length" in framing:
            length = framing[b"content-length"].strip()
            if not length.isdigit():
                raise ValueError("bad content length")
            body = self._exactly(int(length))
        else:
            framed = False
            body = self._all()
        connection = framing.get(b"connection", b"").lower()
        kept = b"close" not in connection if keeps else b"keep-alive" in connection
        # Bytes beyond the reply would be read as the next one's.
        self.keeps_alive = framed and kept and not self._buffer
        return Reply(status, Headers(head), body)

    def _head(self) -> tuple[int, bytes, bool]:
        """Status, head, and whether connections are kept by default; what follows stays in the buffer."""
        data = self._buffer or self._more()
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not data.startswith(b"HTTP/1."[: len(data)]):
                raise ValueError("no status line")
            if len(data) > _HEAD_LIMIT:
                raise ValueError("headers without an end")
            data += self._more()
        if end > _HEAD_LIMIT:
            raise ValueError("headers too large")
        found = _HEAD.fullmatch(data, 0, end + 2)
        if found is None:
            raise ValueError("no status line, or a header that is none")
        self._buffer = data[end + 4 :]
        return int(found[2]), found[0], found[1] == b"1"

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
