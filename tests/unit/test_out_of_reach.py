"""Counters that cannot be reached, or whose answers are lost: who is served, and that nothing is held for nobody."""

from __future__ import annotations

import pytest

from lambda_function.counters import LimitsUnavailable
from lambda_function.dynamodb import Unavailable
from lambda_function.ledger import record_key
from lambda_function.limits import Policy
from tests.unit.counters_scene import FREE, LIMITED, OWN, START, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_lost_reply_is_cancelled_before_the_503(scene: Scene) -> None:
    scene.table.faults = ["lost"]
    with pytest.raises(LimitsUnavailable):
        scene.reserve(LIMITED)
    assert not {"inflight", "voided"} & set(scene.item)
    assert [scene.item[name] for name in OWN[:4]] == [0, 0, 0, 0]


def test_a_write_that_arrives_after_its_503_has_no_effect(scene: Scene) -> None:
    scene.table.faults = ["delayed"]
    with pytest.raises(LimitsUnavailable):
        scene.reserve(LIMITED)
    before = dict(scene.item)
    scene.table.deliver()
    assert scene.item == before and len(scene.item["voided"]) == 1


@pytest.mark.parametrize("policy", [LIMITED, Policy(requests_per_minute=5), Policy(max_concurrent_requests=5)])
def test_limited_tenants_are_refused_while_the_counters_are_out_of_reach(scene: Scene, policy: Policy) -> None:
    scene.table.faults = ["unsent"]
    with pytest.raises(LimitsUnavailable):
        scene.reserve(policy)
    assert scene.reserve(policy).open is False


@pytest.mark.parametrize("policy", [Policy(), LIMITED._replace(fail_open=True)])
@pytest.mark.parametrize("fault", ["unsent", "lost", "delayed"])
def test_others_are_served_and_counted_afterwards(scene: Scene, policy: Policy, fault: str) -> None:
    scene.table.faults = [fault, "unsent"] if fault != "unsent" else [fault]  # cancelling does not get through either
    ticket = scene.reserve(policy)
    assert (ticket.open, ticket.max_tokens) == (True, 100)
    scene.counters.finish(ticket, scene.record(ticket, 700))
    if fault == "delayed":
        scene.table.deliver()
    assert [scene.item[name] for name in OWN] == [700, 700, 1, 70, 700, 700]
    assert "inflight" not in scene.item and scene.store.items[record_key("T", ticket.request_id, START)]["cost"] == 700


def test_a_limit_that_only_item_or_snapshot_knows_of_counts_while_out_of_reach(scene: Scene) -> None:
    for known, configured in ((FREE, LIMITED), (LIMITED, FREE)):
        scene.set(policy=known)
        scene.counters.cancel(scene.reserve(known))
        scene.table.faults = ["unsent"]
        with pytest.raises(LimitsUnavailable):
            scene.reserve(configured)


def test_the_last_that_was_known_of_a_suspension_counts_while_out_of_reach(scene: Scene) -> None:
    scene.set(suspended="unpaid")
    scene.refused()
    scene.store.interrupt = _out_of_reach
    assert scene.refused().code == "TenantSuspended"


def test_a_container_that_never_reached_the_counters_goes_by_the_snapshot(scene: Scene) -> None:
    scene.store.interrupt = _out_of_reach
    with pytest.raises(LimitsUnavailable):
        scene.reserve(LIMITED)
    with pytest.raises(LimitsUnavailable):
        scene.counters.peek("T")
    ticket = scene.reserve(Policy())
    assert ticket.open and not scene.counters.finish(ticket, scene.record(ticket, 1)).settled


def _out_of_reach(operation: str, phase: str) -> None:
    raise Unavailable("no route", sent=False)


def test_without_its_record_a_request_is_not_settled(scene: Scene) -> None:
    """Else a crash of the table would lose it: so the sweeper finds it."""
    ticket = scene.reserve()
    scene.table.faults = ["unsent"]
    assert not scene.counters.finish(ticket, scene.record(ticket, 700)).settled
    assert scene.item["inflight"] == {ticket.entry} and scene.item[OWN.month] == 2000
