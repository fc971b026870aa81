"""One WSGI application for everything: moto, API calls, the console, and the addresses under /_local."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from lib.local import execute_api, role_calls
from lib.local.admin import Answer, Handler
from lib.local.console import Console
from lib.local.door import Refused
from lib.local.error_answers import access_denied, error_answer
from lib.local.http_requests import StartResponse, api_call, body_of, headers_of, query_of, send
from lib.local.role_keys import PREFIX
from lib.local.role_requests import Signed, signed

__all__ = ["Dispatcher"]

# Signing name -> moto's name of the service, for those that a running deployment calls all the time.
_BUSY = {"dynamodb": "dynamodb", "sns": "sns", "monitoring": "cloudwatch", "logs": "logs"}


class Dispatcher:
    """Routes by path, and by host for APIs; everything else is AWS and goes to moto. `reset` empties what moto does not
    know of, when moto is reset."""

    def __init__(self, routes: Mapping[tuple[str, str], Handler], console: Console, reset: Callable[[], None]) -> None:
        self._moto = _Moto()
        self._routes = routes
        self._console = console
        self._reset = reset

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_local/"):
            return self._local(environ, path, start_response)
        if path == "/_console" or path.startswith("/_console/"):
            return self._page(environ, path, start_response)
        call = api_call(environ, path)
        if call is not None:
            reply = execute_api.handle(call)
            return send(start_response, reply.status, reply.headers, reply.body)
        if path == "/moto-api/reset":
            self._reset()
        return self._aws(environ, path, start_response)

    def _local(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        handler = self._routes.get((environ["REQUEST_METHOD"], path))
        if handler is None:
            answer = Answer(404, "application/json", b'{"error": "There is no such address."}')
        else:
            answer = handler(query_of(environ), body_of(environ))
        return send(start_response, answer.status, [("content-type", answer.content_type)], answer.body)

    def _page(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        below = unquote(path.removeprefix("/_console").lstrip("/"))
        if environ["REQUEST_METHOD"] == "POST":
            page = self._console.post(below, body_of(environ))
        else:
            page = self._console.get(below, query_of(environ))
        return send(start_response, page.status, [("content-type", page.content_type)], page.body)

    def _aws(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        headers = headers_of(environ)
        service = (signed(headers) or ("", "", ""))[2]
        try:
            if f"Credential={PREFIX}" in headers.get("authorization", ""):  # a function's role
                role_calls.check(_signed(environ, path, headers))
            return self._from_moto(environ, start_response)
        except role_calls.Denied as denied:
            answer = access_denied(service, headers, str(denied))
        except Refused as refused:  # where moto does not pass by the door
            answer = error_answer(service, headers, refused.code, refused.message, refused.status)
        except ConnectionResetError:  # a fault that a test asked for: the server closes the connection
            raise
        except NotImplementedError as error:
            # 501, because botocore tries a 500 again and again
            answer = error_answer(service, headers, "NotImplemented", f"The embedded AWS: {service}: {error}", 501)
        except Exception as error:  # noqa: BLE001 - a bug of moto's must not look like one of AWS's
            traceback.print_exc()
            said = f"The embedded AWS failed in {service}: {type(error).__name__}: {error}"
            answer = error_answer(service, headers, "EmbeddedAwsFailure", said, 501)
        return send(start_response, answer.status, answer.headers, answer.body)

    def _from_moto(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """moto's answer. A page in HTML says that it has no such address: raises NotImplementedError."""
        begun: list[Any] = []
        answer: Any = self._moto(environ, lambda status, headers, *_: begun.extend((status, headers)))
        status, headers = begun
        missing = status.startswith("404") and dict(headers).get("Content-Type", "").startswith("text/html")
        if missing and environ["REQUEST_METHOD"] != "HEAD":  # a HEAD of S3's is answered without a body of any type
            answer.close()
            raise NotImplementedError(f"There is no {environ['REQUEST_METHOD']} {environ['PATH_INFO']}.")
        start_response(status, headers)
        return answer  # type: ignore[no-any-return]


class _Moto(DomainDispatcherApplication):
    """moto's own dispatcher, quicker: it lists its package folder for each request, and guesses under a lock."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        modules = frozenset(backends.list_of_moto_modules())
        backends.list_of_moto_modules = lambda: modules

    def get_application(self, environ: dict[str, Any]) -> Any:
        _, _, signature = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
        parts = signature.partition(",")[0].split("/")
        service = parts[3] if len(parts) == 5 else ""
        name = _BUSY.get(service)
        if service == "bedrock" and environ["PATH_INFO"].startswith("/model/"):
            name = "bedrockruntime"
        elif service == "dynamodb" and "DynamoDB_20120810." not in environ.get("HTTP_X_AMZ_TARGET", ""):
            name = None
        app = self.app_instances.get(name) if name else None
        if app is None and name:
            with self.lock:
                app = self.app_instances.get(name) or self.app_instances.setdefault(name, self.create_app(name))
        return app or super().get_application(environ)


def _signed(environ: dict[str, Any], path: str, headers: Mapping[str, str]) -> Signed:
    key, region, service = signed(headers) or ("", "", "")
    return Signed(
        key, service, region, DEFAULT_ACCOUNT_ID, environ["REQUEST_METHOD"], path,
        environ.get("QUERY_STRING", ""), headers, body_of(environ),
    )  # fmt: skip
