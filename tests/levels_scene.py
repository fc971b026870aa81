"""A deployment of two tenants for tests of alert levels: a table in memory, a wire that keeps what SNS would get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs

from lambda_function.alerts import Alerts
from lambda_function.backlog import Backlog
from lambda_function.calendars import UTC
from lambda_function.entries import windows
from lambda_function.ledger import counter_key, hour, hourly_key
from lambda_function.level_pass import LevelPass
from lambda_function.minute import Minute
from lambda_function.snapshot import Snapshot
from lambda_function.wire import Credentials, Reply, Wire, WireError
from tests.table_double import TableDouble

__all__ = ["NOON", "USD", "Scene", "SnsDouble"]

USD = 10**12
NOON = 1_795_521_600.0  # Tuesday 2026-11-24T12:00:00Z


class SnsDouble(Wire):
    """Takes publishes. `outages` are used up by the next ones: "unsent", "lost" or an HTTP status."""

    def __init__(self) -> None:
        super().__init__("us-east-1", lambda: Credentials("a", "b", None))
        self.published: list[dict[str, str]] = []
        self.outages: list[str] = []

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Reply:
        assert (service, method, path) == ("sns", "POST", "/")
        outage = self.outages.pop(0) if self.outages else "200"
        if outage == "unsent":
            raise WireError("not sent", sent=False)
        if outage in {"200", "lost"}:
            form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
            message = EmailMessage()
            message["Subject"] = form["Subject"]  # raises on line breaks
            assert form["MessageStructure"] == "json"
            self.published.append(form)
        if outage == "lost":
            raise WireError("no answer", sent=True)
        return Reply(int(outage), {}, b"")

    def mails(self, topic: str = "admin") -> list[tuple[str, str]]:
        """Subject and text of what went to a topic, in order."""
        return [
            (form["Subject"], json.loads(form["Message"])["email"])
            for form in self.published
            if form["TopicArn"] == f"arn:{topic}"
        ]


class Scene:
    """Tenants Acme (a budget, mails to itself at red) and Globex (nothing of its own)."""

    def __init__(self, acme: Mapping[str, Any] | None = None, monthly_budget: int | None = None) -> None:
        self.table = TableDouble()
        self.sns = SnsDouble()
        self.now = NOON
        self.lines: list[dict[str, Any]] = []
        thresholds = {"cost": USD, "tokens": 2000, "requests": 10}
        self.snapshot = Snapshot({
            "format": 1, "version": "s", "region": "us-east-1", "table": "ledger", "hold_seconds": 89,
            "price_version": "p1", "models": {}, "keys": {}, "zones": {}, "monthly_budget": monthly_budget,
            "topics": {"admin": "arn:admin", "tenants": {"Acme": "arn:acme"}},
            "tenants": {"Acme": {"policy": dict(acme or {})}, "Globex": {"policy": {}}},
            "profiles": [
                {
                    "name": name, "id": name, "arn": f"arn:{name}", "tenant": name, "tags": {}, "model": "m",
                    "version": "v", "thresholds": thresholds,
                }
                for name in ("Acme", "Globex")
            ],
        })  # fmt: skip
        self.pass_ = LevelPass(self.sns)

    def alerts(self) -> Alerts:
        """What one container has."""
        return Alerts(self.table, self.sns, clock=lambda: self.now)

    def item(self, tenant: str = "Acme") -> dict[str, Any]:
        return self.table.items.setdefault(
            counter_key(tenant), dict(zip(("pk", "sk"), counter_key(tenant), strict=True))
        )

    def settle(self, usd: float, tenant: str = "Acme") -> dict[str, Any]:
        """What a request of so many dollars leaves in the counter item."""
        item, amount = self.item(tenant), int(usd * USD)
        for name, more in zip(
            windows(int(self.now), UTC.offset(self.now)), (amount, amount, 1, 0, amount, amount), strict=True
        ):
            item[name] = item.get(name, 0) + more
        return dict(item)

    def minute(self, minutes: float = 1, *, active: tuple[str, ...] = ("Acme",)) -> dict[str, int]:
        """The schedule's look after so many minutes."""
        self.now += 60 * minutes
        items = {tenant: dict(self.item(tenant)) for tenant in active}
        backlog = Backlog(int(self.now) // 3600 * 3600 - 3600)

        def write(line: str) -> None:
            self.lines.append(json.loads(line))

        return self.pass_(Minute(self.table, self.snapshot, self.now, lambda: True, write, backlog, {}, items))

    def history(self, tenant: str = "Acme") -> list[tuple[str, str]]:
        """From and to of each change that was kept."""
        return [
            (item["from"], item["to"])
            for key, item in sorted(self.table.items.items())
            if key[0] == f"T#{tenant}" and key[1].startswith("level#")
        ]

    def habits(self, usd_an_hour: float, weeks: int = 4, tenant: str = "Acme") -> None:
        """Roll-ups of a tenant that spends the same in every hour."""
        now = int(self.now) // 3600
        for number in range(now - weeks * 168, now):
            pk, sk = hourly_key(tenant, hour(number * 3600), tenant, "v")
            self.table.items[pk, sk] = {"pk": pk, "sk": sk, "cost": int(usd_an_hour * USD)}
        item = self.item(tenant)
        for bucket in range(int(self.now) // 300 - 12, int(self.now) // 300):
            item[f"f_{bucket}"] = int(usd_an_hour * USD) // 12
        for number in range(now - 6, now):
            item[f"h_{number}"] = int(usd_an_hour * USD)
