"""The write that reserves: check and add in one, as DynamoDB's expressions spell it.

lambda_function/refusals.py makes the same comparisons in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from lambda_function.entries import Windows
from lambda_function.ledger import hour
from lambda_function.limits import Hold, Terms
from lambda_function.statements import Statement

__all__ = ["removal", "reservation"]

_SOUND = (
    "NOT contains(inflight, :e) AND NOT contains(voided, :e) AND attribute_not_exists(suspended)"
    " AND (attribute_not_exists(inflight) OR size(inflight) < :c)"
)
_TYPES = {":e": "B", ":E": "BS", ":h": "S", ":a": "N", ":t": "N", ":o": "N", ":c": "N"}
_LIMITS = (":lm", ":ld", ":lq", ":lk")  # in the order of Windows


def reservation(
    terms: Terms, held: Hold, entry: str, own: Windows, start: int, closed: Iterable[str]
) -> tuple[Statement, tuple[int | str, ...]]:
    """The statement, and its values, that adds `held` to the windows `own` of the instant `start`.

    Expressions have no arithmetic, so each counter is compared with what the limit leaves for it before `held`. A
    window that is not there is empty: `held` by itself must be within every limit. `entry` is in base64; `closed`
    windows are removed along.
    """
    policy, amount = terms.policy, held.amount
    month, day = policy.monthly_budget, policy.daily_budget
    requests, tokens = terms.requests_per_minute, terms.tokens_per_minute
    left = (
        None if month is None else month - amount,
        None if day is None else day - amount,
        None if requests is None else requests - 1,
        None if tokens is None else tokens - held.tokens,
    )
    limited = (month is not None, day is not None, requests is not None, tokens is not None)
    values: list[int | str] = [
        entry, entry, hour(start), amount, held.tokens, 1, policy.max_concurrent_requests,
        *(number for number in left if number is not None),
    ]  # fmt: skip
    if terms.version is not None:
        values.append(terms.version)
    return _statement(own, terms.version is not None, limited, tuple(closed)), tuple(values)


@lru_cache(64)
def _statement(
    own: Windows, versioned: bool, limited: tuple[bool, bool, bool, bool], closed: tuple[str, ...]
) -> Statement:
    """The same for all requests of a minute under the same limits."""
    condition, types = f"{_SOUND} AND {'pv = :v' if versioned else 'attribute_not_exists(pv)'}", dict(_TYPES)
    for name, window, is_limited in zip(_LIMITS, own, limited, strict=False):
        if is_limited:
            condition += f" AND (attribute_not_exists({window}) OR {window} <= {name})"
            types[name] = "N"
    if versioned:
        types[":v"] = "N"
    update = f"SET active = :h ADD inflight :E, {own.month} :a, {own.day} :a, {own.requests} :o, {own.tokens} :t"
    return Statement(update + removal(closed, own), condition=condition, types=types)


def removal(closed: Iterable[str], own: Windows) -> str:
    """The REMOVE clause for windows that are `closed`, never for those that the same write adds to."""
    names = ", ".join(name for name in closed if name not in own)
    return f" REMOVE {names}" if names else ""
