"""The scheduled function, once a minute: settle for the dead, sum up the ledger, watch the levels.

Each part finishes what earlier runs left undone, so a run that fails, is late or overlaps another does no harm. All
parts share one reading of the counters of the tenants that were active lately.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lambda_function.backlog import Backlog, active_tenants, roll_up
from lambda_function.dynamodb import Table, Unavailable
from lambda_function.ledger import counter_key
from lambda_function.level_pass import LevelPass
from lambda_function.metrics import exceeded_line
from lambda_function.minute import Minute
from lambda_function.snapshot import Snapshot, SnapshotReader
from lambda_function.surroundings import connect
from lambda_function.sweep import sweep

__all__ = ["Schedule", "handle"]

_HOUR = 3600
# Once an hour everybody of the last day is looked at, in case the index or a clock was further off than it should be.
_WIDE_LOOK = 26 * _HOUR
# What must be left of the function's time to begin another tenant.
_SECONDS_LEFT = 20


class Context(Protocol):
    """What Lambda tells of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended."""


class Schedule:
    """Runs the parts, one after the other. `table_of` makes the table that a snapshot names, `write` takes metrics."""

    def __init__(
        self,
        reader: SnapshotReader,
        table_of: Callable[[Snapshot], Table],
        clock: Callable[[], float] = time.time,
        write: Callable[[str], Any] = sys.stdout.write,
        more: tuple[Callable[[Minute], dict[str, int]], ...] = (),
    ) -> None:
        """`more` are parts that run after those of this module."""
        self._reader = reader
        self._table_of = table_of
        self._clock = clock
        self._write = write
        self._parts = (*_PARTS, *more)

    def run(self, in_time: Callable[[], bool]) -> dict[str, int]:
        """What was done. Raises SnapshotUnavailable, and after every part had a try the first Unavailable."""
        minute = self._begin(in_time)
        done: dict[str, int] = {"tenants": len(minute.items)}
        problems: list[Unavailable] = []
        for part in self._parts:
            try:
                done.update(part(minute))
            except Unavailable as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
        return done

    def _begin(self, in_time: Callable[[], bool]) -> Minute:
        snapshot, now = self._reader.current(), self._clock()
        table = self._table_of(snapshot)
        backlog = Backlog.read(table, now)
        back = _WIDE_LOOK if int(now) // 60 % 60 == 0 else _HOUR
        active = active_tenants(table, min(backlog.until, now - back), now)
        read = table.batch_get(counter_key(tenant) for tenant in active)
        items = {item["pk"].partition("#")[2]: item for item in read}
        return Minute(table, snapshot, now, in_time, self._write, backlog, active, items)


def _sweep(minute: Minute) -> dict[str, int]:
    """Settle what dead owners left in flight."""
    known = {row["id"]: (row["version"], row["model"]) for row in minute.snapshot.document["profiles"]}

    def origin(profile_id: str) -> tuple[str, str]:
        if profile_id not in known:
            # Replaced meanwhile: setup keeps every version of a profile.
            versions = list(minute.table.query("pk = :pk", values={":pk": f"P#{profile_id}"}))
            known[profile_id] = (versions[-1]["sk"], versions[-1].get("model", "")) if versions else ("", "")
        return known[profile_id]

    finished = estimated = 0
    for tenant, item in minute.items.items():
        if minute.in_time():
            swept = sweep(minute.table, tenant, item, minute.now, origin, minute.snapshot.price_version)
            finished, estimated = finished + swept.finished, estimated + swept.estimated
            if swept.exceeded:
                minute.write(exceeded_line(minute.now, tenant, swept.exceeded))
    return {"finished": finished, "estimated": estimated}


def _sum_up(minute: Minute) -> dict[str, int]:
    """Bring the hourly and daily sums up to date."""
    backlog = roll_up(minute.table, minute.backlog, minute.active, minute.now, minute.in_time)
    return {"final_until": backlog.until}


_PARTS: tuple[Callable[[Minute], dict[str, int]], ...] = (_sweep, _sum_up)

_schedule: Schedule | None = None


def handle(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """The Lambda handler behind the rule of each minute. An exception counts in AWS/Lambda `Errors`, and is alarmed."""
    global _schedule
    if _schedule is None:
        wire, reader = connect(os.environ)
        _schedule = Schedule(reader, lambda snapshot: Table(wire, snapshot.table), more=(LevelPass(wire),))
    return _schedule.run(lambda: context.get_remaining_time_in_millis() > 1000 * _SECONDS_LEFT)
