"""A WSGI request in the words of the rest of this package, and answers to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import Any
from urllib.parse import parse_qs

from lib.local.http_server import HEADERS
from lib.local.proxy_event import ApiCall

__all__ = ["StartResponse", "api_call", "body_of", "headers_of", "query_of", "send"]

StartResponse = Callable[..., Any]
_API = "_user_request_"


def api_call(environ: dict[str, Any], path: str) -> ApiCall | None:
    """The call to an API that a request is: /restapis/ID/STAGE/_user_request_/PATH, or by the host ID.execute-api.*."""
    host = environ.get("HTTP_HOST", "")
    if path.startswith("/restapis/"):
        parts = path.split("/", 5)  # "", restapis, id, stage, _user_request_, the rest
        if len(parts) < 5 or parts[4] != _API:
            return None
        api_id, stage, rest = parts[2], parts[3], parts[5:]
    elif ".execute-api." in host:
        api_id = host.partition(".")[0]
        _, stage, *rest = path.split("/", 2)
    else:
        return None
    query = environ.get("QUERY_STRING", "")
    line = f"{environ['REQUEST_METHOD']} {environ.get('REQUEST_URI') or path} HTTP/1.1\r\n"
    return ApiCall(
        api_id, stage, environ["REQUEST_METHOD"], "/" + "".join(rest), parse_qs(query, keep_blank_values=True),
        list(environ[HEADERS]), body_of(environ), len(line),
    )  # fmt: skip


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Headers by name in lower case; of repeated ones the last."""
    return {name.lower(): value for name, value in environ[HEADERS]}


def query_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters; of repeated ones the last."""
    parsed = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return {name: values[-1] for name, values in parsed.items()}


def body_of(environ: dict[str, Any]) -> bytes:
    """The whole body, which can be read again afterwards."""
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body: bytes = source.read()
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = source.read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def send(start_response: StartResponse, status: int, headers: list[tuple[str, str]], body: bytes) -> Iterable[bytes]:
    """One answer with its length. 204 and 304 have no body."""
    bodiless = status in (204, 304)
    length = [] if bodiless else [("content-length", str(len(body)))]
    start_response(f"{status} {responses.get(status, 'Answer')}", [*headers, *length])
    return [b""] if bodiless else [body]
