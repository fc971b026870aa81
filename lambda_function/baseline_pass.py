"""Once an hour and active tenant: the hours that closed go from the roll-ups into the baseline, its digest into the
counter item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from lambda_function.baseline import RING, Baseline, burst_of
from lambda_function.calendars import Calendar
from lambda_function.dynamodb import Key, Table
from lambda_function.ledger import counter_key, hour
from lambda_function.level_numbers import Numbers
from lambda_function.usual import SLOTS, Usual

__all__ = ["baseline_key", "due", "refresh"]

_HOUR = 3600
# Minutes of the hour at which tenants have their turn: after the hour's sums are nearly complete, and spread out.
_FIRST_MINUTE = 5
_TURNS = 50
_REVISED = 3  # hours that are read again, because their records may have been corrected since


def baseline_key(tenant: str) -> Key:
    """A tenant's history by the hour."""
    return f"T#{tenant}", "baseline"


def due(tenant: str, item: Mapping[str, Any], now: float) -> bool:
    """Whether the digest in a counter item is to be made anew; at once if it does not cover this hour any more."""
    current = int(now) // _HOUR
    if "usual" not in item:
        return True
    start = Usual.decode(item["usual"]).start
    if start >= current:
        return False
    return current - start >= SLOTS - 1 or int(now) // 60 % 60 >= _FIRST_MINUTE + crc32(tenant.encode()) % _TURNS


def refresh(
    table: Table, tenant: str, item: Mapping[str, Any], calendar: Calendar, numbers: Numbers, now: float
) -> dict[str, Any]:
    """Bring the tenant's baseline up to the present hour; the counter item with the new digest. Raises Unavailable."""
    current = int(now) // _HOUR
    pk, sk = baseline_key(tenant)
    stored = table.get((pk, sk), consistent=False)
    since = current - RING if stored is None else max(stored["through"] - _REVISED, current - RING)
    costs: dict[int, int] = {}
    names = {hour(number * _HOUR): number for number in range(since, current)}
    for row in table.query("pk = :pk AND sk >= :since", values={":pk": f"H#{tenant}", ":since": hour(since * _HOUR)}):
        number = names.get(row["sk"][:10])
        if number is not None:
            costs[number] = costs.get(number, 0) + row["cost"]
    baseline = Baseline(min(costs, default=current)) if stored is None else Baseline.from_item(stored)
    baseline.close(current, costs, burst_of(item, now), calendar, numbers)
    digest = baseline.digest(calendar, numbers).encode()
    table.put({"pk": pk, "sk": sk, **baseline.to_item()})
    table.update(counter_key(tenant), "SET usual = :usual", values={":usual": digest}, idempotent=True)
    return {**item, "usual": digest}
