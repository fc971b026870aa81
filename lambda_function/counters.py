"""Reserve before the model is called, settle after: one conditional write each on the tenant's counter item.

A reserve checks every limit and adds to every window in the same write, and leaves an entry in the set `inflight`; a
settle takes the entry out and corrects the windows in the same write, so it happens once. Anything that goes wrong
between them leaves the entry to the sweeper (lambda_function/sweep.py). The model is called only under an entry that is
surely there, so what is settled and reserved together never exceeds a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from lambda_function.attributes import in_base64
from lambda_function.calendars import Calendar
from lambda_function.dynamodb import ConditionFailed, Table, Unavailable
from lambda_function.entries import Entry, Windows, decode_entry, encode_entry, windows
from lambda_function.known import Known
from lambda_function.ledger import TOKENS, counter_key
from lambda_function.limits import Demand, Hold, Policy, Terms, hold
from lambda_function.refusals import Refused, clamped, hopeless, refusal, shut
from lambda_function.reservation import reservation
from lambda_function.settlement import charge, record_once, release, settle

__all__ = ["Counters", "LimitsUnavailable", "Settlement", "Ticket"]

# A reserve is computed anew from the answer that refused it: once for terms that changed, more often only where
# several requests clamp themselves to the same rest of a budget.
_TRIES = 5
_REMEMBERED = 500  # tenants whose last answer a container keeps


class LimitsUnavailable(Exception):
    """The counters are out of reach, and the tenant's limits forbid going on without them: 503."""


class Ticket(NamedTuple):
    """An admitted request. Hand it to `finish`, exactly as it is, however the request ends."""

    tenant: str
    request_id: str
    start: int  # epoch seconds of the reserve: the record's hour and all windows
    amount: int  # pico-USD held
    tokens: int  # tokens held
    max_tokens: int  # the maxTokens to send
    entry: bytes
    item: Mapping[str, Any]  # the counter item as last seen
    terms: Terms
    open: bool = False  # the counters were out of reach and the tier says fail_open: nothing is held


class Settlement(NamedTuple):
    """`item` is the counter item after the settle; `exceeded` says that the reply cost more than was held.

    `settled` is False if it had been settled before, or if the counters are out of reach and the sweeper will.
    """

    item: Mapping[str, Any]
    exceeded: bool
    settled: bool


