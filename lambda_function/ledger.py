"""The table of counters and records: every key, attribute name and codec, once.

One table, keys `pk` and `sk` (strings), a sparse index `active` (hash `active`, range `pk`, KEYS_ONLY), TTL attribute
`ttl`. Hours and days in keys are UTC; months and days in the names of a counter's windows are the tenant's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from lambda_function.calendars import civil

__all__ = [
    "COUNTER", "DEPLOYMENT", "INDEX", "TOKENS", "WATCH_LIST", "Key", "counter_key", "daily_key", "hour", "hourly_key",
    "profile_key", "record", "record_key",
]  # fmt: skip

Key = tuple[str, str]

COUNTER = "counter"
DEPLOYMENT = "_deployment"  # the tenant name under which all tenants together are counted
INDEX = "active"
WATCH_LIST: Key = ("W", "above-green")
# Token counts of a record and of a roll-up: input, output, cache read, cache write for 5 minutes and for 1 hour.
TOKENS = ("in", "out", "cr", "cw5", "cw1")

_DAY = 86400
_RECORD_TTL = 90 * _DAY
_ROLL_UP_TTL = 400 * _DAY  # 13 months and a little, in every calendar


def counter_key(tenant: str) -> Key:
    """A tenant's counters. Tenant names have no `#`: Bedrock's alphabet of tag values lacks it."""
    return f"T#{tenant}", COUNTER


def record_key(tenant: str, request_id: str, start: float) -> Key:
    """The record of a request that reserved at `start`."""
    return f"R#{tenant}#{hour(start)}", request_id


def hourly_key(tenant: str, hour: str, profile_id: str, version: str) -> Key:
    """The roll-up of a UTC hour (yyyymmddhh) of one profile version."""
    return f"H#{tenant}", f"{hour}#{profile_id}#{version}"


def daily_key(tenant: str, day: str, profile_id: str, version: str) -> Key:
    """The roll-up of a UTC day (yyyymmdd) of one profile version. A month of all tenants is one partition."""
    return f"D#{day[:6]}", f"{day[6:]}#{tenant}#{profile_id}#{version}"


def profile_key(profile_id: str, version: str) -> Key:
    """Name, tenant, tags and model of a profile as they were in `version`."""
    return f"P#{profile_id}", version


def hour(at: float) -> str:
    """yyyymmddhh in UTC."""
    return _hour(int(at) // 3600)


@lru_cache(64)
def _hour(number: int) -> str:
    year, month, day = civil(number // 24)
    return f"{year:04d}{month:02d}{day:02d}{number % 24:02d}"


def record(
    tenant: str,
    request_id: str,
    start: float,
    *,
    profile_id: str,
    version: str,
    model: str,
    cost: int,
    prices: str,
    status: str,
    latency: int,
    tokens: Iterable[int] = (),
    tier: str = "",
    estimated: bool = False,
) -> dict[str, Any]:
    """The item of one request, under 400 bytes.

    `start` is the instant of the reserve (`Ticket.start`), `cost` pico-USD, `prices` the version of the price table,
    `status` "ok" or an error's code, `latency` milliseconds, `tokens` the counts in the order of TOKENS. `estimated`
    says that the outcome was never known and the full reservation was charged.
    """
    pk, sk = record_key(tenant, request_id, start)
    item: dict[str, Any] = {
        "pk": pk,
        "sk": sk,
        "at": int(start * 1000),
        "profile": profile_id,
        "version": version,
        "model": model,
        "cost": cost,
        "prices": prices,
        "status": status,
        "ms": latency,
        "ttl": int(start) + _RECORD_TTL,
    }
    for name, count in zip(TOKENS, tokens, strict=False):
        if count:
            item[name] = count
    if tier:
        item["tier"] = tier
    if estimated:
        item["est"] = True
    return item
