"""The counters under everything that can happen to them, beside a model of what every admitted request counts for.

Three containers with memories of their own reserve, finish, die, and come back late; replies get lost, writes arrive
late or twice; the sweeper works from old readings; limits, suspension, levels and the tenant's zone change; time jumps
over midnights, months and changes to summer time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from lambda_function.calendars import Calendar
from lambda_function.counters import Counters, LimitsUnavailable, Ticket
from lambda_function.dynamodb import Table, Unavailable
from lambda_function.entries import decode_entry, windows
from lambda_function.ledger import counter_key, record, record_key
from lambda_function.limits import FEWEST_TOKENS, Demand, Policy, hold, terms
from lambda_function.refusals import Refused, refusal
from lambda_function.sweep import LINGER, sweep
from lib.zones import zone_table
from tests.unreliable_table import UnreliableTable

__all__ = ["CountersMachine"]

TENANT, PROFILE, HOLD = "T", "abcdefghijkl", 89
KEY = counter_key(TENANT)
# A minute before midnight, before the month's end, and before Berlin's clocks go forward; the 28th of a leap February.
STARTS = [1_795_478_340, 1_796_083_140, 1_806_195_540, 1_835_395_140]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
CALENDARS = {zone: Calendar(zone, **zone_table(zone, STARTS[0])) for zone in ZONES}
# What the windows of an entry count: pico-USD held, requests, tokens held, pico-USD settled.
KINDS = "mdqkfh"

limits = st.sampled_from([None, 1500, 5000, 20_000])
policies = st.builds(
    Policy,
    tier=st.just("default"),
    timezone=st.just("UTC"),
    fail_open=st.just(False),
    levels=st.just({}),
    monthly_budget=limits,
    daily_budget=limits,
    requests_per_minute=st.sampled_from([None, 1, 3, 9]),
    tokens_per_minute=st.sampled_from([None, 300, 1000, 3000]),
    max_concurrent_requests=st.sampled_from([100, 1, 3, 9]),
    max_output_tokens=st.sampled_from([None, 100]),
    over_budget=st.sampled_from(["reject", "clamp"]),
    actions=st.just({"orange": [{"throttle": 0.5}, {"shorten": 70}], "red": ["block"]}),
)
demands = st.builds(
    Demand,
    input_tokens=st.integers(0, 100),
    input_cost=st.integers(0, 500),
    output_price=st.integers(0, 8),
    max_tokens=st.none() | st.integers(0, 300),
    model_max=st.just(200),
    proven=st.booleans(),
)
containers = st.integers(0, 2)
zones = st.sampled_from(ZONES)
shares = st.sampled_from([0.0, 0.3, 1.0, 1.3])  # of what was held, as the reply's true cost
faults = st.lists(st.sampled_from(["lost", "delayed", "unsent", ""]), min_size=1, max_size=3)


class Request(NamedTuple):
    """An admitted request and what the model endpoint charges for it."""

    ticket: Ticket
    cost: int
    tokens: int


class CountersMachine(RuleBasedStateMachine):
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.table = UnreliableTable(self.make_table())
        self.now = 0.0
        self.policy, self.level = Policy(), "green"
        self.containers = [Counters(self.table, HOLD, clock=lambda: self.now) for _ in range(3)]
        self.readings: list[dict[str, Any]] = []
        # Per entry: "held", "full" (settled by the sweep at all it holds) or "done", and what it counts for.
        self.state: dict[bytes, str] = {}
        self.counted: dict[bytes, tuple[int, int]] = {}
        self.served: dict[bytes, Request] = {}
        self.undone: list[Any] = []  # delayed reserves that were cancelled meanwhile
        self.closed: set[bytes] = set()  # settled for good at all they held
        self.serial = 0
        self.sent = 0.0  # when the oldest delayed write was

    def make_table(self) -> Table:
        raise NotImplementedError

    def item(self) -> dict[str, Any]:
        return self.table.inner.get(KEY) or {}

    # What happens

    @initialize(start=st.sampled_from(STARTS), policy=policies)
    def begin(self, start: int, policy: Policy) -> None:
        self.now = float(start)
        self.change_limits(policy)

    @rule(target=running, zone=zones, wants=st.lists(st.tuples(containers, demands, shares), min_size=1, max_size=4))
    def reserve(self, zone: str, wants: list[Any]) -> Any:
        requests = [self._reserve(container, zone, demand, share) for container, demand, share in wants]
        return multiple(*filter(None, requests))

    @rule(target=running, container=containers, demand=demands, faults=faults)
    def reserve_over_a_bad_network(self, container: int, demand: Demand, faults: list[str]) -> Any:
        before, waiting = set(self.state), len(self.table.delayed)
        with self._network(faults):
            request = self._reserve(container, "UTC", demand, 1.0)
        if request is None and faults[0] == "lost" and not any(faults[1:]):
            assert set(self.state) == before, "cancelled before the 503"
        if faults[0] == "delayed" and not any(faults[1:]) and len(self.table.delayed) > waiting:
            self.undone.append(self.table.delayed[waiting])
        return request or multiple()

    @rule(container=containers, request=consumes(running), faults=faults)
    def finish(self, container: int, request: Request, faults: list[str]) -> None:
        """Twice, the first time over a bad network; what is heard of the second is true."""
        with self._network(faults), self._settling(request.ticket.entry, request):
            self.containers[container].finish(request.ticket, self._record(request))
        with self._settling(request.ticket.entry, request):
            before = self.state[request.ticket.entry]
            settlement = self.containers[container].finish(request.ticket, self._record(request))
        assert settlement.settled is (before != "done")
        assert settlement.exceeded is (request.cost > request.ticket.amount)

    @rule(container=containers, request=running, writes=st.integers(0, 1))
    def die(self, container: int, request: Request, writes: int) -> None:
        """Killed after the record, or after the settle. The request stays in `running`: it may be only slow."""
        network, settling = self._network([*[""] * writes, "dead"]), self._settling(request.ticket.entry, request)
        with network, settling, suppress(UnreliableTable.Killed):
            self.containers[container].finish(request.ticket, self._record(request))

    @rule(container=containers, request=consumes(running))
    def cancel(self, container: int, request: Request) -> None:
        """The model surely did not run. Nothing was written for it yet, unless it died or was swept before."""
        if self.table.inner.get(self._record_key(request.ticket.entry)) is None:
            with self._settling(request.ticket.entry, request._replace(cost=0, tokens=0)):
                self.containers[container].cancel(request.ticket)
            del self.served[request.ticket.entry]

    @rule()
    def read(self) -> None:
        self.readings = [*self.readings[-3:], self.item()]

    @rule(
        age=st.integers(0, 4), faults=st.lists(st.sampled_from(["lost", "unsent", "delayed", "dead", ""]), max_size=3)
    )
    def sweep(self, age: int, faults: list[str]) -> None:
        reading = self.readings[-age] if 0 < age <= len(self.readings) else self.item()
        with self._network(faults), self._sweeping(), suppress(UnreliableTable.Killed, Unavailable):
            self._sweep(reading)

    @rule()
    def a_delayed_write_arrives(self) -> None:
        if self.table.delayed:
            before = set(self.state)
            undone = self.table.delayed[0] in self.undone
            with self._sweeping():
                self.table.deliver()
            self._adopt_orphans()
            assert not undone or set(self.state) == before, "too late for a reserve that was cancelled"

    @rule()
    def the_latest_write_arrives_twice(self) -> None:
        before = self.item()
        self.table.repeat()
        assert self.item() == before

    @rule(seconds=st.sampled_from([0.7, 5, 30, 61, HOLD, 240, LINGER, 3600, 30_000, 86_400, 31 * 86_400]))
    def time_passes(self, seconds: float) -> None:
        self._advance(seconds)

    @rule(policy=policies)
    def change_limits(self, policy: Policy) -> None:
        self.policy = policy
        self._change("SET #n = :x", json.dumps(policy.to_json()), "policy")

    @rule(orange=st.booleans())
    def change_level(self, orange: bool) -> None:
        self.level = "orange" if orange else "green"
        self._change("SET #n = :x", self.level, "level")

    @rule(container=containers, demand=demands, blocked=st.booleans())
    def shut_for_a_while(self, container: int, demand: Demand, blocked: bool) -> None:
        """Suspended, or blocked by its level: nobody is admitted, and afterwards everything is as before."""
        name = "level" if blocked else "suspended"
        self._change("SET #n = :x", "red", name)
        before = len(self.state)
        assert self._reserve(container, "UTC", demand, 1.0) is None and len(self.state) == before
        if blocked:
            self._change("SET #n = :x", self.level, name)
        else:
            self.table.inner.update(KEY, "REMOVE suspended ADD pv :one", values={":one": 1})

    def _change(self, expression: str, value: str, name: str) -> None:
        self.table.inner.update(KEY, f"{expression} ADD pv :one", names={"#n": name}, values={":x": value, ":one": 1})

    # What must hold

    @invariant()
    def every_window_is_the_sum_of_what_counts_in_it(self) -> None:
        item = self.item()
        for kind in KINDS:
            sums = self._sums(kind)
            for name, value in item.items():
                if name.startswith(kind + "_"):
                    assert value == sums.get(name, 0), name
            needed = {windows(held.start, held.offset)[KINDS.index(kind)] for held in self._open_entries(item)}
            now = {windows(int(self.now), CALENDARS[zone].offset(self.now))[KINDS.index(kind)] for zone in ZONES}
            missing = {name for name in needed | now if sums.get(name) and name not in item}
            assert not missing, "a window was removed too early"

    @invariant()
    def what_is_void_stays_out(self) -> None:
        assert not self.item().get("inflight", set()) & self.item().get("voided", set())

    def teardown(self) -> None:
        """After the sweep nothing is in flight, and ledger and counters agree, request by request."""
        if not self.now:
            return
        self.table.faults = []
        for wait in (HOLD, LINGER + HOLD):
            self.now += wait
            with self._sweeping():
                self._sweep(self.item())
        assert not {"inflight", "swept", "voided"} & set(self.item())
        self.every_window_is_the_sum_of_what_counts_in_it()
        for entry, request in self.served.items():
            stored = self.table.inner.get(self._record_key(entry))
            assert stored is not None, "nothing is lost"
            # An owner later than any function lives corrects the ledger only: what was counted stays on the safe side.
            counted = request.cost if entry in self.closed and not stored.get("est") else self.counted[entry][0]
            assert stored["cost"] == counted, "the ledger is what was counted"
            assert stored["cost"] >= min(request.cost, request.ticket.amount), "and covers what was served"

    # How the model follows

    def _advance(self, seconds: float) -> None:
        self.now += seconds
        if self.now - self.sent > 60:
            self.table.delayed.clear()  # what has not arrived within a minute never does

    def _reserve(self, container: int, zone: str, demand: Demand, share: float) -> Request | None:
        self.serial += 1
        request_id = str(uuid.UUID(int=self.serial))
        policy, calendar = self.policy, CALENDARS[zone]
        try:
            ticket = self.containers[container].reserve(TENANT, request_id, PROFILE, policy, calendar, demand)
        except Refused as refused:
            assert refused.retry_after is None or 1 <= refused.retry_after <= 60
            assert refused.reset is None or self.now < refused.reset <= self.now + 31 * 86_400 + 7200
            item, own = self.item(), windows(int(self.now), calendar.offset(self.now))
            in_force = terms(item, policy)
            clamps = refused.code == "BudgetExceeded" and policy.over_budget == "clamp"
            held = hold(in_force, demand, FEWEST_TOKENS if clamps else None)
            assert refusal(in_force, held, item, own, calendar, self.now), "refused from an old answer"
            return None
        except LimitsUnavailable:
            return None
        finally:
            self._adopt_orphans()
        if ticket.open:
            assert not self.policy.limited
            return None
        self._check_admitted(ticket)
        request = Request(ticket, int(ticket.amount * share), int(ticket.tokens * share))
        self.served[ticket.entry] = request
        return request

    def _adopt_orphans(self) -> None:
        """Entries that came into being, whether or not their owner was told."""
        for entry in self.item().get("inflight", set()) - set(self.state):
            held = decode_entry(entry)
            self.state[entry], self.counted[entry] = "held", (held.amount, held.tokens)

    def _check_admitted(self, ticket: Ticket) -> None:
        own = windows(int(self.now), decode_entry(ticket.entry).offset)
        assert self.state[ticket.entry] == "held" and ticket.terms.policy.to_json() == self.policy.to_json()
        share = 2 if self.level == "orange" else 1
        policy = self.policy
        caps = [policy.max_output_tokens, 70 if share == 2 else None]
        assert all(cap is None or ticket.max_tokens <= cap for cap in caps)
        for kind, name, limit in (
            ("m", own.month, policy.monthly_budget),
            ("d", own.day, policy.daily_budget),
            ("q", own.requests, policy.requests_per_minute and max(1, policy.requests_per_minute // share)),
            ("k", own.tokens, policy.tokens_per_minute and max(1, policy.tokens_per_minute // share)),
        ):
            assert limit is None or self._sums(kind)[name] <= limit, "admitted above the limit in force"
        assert sum(state == "held" for state in self.state.values()) <= policy.max_concurrent_requests

    def _sums(self, kind: str) -> dict[str, int]:
        """The model's own account of the windows of a kind."""
        sums: dict[str, int] = {}
        for entry, (cost, tokens) in self.counted.items():
            held = decode_entry(entry)
            name = windows(held.start, held.offset)[KINDS.index(kind)]
            settled = 0 if self.state[entry] == "held" else cost
            sums[name] = sums.get(name, 0) + {"q": 1, "k": tokens, "f": settled, "h": settled}.get(kind, cost)
        return sums

    @contextmanager
    def _network(self, faults: list[str]) -> Iterator[None]:
        if not self.table.delayed:
            self.sent = self.now
        self.table.faults = list(faults)
        yield
        self.table.faults = []

    @contextmanager
    def _settling(self, entry: bytes, request: Request) -> Iterator[None]:
        """If the entry leaves the item meanwhile, it counts for what the request cost."""
        yield
        if self.state[entry] != "done" and not self._is_open(entry):
            self.state[entry], self.counted[entry] = "done", (request.cost, request.tokens)

    @contextmanager
    def _sweeping(self) -> Iterator[None]:
        """Entries that leave `inflight` or `swept` meanwhile count for what their record says, or never were."""
        yield
        swept = self.item().get("swept", set())
        for entry, state in list(self.state.items()):
            if state == "held" and entry in swept:
                self.state[entry] = "full"
            elif state != "done" and not self._is_open(entry):
                stored = self.table.inner.get(self._record_key(entry))
                if stored is None:
                    # Its reserve was not heard of, and is undone by a release that arrived late.
                    assert entry not in self.served
                    del self.state[entry], self.counted[entry]
                    continue
                late = self.now >= decode_entry(entry).expiry + LINGER
                assert state == "full" or late or not stored.get("est"), "a slow owner finds nothing to correct"
                self.state[entry] = "done"
                if stored.get("est"):
                    self.closed.add(entry)
                else:
                    self.counted[entry] = (stored["cost"], self.served[entry].tokens)

    def _sweep(self, reading: dict[str, Any]) -> None:
        sweep(self.table, TENANT, reading, self.now, lambda profile: ("v", "m"), "p")

    def _is_open(self, entry: bytes) -> bool:
        item = self.item()
        return entry in item.get("inflight", ()) or entry in item.get("swept", ())

    def _open_entries(self, item: dict[str, Any]) -> list[Any]:
        return [decode_entry(entry) for name in ("inflight", "swept") for entry in item.get(name, ())]

    def _record_key(self, entry: bytes) -> tuple[str, str]:
        held = decode_entry(entry)
        return record_key(TENANT, held.request_id, held.start)

    def _record(self, request: Request) -> dict[str, Any]:
        ticket = request.ticket
        return record(
            TENANT, ticket.request_id, ticket.start, profile_id=PROFILE, version="v", model="m", cost=request.cost,
            prices="p", status="ok", latency=1, tokens=(request.tokens,),
        )  # fmt: skip
