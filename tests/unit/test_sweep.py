"""Owners that died: what they held is charged once, their records count, slow ones are not charged twice."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from lambda_function.calendars import UTC
from lambda_function.counters import Counters, Ticket
from lambda_function.entries import amounts, windows
from lambda_function.ledger import counter_key, record, record_key
from lambda_function.limits import Demand, Policy
from lambda_function.settlement import record_once, release
from lambda_function.sweep import INTERRUPTED, LINGER, Swept, sweep
from tests.table_double import TableDouble

START = 1_795_437_296.0
HOLD = 89
DEMAND = Demand(100, 1000, 10, max_tokens=100)  # holds 2,000 pico-USD and 200 tokens
OWN = windows(int(START), 0)


class Scene:
    """One tenant, its counters, its requests."""

    def __init__(self) -> None:
        self.table = TableDouble()
        self.now = START
        self.counters = Counters(self.table, HOLD, clock=lambda: self.now)

    def reserve(self) -> Ticket:
        return self.counters.reserve("T", str(uuid.uuid4()), "abcdefghijkl", Policy(), UTC, DEMAND)

    def record(self, ticket: Ticket, cost: int, tokens: tuple[int, ...] = (60, 10), **more: Any) -> dict[str, Any]:
        return record(
            "T", ticket.request_id, ticket.start, profile_id="abcdefghijkl", version="v1", model="m", cost=cost,
            prices="p", status="ok", latency=5, tokens=tokens, **more,
        )  # fmt: skip

    def look(self, after: float) -> Swept:
        self.now = START + after
        return sweep(self.table, "T", self.item, self.now, lambda profile: ("v9", "model of " + profile), "p9")

    def sweep(self, after: float) -> tuple[int, ...]:
        """Finished, estimated, closed; none of them dearer than it held."""
        *counts, exceeded = self.look(after)
        assert not exceeded
        return tuple(counts)

    @property
    def item(self) -> dict[str, Any]:
        return self.table.items[counter_key("T")]

    def stored(self, ticket: Ticket) -> dict[str, Any]:
        return self.table.items[record_key("T", ticket.request_id, ticket.start)]

    def counted(self) -> tuple[int, ...]:
        """Pico-USD of the month, of the hour's bucket, tokens of the minute."""
        return tuple(self.item.get(name, 0) for name in (OWN.month, OWN.hour, OWN.tokens))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_request_is_left_alone_until_it_expires(scene: Scene) -> None:
    scene.reserve()
    assert scene.sweep(HOLD - 1) == (0, 0, 0)
    assert scene.counted() == (2000, 0, 200) and len(scene.item["inflight"]) == 1


def test_a_dead_owner_is_charged_in_full_and_marked(scene: Scene) -> None:
    ticket = scene.reserve()
    assert scene.sweep(HOLD) == (0, 1, 0)
    assert scene.counted() == (2000, 2000, 200)
    assert "inflight" not in scene.item and scene.item["swept"] == {ticket.entry}
    assert amounts(scene.item, OWN.month) == (2000, 0)
    estimate = scene.stored(ticket)
    assert (estimate["cost"], estimate["est"], estimate["status"]) == (2000, True, INTERRUPTED)
    assert (estimate["profile"], estimate["version"], estimate["model"]) == (
        "abcdefghijkl",
        "v9",
        "model of abcdefghijkl",
    )
    assert estimate["at"] == int(START) * 1000

    assert scene.sweep(HOLD + 60) == (0, 0, 0)
    assert scene.sweep(HOLD + LINGER) == (0, 0, 1)
    assert scene.counted() == (2000, 2000, 200) and "swept" not in scene.item


@pytest.mark.parametrize(("cost", "tokens"), [(700, (60, 10)), (0, ())])
def test_an_owner_that_died_after_its_record_is_finished_from_it(
    scene: Scene, cost: int, tokens: tuple[int, ...]
) -> None:
    ticket = scene.reserve()
    record_once(scene.table, scene.record(ticket, cost, tokens))
    assert scene.sweep(HOLD) == (1, 0, 0)
    assert scene.counted() == (cost, cost, sum(tokens)) and not {"inflight", "swept"} & set(scene.item)


def test_a_record_dearer_than_its_reservation_is_told(scene: Scene) -> None:
    early, late = scene.reserve(), scene.reserve()
    record_once(scene.table, scene.record(early, 2001))
    assert scene.look(HOLD) == (1, 1, 0, 1)
    record_once(scene.table, scene.record(late, 2002))
    assert scene.look(HOLD + LINGER) == (0, 0, 1, 1)
    assert scene.counted()[:2] == (4003, 4003)


