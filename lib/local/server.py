"""The embedded AWS: moto and what it lacks, served on 127.0.0.1."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cheroot.wsgi import Server as WsgiServer

from lib.local import (
    apigateway_import,
    atomic_writes,
    bedrock,
    bedrock_runtime,
    clock,
    functions,
    observability,
    role_calls,
)
from lib.local.admin import Answer, Handler
from lib.local.console import Console
from lib.local.dispatcher import Dispatcher
from lib.local.mail import office
from lib.local.served import served_by

__all__ = ["ADDITIONS", "EmbeddedAws", "run"]

ACCOUNT = "123456789012"
# 64 callers, each with a function that calls back while its caller waits, and a console.
_THREADS = 192
_TICK_SECONDS = 0.5

ADDITIONS: tuple[Callable[[], None], ...] = (
    bedrock.install,
    bedrock_runtime.install,
    apigateway_import.install,
    atomic_writes.install,
    functions.install,
    *observability.INSTALLS,
)


class EmbeddedAws:
    """One server on `port` (0 for any free one), keeping its files in `folder`."""

    def __init__(self, port: int, folder: Path) -> None:
        for install in ADDITIONS:
            install()
        folder.mkdir(parents=True, exist_ok=True)
        self._server = WsgiServer(("127.0.0.1", port), None, numthreads=_THREADS, request_queue_size=256)
        self._server.nodelay = True
        self._server.max_request_body_size = 0
        self._server.max_request_header_size = 0
        self._server.prepare()
        self.endpoint = f"http://127.0.0.1:{self._server.bind_addr[1]}"
        functions.set_endpoint(self.endpoint)
        office.configure(folder / "mail", self.endpoint)
        self._server.wsgi_app = Dispatcher({**observability.ROUTES, **_routes()}, Console(self.endpoint, folder))
        self._stopped = threading.Event()

    def serve(self) -> None:
        """Answer until `stop`."""
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()
        self._server.serve()

    def stop(self) -> None:
        """End the server and every worker."""
        self._stopped.set()
        functions.stop_all()
        self._server.stop()

    def _tick(self) -> None:
        tickers = observability.tickers()
        while not self._stopped.wait(_TICK_SECONDS):
            for ticker in tickers:
                try:
                    ticker.tick(clock.now())
                except Exception:  # noqa: BLE001 - one that fails must not end the others; server.log has the traceback
                    traceback.print_exc()


def run(port: int, folder: Path) -> None:
    """Serve in the foreground until a signal."""
    aws = EmbeddedAws(port, folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=aws.stop).start())
    (folder / "server.json").write_text(json.dumps({"pid": os.getpid(), "endpoint_url": aws.endpoint}))
    try:
        aws.serve()
    finally:
        (folder / "server.json").unlink(missing_ok=True)


def _routes() -> dict[tuple[str, str], Handler]:
    return {
        ("GET", "/_local/health"): _plain(lambda query, body: {"account": ACCOUNT, "pid": os.getpid()}),
        ("GET", "/_local/clock"): _plain(_clock),
        ("POST", "/_local/clock"): _plain(_clock),
        ("POST", "/_local/faults"): _plain(_fault),
        ("DELETE", "/_local/faults"): _plain(lambda query, body: bedrock_runtime.faults.clear()),
        ("GET", "/_local/bedrock/served"): _plain(_served),
        ("GET", "/_local/calls"): _plain(_role_calls),
        ("DELETE", "/_local/calls"): _plain(lambda query, body: role_calls.forget_calls()),
        ("POST", "/_local/lambda/kill"): _plain(_kill),
    }


def _plain(handle: Callable[[Mapping[str, str], Any], Any]) -> Handler:
    def answer(query: Mapping[str, str], body: bytes) -> Answer:
        try:
            value, status = handle(query, json.loads(body or b"null")), 200
        except (ValueError, KeyError, TypeError) as error:
            value, status = {"error": str(error)}, 400
        return Answer(status, "application/json", json.dumps(value or {}).encode())

    return answer


def _clock(query: Mapping[str, str], body: Any) -> Any:
    if body is not None:
        clock.set_offset(float(body["offset"]))
    return {"now": clock.now(), "offset": clock.offset()}


def _fault(query: Mapping[str, str], body: Any) -> Any:
    bedrock_runtime.faults.add(body)
    return body


def _served(query: Mapping[str, str], body: Any) -> Any:
    return {
        "served": [
            {
                "at": one.at, "profileId": one.profile, "modelId": one.model, "inputTokens": one.input,
                "outputTokens": one.output, "cacheReadInputTokens": one.cache_read,
                "cacheWriteInputTokens": one.cache_write, "cacheWrite1hInputTokens": one.cache_write_1h,
                "serviceTier": one.tier,
            }
            for one in served_by(ACCOUNT)
        ]
    }  # fmt: skip


def _role_calls(query: Mapping[str, str], body: Any) -> Any:
    return {
        "calls": [
            {
                "role": call.role, "action": call.request.action, "resource": call.request.resource,
                "context": dict(call.request.context), "allowed": call.allowed,
            }
            for call in list(role_calls.calls)
        ]
    }  # fmt: skip


def _kill(query: Mapping[str, str], body: Any) -> Any:
    return {"killed": functions.kill_workers(body["function"], body.get("how", "random"), random.SystemRandom())}
