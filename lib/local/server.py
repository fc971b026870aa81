"""The embedded AWS: moto and what it lacks, served on 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from lib.local import (
    api_deployments,
    apigateway_import,
    atomic_writes,
    bedrock,
    bedrock_runtime,
    clock,
    function_checks,
    function_invoke,
    functions,
    iam_limits,
    observability,
    quick_moto,
    usage_plans,
)
from lib.local.console import Console
from lib.local.dispatcher import Dispatcher
from lib.local.http_server import make_server
from lib.local.invocation_log import invocation_log
from lib.local.mail import office
from lib.local.server_routes import ROUTES, reset

__all__ = ["ADDITIONS", "RECORD", "EmbeddedAws", "run"]

# In the server's folder: its process id and endpoint, for lib/local/launch.py.
RECORD = "server.json"
_TICK_SECONDS = 0.5
_SECONDS_TO_STOP = 3.0

# Each changes moto once, before the first request; those that wrap the same method of moto's go in this order.
ADDITIONS: tuple[Callable[[], None], ...] = (
    bedrock.install,
    bedrock_runtime.install,
    apigateway_import.install,
    atomic_writes.install,
    api_deployments.install,
    usage_plans.install,
    function_checks.install,
    function_invoke.install,
    iam_limits.install,
    quick_moto.install,
    *observability.INSTALLS,
)


class EmbeddedAws:
    """One server on `port` (0 for any free one), keeping its files in `folder`. Raises OSError for a port in use.

    moto's state is the process's, so a process holds one of these.
    """

    def __init__(self, port: int, folder: Path) -> None:
        for install in ADDITIONS:
            install()
        self._server = make_server(port)
        self.endpoint = f"http://127.0.0.1:{self._server.bind_addr[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        functions.configure(self.endpoint, folder)
        invocation_log.configure(folder)
        office.configure(folder / "mail", self.endpoint)
        console = Console(self.endpoint, folder)
        self._server.wsgi_app = Dispatcher({**observability.ROUTES, **ROUTES}, console, reset)
        self._stopped = threading.Event()

    def serve(self) -> None:
        """Answer until `stop`."""
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()
        self._server.serve()

    def stop(self) -> None:
        """End every worker, then the server."""
        self._stopped.set()
        functions.stop_all()
        self._server.stop()

    def _tick(self) -> None:
        """Everything that looks at the clock by itself."""
        tickers = observability.tickers()
        while not self._stopped.wait(_TICK_SECONDS):
            for ticker in tickers:
                try:
                    ticker.tick(clock.now())
                except Exception:  # noqa: BLE001 - one alarm's bug must not stop all schedules for ever
                    traceback.print_exc()


def run(port: int, folder: Path) -> None:
    """Serve in the foreground until SIGTERM or SIGINT."""
    aws = EmbeddedAws(port, folder)
    record = folder / RECORD

    def end(*_: object) -> None:
        # Whoever still waits for an answer must not keep the process.
        timer = threading.Timer(_SECONDS_TO_STOP, _leave, [record])
        timer.daemon = True
        timer.start()
        threading.Thread(target=aws.stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    record.write_text(json.dumps({"pid": os.getpid(), "endpoint_url": aws.endpoint}))
    aws.serve()
    _leave(record)


def _leave(record: Path) -> None:
    record.unlink(missing_ok=True)
    functions.stop_all()
    os._exit(0)
