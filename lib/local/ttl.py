"""DynamoDB's time to live: expired items go, within ten minutes (AWS takes hours, so nothing may rely on it)."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models import dynamodb_backends

from lib.local import clock

__all__ = ["Expiry"]

SWEEP_SECONDS = 600
# "Items with an expiration time more than five years in the past are not deleted."
OLDEST_SECONDS = 5 * 365 * 86_400


class Expiry:
    """Deletes expired items; `tick` as often as you like, tables are swept every ten minutes of the clock."""

    def __init__(self) -> None:
        self._swept = float("-inf")

    def tick(self, now: float | None = None) -> None:
        """Sweep all tables if it is time."""
        when = clock.now() if now is None else now
        if when - self._swept < SWEEP_SECONDS:
            return
        self._swept = when
        for _, _, backend in list(dynamodb_backends.iter_backends()):
            for table in list(backend.tables.values()):
                if table.ttl.get("TimeToLiveStatus") == "ENABLED":
                    _sweep(table, table.ttl["AttributeName"], when)


def _sweep(table: Any, attribute: str, now: float) -> None:
    for hash_key, held in list(table.items.items()):
        ranges = list(held.items()) if table.has_range_key else [(None, held)]
        for range_key, item in ranges:
            expires = item.attrs.get(attribute)
            if expires is not None and expires.type == "N" and now - OLDEST_SECONDS < float(expires.value) < now:
                table.delete_item(hash_key, range_key)
