"""Settling for owners that died between reserve and settle: killed, timed out, out of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambda_function.dynamodb import Table
from lambda_function.entries import Entry, decode_entry
from lambda_function.ledger import TOKENS, counter_key, record, record_key
from lambda_function.settlement import record_once, settle, sweep_up

__all__ = ["INTERRUPTED", "LINGER", "Swept", "sweep"]

INTERRUPTED = "Interrupted"  # `status` of the record that is written for a dead owner
# Seconds that a swept entry waits for an owner that is only slow: no Lambda invocation lives longer than 15 minutes.
LINGER = 900


class Swept(NamedTuple):
    """How many entries were finished from their record, charged in full, and taken out of `swept` for good.

    `exceeded` of them had cost more than they held.
    """

    finished: int
    estimated: int
    closed: int
    exceeded: int


def sweep(
    table: Table,
    tenant: str,
    item: Mapping[str, Any],
    now: float,
    origin: Callable[[str], tuple[str, str]],
    prices: str,
) -> Swept:
    """Settle the expired entries of a counter `item`; it may be a little old, since every write has its condition.

    `origin` tells version and model of a profile id, `prices` is the version of the price table. An entry with a record
    is settled from it. One without gets a record at its full amount, marked estimated, and waits in `swept`, from where
    its owner's late settle, or the record that it left, still corrects it. Raises Unavailable.
    """
    finished = estimated = closed = exceeded = 0
    for data in sorted(item.get("inflight", ())):
        held = decode_entry(data)
        if held.expiry > now:
            continue
        found = _record(table, tenant, held, origin, prices)
        if found.get("est"):
            estimated += sweep_up(table, tenant, data)
            if held.expiry + LINGER <= now:
                closed += _settle(table, tenant, data, found)  # found so late that nobody can come back
        elif _settle(table, tenant, data, found):
            finished += 1
            exceeded += found["cost"] > held.amount
    for data in sorted(item.get("swept", ())):
        held = decode_entry(data)
        if held.expiry + LINGER <= now:
            found = table.get(record_key(tenant, held.request_id, held.start)) or {}
            if _settle(table, tenant, data, found):
                closed += 1
                exceeded += found.get("cost", 0) > held.amount
    voided = {data for data in item.get("voided", ()) if decode_entry(data).expiry + LINGER <= now}
    if voided:
        table.update(counter_key(tenant), "DELETE voided :E", values={":E": voided}, idempotent=True)
    return Swept(finished, estimated, closed, exceeded)


def _record(
    table: Table, tenant: str, held: Entry, origin: Callable[[str], tuple[str, str]], prices: str
) -> Mapping[str, Any]:
    """The record that the owner left, or the estimate that is now written for it."""
    key = record_key(tenant, held.request_id, held.start)
    found = table.get(key)
    if found is None:
        version, model = origin(held.profile_id)
        estimate = record(
            tenant,
            held.request_id,
            held.start,
            profile_id=held.profile_id,
            version=version,
            model=model,
            cost=held.amount,
            prices=prices,
            status=INTERRUPTED,
            latency=0,
            estimated=True,
        )
        if record_once(table, estimate):
            return estimate
        found = table.get(key) or estimate  # the owner was faster by a moment
    return found


def _settle(table: Table, tenant: str, data: bytes, found: Mapping[str, Any]) -> bool:
    """Settle an entry at what its record says; an estimate says what is held already."""
    held = decode_entry(data)
    estimated = found.get("est") or not found
    cost = held.amount if estimated else found["cost"]
    tokens = held.tokens if estimated else sum(found.get(name, 0) for name in TOKENS)
    return settle(table, tenant, data, cost, tokens)[1]
