"""The write that reserves: check and add in one, as DynamoDB's expressions spell it.

lambda_function/refusals.py makes the same comparisons in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lambda_function.entries import Windows
from lambda_function.ledger import hour
from lambda_function.limits import Hold, Terms

__all__ = ["removal", "reservation"]

_SOUND = (
    "NOT contains(inflight, :e) AND NOT contains(voided, :e) AND attribute_not_exists(suspended)"
    " AND (attribute_not_exists(inflight) OR size(inflight) < :c)"
)


def reservation(
    terms: Terms, held: Hold, entry: bytes, own: Windows, start: int, closed: Iterable[str]
) -> tuple[str, str, dict[str, Any]]:
    """Update expression, condition and values that add `held` to the windows `own` of the instant `start`.

    Expressions have no arithmetic, so each counter is compared with what the limit leaves for it before `held`. A
    window that is not there is empty: `held` by itself must be within every limit. `closed` windows are removed along.
    """
    values: dict[str, Any] = {
        ":e": entry,
        ":E": {entry},
        ":h": hour(start),
        ":a": held.amount,
        ":t": held.tokens,
        ":o": 1,
        ":c": terms.policy.max_concurrent_requests,
    }
    condition = _SOUND
    if terms.version is None:
        condition += " AND attribute_not_exists(pv)"
    else:
        condition += " AND pv = :v"
        values[":v"] = terms.version
    for name, window, limit, share in (
        (":lm", own.month, terms.policy.monthly_budget, held.amount),
        (":ld", own.day, terms.policy.daily_budget, held.amount),
        (":lq", own.requests, terms.requests_per_minute, 1),
        (":lk", own.tokens, terms.tokens_per_minute, held.tokens),
    ):
        if limit is not None:
            condition += f" AND (attribute_not_exists({window}) OR {window} <= {name})"
            values[name] = limit - share
    update = (
        f"SET active = :h ADD inflight :E, {own.month} :a, {own.day} :a, {own.requests} :o, {own.tokens} :t"
        f"{removal(closed, own)}"
    )
    return update, condition, values


def removal(closed: Iterable[str], own: Windows) -> str:
    """The REMOVE clause for windows that are `closed`, never for those that the same write adds to."""
    names = ", ".join(name for name in closed if name not in own)
    return f" REMOVE {names}" if names else ""
