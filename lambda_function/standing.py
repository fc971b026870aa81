"""Where a tenant stands, for the reply's headers and for GET /usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.entries import decode_entries, windows
from lambda_function.limits import Policy, terms
from lambda_function.money import usd

__all__ = ["budget_left", "usage"]


def budget_left(
    policy: Policy, item: Mapping[str, Any] | None, calendar: Calendar, now: float
) -> tuple[int, int] | None:
    """Pico-USD that are left of the tightest budget and the epoch second at which it begins anew; None without budget.

    What is reserved counts as gone.
    """
    monthly, daily = policy.monthly_budget, policy.daily_budget
    if monthly is None and daily is None:
        return None
    item, own = item or {}, windows(int(now), calendar.offset(now))
    month = None if monthly is None else monthly - item.get(own.month, 0)
    day = None if daily is None else daily - item.get(own.day, 0)
    if day is None or (month is not None and month <= day):
        return max(0, month or 0), calendar.month_end(now)
    return max(0, day), calendar.day_end(now)


def usage(
    tenant: str, item: Mapping[str, Any] | None, policy: Policy, calendar: Calendar, now: float
) -> dict[str, Any]:
    """The body of GET /usage but for `profiles`: amounts in exact decimals of USD, instants in ISO 8601.

    `item` is the counter item, None if there is none yet; `policy` its own policy, or the snapshot's where it has none.
    Limits are those in force at the present level.
    """
    item = item or {}
    in_force = terms(item, policy)
    own = windows(int(now), calendar.offset(now))
    return {
        "tenant": tenant,
        "level": in_force.level,
        "suspended": in_force.suspended,
        "budgets": {
            "month": _budget(item, own.month, policy.monthly_budget, calendar.iso(calendar.month_end(now))),
            "day": _budget(item, own.day, policy.daily_budget, calendar.iso(calendar.day_end(now))),
        },
        "requests_per_minute": {"used": item.get(own.requests, 0), "limit": in_force.requests_per_minute},
        "tokens_per_minute": {"used": item.get(own.tokens, 0), "limit": in_force.tokens_per_minute},
        "concurrent_requests": {"used": len(item.get("inflight", ())), "limit": policy.max_concurrent_requests},
        "max_output_tokens": in_force.max_output_tokens,
    }


def _budget(item: Mapping[str, Any], window: str, limit: int | None, reset: str) -> dict[str, Any]:
    held = item.get(window, 0)
    reserved = sum(entry.amount for entry in decode_entries(item) if window in windows(entry.start, entry.offset))
    return {
        "spent_usd": usd(held - reserved),
        "reserved_usd": usd(reserved),
        "limit_usd": None if limit is None else usd(limit),
        "remaining_usd": None if limit is None else usd(max(0, limit - held)),
        "reset": reset,
    }
