"""The writes that end an entry of `inflight` or `swept`, for its owner and for the sweeper alike.

Each is one UpdateItem on the condition that the entry is still where it is taken from, so each happens once, whoever
races, and repeating it is harmless. Amounts always go to the windows of the entry's own reserve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from lambda_function.attributes import in_base64
from lambda_function.dynamodb import ConditionFailed, Table
from lambda_function.entries import Windows, held_by
from lambda_function.ledger import counter_key
from lambda_function.reservation import removal
from lambda_function.statements import Statement

__all__ = ["charge", "record_once", "release", "settle", "sweep_up"]

_HERE = "contains(inflight, :e)"
# The entry, as a member and as a set; what its money and its tokens change by.
_CHANGE = {":e": "B", ":E": "BS", ":d": "N", ":t": "N"}


def settle(
    table: Table, tenant: str, entry: bytes, cost: int, tokens: int, closed: Iterable[str] = ()
) -> tuple[dict[str, Any], bool]:
    """Replace what `entry` holds by `cost` pico-USD and `tokens`; the counter item after it, and whether this did it.

    An entry that the sweeper settled in full is corrected by the difference. `closed` names windows to remove along.
    Raises Unavailable.
    """
    own, held, held_tokens = held_by(entry)
    text, change = in_base64(entry), (cost - held, tokens - held_tokens)
    try:
        item = table.execute(
            _settlement(own, cost != 0, tuple(closed)),
            counter_key(tenant),
            (text, text, *change, cost) if cost else (text, text, *change),
            idempotent=True,
        )
    except ConditionFailed as refused:
        item = refused.item or {}
        if entry not in item.get("swept", ()):
            return item, False
    else:
        return item, True
    try:
        item = table.execute(_correction(own), counter_key(tenant), (text, text, *change), idempotent=True)
    except ConditionFailed as refused:
        return refused.item or {}, False
    return item, True


@lru_cache(64)
def _settlement(own: Windows, costs: bool, closed: tuple[str, ...]) -> Statement:
    """What takes an entry out of `inflight`; its values in the order of _CHANGE, and the cost if it `costs`."""
    spent = f", {own.five} :c, {own.hour} :c" if costs else ""
    return Statement(
        f"ADD {own.month} :d, {own.day} :d, {own.tokens} :t{spent} DELETE inflight :E{removal(closed, own)}",
        condition=_HERE,
        types={**_CHANGE, ":c": "N"} if costs else _CHANGE,
        returns="ALL_NEW",
    )


@lru_cache(16)
def _correction(own: Windows) -> Statement:
    """What takes an entry out of `swept`, where it was settled in full."""
    return Statement(
        f"ADD {own.month} :d, {own.day} :d, {own.tokens} :t, {own.five} :d, {own.hour} :d DELETE swept :E",
        condition="contains(swept, :e)",
        types=_CHANGE,
        returns="ALL_NEW",
    )


def sweep_up(table: Table, tenant: str, entry: bytes) -> bool:
    """Settle `entry` at all it holds, for an owner that died, and keep it in `swept` in case the owner is only slow.

    False if it had been settled. Raises Unavailable.
    """
    own, held, _ = held_by(entry)
    try:
        table.update(
            counter_key(tenant),
            f"ADD {own.five} :a, {own.hour} :a, swept :E DELETE inflight :E",
            condition=_HERE,
            values={":e": entry, ":E": {entry}, ":a": held},
            idempotent=True,
        )
    except ConditionFailed:
        return False
    return True


def release(table: Table, tenant: str, entry: bytes) -> None:
    """Undo a reserve of unknown outcome, and see to it that it never takes effect should it still be on its way.

    An entry that is not there is put into the set `voided`, and no reserve of an entry in there is admitted. Raises
    Unavailable.
    """
    own, held, held_tokens = held_by(entry)
    values: dict[str, Any] = {":e": entry, ":E": {entry}}
    back = {":a": -held, ":t": -held_tokens, ":o": -1}
    for expression, condition, numbers in (
        ("ADD voided :E", f"NOT {_HERE}", {}),
        (
            f"ADD {own.month} :a, {own.day} :a, {own.tokens} :t, {own.requests} :o DELETE inflight :E",
            _HERE,
            back,
        ),
    ):
        try:
            table.update(
                counter_key(tenant), expression, condition=condition, values={**values, **numbers}, idempotent=True
            )
        except ConditionFailed:
            continue
        return


def charge(table: Table, tenant: str, entry: bytes, cost: int, tokens: int) -> dict[str, Any]:
    """Count a request that was served while the counters were out of reach; the counter item after it.

    At most once: a lost answer is not asked for again. The entry goes to `voided`, because its reserve may still be on
    its way. Raises Unavailable.
    """
    own, _, _ = held_by(entry)
    money = ", ".join(f"{window} :c" for window in (own.month, own.day, own.five, own.hour))
    return table.update(
        counter_key(tenant),
        f"ADD {money}, {own.tokens} :t, {own.requests} :o, voided :E",
        values={":E": {entry}, ":c": cost, ":t": tokens, ":o": 1},
        returns="ALL_NEW",
    )


def record_once(table: Table, item: Mapping[str, Any]) -> bool:
    """Put a record (ledger.record). What is known replaces an estimate, nothing else replaces anything.

    False if there was a record that stays. Raises Unavailable.
    """
    condition, values = "attribute_not_exists(pk)", {}
    if not item.get("est"):
        condition, values = f"{condition} OR est = :est", {":est": True}
    try:
        table.put(item, condition=condition, values=values)
    except ConditionFailed:
        return False
    return True
