"""Reserve before the model is called, settle after: one conditional write each on the tenant's counter item."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambda_function.calendars import Calendar
from lambda_function.dynamodb import Table
from lambda_function.limits import Demand, Policy, Terms

__all__ = ["Counters", "LimitsUnavailable", "Settlement", "Ticket"]


class LimitsUnavailable(Exception):
    """The counters are out of reach, and the tenant's limits forbid going on without them: 503."""


class Ticket(NamedTuple):
    """An admitted request. Hand it to `settle` exactly as it is, however the request ends."""

    tenant: str
    request_id: str
    start: int  # epoch seconds of the reserve: the record's hour, the windows
    amount: int  # pico-USD held
    tokens: int  # tokens held
    max_tokens: int  # the maxTokens to send
    entry: bytes  # b"" where the counters were out of reach and the tenant is served all the same
    item: Mapping[str, Any]  # the counter item after the write
    terms: Terms


class Settlement(NamedTuple):
    """`item` is the counter item after the settle; `exceeded` says that the reply cost more than was held."""

    item: Mapping[str, Any]
    exceeded: bool
    settled: bool  # False: it had been settled before, or the counters are out of reach and the sweeper will


class Counters:
    """The counters of all tenants, in one table. One object a container: it remembers the last answer per tenant."""

    def __init__(self, table: Table, hold_seconds: int, clock: Callable[[], float] = time.time) -> None: ...

    def reserve(
        self, tenant: str, request_id: str, profile_id: str, policy: Policy, calendar: Calendar, demand: Demand
    ) -> Ticket:
        """Admit a request or raise Refused (lambda_function/refusals.py) or LimitsUnavailable.

        `policy` and `calendar` are the snapshot's; the policy in force is the counter item's own.
        """
        raise NotImplementedError

    def settle(self, ticket: Ticket, cost: int, tokens: int) -> Settlement:
        """Replace what `ticket` holds by `cost` pico-USD and `tokens`. Once only, however often it is called."""
        raise NotImplementedError

    def cancel(self, ticket: Ticket) -> Settlement:
        """Release all that `ticket` holds: the model surely did not run."""
        return self.settle(ticket, 0, 0)

    def record(self, item: Mapping[str, Any]) -> bool:
        """Put a ledger.record once. A true one replaces the sweeper's estimate. False: it was there already."""
        raise NotImplementedError

    def peek(self, tenant: str) -> dict[str, Any] | None:
        """The counter item as it is now."""
        raise NotImplementedError
