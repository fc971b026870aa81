"""All tenants together, counted each minute from their counter items: what the deployment's own level is judged by.

The counter item of the reserved name `_deployment` has the same windows as a tenant's, in UTC. They are always set to
the sum of what they sum up, never added to: running twice or late gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lambda_function.calendars import UTC, civil
from lambda_function.dynamodb import Table
from lambda_function.ledger import DEPLOYMENT, counter_key, hour, hourly_key
from lambda_function.level_numbers import DEFAULTS
from lambda_function.levels import LEVELS, scope_of
from lambda_function.limits import Policy
from lambda_function.spend import Scope, Thresholds
from lambda_function.usual import SLOTS, Usual

if TYPE_CHECKING:
    from lambda_function.snapshot import Snapshot

__all__ = ["Everybody", "count_everybody"]

_HOUR = 3600
_FIVES = 14  # 5-minute buckets that the judgement looks at
_DAY_HOURS = 49
_MOST_CONTRIBUTORS = 5
_HOURS = 400 * 86400  # seconds that an hour's sum is kept: 13 months and a little


class Everybody(NamedTuple):
    """The deployment's counter item, by what it is judged, and the largest parts of its last hour."""

    item: Mapping[str, Any]
    scope: Scope
    contributors: tuple[tuple[str, int, int | None], ...]


def count_everybody(
    table: Table, snapshot: Snapshot, items: Mapping[str, Mapping[str, Any]], since: float, now: float
) -> Everybody:
    """Sum up the counter `items` of the tenants that were active since `since`. Raises Unavailable."""
    tenants = {name: item for name, item in items.items() if not name.startswith("_")}
    item = dict(table.get(counter_key(DEPLOYMENT)) or {})
    sums = _sums(tenants.values(), int(since), int(now))
    days = _days({**item, **sums}, int(now))
    if _month(now) not in item:
        days = {**_days_before(table, now), **days}
    sums |= days
    sums[_month(now)] = sum({**_of_month(item, now), **_of_month(days, now)}.values())
    changed = {name: value for name, value in sums.items() if item.get(name) != value}
    old = [name for name in item if _is_old(name, int(now))]
    if changed or old:
        sets = f"SET {', '.join(f'{name} = :{name}' for name in changed)}" if changed else ""
        removes = f" REMOVE {', '.join(old)}" if old else ""
        values = {f":{name}": value for name, value in changed.items()}
        table.update(counter_key(DEPLOYMENT), f"{sets}{removes}", values=values, idempotent=True)
    closed = [number for number in range(int(since) // _HOUR, int(now) // _HOUR) if f"h_{number}" in changed]
    for number in closed:
        _keep_hour(table, number, sums[f"h_{number}"])
    item = {name: value for name, value in {**item, **sums}.items() if name not in old}
    return Everybody(item, _scope(snapshot), _contributors(tenants, now))


def _sums(items: Iterable[Mapping[str, Any]], since: int, now: int) -> dict[str, int]:
    """The 5-minute and hourly buckets that may have changed."""
    last = now // 300
    fives = [f"f_{number}" for number in range(last - _FIVES + 1, last + 1)]
    first = max(since // _HOUR, now // _HOUR - 6)
    hours = [f"h_{number}" for number in range(first, now // _HOUR + 1)]
    sums = dict.fromkeys((*fives, *hours), 0)
    for item in items:
        for name in sums:
            sums[name] += item.get(name, 0)
    return sums


def _days(item: Mapping[str, Any], now: int) -> dict[str, int]:
    """Today and yesterday in UTC, from the hours."""
    days = {}
    for day in (now // 86400 - 1, now // 86400):
        hours = [name for name in (f"h_{number}" for number in range(day * 24, day * 24 + 24)) if name in item]
        if len(hours) == 24 or day == now // 86400:
            days[_day(day)] = sum(item[name] for name in hours)
    return days


def _days_before(table: Table, now: float) -> dict[str, int]:
    """The days of this month so far, from the ledger's daily sums: the deployment has only begun to be counted."""
    year, month, _ = civil(int(now) // 86400)
    days: dict[str, int] = {}
    for row in table.query("pk = :pk", values={":pk": f"D#{year:04d}{month:02d}"}):
        day, tenant = row["sk"].split("#")[:2]
        if not tenant.startswith("_"):
            name = f"d_{year:04d}{month:02d}{day}"
            days[name] = days.get(name, 0) + row["cost"]
    return days


def _of_month(item: Mapping[str, Any], now: float) -> dict[str, int]:
    prefix = _month(now).replace("m_", "d_")
    return {name: value for name, value in item.items() if name.startswith(prefix)}


def _is_old(name: str, now: int) -> bool:
    if name[1:2] != "_":
        return False
    kind, number = name[0], int(name[2:])
    if kind in "fh":
        return number < (now // 300 - _FIVES if kind == "f" else now // _HOUR - _DAY_HOURS)
    return (kind == "d" and number < int(_month(now - 2 * 86400)[2:] + "00")) or (
        kind == "m" and number < int(_month(now - 2 * 86400)[2:])
    )


def _keep_hour(table: Table, number: int, cost: int) -> None:
    """The sum of a closed hour, where the baseline looks for it."""
    pk, sk = hourly_key(DEPLOYMENT, hour(number * _HOUR), "all", "all")
    table.put({"pk": pk, "sk": sk, "cost": cost, "ttl": number * _HOUR + _HOURS})


def _scope(snapshot: Snapshot) -> Scope:
    thresholds = [row.get("thresholds", {}) for row in snapshot.document["profiles"]]
    totals = {name: sum(one.get(name, 0) for one in thresholds) for name in ("cost", "tokens", "requests")}
    policy = Policy(monthly_budget=snapshot.document.get("monthly_budget"), actions=_ACTIONS)
    return scope_of(policy, UTC, Thresholds(**totals))


def _contributors(items: Mapping[str, Mapping[str, Any]], now: float) -> tuple[tuple[str, int, int | None], ...]:
    """The tenants that spent most above their usual in the last hour."""
    found = []
    for name, item in items.items():
        spent = sum(item.get(f"f_{number}", 0) for number in range(int(now) // 300 - 11, int(now) // 300 + 1))
        if spent:
            found.append((name, spent, _usual(item, now)))
    found.sort(key=lambda one: (one[2] or 0) - one[1])
    return tuple(found[:_MOST_CONTRIBUTORS])


def _usual(item: Mapping[str, Any], now: float) -> int | None:
    usual = Usual.decode(item["usual"]) if "usual" in item else None
    if usual is None or usual.history < DEFAULTS["history_days"] * 24:
        return None
    slot = int(now) // _HOUR - usual.start
    return usual.usual[slot] if 0 <= slot < SLOTS else None


def _day(days: int) -> str:
    year, month, day = civil(days)
    return f"d_{year:04d}{month:02d}{day:02d}"


def _month(now: float) -> str:
    year, month, _ = civil(int(now) // 86400)
    return f"m_{year:04d}{month:02d}"


_ACTIONS: Mapping[str, list[Any]] = {level: ["notify_admin"] for level in LEVELS[1:]}
