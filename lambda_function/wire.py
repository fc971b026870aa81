"""Signed HTTPS requests to AWS, without a service model: bodies pass through as they are.

    Wire.call ── sigv4.Signer          who asks
              ── connection.Connection  socket, TLS, deadline
                 └─ replies.Reader      HTTP/1.1 framing

    WireError            no reply; `sent` says whether the request may have been processed
    └─ WireTimeout       the deadline passed first

Nothing is retried but what surely was not sent, and, where the caller says `idempotent`, what went into a reused
connection that broke.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping

from lambda_function.connection import Address, Connection, WireError, WireTimeout
from lambda_function.replies import Reply
from lambda_function.sigv4 import Credentials, Signer, digest

__all__ = ["Credentials", "Reply", "Wire", "WireError", "WireTimeout", "environment_credentials"]

# Seconds that a connection may lie idle before it is replaced. A frozen container does not hear that the service closed
# it, and a request written into it then has an unknown outcome, which is money; reconnecting costs milliseconds.
_IDLE = 20.0
_SHAPES = 1000  # shapes of requests remembered a service: one a profile, in Bedrock's case
_NAMES = {"bedrock-runtime": "bedrock", "cloudwatch": "monitoring"}  # where the signing name is another
_HOSTS = {"cloudwatch": "monitoring"}
_CONTENT_TYPES = {
    "bedrock-runtime": "application/json",
    "dynamodb": "application/x-amz-json-1.0",
    "sns": "application/x-www-form-urlencoded",
    "cloudwatch": "application/x-www-form-urlencoded",
}


def environment_credentials() -> Credentials:
    """The credentials of the function's role, as Lambda sets them. Raises KeyError if there are none."""
    environ = os.environ
    return Credentials(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN") or None
    )


class Wire:
    """Calls AWS in one Region. Idle connections are kept per host; threads may share a Wire."""

    def __init__(
        self,
        region: str,
        credentials: Callable[[], Credentials] = environment_credentials,
        endpoint_url: str | None = None,
        clock: Callable[[], float] = time.time,
        suffix: str = "amazonaws.com",
    ) -> None:
        """`endpoint_url` replaces the hosts of all services; `suffix` is the partition's; `clock`: epoch seconds."""
        self._region = region
        self._credentials = credentials
        self._override = _address(endpoint_url) if endpoint_url else None
        self._clock = clock
        self._suffix = suffix
        self._routes: dict[str, _Route] = {}
        self._latest: tuple[int, str, Credentials] | None = None
        self._idle: dict[Address, list[tuple[Connection, float]]] = {}

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        query: str = "",
        timeout: float = 5.0,
        idempotent: bool = False,
    ) -> Reply:
        """Send one signed request and return its reply, whatever its status. Raises WireError.

        `path` and `query` are encoded once. `timeout` is in seconds, for everything from connecting to the reply's last
        byte (but for the resolver's own time). `idempotent` permits a second try after a reused connection broke.
        """
        deadline = time.monotonic() + timeout
        route = self._routes.get(service) or self._route(service)
        head = self._head(route, method, path, query, body, headers)
        tried = False
        while True:
            kept = None if tried else self._kept(route.idle)
            connection = kept or Connection(route.address, deadline)
            try:
                reply = connection.exchange(head, body, bodiless=method == "HEAD", deadline=deadline)
            except WireError as problem:
                if not kept or isinstance(problem, WireTimeout) or (problem.sent and not idempotent):
                    raise
                tried = True
                continue
            finally:
                if connection.reusable:
                    route.idle.append((connection, self._clock()))
                else:
                    connection.close()
            return reply

    def close(self) -> None:
        """Close the idle connections."""
        for kept in self._idle.values():
            while kept:
                kept.pop()[0].close()

    def _kept(self, kept: list[tuple[Connection, float]]) -> Connection | None:
        """One of `kept` that is still open, the last used first."""
        while kept:
            try:
                connection, since = kept.pop()
            except IndexError:  # another thread took the last one
                break
            if abs(self._clock() - since) < _IDLE and connection.usable():
                return connection
            connection.close()
        return None

    def _route(self, service: str) -> _Route:
        host = f"{_HOSTS.get(service, service)}.{self._region}.{self._suffix}"
        address = self._override or Address(host, 443, True)
        signer = Signer(self._region, _NAMES.get(service, service), encode_path=service != "s3")
        idle = self._idle.setdefault(address, [])
        route = self._routes[service] = _Route(address, signer, service, idle)
        return route

    def _head(
        self, route: _Route, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str] | None
    ) -> bytes:
        """The request line and headers, signed, with the empty line that ends them. Every header is signed."""
        stamp, credentials = self._present()
        payload = digest(body)
        more = tuple(headers.items()) if headers else ()
        if route.hashed:
            more = ("x-amz-content-sha256", payload), *more
        like = (method, path, query, not body, credentials.token, more)
        shape = route.shapes.get(like)
        if shape is None:
            if len(route.shapes) >= _SHAPES:
                route.shapes.clear()
            if credentials.token:
                more = *more, ("x-amz-security-token", credentials.token)
            shape = route.shapes[like] = _Shape(route, method, path, query, body, more)
        length = f"\r\ncontent-length: {len(body)}" if body or method != "GET" else ""
        authorization = shape.prepared.authorization(stamp, payload, credentials)
        return f"{shape.before}{stamp}\r\nauthorization: {authorization}{length}\r\n\r\n".encode("ascii")

    def _present(self) -> tuple[str, Credentials]:
        """The value of `x-amz-date`, and whose request it is: both looked up once a second."""
        second = int(self._clock())
        if self._latest is None or self._latest[0] != second:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._latest = second, stamp, self._credentials()
        return self._latest[1:]


