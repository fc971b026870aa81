"""Daily roll-ups as a report reads them: one row per UTC day, tenant, profile and profile version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from lib.aws import Aws
from lib.items import get_items, query
from lib.reports.period import Period

__all__ = ["KINDS", "Row", "read_rows"]

# Token kinds as roll-ups spell them, and as people read them.
KINDS = {"in": "input", "out": "output", "cr": "cache read", "cw5": "cache write 5m", "cw1": "cache write 1h"}


class Row(NamedTuple):
    """What one profile version did on one day. `cost` is pico-USD; `tokens` has the keys of KINDS."""

    day: date
    tenant: str
    profile_id: str
    version: str
    name: str
    model: str
    tags: dict[str, str]
    requests: int
    failures: int
    estimated: int
    tokens: dict[str, int]
    cost: int


def read_rows(aws: Aws, table: str, period: Period) -> list[Row]:
    """Every row of the period: a Query per month, then the profile versions they name."""
    items = [
        item
        for month in period.months()
        for item in _month(aws, table, month, period)
        if not _identity(item)[1].startswith("_")  # reserved: setup's rehearsal
    ]
    keys = {_identity(item) for item in items}
    versions = {
        (item["pk"][2:], item["sk"]): item
        for item in get_items(aws, table, [(f"P#{profile}", version) for _, _, profile, version in _unique(keys)])
    }
    return [_row(item, versions) for item in items if item.get("requests")]


def _month(aws: Aws, table: str, month: str, period: Period) -> Iterator[dict[str, Any]]:
    first = f"{period.first:%d}" if f"{period.first:%Y%m}" == month else "01"
    last = f"{period.last:%d}" if f"{period.last:%Y%m}" == month else "31"
    yield from query(aws, table, f"D#{month}", f"{first}#", f"{last}#\U0010ffff")


def _identity(item: dict[str, Any]) -> tuple[str, str, str, str]:
    day, tenant, profile, version = item["sk"].split("#")
    return day, tenant, profile, version


def _unique(keys: Iterable[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """One key for each profile and version."""
    return list({(profile, version): ("", "", profile, version) for _, _, profile, version in keys}.values())


def _row(item: dict[str, Any], versions: dict[tuple[str, str], dict[str, Any]]) -> Row:
    day, tenant, profile, version = _identity(item)
    known = versions.get((profile, version), {})
    return Row(
        day=datetime.strptime(item["pk"][2:] + day + "+0000", "%Y%m%d%z").date(),
        tenant=tenant,
        profile_id=profile,
        version=version,
        name=known.get("name", profile),
        model=item.get("model") or known.get("model", ""),
        tags={"TenantID": tenant, **known.get("tags", {})},
        requests=item.get("requests", 0),
        failures=item.get("failures", 0),
        estimated=item.get("estimated", 0),
        tokens={kind: item.get(kind, 0) for kind in KINDS},
        cost=item.get("cost", 0),
    )
