"""Lambda functions that run: from the function's own zip, killed at its time-out, with its role's credentials."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import tempfile
import threading
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from lib.local import clock, function_metrics
from lib.local.door import Refused
from lib.local.function_logs import write_log
from lib.local.role_keys import key_of_role
from lib.local.workers import Lost, Pool, Worker

__all__ = ["Invocation", "Outcome", "close_function", "configure", "kill_workers", "stop_all"]

_REQUEST_BYTES = 6 * 1024 * 1024
# A little more than the request: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_RESPONSE_BYTES = _REQUEST_BYTES + 100
_INIT_SECONDS = 10.0  # docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html

_endpoint = ""
_code_folder = Path(tempfile.gettempdir())
_pools: dict[str, Pool] = {}  # by ARN, code and configuration
_lock = threading.Lock()


class Outcome(NamedTuple):
    """`payload` is the handler's JSON, or the error's; `error` is "" or "Unhandled"; `log` the lines it wrote."""

    payload: bytes
    error: str
    log: str


def configure(endpoint: str, folder: Path) -> None:
    """Where functions find the embedded AWS, and where their code is unpacked (anew: what is there is removed)."""
    global _endpoint, _code_folder
    _endpoint, _code_folder = endpoint, folder / "functions"
    shutil.rmtree(_code_folder, ignore_errors=True)


class Invocation:
    """One run of a function. `outcome` may be asked again after None, also by another thread."""

    def __init__(self, function: Any, event: bytes) -> None:
        """`event` is JSON. Raises Refused where it is too large, or the function's concurrency is used up."""
        if len(event) > _REQUEST_BYTES:
            raise Refused("RequestTooLargeException", f"Request must be smaller than {_REQUEST_BYTES} bytes", 413)
        self._function = function
        self._event = event
        self._request_id = str(uuid.uuid4())
        self._pool = _pool_of(function)
        self._worker: Worker | None = None
        self._began = self._deadline = self._loading = 0.0
        if function.reserved_concurrency is not None and self._pool.at_work >= int(function.reserved_concurrency):
            now = clock.now()
            function_metrics.record(
                function.account_id, function.region, function.function_name, now, 0, failed=False, throttled=True
            )
            raise Refused("TooManyRequestsException", "Rate Exceeded.", 429)

    def outcome(self, until: float = float("inf")) -> Outcome | None:
        """What came of it; None if nothing has by `until` (of time.monotonic), while it goes on."""
        try:
            if not self._deadline and not self._begin(until):
                return None
            assert self._worker is not None
            frame = self._worker.finish(min(until, self._deadline))
        except Lost:
            said = f"RequestId: {self._request_id} Error: Runtime exited with error: signal: killed"
            return self._ended(_error(said, "Runtime.ExitError"), usable=False)
        if frame is not None:
            return self._ended(_checked(frame), usable=True)
        if time.monotonic() < self._deadline:
            return None
        said = f"{self._request_id} Task timed out after {self._function.timeout:.2f} seconds"
        return self._ended(_error(said, "Sandbox.Timedout"), usable=False)

    def _begin(self, until: float) -> bool:
        """Whether the event is on its way. Loading the handler does not count against the function's time-out."""
        if self._worker is None:
            self._worker = self._pool.take(until)
        if self._worker is None:
            return False
        if not self._worker.ready:
            self._loading = self._loading or time.monotonic() + _INIT_SECONDS
            try:
                if not self._worker.load(min(until, self._loading)):
                    if time.monotonic() < self._loading:
                        return False
                    raise Lost
            except Lost:
                self._pool.loaded(self._worker)
                raise
            self._pool.loaded(self._worker)
        self._began = time.monotonic()
        self._deadline = self._began + self._function.timeout
        self._worker.begin(self._event, self._request_id, self._function.function_arn, float(self._function.timeout))
        return True

    def _ended(self, frame: bytes, *, usable: bool) -> Outcome:
        """Give the worker back, write the log, count."""
        worker, function = self._worker, self._function
        assert worker is not None
        failed, milliseconds = frame[:1] == b"-", 1000 * (time.monotonic() - (self._began or time.monotonic()))
        if not usable:
            worker.kill()
        lines = worker.lines()
        self._pool.give_back(worker, usable=usable)
        write_log(function, worker.stream, self._request_id, lines, milliseconds)
        function_metrics.record(
            function.account_id, function.region, function.function_name, clock.now(), milliseconds, failed=failed
        )
        return Outcome(frame[1:], "Unhandled" if failed else "", "\n".join(lines))


def kill_workers(name: str, how: str, chosen: random.Random) -> int:
    """kill -9 the busy workers of a function: "all" of them, or a "random" one. Answers how many."""
    with _lock:
        pools = [pool for pool in _pools.values() if pool.function == name]
    workers = [worker for pool in pools for worker in pool.busy()]
    if how == "random" and workers:
        workers = [chosen.choice(workers)]
    for worker in workers:
        worker.kill()
    return len(workers)


def stop_all() -> None:
    """End every worker, busy ones too."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close(now=True)


def close_function(function_arn: str) -> None:
    """End the idle workers of a function that is no more; busy ones end with their event."""
    with _lock:
        _close(function_arn)


def _error(message: str, kind: str) -> bytes:
    return b"-" + json.dumps({"errorMessage": message, "errorType": kind}).encode()


def _checked(frame: bytes) -> bytes:
    if len(frame) - 1 <= _RESPONSE_BYTES:
        return frame
    said = f"Response payload size exceeded maximum allowed payload size ({_RESPONSE_BYTES} bytes)."
    return _error(said, "Function.ResponseSizeTooLarge")


def _pool_of(function: Any) -> Pool:
    """The pool of the function as it is now; one of an older code or configuration is closed."""
    settings = [function.environment_vars, function.handler, function.memory_size, function.role]
    key = f"{function.function_arn} {function.code_sha_256} {json.dumps(settings, sort_keys=True)}"
    with _lock:
        pool = _pools.get(key)
        if pool is None:
            _close(function.function_arn)
            pool = Pool(function.function_name, function.handler, _unpacked(function), _environment(function))
            _pools[key] = pool
        return pool


def _close(function_arn: str) -> None:
    for stale in [key for key in _pools if key.startswith(f"{function_arn} ")]:
        _pools.pop(stale).close()


def _unpacked(function: Any) -> Path:
    """The folder of the function's code; the same code is unpacked once."""
    folder = _code_folder / hashlib.sha256(function.code_sha_256.encode()).hexdigest()[:16]
    if not folder.exists():
        fresh = folder.with_suffix(f".{uuid.uuid4().hex[:8]}")
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
            archive.extractall(fresh)
        fresh.rename(folder)
    return folder


def _environment(function: Any) -> dict[str, str]:
    """docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, and the endpoint."""
    role = function.role.rpartition("/")[2]
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(_unpacked(function)),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": key_of_role(function.account_id, role),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_ENDPOINT_URL": _endpoint,
        **{name: str(value) for name, value in (function.environment_vars or {}).items()},
    }
