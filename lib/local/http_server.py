"""The HTTP server: cheroot, with headers handed on as they were sent.

WSGI spells `cost_center` and `cost-center` alike and forgets capital letters and repetitions; API Gateway does none of
this. The application finds the headers in `environ["local.headers"]`.
"""

from __future__ import annotations

from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Gateway_10, Server

__all__ = ["HEADERS", "make_server"]

HEADERS = "local.headers"
# 128 calls to functions, their calls back, and everybody else: see execute_api.MOST_AT_ONCE.
_THREADS = 256


def make_server(port: int) -> Any:
    """A server on 127.0.0.1 that listens already, without an application yet. Raises OSError for a port in use."""
    server: Any = Server(("127.0.0.1", port), None, numthreads=_THREADS, request_queue_size=512)
    server.gateway = _Gateway
    server.ConnectionClass = _Connection
    server.nodelay = True
    server.max_request_body_size = server.max_request_header_size = 0
    server.timeout = 60  # longer than any of our clients keeps an idle connection
    server.keep_alive_conn_limit = None
    server.shutdown_timeout = 1
    server.prepare()
    return server


class _Request(HTTPRequest):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.raw_headers: list[tuple[str, str]] = []
        self.header_reader = self._read_headers

    def _read_headers(self, rfile: Any, hdict: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Raises ValueError for what is not HTTP, which cheroot answers with 400. Folded lines are obsolete."""
        while (line := rfile.readline()) != b"\r\n":
            name, colon, value = line.partition(b":")
            if not colon or not line.endswith(b"\r\n") or name != name.strip():
                raise ValueError("Illegal header line.")
            value = value.strip()
            self.raw_headers.append((name.decode("latin-1"), value.decode("latin-1")))
            hdict[name.title()] = value
        return hdict


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


_Wsgi: Any = Gateway_10


class _Gateway(_Wsgi):
    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[HEADERS] = self.req.raw_headers
        return environ
