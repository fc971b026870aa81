"""Time zones of the IANA database as the transition tables that the functions read (lambda_function/calendars.py)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["zone_table"]

# No zone changes its offset and back within a day.
_STEP = 86400


def zone_table(zone: str, now: float) -> dict[str, Any]:
    """The snapshot's entry for `zone`: {"first": offset, "transitions": [[epoch, offset from then on], ...]}.

    It reaches from two years before the year of `now` to eleven years after, so that it covers 13 months back and 10
    years ahead and changes only at New Year: a snapshot written twice is the same. Offsets are seconds east of UTC.
    Raises zoneinfo.ZoneInfoNotFoundError for a name that the database does not have.
    """
    year = datetime.fromtimestamp(now, UTC).year
    return _table(
        zone,
        int(datetime(year - 2, 1, 1, tzinfo=UTC).timestamp()),
        int(datetime(year + 11, 1, 1, tzinfo=UTC).timestamp()),
    )


@cache
def _table(zone: str, first: int, last: int) -> dict[str, Any]:
    info = ZoneInfo(zone)
    offset = opening = _offset(info, first)
    transitions = []
    for instant in range(first + _STEP, last, _STEP):
        later = _offset(info, instant)
        if later != offset:
            transitions.append([_change(info, instant - _STEP, instant), later])
            offset = later
    return {"first": opening, "transitions": transitions}


def _change(info: ZoneInfo, before: int, after: int) -> int:
    """The second in (before, after] at which the offset changes."""
    old = _offset(info, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(info, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(info: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, UTC).astimezone(info).utcoffset()
    assert offset is not None, "an aware datetime has an offset"
    return int(offset.total_seconds())
