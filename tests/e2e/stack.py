"""A deployment on the embedded AWS, made by the very commands a newcomer types, and a tenant's eyes on it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3

ROOT = Path(__file__).resolve().parent.parent.parent
HELLO = {"messages": [{"role": "user", "content": [{"text": "Say hello in five words."}]}]}


class Answer(NamedTuple):
    """What a tenant's program gets."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The error's code, "" on success."""
        return str(self.body.get("error", {}).get("code", "")) if isinstance(self.body, dict) else ""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Stack:
    """One deployment in `folder`, with its own embedded AWS."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "config.json"
        shipped = json.loads((ROOT / "config.json").read_text())
        self.write_config(config or shipped)
        self._keys: dict[str, str] = {}

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace config.json."""
        self.config.write_text(json.dumps(config, indent=2))

    def read_config(self) -> dict[str, Any]:
        """config.json as it is."""
        loaded: dict[str, Any] = json.loads(self.config.read_text())
        return loaded

    @property
    def deployed(self) -> dict[str, Any]:
        """The ids setup kept."""
        block: dict[str, Any] = json.loads((self.folder / ".local" / "config.json").read_text())["deployed"]
        return block

    def run(
        self, script: str, *arguments: str, expect: int | None = 0, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the project as a person would, from somewhere else; `expect` None takes any exit code."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments, "--local", "--config", str(self.config)],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        assert expect in (None, done.returncode), (
            f"{script} {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def set_up(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """python setup.py --local --create-user-roles"""
        return self.run("setup.py", "--create-user-roles", "--port", str(self.port), *arguments, expect=expect)

    def tear_down(self) -> subprocess.CompletedProcess[str]:
        """python unsetup.py --local"""
        return self.run("unsetup.py")

    def aws(self, service: str) -> Any:
        """A boto3 client, as any AWS client would be pointed at the endpoint."""
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=self.deployed["endpoint_url"],
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip

    def key(self, tenant: str) -> str:
        """The tenant's API key, by the documented command."""
        if tenant not in self._keys:
            self._keys[tenant] = self.run("tenants.py", "key", tenant).stdout.strip()
        return self._keys[tenant]

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """An administrative address of the embedded AWS."""
        status, _, answer = self.http(method, self.deployed["endpoint_url"] + path, {}, body)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def http(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> Answer:
        """One HTTP request; `body` is sent as it is when bytes, else as JSON."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            payload = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), payload, dict(headers))
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = content.decode("utf-8", "replace")
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, parsed)

    def invoke(self, tenant: str | None, body: Any = None, **headers: str) -> Answer:
        """POST /invoke as `tenant`; header names spell `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if tenant is not None:
            sent["x-api-key"] = self.key(tenant)
        return self.http("POST", self.deployed["api_url"] + "/invoke", sent, HELLO if body is None else body)

    def usage(self, tenant: str) -> Answer:
        """GET /usage as `tenant`."""
        return self.http("GET", self.deployed["api_url"] + "/usage", {"x-api-key": self.key(tenant)}, None)


def eventually(condition: Callable[[], Any], seconds: float = 30, every: float = 0.25) -> Any:
    """The first truthy value of `condition`, within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(every)
