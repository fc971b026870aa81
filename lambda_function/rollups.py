"""Hourly and daily sums of the records, per tenant, profile and profile version, in UTC.

Always recomputed from what they sum up, never added to: running twice, late or at the same time as another run gives
the same numbers. `asof` is the instant at which a sum's sources were read, so that an older reading never replaces a
newer one. A sum that has become empty, because a record changed its version, stays with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lambda_function.dynamodb import ConditionFailed, Table
from lambda_function.ledger import TOKENS, Key, daily_key, hourly_key

__all__ = ["roll_day", "roll_hour"]

_COUNTS = ("requests", "failures", "estimated", *TOKENS, "cost")
_TTL = 400 * 86400  # 13 months and a little, in every calendar

Sums = dict[tuple[str, str], dict[str, Any]]


def roll_hour(table: Table, tenant: str, hour: str, now: float, *, consistent: bool = False) -> bool:
    """Bring the sums of a UTC hour (yyyymmddhh) up to date; whether anything changed. Raises Unavailable."""
    sums: Sums = {}
    for record in table.query("pk = :pk", values={":pk": f"R#{tenant}#{hour}"}, consistent=consistent):
        one = {**record, "requests": 1, "failures": record["status"] != "ok", "estimated": bool(record.get("est"))}
        _add(sums, record["profile"], record["version"], one)
    known = table.query(
        "pk = :pk AND begins_with(sk, :hour)", values={":pk": f"H#{tenant}", ":hour": f"{hour}#"}, consistent=True
    )
    return _write(table, sums, known, now, lambda profile, version: hourly_key(tenant, hour, profile, version))


def roll_day(table: Table, tenant: str, day: str, now: float) -> bool:
    """Bring the sums of a UTC day (yyyymmdd) up to date from those of its hours. Raises Unavailable."""
    sums: Sums = {}
    for item in table.query(
        "pk = :pk AND begins_with(sk, :day)", values={":pk": f"H#{tenant}", ":day": day}, consistent=True
    ):
        _, profile, version = item["sk"].split("#")
        _add(sums, profile, version, item)
    known = table.query(
        "pk = :pk AND begins_with(sk, :tenant)",
        values={":pk": f"D#{day[:6]}", ":tenant": f"{day[6:]}#{tenant}#"},
        consistent=True,
    )
    return _write(table, sums, known, now, lambda profile, version: daily_key(tenant, day, profile, version))


def _add(sums: Sums, profile: str, version: str, item: Mapping[str, Any]) -> None:
    total = sums.setdefault((profile, version), {"model": item.get("model", ""), **dict.fromkeys(_COUNTS, 0)})
    for name in _COUNTS:
        total[name] += item.get(name, 0)


def _write(
    table: Table, sums: Sums, known: Iterable[Mapping[str, Any]], now: float, key: Callable[[str, str], Key]
) -> bool:
    """Put the sums that differ from the `known` items; whether there were any."""
    stored = {item["sk"]: item for item in known}
    wanted = {key(*identity): total for identity, total in sums.items()}
    for sk, item in stored.items():
        profile, version = sk.split("#")[-2:]
        wanted.setdefault(key(profile, version), {"model": item.get("model", ""), **dict.fromkeys(_COUNTS, 0)})
    changed = False
    for (pk, sk), total in wanted.items():
        item = {name: value for name, value in total.items() if value or name not in TOKENS}
        old = stored.get(sk, {})
        if all(old.get(name, 0) == total[name] for name in _COUNTS) and old:
            continue
        changed = True
        asof = int(now * 1000)
        try:
            table.put(
                {"pk": pk, "sk": sk, **item, "asof": asof, "ttl": int(now) + _TTL},
                condition="attribute_not_exists(asof) OR asof <= :asof",
                values={":asof": asof},
            )
        except ConditionFailed:
            continue  # a later reading is there already
    return changed
