"""The run of each minute over a table: everybody's dead are settled, sums are up to date, one failure stops nothing."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from lambda_function.calendars import UTC
from lambda_function.counters import Counters, Ticket
from lambda_function.dynamodb import Unavailable
from lambda_function.ledger import counter_key, daily_key, profile_key, record, record_key
from lambda_function.limits import Demand, Policy
from lambda_function.schedule import Schedule
from lambda_function.settlement import record_once
from lambda_function.snapshot import Snapshot, SnapshotReader
from lambda_function.wire import Credentials, Wire
from tests.table_double import TableDouble

START = 1_795_437_296.0  # 2026-11-23T12:34:56Z
DOCUMENT = {
    "format": 1, "version": "s", "region": "us-east-1", "table": "ledger", "hold_seconds": 89, "price_version": "p1",
    "models": {}, "keys": {}, "tenants": {}, "zones": {},
    "profiles": [
        {"name": "A", "id": "abcdefghijkl", "arn": "arn:a", "tenant": "A", "tags": {}, "model": "m1", "version": "v1"}
    ],
}  # fmt: skip


class Configured(SnapshotReader):
    """A reader that has read."""

    def __init__(self) -> None:
        super().__init__(Wire("us-east-1", lambda: Credentials("a", "b", None)), "bucket", "key")

    def current(self) -> Snapshot:
        return Snapshot(DOCUMENT)


class Scene:
    def __init__(self) -> None:
        self.table = TableDouble()
        self.now = START
        self.counters = Counters(self.table, 89, clock=lambda: self.now)
        self.lines: list[str] = []
        self.schedule = Schedule(
            Configured(), lambda snapshot: self.table, clock=lambda: self.now, write=self.lines.append
        )

    def reserve(self, tenant: str, profile_id: str = "abcdefghijkl") -> Ticket:
        demand = Demand(100, 1000, 10, max_tokens=100)
        return self.counters.reserve(tenant, str(uuid.uuid4()), profile_id, Policy(), UTC, demand)

    def run(self, after: float = 0) -> dict[str, int]:
        self.now = START + after
        return self.schedule.run(lambda: True)

    def stored(self, ticket: Ticket) -> dict[str, Any]:
        return self.table.items[record_key(ticket.tenant, ticket.request_id, ticket.start)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_dead_of_every_tenant_are_settled_and_summed_up(scene: Scene) -> None:
    tickets = [scene.reserve(tenant) for tenant in ("A", "B", "_rehearsal")]
    assert scene.run(60)["estimated"] == 0
    assert scene.run(120) == {"tenants": 3, "finished": 0, "estimated": 3, "final_until": 1_795_435_200}
    assert [scene.stored(ticket)["cost"] for ticket in tickets] == [2000] * 3
    for tenant in ("A", "B"):
        day = scene.table.items[daily_key(tenant, "20261123", "abcdefghijkl", "v1")]
        assert (day["requests"], day["estimated"], day["cost"], day["model"]) == (1, 1, 2000, "m1")
    assert not [key for key in scene.table.items if key[0].startswith("D#") and "_rehearsal" in key[1]]


def test_a_dead_owners_reply_above_its_reservation_raises_the_operators_metric(scene: Scene) -> None:
    ticket = scene.reserve("A")
    item = record(
        "A", ticket.request_id, ticket.start, profile_id="abcdefghijkl", version="v1", model="m", cost=2001,
        prices="p", status="ok", latency=5,
    )  # fmt: skip
    record_once(scene.table, item)
    assert scene.run(120)["finished"] == 1
    (line,) = map(json.loads, scene.lines)
    assert line["ReservationExceeded"] == 1
    assert [directive["Dimensions"] for directive in line["_aws"]["CloudWatchMetrics"]] == [[[]]]


def test_a_profile_that_was_replaced_is_found_among_its_versions(scene: Scene) -> None:
    old, unknown = scene.reserve("A", "oldprofile12"), scene.reserve("A", "nosuchthing1")
    pk, sk = profile_key("oldprofile12", "v7")
    scene.table.put({"pk": pk, "sk": sk, "model": "m7", "tenant": "A"})
    scene.run(120)
    assert (scene.stored(old)["version"], scene.stored(old)["model"]) == ("v7", "m7")
    assert scene.stored(unknown)["cost"] == 2000


def test_a_schedule_that_stood_still_for_days_finds_everybody(scene: Scene) -> None:
    ticket = scene.reserve("A")
    scene.run()
    late = scene.run(70 * 3600)
    assert late["estimated"] == 1 and scene.stored(ticket)["est"]
    assert late["final_until"] > START + 68 * 3600
    assert not {"inflight", "swept"} & set(scene.table.items[counter_key("A")])
    assert scene.run(70 * 3600 + 60)["tenants"] == 0, "who has been idle for long is not looked at"


def test_once_an_hour_the_whole_last_day_is_looked_at(scene: Scene) -> None:
    scene.run()
    scene.reserve("A")
    scene.run(3 * 3600)
    assert scene.run(5 * 3600 + 60)["tenants"] == 0
    assert scene.run(5 * 3600 - START % 3600 + 30)["tenants"] == 1


def test_a_part_that_fails_does_not_stop_the_others(scene: Scene) -> None:
    ticket = scene.reserve("A")
    scene.counters.cancel(ticket)
    scene.reserve("A")
    scene.run()

    def fail(operation: str, phase: str) -> None:
        if operation == "put":
            raise Unavailable("throttled", sent=False)

    scene.table.interrupt = fail
    with pytest.raises(Unavailable):
        scene.run(120)
    scene.table.interrupt = lambda operation, phase: None
    assert scene.run(180)["estimated"] == 1


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next(scene: Scene) -> None:
    for number in range(5):
        scene.reserve(f"T{number}")
    scene.now = START + 120
    left = iter([True, True])
    assert scene.schedule.run(lambda: next(left, False))["estimated"] == 2
    assert scene.run(180)["estimated"] == 3
