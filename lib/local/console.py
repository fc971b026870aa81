"""The console at /_console: one page for people. It is a client of the embedded AWS like any other."""

from __future__ import annotations

import email
import email.policy
import functools
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import plotly

from lib.local import clock
from lib.local.console_tenants import shown_tenants
from lib.local.console_widgets import drawn, filled_variable, placed_variables

__all__ = ["Console", "Page"]

_STATIC = Path(__file__).parent / "console_page"
_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
}
_SHOWN_HEADERS = ("x-", "retry-after", "content-type")
_MOST_MAILS = 50


class Page(NamedTuple):
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes


class Console:
    """Serves the page, its data as JSON, and requests sent on a tenant's behalf.

    `endpoint` is the embedded AWS itself, `folder` the `.local` folder that holds the deployed ids and the mailbox.
    """

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._gets: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "overview": self._overview,
            "dashboard": self._dashboard,
            "mail": self._mail,
        }

    def get(self, path: str, query: Mapping[str, str]) -> Page:
        """Answer GET /_console/{path}."""
        if path in self._gets:
            return _json(200, self._gets[path](query))
        if path == "plotly.min.js":
            return Page(200, _TYPES[".js"], _PLOTLY.read_bytes())
        file = _STATIC / (path or "index.html")
        if file.parent != _STATIC or not file.is_file():
            return _json(404, {"error": "There is no such page."})
        return Page(200, _TYPES[file.suffix], file.read_bytes())

    def post(self, path: str, body: bytes) -> Page:
        """Answer POST /_console/send with {"tenant", "headers", "body"}: what the tenant's own program would see."""
        if path != "send":
            return _json(404, {"error": "There is no such page."})
        try:
            wanted = json.loads(body)
            return _json(200, self._send(wanted["tenant"], wanted.get("headers") or {}, wanted["body"]))
        except (ValueError, KeyError, TypeError):
            return _json(400, {"error": "Give tenant, headers and body."})

    @functools.lru_cache(maxsize=16)  # noqa: B019 - one console lives as long as the server
    def _client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106
        )

    def _deployed(self) -> dict[str, Any]:
        try:
            deployed = json.loads((self._folder / "config.json").read_text())["deployed"]
        except (OSError, ValueError, KeyError):
            return {}
        return deployed if isinstance(deployed, dict) else {}

    def _resolved(self, deployed: Mapping[str, Any]) -> dict[str, Any]:
        """The resolved configuration that the functions read."""
        s3 = self._client("s3", deployed["region"])
        try:
            resolved = json.loads(s3.get_object(Bucket=deployed["bucket"], Key=deployed["config_key"])["Body"].read())
        except (KeyError, s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
            return {}
        return resolved if isinstance(resolved, dict) else {}

    def _overview(self, query: Mapping[str, str]) -> dict[str, Any]:
        deployed = self._deployed()
        if not deployed.get("api_url"):
            return {"ready": False, "tenants": [], "alarms": [], "mails": self._mails()}
        resolved = self._resolved(deployed)
        client = functools.partial(self._client, region=deployed["region"])
        now = clock.now()
        tenants = list(shown_tenants(client, deployed["table"], resolved, now)) if resolved else []
        pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
        return {
            "ready": bool(resolved),
            "now": int(now * 1000),
            "tenants": tenants,
            "alarms": [
                {
                    "name": alarm["AlarmName"],
                    "state": alarm["StateValue"],
                    "reason": alarm.get("StateReason", ""),
                    "since": int(alarm["StateUpdatedTimestamp"].timestamp() * 1000),
                }
                for page in pages
                for alarm in page["MetricAlarms"]
            ],
            "mails": self._mails(),
        }

    @functools.lru_cache(maxsize=1024)  # noqa: B019 - as above
    def _key(self, region: str, key_id: str) -> str:
        return str(self._client("apigateway", region).get_api_key(apiKey=key_id, includeValue=True)["value"])

    def _send(self, tenant: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        deployed = self._deployed()
        key_ids = [key for key, kept in deployed["keys"].items() if kept["tenant"] == tenant and not kept["until"]]
        if not key_ids:
            raise ValueError(f"{tenant} has no key")
        sent = {**headers, "content-type": "application/json", "x-api-key": self._key(deployed["region"], key_ids[0])}
        url = deployed["api_url"] + "/invoke"
        request = urllib.request.Request(url, json.dumps(body).encode(), sent, method="POST")  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=35) as reply:  # noqa: S310
                return _reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.headers, error.read())

    def _dashboard(self, query: Mapping[str, str]) -> dict[str, Any]:
        deployed = self._deployed()
        if not deployed.get("region"):
            return {"variables": [], "widgets": []}
        cloudwatch = self._client("cloudwatch", deployed["region"])
        names = [entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"]]
        if not names:
            return {"variables": [], "widgets": []}
        body = json.loads(cloudwatch.get_dashboard(DashboardName=names[0])["DashboardBody"])
        chosen = placed_variables(body, query)
        last = clock.now()
        first = last - 60 * int(query.get("minutes", "60"))

        def fetch(queries: list[dict[str, Any]], start: float, end: float) -> list[Any]:
            answer = cloudwatch.get_metric_data(
                MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
            )
            return list(answer["MetricDataResults"])

        return {
            "variables": [filled_variable(variable, cloudwatch) for variable in body.get("variables", [])],
            "first": int(first * 1000),
            "last": int(last * 1000),
            "widgets": [drawn(widget, first, last, fetch) for widget in chosen["widgets"]],
        }

    def _mails(self) -> list[dict[str, str]]:
        files = sorted((self._folder / "mail").glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)
        return [_headline(file) for file in files[:_MOST_MAILS]]

    def _mail(self, query: Mapping[str, str]) -> dict[str, str]:
        file = self._folder / "mail" / Path(query.get("file", "")).name
        if not file.is_file():
            return {"subject": "This mail is gone.", "text": ""}
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        part = message.get_body(("plain",))
        return {**_headline(file), "text": part.get_content() if part else ""}


def _headline(file: Path) -> dict[str, str]:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    return {
        "file": file.name,
        "subject": str(message["Subject"] or ""),
        "to": str(message["To"] or ""),
        "date": str(message["Date"] or ""),
    }


def _reply(status: int, headers: Any, body: bytes) -> dict[str, Any]:
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        parsed = body.decode("utf-8", "replace")
    shown = {name.lower(): value for name, value in headers.items() if name.lower().startswith(_SHOWN_HEADERS)}
    return {"status": status, "headers": shown, "body": parsed}


def _json(status: int, value: Any) -> Page:
    return Page(status, _TYPES[".json"], json.dumps(value).encode())
