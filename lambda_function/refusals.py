"""Why a request is not admitted, in words and numbers for the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.entries import MOST_PICO, MOST_TOKENS, Windows
from lambda_function.limits import FEWEST_TOKENS, Demand, Hold, Terms, hold
from lambda_function.money import usd

__all__ = ["Refused", "clamped", "hopeless", "refusal", "shut"]


class Refused(Exception):
    """A request that a limit turns away; nothing is held for it and no model is called.

    `code` is BudgetExceeded (402), RateLimited (429), TenantSuspended (403) or ValidationError (400). `retry_after` is
    whole seconds (429), `reset` the epoch second at which the exhausted budget begins anew and `remaining` the pico-USD
    that are left of it until then (402).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: int | None = None,
        reset: int | None = None,
        remaining: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.reset = reset
        self.remaining = remaining


def refusal(
    terms: Terms, held: Hold, item: Mapping[str, Any], windows: Windows, calendar: Calendar, now: float
) -> Refused | None:
    """What of `terms` forbids to add `held` to the counters in `item`, an item as it is now; None if nothing does.

    The same comparisons as the reserving write's condition, most lasting reason first.
    """
    return (
        shut(terms)
        or _too_large(terms, held)
        or _budget(terms, held, item, windows, calendar, now)
        or _rate(terms, held, item, windows, now)
    )


def hopeless(terms: Terms, held: Hold) -> bool:
    """Whether `held` is not admitted under `terms` even where nothing is counted yet: no write could succeed."""
    monthly, daily, tokens = terms.policy.monthly_budget, terms.policy.daily_budget, terms.tokens_per_minute
    return (
        terms.suspended is not None
        or terms.blocked
        or held.amount > MOST_PICO
        or (monthly is not None and held.amount > monthly)
        or (daily is not None and held.amount > daily)
        or held.tokens > MOST_TOKENS
        or (tokens is not None and held.tokens > tokens)
        or terms.requests_per_minute == 0
    )


def clamped(terms: Terms, demand: Demand, item: Mapping[str, Any], windows: Windows) -> Hold | None:
    """`demand` with its answer shortened to what the budgets in `item` still pay for; None below FEWEST_TOKENS."""
    policy = terms.policy
    left = min(
        limit - item.get(window, 0)
        for limit, window in ((policy.monthly_budget, windows.month), (policy.daily_budget, windows.day))
        if limit is not None
    )
    if not demand.output_price:
        return None  # a shorter answer would not be cheaper
    most = (left - demand.input_cost) // demand.output_price
    return hold(terms, demand, most) if most >= FEWEST_TOKENS else None


def shut(terms: Terms) -> Refused | None:
    """The refusal of a tenant that is suspended or blocked, whatever its counters say."""
    if terms.suspended is not None:
        return Refused("TenantSuspended", f"The tenant is suspended: {terms.suspended}")
    if terms.blocked:
        return Refused("TenantSuspended", f"The tenant is blocked while its alert level is {terms.level}.")
    return None


def _too_large(terms: Terms, held: Hold) -> Refused | None:
    if held.tokens > MOST_TOKENS or held.amount > MOST_PICO:
        return Refused("ValidationError", f"maxTokens of {held.max_tokens} is too large.")
    limit = terms.policy.tokens_per_minute
    if limit is None or held.tokens <= limit:
        return None
    return Refused(
        "ValidationError",
        f"The request may take {held.tokens} tokens, more than the tenant's limit of {limit} tokens per minute: "
        "it can never be admitted. Ask for fewer maxTokens or shorten the input.",
    )


def _budget(
    terms: Terms, held: Hold, item: Mapping[str, Any], windows: Windows, calendar: Calendar, now: float
) -> Refused | None:
    for name, limit, window, end in (
        ("monthly", terms.policy.monthly_budget, windows.month, calendar.month_end),
        ("daily", terms.policy.daily_budget, windows.day, calendar.day_end),
    ):
        if limit is None:
            continue
        room = limit - item.get(window, 0)
        if held.amount > room:
            left, reset = max(0, room), end(now)
            return Refused(
                "BudgetExceeded",
                f"Of the {name} budget of {usd(limit)} USD {usd(left)} USD are left, and the request may cost up to "
                f"{usd(held.amount)} USD. The budget begins anew at {calendar.iso(reset)}.",
                reset=reset,
                remaining=left,
            )
    return None


def _rate(terms: Terms, held: Hold, item: Mapping[str, Any], windows: Windows, now: float) -> Refused | None:
    wait = 60 - int(now) % 60  # to the first instant of the next minute, rounded up
    limit = terms.requests_per_minute
    if limit is not None and item.get(windows.requests, 0) >= limit:
        return Refused("RateLimited", f"The limit of {limit} requests per minute is reached.", retry_after=wait)
    limit = terms.tokens_per_minute
    if limit is not None and item.get(windows.tokens, 0) + held.tokens > limit:
        message = f"The limit of {limit} tokens per minute leaves no room for the up to {held.tokens} of the request."
        return Refused("RateLimited", message, retry_after=wait)
    limit = terms.policy.max_concurrent_requests
    if len(item.get("inflight", ())) >= limit:
        return Refused("RateLimited", f"The limit of {limit} concurrent requests is reached.", retry_after=1)
    return None
