"""What reserve and settle write, and which limits they act by."""

from __future__ import annotations

import json
import uuid

import pytest

from lambda_function.calendars import UTC, Calendar
from lambda_function.entries import decode_entries
from lambda_function.ledger import hour, record_key
from lambda_function.limits import Policy
from lambda_function.settlement import record_once
from tests.unit.counters_scene import DEMAND, LIMITED, OWN, START, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("policy", [Policy(), LIMITED, Policy(daily_budget=10**6, requests_per_minute=9)])
def test_a_request_makes_three_writes_and_one_before_the_model(scene: Scene, policy: Policy) -> None:
    ticket = scene.reserve(policy)
    assert scene.store.writes == ["update"]
    assert scene.item == {
        "pk": "T#T", "sk": "counter", "active": hour(START), "inflight": {ticket.entry},
        OWN.month: 2000, OWN.day: 2000, OWN.requests: 1, OWN.tokens: 200,
    }  # fmt: skip
    settlement = scene.counters.finish(ticket, scene.record(ticket, 700))
    assert scene.store.writes == ["update", "put", "update"]
    assert settlement == (scene.item, False, True)
    assert scene.item == {
        "pk": "T#T", "sk": "counter", "active": hour(START),
        OWN.month: 700, OWN.day: 700, OWN.requests: 1, OWN.tokens: 70, OWN.five: 700, OWN.hour: 700,
    }  # fmt: skip


def test_the_ticket_says_what_to_send_and_the_entry_who_it_is(scene: Scene) -> None:
    ticket = scene.reserve(Policy(max_output_tokens=40))
    (entry,) = decode_entries(scene.item)
    assert (ticket.max_tokens, ticket.amount, ticket.tokens) == (40, 1400, 140)
    assert entry == (ticket.request_id, int(START), 89, 1400, 140, "abcdefghijkl", 0)
    assert ticket.terms.policy.max_output_tokens == 40


def test_windows_are_those_of_the_tenants_zone(scene: Scene) -> None:
    scene.now = 1_796_063_400.0  # 2026-11-30T18:30Z
    ticket = scene.reserve(calendar=Calendar("Asia/Kolkata", 5 * 3600 + 1800))
    assert (scene.item["m_202612"], scene.item["d_20261201"], scene.item["active"]) == (2000, 2000, "2026113018")
    scene.counters.cancel(ticket)
    assert (scene.item["m_202612"], scene.item["d_20261201"]) == (0, 0)


def test_a_reply_above_its_reservation_is_counted_in_full_and_told(scene: Scene) -> None:
    ticket = scene.reserve(Policy(monthly_budget=2000))
    assert scene.counters.finish(ticket, scene.record(ticket, 2500)).exceeded
    assert scene.item[OWN.month] == 2500
    assert scene.refused(Policy(monthly_budget=2000), DEMAND._replace(input_cost=0, max_tokens=1)).remaining == 0


def test_an_unknown_outcome_costs_the_whole_reservation(scene: Scene) -> None:
    ticket = scene.reserve()
    scene.counters.finish(ticket, {**scene.record(ticket, ticket.amount, estimated=True)})
    assert (scene.item[OWN.month], scene.item[OWN.tokens]) == (2000, 200)


def test_a_record_is_put_once_and_only_an_estimate_gives_way(scene: Scene) -> None:
    ticket = scene.reserve()
    estimate, true = scene.record(ticket, 2000, estimated=True), scene.record(ticket, 700)
    puts = [estimate, {**estimate, "cost": 1}, true, {**true, "cost": 1}, estimate]
    assert [record_once(scene.table, item) for item in puts] == [True, False, True, False, False]
    assert scene.store.items[record_key("T", ticket.request_id, START)] == true


def test_the_policy_in_force_is_the_items_not_the_snapshots(scene: Scene) -> None:
    scene.set(policy=Policy(monthly_budget=2500))
    scene.reserve(Policy())
    refused = scene.refused(Policy())
    assert (refused.code, refused.remaining) == ("BudgetExceeded", 500)
    assert refused.reset == UTC.month_end(START)


