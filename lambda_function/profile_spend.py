"""What each of a tenant's profiles spent, for GET /usage: from the hourly roll-ups, a minute or two behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.dynamodb import Table
from lambda_function.ledger import hour, hourly_key
from lambda_function.money import usd
from lambda_function.resolve import Profile

__all__ = ["profile_spend"]

_Item = Mapping[str, Any]


def profile_spend(
    table: Table, tenant: str, profiles: Iterable[Profile], calendar: Calendar, now: float
) -> list[dict[str, Any]]:
    """Name, id, model, tags, and spend and requests of the tenant's present month and day, by profile.

    Profile ids that others have replaced meanwhile, with another model, come last and without a name. Roll-ups are of
    UTC hours: one that midnight parts, in zones off by half an hour, counts for the new day. Raises Unavailable.
    """
    month, day = hour(calendar.month_start(now)), hour(calendar.day_start(now))
    pk, _ = hourly_key(tenant, month, "", "")
    sums: dict[str, list[_Item]] = {}
    for item in table.query("pk = :pk AND sk >= :month", values={":pk": pk, ":month": month}):
        sums.setdefault(item["sk"].split("#")[1], []).append(item)
    found = [
        _entry(profile.name, profile.id, profile.model, profile.tags, sums.pop(profile.id, []), day)
        for profile in profiles
    ]
    return found + [_entry(None, id_, items[-1].get("model", ""), {}, items, day) for id_, items in sums.items()]


def _entry(
    name: str | None, profile_id: str, model: str, tags: Mapping[str, str], items: list[_Item], day: str
) -> dict[str, Any]:
    today = [item for item in items if item["sk"] >= day]
    own = {"name": name, "id": profile_id, "model": model, "tags": tags}
    return {**own, "month": _total(items), "day": _total(today)}


def _total(items: list[_Item]) -> dict[str, Any]:
    return {
        "spent_usd": usd(sum(item.get("cost", 0) for item in items)),
        "requests": sum(item.get("requests", 0) for item in items),
    }
