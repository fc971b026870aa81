"""The write that reserves: check and add in one, as DynamoDB's expressions spell it.

lambda_function/refusals.py makes the same comparisons in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from lambda_function.entries import Windows
from lambda_function.ledger import hour
from lambda_function.limits import Hold, Terms

__all__ = ["removal", "reservation"]

_SOUND = (
    "NOT contains(inflight, :e) AND NOT contains(voided, :e) AND attribute_not_exists(suspended)"
    " AND (attribute_not_exists(inflight) OR size(inflight) < :c)"
)
_LIMITS = (":lm", ":ld", ":lq", ":lk")  # in the order of Windows


def reservation(
    terms: Terms, held: Hold, entry: bytes, own: Windows, start: int, closed: Sequence[str]
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
    policy = terms.policy
    limits = (policy.monthly_budget, policy.daily_budget, terms.requests_per_minute, terms.tokens_per_minute)
    for name, limit, share in zip(_LIMITS, limits, (held.amount, held.amount, 1, held.tokens), strict=True):
        if limit is not None:
            values[name] = limit - share
    if terms.version is not None:
        values[":v"] = terms.version
    limited = tuple(limit is not None for limit in limits)
    update, condition = _texts(own, terms.version is not None, limited)
    return update + removal(closed, own) if closed else update, condition, values


@lru_cache(64)
def _texts(own: Windows, versioned: bool, limited: tuple[bool, ...]) -> tuple[str, str]:
    """Update expression and condition; the same for all requests of a minute under the same limits."""
    condition = f"{_SOUND} AND {'pv = :v' if versioned else 'attribute_not_exists(pv)'}"
    for name, window, is_limited in zip(_LIMITS, own, limited, strict=False):
        if is_limited:
            condition += f" AND (attribute_not_exists({window}) OR {window} <= {name})"
    update = f"SET active = :h ADD inflight :E, {own.month} :a, {own.day} :a, {own.requests} :o, {own.tokens} :t"
    return update, condition


def removal(closed: Iterable[str], own: Windows) -> str:
    """The REMOVE clause for windows that are `closed`, never for those that the same write adds to."""
    names = ", ".join(name for name in closed if name not in own)
    return f" REMOVE {names}" if names else ""
