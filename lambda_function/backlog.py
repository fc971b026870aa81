"""Which hours still need their sums: the open ones again and again, each closed one a last time, none forgotten.

An hour is closed once no record of it can appear or change any more. The item `W`/`rolled` holds the instant (`until`,
epoch seconds) before which everything is final, and how far (`tenant`) the hour after it has come. A schedule that
stood still, for minutes or for days, or that ran out of time goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from zlib import crc32

from lambda_function.dynamodb import Table
from lambda_function.ledger import INDEX, Key, hour
from lambda_function.rollups import roll_day, roll_hour
from lambda_function.sweep import LINGER

__all__ = ["MARKER", "Backlog", "active_tenants", "roll_up"]

MARKER: Key = ("W", "rolled")
_HOUR = 3600
# After its end an hour's records may still be corrected: until its last entry has expired (two minutes are more than
# the function's 29 s and the 60 s added to them) and a sweep has taken it out of `swept`.
_OPEN = 120 + LINGER + 180
# Tenants whose open hours are summed in one minute; with more of them each has its turn every few minutes.
_TENANTS_A_MINUTE = 500
_LOOK_BACK = 2  # hours, of a deployment that has no marker yet


class Backlog(NamedTuple):
    """Everything before `until` is final; of the hour that begins there, so is what tenants up to `tenant` did."""

    until: int
    tenant: str = ""

    @classmethod
    def read(cls, table: Table, now: float) -> Backlog:
        """As the last pass left it; the first pass marks where the ledger begins. Raises Unavailable."""
        item = table.get(MARKER)
        if item is None:
            begun = cls((int(now) // _HOUR - _LOOK_BACK) * _HOUR)
            begun.write(table)
            return begun
        return cls(item["until"], item.get("tenant", ""))

    def write(self, table: Table) -> None:
        """Two passes at once may put it back a little: then something is summed once more."""
        table.put({"pk": MARKER[0], "sk": MARKER[1], "until": self.until, "tenant": self.tenant})


def active_tenants(table: Table, since: float, now: float) -> dict[str, str]:
    """Tenant -> UTC hour (yyyymmddhh) of its last reserve, of those that reserved in the hour of `since` or later.

    From the sparse index, which lags a little; some function's clock may be a little ahead. Raises Unavailable.
    """
    found: dict[str, str] = {}
    for number in range(int(since) // _HOUR, int(now + 120) // _HOUR + 1):
        name = hour(number * _HOUR)
        for item in table.query("active = :hour", index=INDEX, values={":hour": name}):
            found[item["pk"].partition("#")[2]] = name
    return found


def roll_up(
    table: Table, backlog: Backlog, tenants: Mapping[str, str], now: float, in_time: Callable[[], bool]
) -> Backlog:
    """Make closed hours final, then bring the open ones up to date; what is final afterwards.

    `tenants` is the answer of `active_tenants` since `backlog.until`. Goes on while `in_time()`. Raises Unavailable.
    """
    counted = {name: last for name, last in sorted(tenants.items()) if not name.startswith("_")}
    until = backlog.until
    while until + _HOUR + _OPEN <= now:
        name = hour(until)
        for tenant, last in counted.items():
            if last < name or tenant <= backlog.tenant:
                continue
            if not in_time():
                backlog.write(table)
                return backlog
            roll_hour(table, tenant, name, now, consistent=True)
            roll_day(table, tenant, name[:8], now)
            backlog = Backlog(until, tenant)
        until += _HOUR
        backlog = Backlog(until)
        backlog.write(table)
    turns = 1 + len(counted) // _TENANTS_A_MINUTE
    for number in range(until // _HOUR, int(now) // _HOUR + 1):
        name = hour(number * _HOUR)
        for tenant, last in counted.items():
            due = (int(now) // 60 + crc32(tenant.encode())) % turns == 0
            if due and last >= name and in_time() and roll_hour(table, tenant, name, now):
                roll_day(table, tenant, name[:8], now)
    return backlog
