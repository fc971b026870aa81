"""One WSGI application for everything: moto, API calls, the console, and the addresses under /_local."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import Any
from urllib.parse import parse_qs, unquote

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from lib.local import execute_api, role_calls
from lib.local.admin import Answer, Handler
from lib.local.console import Console

__all__ = ["Dispatcher"]

StartResponse = Callable[..., Any]
_API = "/_user_request_"


class Dispatcher:
    """Routes by path, and by host for APIs; everything else is AWS and goes to moto."""

    def __init__(self, routes: Mapping[tuple[str, str], Handler], console: Console) -> None:
        # moto lists its package folder for each request; the answer never changes.
        modules = tuple(backends.list_of_moto_modules())
        backends.list_of_moto_modules = lambda: modules
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._moto.get_backend_for_host = functools.cache(self._moto.get_backend_for_host)
        self._routes = routes
        self._console = console

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_local/"):
            return self._local(environ, path, start_response)
        if path == "/_console" or path.startswith("/_console/"):
            return self._page(environ, path, start_response)
        call = _api_call(environ, path)
        if call is not None:
            reply = execute_api.handle(call)
            return _send(start_response, reply.status, reply.headers, reply.body)
        return self._aws(environ, path, start_response)

    def _local(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        handler = self._routes.get((environ["REQUEST_METHOD"], path))
        if handler is None:
            answer = Answer(404, "application/json", b'{"error":"There is no such address."}')
        else:
            answer = handler(_query(environ), _body(environ))
        return _send(start_response, answer.status, [("content-type", answer.content_type)], answer.body)

    def _page(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        below = unquote(path.removeprefix("/_console").lstrip("/"))
        if environ["REQUEST_METHOD"] == "POST":
            page = self._console.post(below, _body(environ))
        else:
            page = self._console.get(below, _query(environ))
        return _send(start_response, page.status, [("content-type", page.content_type)], page.body)

    def _aws(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        if "Credential=ASIA" in environ.get("HTTP_AUTHORIZATION", ""):  # a function's role
            body = _body(environ)
            environ["wsgi.input"] = io.BytesIO(body)
            try:
                role_calls.check(
                    environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), _headers(environ), body
                )
            except role_calls.Denied as denied:
                return _denied(start_response, str(denied))
        return self._moto(environ, start_response)  # type: ignore[no-any-return]


def _api_call(environ: Mapping[str, Any], path: str) -> execute_api.Call | None:
    host = environ.get("HTTP_HOST", "")
    if path.startswith("/restapis/") and _API in path:
        _, _, api_id, stage, rest = path.split("/", 4)
        if not rest.startswith(_API[1:]):
            return None
        below = rest.removeprefix(_API[1:]) or "/"
    elif ".execute-api." in host:
        api_id = host.partition(".")[0]
        _, stage, *parts = path.split("/", 2)
        below = "/" + (parts[0] if parts else "")
    else:
        return None
    line = len(environ["REQUEST_METHOD"]) + len(path) + len(environ.get("QUERY_STRING", "")) + 12
    headers = [(name.title(), value) for name, value in _headers(environ).items()]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return execute_api.Call(api_id, stage, environ["REQUEST_METHOD"], below, query, headers, _body(environ), line)


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found[name.replace("_", "-").lower()] = str(environ[name])
    return found


def _query(environ: Mapping[str, Any]) -> dict[str, str]:
    parsed = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return {name: values[-1] for name, values in parsed.items()}


def _body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    content: bytes = environ["wsgi.input"].read(length) if length else b""
    return content


def _send(start_response: StartResponse, status: int, headers: list[tuple[str, str]], body: bytes) -> Iterable[bytes]:
    start_response(f"{status} {responses.get(status, 'Answer')}", [*headers, ("content-length", str(len(body)))])
    return [body]


def _denied(start_response: StartResponse, message: str) -> Iterable[bytes]:
    body = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
    headers = [("content-type", "application/json"), ("x-amzn-errortype", "AccessDeniedException")]
    return _send(start_response, 403, headers, body)
