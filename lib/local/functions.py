"""Lambda functions that run: warm workers per function, from the function's own zip, killed at its time-out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from moto.awslambda.models import LambdaFunction
from moto.iam.models import iam_backends

from lib.local import clock, function_metrics
from lib.local.door import Refused
from lib.local.role_keys import key_of_role

__all__ = ["Outcome", "install", "invoke", "kill_workers", "set_endpoint", "stop_all"]

_WORKER = Path(__file__).with_name("worker.py")
_MOST_WORKERS = 48  # of a function; more callers wait for one, as they would at a concurrency limit
_PAYLOAD = 6 * 1024 * 1024

_endpoint = ""
_code = tempfile.TemporaryDirectory(prefix="local-lambda-")
_pools: dict[str, _Pool] = {}  # by ARN, code and configuration
_lock = threading.Lock()


class Outcome(NamedTuple):
    """`payload` is the handler's JSON; `error` "", "Unhandled" or "Timeout"; `log` the lines it wrote."""

    payload: str
    error: str
    log: str


class _Lost(Exception):
    """The worker died or ran out of time."""


def set_endpoint(url: str) -> None:
    """Where functions find the embedded AWS."""
    global _endpoint
    _endpoint = url


def install() -> None:
    """Make moto's functions run, and its roles assumable only if they trust Lambda. Idempotent."""
    LambdaFunction._invoke_lambda = _invoke_lambda
    LambdaFunction.__init__ = _checked_init


def invoke(function: Any, event: Any) -> Outcome:
    """Run the function once, synchronously."""
    if len(json.dumps(event)) > _PAYLOAD:
        raise Refused("RequestTooLargeException", "Request must be smaller than 6291456 bytes", 413)
    request_id = str(uuid.uuid4())
    pool = _pool_of(function)
    began = time.monotonic()
    with pool.worker() as worker:
        try:
            answer, lines = worker.run(event, request_id, function.timeout)
            error = "Unhandled" if "error" in answer else ""
            payload = json.dumps(answer.get("error", answer.get("result")))
        except _Lost as lost:
            lines = worker.drained()
            error = "Timeout" if worker.timed_out else "Unhandled"
            said = f"{request_id} Task timed out after {function.timeout}.00 seconds" if worker.timed_out else str(lost)
            kind = "Sandbox.Timedout" if worker.timed_out else "Runtime.ExitError"
            payload = json.dumps({"errorMessage": said, "errorType": kind})
    milliseconds = 1000 * (time.monotonic() - began)
    if not error and len(payload) > _PAYLOAD:
        said = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        error, payload = "Unhandled", json.dumps({"errorMessage": said, "errorType": "Function.ResponseSizeTooLarge"})
    _log(function, worker.stream, request_id, lines, milliseconds)
    function_metrics.record(
        function.account_id, function.region, function.function_name, clock.now(), milliseconds, failed=bool(error)
    )
    return Outcome(payload, error, "\n".join(lines))


def kill_workers(name: str, how: str, chosen: random.Random) -> int:
    """kill -9 the busy workers of a function: "all" of them, or a "random" one. Answers how many."""
    with _lock:
        workers = [worker for pool in _pools.values() if pool.function == name for worker in pool.busy]
    if how == "random" and workers:
        workers = [chosen.choice(workers)]
    for worker in workers:
        worker.kill()
    return len(workers)


