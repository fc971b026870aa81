"""Processes that run functions: warm ones are kept, as Lambda keeps its execution environments.

Pool.take -> Worker.load -> Worker.begin -> Worker.finish (as often as needed) -> Pool.give_back
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from lib.local import clock

__all__ = ["Lost", "Pool", "Worker"]

_WORKER = Path(__file__).with_name("worker.py")
MOST_WORKERS = 64
# More processes than this help only calls that wait for something; before one more is started, a short while is spent
# waiting for one that comes back. Interpreters that start all at once would only keep each other from starting.
EAGER_WORKERS = 8
PATIENCE_SECONDS = 0.05
_FOREVER = 86_400.0
MOST_COLD = max(2, os.cpu_count() or 2)  # so many start at the same time


class Lost(Exception):
    """The process ended in the middle of an event."""


class Worker:
    """One process, for one event at a time. `stream` is the log stream it writes to."""

    def __init__(self, stream: str, handler: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.ready = False
        ours, theirs = socket.socketpair()
        self.stream = stream
        self._channel = ours
        self._process = subprocess.Popen(
            [sys.executable, "-s", str(_WORKER), str(theirs.fileno()), str(folder), handler,
             json.dumps(clock.reading())],
            env=environment, cwd=folder, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        theirs.close()
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._written: list[bytes] = []
        self._incoming = b""
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._poll.register(self._channel, select.POLLIN)

    def load(self, until: float) -> bool:
        """Wait until the handler is loaded, or `until` (of time.monotonic); whether it is. Raises Lost."""
        if not self.ready and self.finish(until) is not None:
            self.ready = True
        return self.ready

    @property
    def alive(self) -> bool:
        """Whether it can take an event."""
        return self._process.poll() is None

    def begin(self, event: bytes, request_id: str, arn: str, seconds: float) -> None:
        """Send an event, which is JSON. Raises Lost."""
        about = {"request_id": request_id, "arn": arn, "seconds": seconds, "clock": clock.reading()}
        content = json.dumps(about).encode()[:-1] + b', "event": ' + event + b"}"
        try:
            self._channel.sendall(struct.pack(">I", len(content)) + content)
        except OSError as error:
            raise Lost from error

    def finish(self, until: float) -> bytes | None:
        """The answer, None if there is none by `until` (of time.monotonic): then call it again. Raises Lost."""
        while True:
            frame = self._frame()
            if frame is not None:
                return frame
            left = until - time.monotonic()
            ready = dict(self._poll.poll(max(0.0, 1000 * left) if left < _FOREVER else None))
            if not ready:
                return None
            if self._output in ready and not self._drain():
                raise Lost
            if self._channel.fileno() in ready:
                self._receive()

    def _frame(self) -> bytes | None:
        """The first whole message of what has come."""
        if len(self._incoming) < 4:
            return None
        end = 4 + struct.unpack_from(">I", self._incoming)[0]
        if len(self._incoming) < end:
            return None
        frame, self._incoming = self._incoming[4:end], self._incoming[end:]
        return frame

    def lines(self) -> list[str]:
        """What it has written since the last call, as lines."""
        self._drain()
        written, self._written = b"".join(self._written), []
        return written.decode("utf-8", "replace").splitlines()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._process.wait()
        self._channel.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _receive(self) -> None:
        try:
            part = self._channel.recv(1 << 20)
        except OSError as error:
            raise Lost from error
        if not part:
            raise Lost
        self._incoming += part

    def _drain(self) -> bool:
        """Take what is written; False at its end, where the process has closed it."""
        try:
            while part := os.read(self._output, 1 << 16):
                self._written.append(part)
        except BlockingIOError:
            return True
        return False


class Pool:
    """The workers of one version of a function's code and configuration."""

    def __init__(self, function: str, handler: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.function = function
        self._handler, self._folder, self._environment = handler, folder, environment
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._cold = 0  # started, and not ready yet
        self._closed = False

    @property
    def at_work(self) -> int:
        """How many events run, or wait for a worker that starts."""
        return len(self._busy)

    def take(self, until: float) -> Worker | None:
        """A worker of one's own: a warm one, or a new one; None if there is none by `until` (of time.monotonic).

        Call `load` of it, and then `loaded` here, before its first event.
        """
        patient_until = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                worker = self._warm()
                if worker is not None:
                    return worker
                now, running = time.monotonic(), len(self._busy)
                full = running >= MOST_WORKERS or self._cold >= MOST_COLD
                if not full and (running < EAGER_WORKERS or now >= patient_until):
                    worker = self._started()
                    self._cold += 1
                    self._busy.add(worker)
                    return worker
                if now >= until:
                    return None
                wait = min(until, now + _FOREVER if full else patient_until) - now
                self._changed.wait(wait)

    def loaded(self, worker: Worker) -> None:
        """A worker that was started is ready, or will never be: others may start."""
        with self._changed:
            self._cold -= 1
            self._changed.notify_all()

    def _started(self) -> Worker:
        day = time.strftime("%Y/%m/%d", time.gmtime(clock.now()))
        stream = f"{day}/[$LATEST]{uuid.uuid4().hex}"
        environment = {**self._environment, "AWS_LAMBDA_LOG_STREAM_NAME": stream}
        return Worker(stream, self._handler, self._folder, environment)

    def give_back(self, worker: Worker, *, usable: bool) -> None:
        """Return a worker after its event."""
        keep = usable and not self._closed and worker.alive
        with self._changed:
            self._busy.discard(worker)
            if keep:
                self._idle.append(worker)
            self._changed.notify()
        if not keep:
            worker.close()

    def busy(self) -> list[Worker]:
        """Those that run an event now."""
        with self._changed:
            return list(self._busy)

    def close(self, *, now: bool = False) -> None:
        """End idle workers; busy ones end with their event, or `now`."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            if now:
                for worker in self._busy:
                    worker.kill()
        for worker in idle:
            worker.close()

    def _warm(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                self._busy.add(worker)
                return worker
            worker.close()
        return None