class _Shape:
    """What all requests have in common that differ in instant and payload alone."""

    __slots__ = ("before", "prepared")

    def __init__(
        self, route: _Route, method: str, path: str, query: str, body: bytes, headers: Iterable[tuple[str, str]]
    ) -> None:
        signed = {"host": route.host}
        if body and route.content_type:
            signed["content-type"] = route.content_type
        for name, value in headers:
            signed[name.lower()] = value
        target = f"{path}?{query}" if query else path
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        self.before = f"{method} {target} HTTP/1.1\r\n{lines}x-amz-date: "
        # A line break or a space smuggled into a path or a value would be another request.
        meant = len(signed) + 1
        if self.before.count("\n") != meant or self.before.count("\r") != meant or " " in target:
            raise ValueError("a path or header that cannot be sent")
        self.prepared = route.signer.prepare(method, path, query, signed)


class _Route:
    """What all requests to a service share."""

    __slots__ = ("address", "content_type", "hashed", "host", "idle", "shapes", "signer")

    def __init__(self, address: Address, signer: Signer, service: str, idle: list[tuple[Connection, float]]) -> None:
        self.address = address
        self.idle = idle
        self.signer = signer
        self.shapes: dict[object, _Shape] = {}
        self.content_type = _CONTENT_TYPES.get(service, "")
        self.hashed = service == "s3"  # only S3 wants the payload's hash as a header
        name = f"[{address.host}]" if ":" in address.host else address.host
        self.host = name if address.port == (443 if address.tls else 80) else f"{name}:{address.port}"


def _address(url: str) -> Address:
    """The address of an endpoint URL: `http://host:port` or `https://host`, and no path. Raises ValueError."""
    scheme, separator, rest = url.partition("://")
    rest = rest.removesuffix("/")
    host, colon, port = rest.rpartition(":")
    if not colon or port.endswith("]"):  # an IPv6 address in brackets is full of colons
        host, port = rest, "443" if scheme == "https" else "80"
    host = host.removeprefix("[").removesuffix("]")
    if scheme not in ("http", "https") or not separator or not host or not port.isdecimal() or "/" in host:
        raise ValueError(f"{url!r} is no endpoint URL: http://host:port or https://host:port")
    return Address(host, int(port), scheme == "https")
