"""What every admitted request counts for, followed beside the counters by what callers were told and sets show."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis.stateful import RuleBasedStateMachine

from lambda_function.calendars import Calendar
from lambda_function.counters import Counters, LimitsUnavailable, Ticket
from lambda_function.dynamodb import Table
from lambda_function.entries import decode_entry, windows
from lambda_function.ledger import counter_key, record, record_key
from lambda_function.limits import FEWEST_TOKENS, Demand, Policy, hold, terms
from lambda_function.refusals import Refused, refusal
from lambda_function.sweep import LINGER, sweep
from lib.zones import zone_table
from tests.unreliable_table import UnreliableTable

__all__ = ["CALENDARS", "HOLD", "KEY", "KINDS", "STARTS", "ZONES", "CountersModel", "Request"]

TENANT, PROFILE, HOLD = "T", "abcdefghijkl", 89
KEY = counter_key(TENANT)
# A minute before midnight, before the month's end, and before Berlin's clocks go forward; the 28th of a leap February.
STARTS = [1_795_478_340, 1_796_083_140, 1_806_195_540, 1_835_395_140]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
CALENDARS = {zone: Calendar(zone, **zone_table(zone, STARTS[0])) for zone in ZONES}
# What the windows of an entry count: pico-USD held, requests, tokens held, pico-USD settled.
KINDS = "mdqkfh"


class Request(NamedTuple):
    """An admitted request and what the model endpoint charges for it."""

    ticket: Ticket
    cost: int
    tokens: int


class CountersModel(RuleBasedStateMachine):
    """The counters under test and the account that is kept of them; `make_table` says where they are."""

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

    def _change(self, expression: str, value: str, name: str) -> None:
        self.table.inner.update(KEY, f"{expression} ADD pv :one", names={"#n": name}, values={":x": value, ":one": 1})

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
