"""Starting and stopping an embedded AWS in the background."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lib.errors import LocalError
from lib.local.remote import ask

__all__ = ["answers", "ensure", "stop"]

_ROOT = Path(__file__).resolve().parent.parent.parent
_RECORD = "server.json"  # process id and endpoint, written by lib/local/server.py
_LOG = "server.log"
_SECONDS_TO_START = 40
_SECONDS_TO_STOP = 15
# An embedded AWS outlives who started it. A process object that is dropped while its process runs would warn of that.
_started: list[subprocess.Popen[bytes]] = []


def ensure(port: int, folder: Path) -> str:
    """The endpoint of the embedded AWS on `port`: the one that runs, or a new one that keeps its files in `folder`.

    Raises LocalError where something else holds the port, or it does not come up.
    """
    folder, endpoint = folder.resolve(), f"http://127.0.0.1:{port}"
    running = _running(folder)
    if running == endpoint:
        return endpoint
    if running:
        raise LocalError(
            f"The embedded AWS of this folder runs at {running}.",
            f"Give --port {running.rpartition(':')[2]}, or take it down with: python unsetup.py --local",
        )
    if _is_taken(port):
        holder = "An embedded AWS of another folder" if answers(endpoint) else "Another program"
        raise LocalError(f"{holder} holds port {port} of this machine.", "Choose another with --port.")
    process = _start(port, folder)
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        if _running(folder) == endpoint:  # ours, or that of somebody who started one at the same moment
            _started.append(process)
            return endpoint
        if process.poll() is not None and _running(folder) != endpoint:
            raise LocalError(f"The embedded AWS did not start on port {port}.", f"See {folder / _LOG}.")
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise LocalError(f"The embedded AWS did not answer within {_SECONDS_TO_START} s.", f"See {folder / _LOG}.")


def answers(endpoint: str) -> bool:
    """Whether an embedded AWS is there."""
    return _pid_at(endpoint) is not None


def stop(folder: Path) -> None:
    """End the embedded AWS that keeps its files in `folder`, and wait until it is gone."""
    recorded = _recorded(folder)
    if recorded is None or not _is_ours(*recorded):
        return
    pid = recorded[0]
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS_TO_STOP
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            if _is_over(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lib.local", "--port", str(port), "--dir", str(folder)],
            cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        )  # fmt: skip


def _running(folder: Path) -> str | None:
    """The endpoint of the embedded AWS of `folder`, None if it does not run."""
    recorded = _recorded(folder)
    return recorded[1] if recorded and _pid_at(recorded[1]) == recorded[0] else None


def _recorded(folder: Path) -> tuple[int, str] | None:
    """(process id, endpoint) of the embedded AWS of `folder`, which may have died since."""
    try:
        kept = json.loads((folder / _RECORD).read_text())
        return int(kept["pid"]), str(kept["endpoint_url"])
    except (OSError, ValueError, KeyError):
        return None


def _pid_at(endpoint: str) -> int | None:
    """The process id of the embedded AWS at an endpoint, None if there is none."""
    try:
        return int(ask(endpoint, "health")["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_ours(pid: int, endpoint: str) -> bool:
    """Whether a recorded process is still the embedded AWS: ids are used again."""
    if _pid_at(endpoint) == pid:
        return True
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return "lib.local" in shown.stdout


def _is_over(pid: int) -> bool:
    """Whether a process of ours has ended; asking also lets go of it."""
    for process in _started:
        if process.pid == pid and process.poll() is not None:
            _started.remove(process)
            return True
    return False
