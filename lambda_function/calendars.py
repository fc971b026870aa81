"""Calendar windows in a tenant's time zone, from a table of the zone's UTC transitions.

The Lambda carries no time-zone database: setup writes each zone's transitions into the snapshot (lib/zones.py), and
the offset of an instant is found by bisection. Days and months are those of the local calendar date, so a day may last
23, 24 or 25 hours, and a date that a zone skipped (Pacific/Apia, 30 December 2011) simply has no window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["UTC", "Calendar", "civil", "days_from_civil"]

_DAY = 86400
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


def civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of the proleptic Gregorian calendar for `days` since 1970-01-01.

    Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: eras of 400 years that begin on
    1 March, so that the leap day comes last.
    """
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    month = march_month + 3 if march_month < 10 else march_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * march_month + 2) // 5 + 1


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date; `month` may be 13, for January of the next year. The inverse of `civil`."""
    if month > 12:
        year, month = year + 1, month - 12
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


class Calendar:
    """The windows of one zone. Instants are epoch seconds, offsets seconds east of UTC, local time is instant + offset.

    `first` is the offset before the first transition, `transitions` a sequence of [instant, offset from then on] in
    ascending order. Beyond the table's ends the nearest offset holds.
    """

    __slots__ = ("_instants", "_offsets", "zone")

    def __init__(self, zone: str, first: int = 0, transitions: Sequence[Sequence[int]] = ()) -> None:
        self.zone = zone
        self._instants = [instant for instant, _ in transitions]
        self._offsets = [first, *(offset for _, offset in transitions)]

    @classmethod
    def from_zones(cls, zone: str, zones: Mapping[str, Any]) -> Calendar:
        """The calendar of `zone` from the snapshot's `zones`. KeyError if the snapshot has no such zone, except UTC."""
        if zone == "UTC" and zone not in zones:
            return UTC
        table = zones[zone]
        return cls(zone, table["first"], table["transitions"])

    def offset(self, at: float) -> int:
        """Seconds east of UTC at `at`."""
        return self._offsets[bisect_right(self._instants, at)] if self._instants else self._offsets[0]

    def date(self, at: float) -> tuple[int, int, int]:
        """Local year, month, day."""
        return civil(int(at + self.offset(at)) // _DAY)

    def hour_of_week(self, at: float) -> int:
        """0 (Monday, midnight to one) to 167, in local time."""
        days, seconds = divmod(int(at + self.offset(at)), _DAY)
        return (days + _EPOCH_WEEKDAY) % 7 * 24 + seconds // 3600

    def day_end(self, at: float) -> int:
        """The first instant after `at` with a later local date: when the day's window ends."""
        return self._end(at, lambda days: days + 1)

    def month_end(self, at: float) -> int:
        """The first instant after `at` in a later local month: when the month's window ends."""
        return self._end(at, _next_month)

    def day_start(self, at: float) -> int:
        """When the unbroken stretch of the local date of `at` began."""
        return self._start(at, lambda days: days)

    def month_start(self, at: float) -> int:
        """When the unbroken stretch of the local month of `at` began."""
        return self._start(at, _this_month)

    def iso(self, at: float) -> str:
        """`at` to the second in local time with its offset: 2026-12-01T00:00:00+01:00."""
        return _iso(int(at), self.offset(at))

    def _end(self, at: float, following: Any) -> int:
        """The first instant after `at` whose local day is at least `following(local day of at)`."""
        index = bisect_right(self._instants, at)
        first = following(int(at + self._offsets[index]) // _DAY)
        while True:
            instant: int = first * _DAY - self._offsets[index]
            if index == len(self._instants) or instant < self._instants[index]:
                return instant
            # The clock is put elsewhere before that midnight; forward may be past it, back means waiting longer.
            change = self._instants[index]
            index += 1
            if (change + self._offsets[index]) // _DAY >= first:
                return change

    def _start(self, at: float, begun: Any) -> int:
        """The first instant of the stretch up to `at` whose local days are all at least `begun(local day of at)`."""
        index = bisect_right(self._instants, at)
        first = begun(int(at + self._offsets[index]) // _DAY)
        while True:
            instant: int = first * _DAY - self._offsets[index]
            if index == 0 or instant > self._instants[index - 1]:
                return instant
            # The clock was put here after that midnight: before, it may have shown an earlier date, or the same one.
            index -= 1
            change = self._instants[index]
            if (change - 1 + self._offsets[index]) // _DAY < first:
                return change


@lru_cache(64)  # replies name the end of the same day and month again and again
def _iso(at: int, offset: int) -> str:
    days, seconds = divmod(at + offset, _DAY)
    year, month, day = civil(days)
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset) // 60
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


@lru_cache(64)
def _this_month(days: int) -> int:
    year, month, _ = civil(days)
    return days_from_civil(year, month, 1)


@lru_cache(64)
def _next_month(days: int) -> int:
    year, month, _ = civil(days)
    return days_from_civil(year, month + 1, 1)


UTC = Calendar("UTC")