def stop_all() -> None:
    """End every worker."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.stop()


class _Worker:
    """One process. `stream` is the log stream it writes to."""

    def __init__(self, function: Any, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        day = time.strftime("%Y/%m/%d", time.gmtime(clock.now()))
        self.stream = f"{day}/[$LATEST]{uuid.uuid4().hex}"
        self.timed_out = False
        self._arn: str = function.function_arn
        self._channel = ours
        environment = _environment(function, self.stream)
        self._process = subprocess.Popen(
            [sys.executable, "-s", str(_WORKER), str(theirs.fileno()), str(folder), function.handler],
            env=environment, cwd=folder, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        theirs.close()
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._written = b""

    @property
    def alive(self) -> bool:
        """Whether it can take another event."""
        return self._process.poll() is None

    def run(self, event: Any, request_id: str, seconds: int) -> tuple[dict[str, Any], list[str]]:
        """(answer, lines written). Raises _Lost if the process dies or takes more than `seconds`."""
        message = {
            "event": event,
            "request_id": request_id,
            "arn": self._arn,
            "seconds": seconds,
            "offset": clock.offset(),
        }
        content = json.dumps(message).encode()
        deadline = time.monotonic() + seconds
        try:
            self._channel.sendall(struct.pack(">I", len(content)) + content)
            size = struct.unpack(">I", self._receive(4, deadline))[0]
            answer: dict[str, Any] = json.loads(self._receive(size, deadline))
        except OSError as error:
            self.kill()
            raise _Lost("RequestId: " + request_id + " Error: Runtime exited with error: signal: killed") from error
        return answer, self.drained()

    def _receive(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            watched: list[Any] = [self._channel, self._output]
            ready, _, _ = select.select(watched, [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.timed_out = True
                raise TimeoutError
            if self._output in ready:
                self._drain()
                if ready == [self._output] and not self.alive:
                    raise ConnectionResetError
            if self._channel in ready:
                part = self._channel.recv(size)
                if not part:
                    raise ConnectionResetError
                parts.append(part)
                size -= len(part)
        return b"".join(parts)

    def _drain(self) -> None:
        try:
            while part := os.read(self._output, 1 << 16):
                self._written += part
        except (BlockingIOError, OSError):
            return

    def drained(self) -> list[str]:
        """What it has written since the last call, as lines."""
        self._drain()
        written, self._written = self._written, b""
        return written.decode("utf-8", "replace").splitlines()

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def close(self) -> None:
        """`kill`, and give up what it has written and nobody has read."""
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


class _Pool:
    """The workers of one version of a function's code and configuration."""

    def __init__(self, function: Any, folder: Path) -> None:
        self.function: str = function.function_name
        self.busy: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._stopped = False
        self._source = function
        self._folder = folder
        self._places = threading.BoundedSemaphore(_MOST_WORKERS)
        self._guard = threading.Lock()

    @contextmanager
    def worker(self) -> Iterator[_Worker]:
        """A worker of one's own for the time of an event: a warm one, or a new one."""
        with self._places:
            with self._guard:
                while self._idle and not self._idle[-1].alive:
                    self._idle.pop().close()
                warm = self._idle.pop() if self._idle else None
            worker = warm or _Worker(self._source, self._folder)
            with self._guard:
                self.busy.append(worker)
            try:
                yield worker
            finally:
                with self._guard:
                    self.busy.remove(worker)
                    if worker.alive and not worker.timed_out and not self._stopped:
                        self._idle.append(worker)
                    else:
                        worker.close()

    def stop(self) -> None:
        """End the workers that wait; a busy one ends with its event."""
        with self._guard:
            self._stopped = True
            for worker in self._idle:
                worker.close()
            self._idle.clear()


def _pool_of(function: Any) -> _Pool:
    """The pool of the function as it is now; one of an older configuration is stopped."""
    parts = [function.environment_vars, function.handler, function.timeout, function.memory_size, function.role]
    settings = json.dumps(parts)
    key = f"{function.function_arn} {function.code_sha_256} {hashlib.sha256(settings.encode()).hexdigest()}"
    with _lock:
        if key not in _pools:
            for stale in [other for other in _pools if other.startswith(f"{function.function_arn} ")]:
                _pools.pop(stale).stop()
            _pools[key] = _Pool(function, _unpacked(function))
        return _pools[key]


def _unpacked(function: Any) -> Path:
    folder = Path(_code.name) / hashlib.sha256(function.code_sha_256.encode()).hexdigest()[:16]
    if not folder.exists():
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
            archive.extractall(folder)
    return folder


def _environment(function: Any, stream: str) -> dict[str, str]:
    role = function.role.rpartition("/")[2]
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": key_of_role(function.account_id, role),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_ENDPOINT_URL": _endpoint,
        **{name: str(value) for name, value in function.environment_vars.items()},
    }


def _log(function: Any, stream: str, request_id: str, lines: list[str], milliseconds: float) -> None:
    """The lines a function writes, between the three that Lambda itself writes."""
    now = int(clock.now() * 1000)
    took = f"Duration: {milliseconds:.2f} ms\tBilled Duration: {int(milliseconds) + 1} ms"
    report = f"REPORT RequestId: {request_id}\t{took}\tMemory Size: {function.memory_size} MB"
    written = [f"START RequestId: {request_id} Version: $LATEST", *lines, f"END RequestId: {request_id}", report]
    logs, group = function.logs_backend, function.logs_group_name
    logs.ensure_log_group(group)
    with _lock:
        if stream not in logs.groups[group].streams:
            logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in written])


def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
    parsed = json.loads(event) if isinstance(event, (str, bytes)) else event
    outcome = invoke(self, parsed)
    return outcome.payload, bool(outcome.error), outcome.log


_moto_init = LambdaFunction.__init__


def _checked_init(self: Any, account_id: str, spec: dict[str, Any], region: str, *rest: Any, **named: Any) -> None:
    role_name = str(spec.get("Role", "")).rpartition("/")[2]
    roles = {role.name: role for role in iam_backends[account_id]["aws"].roles.values()}
    role = roles.get(role_name)
    trusted = role is not None and "lambda.amazonaws.com" in json.dumps(role.assume_role_policy_document)
    if not trusted:
        raise Refused(
            "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.", 400
        )
    _moto_init(self, account_id, spec, region, *rest, **named)
