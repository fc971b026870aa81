"""Starting and stopping an embedded AWS in the background."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from lib.errors import LocalError

__all__ = ["answers", "clock_offset", "ensure", "stop"]

_ROOT = Path(__file__).resolve().parent.parent.parent
_SECONDS_TO_START = 40
# An embedded AWS outlives who started it. A process object that is dropped while its process runs would warn of that.
_started: list[subprocess.Popen[bytes]] = []


def ensure(port: int, folder: Path) -> str:
    """The endpoint of the embedded AWS on `port`: the one that runs, or a new one that keeps its files in `folder`.

    Raises LocalError where something else holds the port, or it does not come up.
    """
    endpoint = f"http://127.0.0.1:{port}"
    running = _recorded(folder)
    if running and answers(running[1]):
        if running[1] != endpoint:
            raise LocalError(
                f"The embedded AWS of this folder runs at {running[1]}.",
                f"Give --port {running[1].rpartition(':')[2]}, or take it down with: python unsetup.py --local",
            )
        return endpoint
    if answers(endpoint):
        raise LocalError(f"Another embedded AWS runs on port {port}, for another folder.", "Choose another --port.")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.local", "--port", str(port), "--dir", str(folder)],
            cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        )  # fmt: skip
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        if answers(endpoint) and (_recorded(folder) or (0, ""))[0] == process.pid:
            _started.append(process)
            return endpoint
        if process.poll() is not None:
            raise LocalError(
                f"The embedded AWS did not start on port {port}.",
                f"Something else may hold the port: choose another --port. See {folder / 'server.log'}.",
            )
        time.sleep(0.05)
    process.kill()
    raise LocalError(f"The embedded AWS did not answer within {_SECONDS_TO_START} s.", f"See {folder / 'server.log'}.")


def answers(endpoint: str) -> bool:
    """Whether an embedded AWS is there."""
    try:
        return "account" in _asked(f"{endpoint}/_local/health")
    except (OSError, ValueError):
        return False


def clock_offset(endpoint: str) -> float:
    """Seconds by which its clock is ahead of ours. Raises LocalError where it does not answer."""
    try:
        return float(_asked(f"{endpoint}/_local/clock")["offset"])
    except (OSError, ValueError) as error:
        raise LocalError(f"The embedded AWS at {endpoint} does not answer.", "Run: python setup.py --local") from error


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own endpoint
        return json.loads(reply.read())


def stop(folder: Path) -> None:
    """End the embedded AWS that keeps its files in `folder`, and wait until it is gone."""
    running = _recorded(folder)
    if running is None:
        return
    try:
        os.kill(running[0], signal.SIGTERM)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            os.kill(running[0], 0)
            if _is_over(running[0]):
                return
            time.sleep(0.05)
        os.kill(running[0], signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_over(pid: int) -> bool:
    """Whether a process of ours has ended; asking also lets go of it."""
    for process in _started:
        if process.pid == pid and process.poll() is not None:
            _started.remove(process)
            return True
    return False


def _recorded(folder: Path) -> tuple[int, str] | None:
    """(process id, endpoint) of the embedded AWS of `folder`."""
    try:
        kept = json.loads((folder / "server.json").read_text())
        return int(kept["pid"]), str(kept["endpoint_url"])
    except (OSError, ValueError, KeyError):
        return None
