"""What reserve and settle write, and what they do when the counters cannot be reached."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from lambda_function.calendars import UTC, Calendar
from lambda_function.counters import Counters, LimitsUnavailable, Ticket
from lambda_function.dynamodb import Unavailable
from lambda_function.entries import decode_entries, windows
from lambda_function.ledger import counter_key, hour, record, record_key
from lambda_function.limits import Demand, Policy
from lambda_function.refusals import Refused
from lambda_function.settlement import record_once
from tests.table_double import TableDouble
from tests.unreliable_table import UnreliableTable

START = 1_795_437_296.0
KEY = counter_key("T")
OWN = windows(int(START), 0)
DEMAND = Demand(100, 1000, 10, max_tokens=100)  # holds 2,000 pico-USD and 200 tokens
FREE = Policy()
LIMITED = Policy(monthly_budget=10**6)


class Scene:
    """One tenant and one container; `store` is the table's content, `table` the network before it."""

    def __init__(self) -> None:
        self.store = TableDouble()
        self.table = UnreliableTable(self.store)
        self.now = START
        self.counters = self.container()

    def container(self) -> Counters:
        return Counters(self.table, 89, clock=lambda: self.now)

    def reserve(self, policy: Policy = FREE, demand: Demand = DEMAND, calendar: Calendar = UTC) -> Ticket:
        return self.counters.reserve("T", str(uuid.uuid4()), "abcdefghijkl", policy, calendar, demand)

    def refused(self, policy: Policy = FREE, demand: Demand = DEMAND) -> Refused:
        with pytest.raises(Refused) as caught:
            self.reserve(policy, demand)
        return caught.value

    def record(self, ticket: Ticket, cost: int, **more: Any) -> dict[str, Any]:
        return record(
            "T", ticket.request_id, ticket.start, profile_id="abcdefghijkl", version="v", model="m", cost=cost,
            prices="p", status="ok", latency=1, tokens=(50, 20), **more,
        )  # fmt: skip

    def set(self, **attributes: Any) -> None:
        """What an operator or the levels change, counted up as they must."""
        item = self.store.items.setdefault(KEY, {"pk": KEY[0], "sk": KEY[1]})
        if isinstance(attributes.get("policy"), Policy):
            attributes["policy"] = json.dumps(attributes["policy"].to_json())
        item.update(attributes, pv=item.get("pv", 0) + 1)

    @property
    def item(self) -> dict[str, Any]:
        return self.store.items[KEY]


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
