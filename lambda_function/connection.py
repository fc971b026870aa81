"""One keep-alive HTTP/1.1 connection: a socket, its framing and its deadline.

Money depends on what an error says of the request, so the rule is narrow: `sent` is False only where no byte of it can
have reached anyone (no address, refused, no TLS, or closed before the first write); everything later is `sent`.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from lambda_function.replies import Reader, Reply

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Address", "Connection", "WireError", "WireTimeout"]

_ATTEMPT = 3.0  # seconds for one of a host's addresses to accept; a lost SYN is repeated after 1 s
_TOGETHER = 65536  # bytes up to which head and body are copied into one write


class WireError(Exception):
    """No reply. `sent` is False if the request surely did not reach the service, True if its outcome is unknown."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class WireTimeout(WireError):
    """The deadline passed before the reply was complete."""


class Address(NamedTuple):
    """Where to connect, and whether in TLS."""

    host: str
    port: int
    tls: bool


class Connection:
    """An open connection. It carries one request at a time, and none after an error.

    The socket never blocks: a wait is one `poll` until the deadline, where Python's own timeouts cost two more system
    calls for each read and write.
    """

    def __init__(self, address: Address, deadline: float) -> None:
        """Connect, or raise WireError(sent=False). `deadline` is on `time.monotonic`'s clock."""
        self.reusable = False
        self._host = address.host
        self._busy: tuple[type[OSError], type[OSError]] = (BlockingIOError, BlockingIOError)
        try:
            if address.tls:
                self._socket, self._busy = _secured(address, deadline)
            else:
                self._socket = _connected(address, deadline)
        except TimeoutError as problem:
            raise WireTimeout(f"{address.host} could not be reached in time.", sent=False) from problem
        except OSError as problem:
            raise WireError(f"{address.host} cannot be reached: {problem}.", sent=False) from problem
        self._socket.setblocking(False)
        self._readable = _watch(self._socket, writing=False)

    def usable(self) -> bool:
        """Whether an idle connection is still open, as far as this side has heard."""
        if not self._readable(0):
            return True  # nothing has come since
        try:
            self._socket.recv(1)
        except self._busy:
            return True  # nothing to read: in TLS, what had come were session tickets
        except OSError:
            return False  # reset
        return False  # closed, or bytes nobody asked for

    def exchange(self, head: bytes, body: bytes, *, bodiless: bool, deadline: float) -> Reply:
        """Send a request and read its reply; `reusable` then says whether another may follow.

        `bodiless` is the answer to a HEAD. Raises WireError.
        """
        self.reusable = False
        sent = False
        reader = Reader(self._receive, deadline)
        try:
            if monotonic() >= deadline:
                raise TimeoutError
            if len(body) <= _TOGETHER:
                head, body = head + body, b""
            written = self._send(head, deadline)
            sent = True  # a first write that fails has put nothing on its way
            if body or written < len(head):
                self._send_all(memoryview(head)[written:], deadline)
                self._send_all(memoryview(body), deadline)
        except TimeoutError as problem:
            raise WireTimeout(f"{self._host} did not take the request in time.", sent=sent) from problem
        except OSError as problem:
            if not sent:
                raise WireError(
                    f"The connection to {self._host} was closed before the request.", sent=False
                ) from problem
            # It refused the rest; what it said before it did so may still be there to read.
        try:
            reply = reader.reply(bodiless=bodiless)
        except TimeoutError as problem:
            raise WireTimeout(f"{self._host} did not reply in time.", sent=True) from problem
        except OSError as problem:
            raise WireError(
                f"The connection to {self._host} broke before the reply was complete.", sent=True
            ) from problem
        except ValueError as problem:
            raise WireError(f"{self._host} sent a reply that is not HTTP: {problem}.", sent=True) from problem
        self.reusable = reader.keeps_alive
        return reply

    def close(self) -> None:
        self._socket.close()

    def _receive(self, size: int, deadline: float) -> bytes:
        """At least one byte, or b"" at the end; of TLS, `size` is more than a record, so nothing stays unseen."""
        while True:
            left = deadline - monotonic()
            if left <= 0 or not self._readable(int(left * 1000) + 1):
                raise TimeoutError
            try:
                return self._socket.recv(size)
            except self._busy as problem:
                self._wait(problem, deadline)

    def _send(self, data: bytes | memoryview, deadline: float) -> int:
        """Write what goes out at once; its size."""
        while True:
            try:
                return self._socket.send(data)
            except self._busy as problem:
                self._wait(problem, deadline, writing=True)

    def _send_all(self, rest: memoryview, deadline: float) -> None:
        while rest:
            rest = rest[self._send(rest, deadline) :]

    def _wait(self, problem: OSError, deadline: float, *, writing: bool = False) -> None:
        """Until the socket can go on after `problem`: TLS may have to read in order to write, and the reverse."""
        reads, writes = self._busy
        if reads is not writes:
            writing = isinstance(problem, writes)
        left = deadline - monotonic()
        if left <= 0 or not _watch(self._socket, writing=writing)(int(left * 1000) + 1):
            raise TimeoutError


def _watch(watched: socket.socket, *, writing: bool) -> Callable[[int], object]:
    """What waits so many milliseconds for `watched` to be readable, or writable, and says whether it is."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(watched, select.POLLOUT if writing else select.POLLIN)
        return poll.poll
    sockets, none = [watched], list[socket.socket]()  # Windows
    reading = none if writing else sockets
    return lambda milliseconds: any(select.select(reading, sockets if writing else none, none, milliseconds / 1000))


def _connected(address: Address, deadline: float) -> socket.socket:
    """A connected socket: each address of the host in turn, within the deadline. Raises OSError."""
    problem: OSError = OSError("the name has no address")
    # The resolver keeps its own time: Python cannot interrupt it.
    for family, kind, protocol, _, place in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(min(left, _ATTEMPT))
            opened.connect(place)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as refused:
            opened.close()
            problem = refused
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise problem


def _secured(address: Address, deadline: float) -> tuple[socket.socket, tuple[type[OSError], type[OSError]]]:
    """A connected TLS socket with a verified certificate, and what it raises when it waits to read and to write."""
    from lambda_function import trust

    try:
        return _shaken(address, deadline, trust.first()), trust.BUSY
    except trust.DISTRUST:
        second = trust.second()
        if second is None:
            raise
        return _shaken(address, deadline, second), trust.BUSY


def _shaken(address: Address, deadline: float, context: SSLContext) -> socket.socket:
    plain = _connected(address, deadline)
    try:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        plain.settimeout(left)
        return context.wrap_socket(plain, server_hostname=address.host, suppress_ragged_eofs=False)
    except BaseException:
        plain.close()
        raise
