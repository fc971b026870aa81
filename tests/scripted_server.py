"""A server on 127.0.0.1 that says what a script tells it to, byte by byte, and remembers what it heard."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Script", "ScriptedServer", "close", "pause", "reply", "reset", "scripted"]

# A step is bytes to send, or something to do with the socket.
Step = bytes | Callable[[socket.socket], None]
# A connection is answered request by request; after the last request it stays open until the client closes it.
Script = list[list[list[Step]]]


def reply(body: bytes = b"", status: int = 200, *headers: str) -> bytes:
    """A complete reply with a content length."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def pause(seconds: float) -> Step:
    return lambda _: time.sleep(seconds)


def close(connection: socket.socket) -> None:
    """Close in an orderly way: the client reads an end."""
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def reset(connection: socket.socket) -> None:
    """Close with a RST: the client's next read or write is an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class ScriptedServer:
    """`heard` are the requests, a list a connection. `script[n]` is for the nth connection, the last for all later."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[list[bytes]] = []
        self._script = script
        self._tls = tls
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def requests(self) -> list[bytes]:
        """All requests, of one connection after the other."""
        return [request for heard in self.heard for request in heard]

    def stop(self) -> None:
        for opened in (self._server, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            heard: list[bytes] = []
            self.heard.append(heard)
            script = self._script[min(len(self.heard), len(self._script)) - 1]
            thread = threading.Thread(target=self._attend, args=(connection, script, heard), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _attend(self, connection: socket.socket, script: list[list[Step]], heard: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for steps in script:
                heard.append(_request(connection))
                for step in steps:
                    connection.sendall(step) if isinstance(step, bytes) else step(connection)
            connection.recv(1)
        connection.close()


def _request(connection: socket.socket) -> bytes:
    """One whole request. Raises OSError when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client has gone")
    return data


@contextlib.contextmanager
def scripted(script: Script, **options: Any) -> Iterator[ScriptedServer]:
    server = ScriptedServer(script, **options)
    try:
        yield server
    finally:
        server.stop()