def test_a_changed_limit_acts_on_the_very_next_request(scene: Scene) -> None:
    scene.set(policy=Policy(monthly_budget=2500))
    scene.reserve()
    scene.set(policy=Policy(monthly_budget=4000))
    scene.reserve()
    scene.set(policy=Policy(monthly_budget=3000))
    assert scene.refused().remaining == 0
    scene.set(policy=Policy())
    assert scene.reserve().amount == 2000
    assert scene.item[OWN.month] == 6000, "what was spent is not lost"


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"suspended": "unpaid"}, "TenantSuspended"),
        ({"level": "red"}, "TenantSuspended"),
        ({"level": "orange"}, "RateLimited"),
    ],
)
def test_suspension_and_levels_act_on_the_very_next_request(
    scene: Scene, attributes: dict[str, str], code: str
) -> None:
    policy = Policy(requests_per_minute=4, actions={"red": ["block"], "orange": [{"throttle": 0.5}]})
    scene.set(policy=policy)
    for _ in range(2):
        scene.reserve()
    scene.set(**attributes)
    before = len(scene.store.writes)
    refused = scene.refused()
    assert refused.code == code and "inflight" in scene.item
    assert scene.refused().message == refused.message
    assert len(scene.store.writes) - before <= 2, "a refusal is cheap"
    for name in attributes:
        del scene.item[name]
    scene.set()
    scene.reserve()


def test_what_no_counters_could_admit_costs_no_write(scene: Scene) -> None:
    for policy in (Policy(monthly_budget=1999), Policy(daily_budget=1999), Policy(tokens_per_minute=199)):
        scene.set(policy=policy)
        scene.refused()
        scene.refused()
    assert scene.store.writes == []


def test_the_answer_is_clamped_to_what_the_budget_pays_for(scene: Scene) -> None:
    scene.set(policy=Policy(monthly_budget=3700, over_budget="clamp"))
    assert scene.reserve().max_tokens == 100
    assert (scene.reserve().max_tokens, scene.item[OWN.month]) == (70, 3700)
    assert scene.refused().code == "BudgetExceeded"


def test_other_containers_see_each_others_counts(scene: Scene) -> None:
    policy = Policy(requests_per_minute=3, max_concurrent_requests=2)
    first, second = scene.container(), scene.container()
    tickets = []
    for counters in (first, second):
        scene.counters = counters
        tickets.append(scene.reserve(policy))
    assert scene.refused(policy).retry_after == 1, "two run already"
    first.cancel(tickets[1])
    scene.reserve(policy)
    second.cancel(tickets[0])
    assert scene.refused(policy).retry_after == 60 - int(START) % 60
    scene.now += 60
    scene.reserve(policy)


def test_limits_that_change_all_the_time_end_in_a_retry_later(scene: Scene) -> None:
    def change(operation: str, phase: str) -> None:
        if (operation, phase) == ("update", "before"):
            scene.set(policy=LIMITED)

    scene.store.interrupt = change
    assert scene.refused().retry_after == 1
    assert "inflight" not in scene.item and len(scene.store.writes) == 5


def test_an_item_stays_small_through_months_of_use(scene: Scene) -> None:
    sizes, steps = [], [7, 31, 61, 299, 3601, 7, 7, 40_000]
    for turn in range(1500):
        scene.now += steps[turn % len(steps)]
        ticket = scene.reserve()
        scene.counters.finish(ticket, scene.record(ticket, 123_456_789))
        sizes.append(len(json.dumps({name: str(value) for name, value in scene.item.items()})))
    assert scene.now - START > 90 * 86400
    assert max(sizes) < 1000, "one write unit of DynamoDB is 1 KB"


def test_a_busy_hour_stays_small_too(scene: Scene) -> None:
    sizes = []
    for _ in range(1200):
        scene.now += 6
        ticket = scene.reserve()
        scene.counters.finish(ticket, scene.record(ticket, 123_456_789_012))
        sizes.append(len(json.dumps({name: str(value) for name, value in scene.item.items()})))
    assert max(sizes) < 1000


def test_a_container_remembers_only_so_many_tenants(scene: Scene) -> None:
    for number in range(600):
        scene.counters.reserve(f"T{number}", str(uuid.uuid4()), "p", Policy(), UTC, DEMAND)
    reads = []
    scene.store.interrupt = lambda operation, phase: reads.append(operation) if operation == "get" else None
    scene.counters.reserve("T599", str(uuid.uuid4()), "p", Policy(), UTC, DEMAND)
    scene.counters.reserve("T0", str(uuid.uuid4()), "p", Policy(), UTC, DEMAND)
    assert reads == ["get"], "the oldest is asked for again"