class Counters:
    """The counters of all tenants, in one table. One object a container: it remembers the last answer per tenant."""

    def __init__(self, table: Table, hold_seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._hold_seconds = hold_seconds
        self._clock = clock
        self._tenants: dict[str, Known] = {}

    def reserve(
        self, tenant: str, request_id: str, profile_id: str, policy: Policy, calendar: Calendar, demand: Demand
    ) -> Ticket:
        """Admit a request, or raise Refused (lambda_function/refusals.py) or LimitsUnavailable.

        `policy` and `calendar` are the snapshot's; the policy in force is the counter item's own. `request_id` is a
        UUID.
        """
        call = _Call(tenant, request_id, profile_id, policy, calendar, demand, self._known(tenant))
        try:
            return self._admitted(call)
        except Unavailable as problem:
            return self._unlimited(call, problem)

    def finish(self, ticket: Ticket, record: Mapping[str, Any]) -> Settlement:
        """Write the ledger's `record` of a request, then settle its cost; what fails here the sweeper does.

        In this order, so that a crash in between is finished from the record.
        """
        try:
            record_once(self._table, record)
        except Unavailable:
            if not ticket.open:
                return Settlement(ticket.item, record["cost"] > ticket.amount, settled=False)
        tokens = ticket.tokens if record.get("est") else sum(record.get(name, 0) for name in TOKENS)
        return self.settle(ticket, record["cost"], tokens)

    def cancel(self, ticket: Ticket) -> Settlement:
        """Release all that `ticket` holds: the model surely did not run."""
        return self.settle(ticket, 0, 0)

    def settle(self, ticket: Ticket, cost: int, tokens: int) -> Settlement:
        """Replace what `ticket` holds by `cost` pico-USD and `tokens`, once, however often it is called."""
        known, exceeded = self._known(ticket.tenant), cost > ticket.amount
        try:
            item, settled = settle(self._table, ticket.tenant, ticket.entry, cost, tokens, known.closed)
            if ticket.open and not settled:
                item, settled = charge(self._table, ticket.tenant, ticket.entry, cost, tokens), True
        except Unavailable:
            return Settlement(ticket.item, exceeded, settled=False)
        known.learn(item, self._clock())
        return Settlement(item, exceeded, settled)

    def peek(self, tenant: str) -> dict[str, Any] | None:
        """The counter item as it is now, None if there is none. Raises LimitsUnavailable."""
        try:
            return self._table.get(counter_key(tenant))
        except Unavailable as problem:
            raise LimitsUnavailable("The counters cannot be reached.") from problem

    def _known(self, tenant: str) -> Known:
        known = self._tenants.get(tenant)
        if known is None:
            if len(self._tenants) >= _REMEMBERED:
                del self._tenants[next(iter(self._tenants))]
            known = self._tenants[tenant] = Known()
        return known

    def _admitted(self, call: _Call) -> Ticket:
        """The ticket of a write that all conditions let through. Raises Refused and Unavailable."""
        known, demand = call.known, call.demand
        current = known.item is None
        if current:
            self._look(call)
        for _ in range(_TRIES):
            now = self._clock()
            in_force = known.terms(call.policy)
            own = windows(int(now), call.calendar.offset(now))
            held = hold(in_force, demand)
            if not current and hopeless(in_force, held):
                # So says an old answer, and an old answer refuses nobody.
                self._look(call)
                current = True
                continue
            if current:
                held = self._judged(call, in_force, held, own, now)
            ticket = self._write(call, in_force, held, own, int(now))
            if ticket is not None:
                return ticket
            current = True
        raise Refused("RateLimited", "The limits are contended at this moment.", retry_after=1)

    def _judged(self, call: _Call, in_force: Terms, held: Hold, own: Windows, now: float) -> Hold:
        """`held` or what is left of it after clamping, by the item as it is now. Raises Refused."""
        item = call.known.item or {}
        refused = refusal(in_force, held, item, own, call.calendar, now)
        if refused is not None and refused.code == "BudgetExceeded" and in_force.policy.over_budget == "clamp":
            shorter = clamped(in_force, call.demand, item, own)
            if shorter is not None:
                held, refused = shorter, refusal(in_force, shorter, item, own, call.calendar, now)
        if refused is not None:
            raise refused
        return held

    def _look(self, call: _Call) -> None:
        call.known.learn(self._table.get(counter_key(call.tenant)) or {}, self._clock())

    def _write(self, call: _Call, in_force: Terms, held: Hold, own: Windows, start: int) -> Ticket | None:
        """Reserve `held`; None if a condition forbade it, and then the item as it is now is known."""
        entry = call.entry(start, held, self._hold_seconds)
        statement, values = reservation(in_force, held, in_base64(entry), own, start, call.known.closed)
        try:
            # No answer is asked for: `pv` says that nothing but numbers has changed, and the settle tells those.
            self._table.execute(statement, counter_key(call.tenant), values)
            call.known.closed = []
        except ConditionFailed as refused:
            item = refused.item or {}
            call.known.learn(item, self._clock())
            if entry not in item.get("inflight", ()):
                return None  # else it is a success heard late
        except Unavailable as problem:
            if problem.sent:
                call.doubtful = entry
                with suppress(Unavailable):  # then the sweeper finds it
                    release(self._table, call.tenant, entry)
            raise
        return Ticket(
            call.tenant, call.request_id, start, held.amount, held.tokens, held.max_tokens, entry,
            call.known.item or {}, in_force,
        )  # fmt: skip

    def _unlimited(self, call: _Call, problem: Unavailable) -> Ticket:
        """The ticket of a tenant that is served although the counters are out of reach, or LimitsUnavailable."""
        item = call.known.item or {}
        in_force = call.known.terms(call.policy)
        closed = shut(in_force)
        if closed is not None:
            raise closed
        # The last answer may be old, the snapshot half a minute: either may know of a limit that the other does not.
        if any(policy.limited and not policy.fail_open for policy in (in_force.policy, call.policy)):
            raise LimitsUnavailable("The tenant's limits cannot be checked at this moment.") from problem
        held = hold(in_force, call.demand)
        entry = call.doubtful or call.entry(int(self._clock()), held, self._hold_seconds)
        began = decode_entry(entry)
        return Ticket(
            call.tenant, call.request_id, began.start, began.amount, began.tokens, held.max_tokens, entry, item,
            in_force, open=True,
        )  # fmt: skip


class _Call:
    """One call of `reserve`. `doubtful` is the entry of a write of which it is not known whether it took effect."""

    __slots__ = ("calendar", "demand", "doubtful", "known", "policy", "profile_id", "request_id", "tenant")

    def __init__(
        self,
        tenant: str,
        request_id: str,
        profile_id: str,
        policy: Policy,
        calendar: Calendar,
        demand: Demand,
        known: Known,
    ) -> None:
        self.tenant = tenant
        self.request_id = request_id
        self.profile_id = profile_id
        self.policy = policy
        self.calendar = calendar
        self.demand = demand
        self.known = known
        self.doubtful: bytes | None = None

    def entry(self, start: int, held: Hold, hold_seconds: int) -> bytes:
        offset = self.calendar.offset(start)
        return encode_entry(
            Entry(self.request_id, start, hold_seconds, held.amount, held.tokens, self.profile_id, offset)
        )
