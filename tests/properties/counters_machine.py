"""The counters under everything that can happen to them, beside a model of what every admitted request counts for.

Three containers with memories of their own reserve, finish, die, and come back late; replies get lost, writes arrive
late or twice; the sweeper works from old readings; limits, suspension, levels and the tenant's zone change; time jumps
over midnights, months and changes to summer time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, invariant, multiple, rule

from lambda_function.dynamodb import Unavailable
from lambda_function.entries import windows
from lambda_function.limits import Demand, Policy
from lambda_function.sweep import LINGER
from tests.properties.counters_model import CALENDARS, HOLD, KEY, KINDS, STARTS, ZONES, CountersModel, Request
from tests.unreliable_table import UnreliableTable

__all__ = ["CountersMachine"]

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


class CountersMachine(CountersModel):
    running = Bundle("running")

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