def test_a_record_that_says_estimated_is_charged_in_full(scene: Scene) -> None:
    ticket = scene.reserve()
    record_once(scene.table, scene.record(ticket, 2000, (), estimated=True))
    assert scene.sweep(HOLD) == (0, 1, 0)
    assert scene.counted() == (2000, 2000, 200)
    assert scene.stored(ticket)["version"] == "v1"


def test_a_slow_owner_corrects_what_the_sweep_charged(scene: Scene) -> None:
    ticket = scene.reserve()
    scene.sweep(HOLD)
    settled = scene.counters.finish(ticket, scene.record(ticket, 700))
    assert settled.settled and scene.counted() == (700, 700, 70)
    assert scene.stored(ticket)["status"] == "ok" and "est" not in scene.stored(ticket)
    assert not scene.counters.finish(ticket, scene.record(ticket, 700)).settled
    assert scene.sweep(HOLD + LINGER) == (0, 0, 0)
    assert scene.counted() == (700, 700, 70)


def test_an_owner_that_died_between_late_record_and_settle_is_corrected_in_the_end(scene: Scene) -> None:
    ticket = scene.reserve()
    scene.sweep(HOLD)
    assert record_once(scene.table, scene.record(ticket, 700))
    assert scene.sweep(HOLD + LINGER - 1) == (0, 0, 0)
    assert scene.sweep(HOLD + LINGER) == (0, 0, 1)
    assert scene.counted() == (700, 700, 70)


def test_one_that_is_found_very_late_is_done_with_at_once(scene: Scene) -> None:
    ticket = scene.reserve()
    assert scene.sweep(HOLD + LINGER) == (0, 1, 1)
    assert scene.counted() == (2000, 2000, 200) and not {"inflight", "swept"} & set(scene.item)
    assert scene.stored(ticket)["est"]


@pytest.mark.parametrize("moment", range(4))
def test_a_sweep_and_a_slow_settle_at_the_same_time(scene: Scene, moment: int) -> None:
    """The owner finishes just before the sweep's n-th call to the table."""
    ticket = scene.reserve()
    calls = 0

    def owner_finishes(operation: str, phase: str) -> None:
        nonlocal calls
        if phase == "before":
            calls += 1
            if calls == moment + 1:
                scene.table.interrupt = lambda operation, phase: None
                scene.counters.finish(ticket, scene.record(ticket, 700))

    seen = dict(scene.item)
    scene.table.interrupt = owner_finishes
    scene.now = START + HOLD
    sweep(scene.table, "T", seen, scene.now, lambda profile: ("v9", "m"), "p9")
    assert scene.counted() == ((2000, 2000, 200) if moment == 3 else (700, 700, 70))
    scene.table.interrupt = lambda operation, phase: None
    scene.counters.finish(ticket, scene.record(ticket, 700))
    assert scene.counted() == (700, 700, 70)
    assert scene.stored(ticket)["cost"] == 700 and not {"inflight", "swept"} & set(scene.item)


def test_two_sweeps_at_once_charge_once(scene: Scene) -> None:
    for _ in range(3):
        scene.reserve()
    seen = dict(scene.item)
    for _ in range(2):
        sweep(scene.table, "T", seen, START + HOLD, lambda profile: ("v9", "m"), "p9")
    assert scene.counted() == (6000, 6000, 600) and len(scene.item["swept"]) == 3


def test_what_was_made_void_is_forgotten_in_time(scene: Scene) -> None:
    ticket = scene.reserve()
    scene.counters.cancel(ticket)
    release(scene.table, "T", ticket.entry)
    assert scene.sweep(HOLD + LINGER - 1) == (0, 0, 0) and scene.item["voided"] == {ticket.entry}
    scene.sweep(HOLD + LINGER)
    assert "voided" not in scene.item and scene.counted() == (0, 0, 0)


def test_a_settle_in_the_next_month_lands_in_its_own(scene: Scene) -> None:
    scene.now = UTC.month_end(START) - 1
    ticket = scene.reserve()
    scene.now += 30
    other = scene.reserve()
    scene.counters.settle(ticket, 700, 70)
    assert other.start >= UTC.month_end(START)
    assert (scene.item["m_202611"], scene.item["m_202612"]) == (700, 2000)
