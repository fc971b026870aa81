"""EventBridge's schedule expressions: rate(5 minutes), cron(0 12 ? * MON-FRI *), at(2026-12-24T18:00:00). Pure.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["ScheduleExpression"]

RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
CRON = re.compile(r"cron\(([^()]+)\)")
AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
MONTHS = {"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6}
MONTHS |= {"JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12}
DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
# A schedule that was not looked at for longer, because the clock leapt, fires once for the last day's sake.
LONGEST_LOOK_BACK = 86_400


class _Field(NamedTuple):
    """One field of a cron expression: its name, bounds and names of values."""

    name: str
    least: int
    most: int
    names: dict[str, int]


FIELDS = (
    _Field("minutes", 0, 59, {}),
    _Field("hours", 0, 23, {}),
    _Field("day-of-month", 1, 31, {}),
    _Field("month", 1, 12, MONTHS),
    _Field("day-of-week", 1, 7, DAYS),
    _Field("year", 1970, 2199, {}),
)


class ScheduleExpression:
    """A parsed expression in a time zone (of which rate takes no notice). Raises ValueError where it is malformed."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        self._zone = UTC if zone == "UTC" else ZoneInfo(zone)
        self._every: int | None = None
        self._once: float | None = None
        self._fields: tuple[str, ...] = ()
        if match := RATE.fullmatch(text):
            count, unit = int(match[1]), match[2]
            if count < 1 or (count == 1) == unit.endswith("s"):
                raise ValueError("a rate is a positive number, and its unit singular for 1 only")
            self._every = count * SECONDS[unit.rstrip("s")]
        elif match := CRON.fullmatch(text):
            self._fields = tuple(match[1].split())
            self._check()
        elif match := AT.fullmatch(text):
            self._once = datetime.fromisoformat(match[1]).replace(tzinfo=self._zone).timestamp()
        else:
            raise ValueError("neither rate(), cron() nor at()")

    @property
    def once(self) -> bool:
        """Whether the schedule fires only once."""
        return self._once is not None

    def due(self, after: float, until: float, created: float) -> bool:
        """Whether the schedule fires in (after, until], epoch seconds. A rate counts from `created`."""
        if self._once is not None:
            return after < self._once <= until
        if self._every is not None:
            beats = (until - created) // self._every
            return beats >= 1 and created + beats * self._every > after
        minute = int(max(after, until - LONGEST_LOOK_BACK) // 60) * 60 + 60
        return any(self._matches(at) for at in range(minute, int(until) + 1, 60))

    def _check(self) -> None:
        if len(self._fields) != 6:
            raise ValueError("cron takes six fields: minutes hours day-of-month month day-of-week year")
        if (self._fields[2] == "?") == (self._fields[4] == "?"):
            raise ValueError("exactly one of day-of-month and day-of-week must be ?")
        for field, text in zip(FIELDS, self._fields, strict=True):
            if text == "?" and field.name.startswith("day"):
                continue
            for part in text.split(","):
                if not self._special(field.name, part):
                    _span(field, part)

    @staticmethod
    def _special(field: str, part: str) -> bool:
        """L, W and # where they are allowed."""
        if field == "day-of-month":
            return part == "L" or (re.fullmatch(r"(\d{1,2})W", part) is not None and 1 <= int(part[:-1]) <= 31)
        if field == "day-of-week":
            return (
                part == "L" or re.fullmatch(r"[1-7]L|[1-7]#[1-5]|(SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5]", part) is not None
            )
        return False

    def _matches(self, at: int) -> bool:
        when = datetime.fromtimestamp(at, self._zone)
        minutes, hours, days, months, weekdays, years = self._fields
        plain = [(FIELDS[0], minutes, when.minute), (FIELDS[1], hours, when.hour)]
        plain += [(FIELDS[3], months, when.month), (FIELDS[5], years, when.year)]
        if not all(_within(field, text, value) for field, text, value in plain):
            return False
        if days != "?":
            return any(_day_matches(part, when) for part in days.split(","))
        return any(_weekday_matches(part, when) for part in weekdays.split(","))


def _number(field: _Field, text: str) -> int:
    number = field.names.get(text.upper()) if not text.isdigit() else int(text)
    if number is None or not field.least <= number <= field.most:
        raise ValueError(f"{text} is no value of {field.name}")
    return number


def _span(field: _Field, part: str) -> range:
    """The values that *, 5, 5-10, */15, 0/15 or 10-40/5 stand for."""
    base, slash, step_text = part.partition("/")
    step = int(step_text) if step_text.isdigit() else 0 if slash else 1
    if step < 1:
        raise ValueError(f"{part} is no value of {field.name}")
    if base == "*":
        return range(field.least, field.most + 1, step)
    first, dash, last = base.partition("-")
    least = _number(field, first)
    most = _number(field, last) if dash else field.most if slash else least
    if most < least:
        raise ValueError(f"{part} is no value of {field.name}")
    return range(least, most + 1, step)


def _within(field: _Field, text: str, value: int) -> bool:
    return any(value in _span(field, part) for part in text.split(","))


def _day_matches(part: str, when: datetime) -> bool:
    last = calendar.monthrange(when.year, when.month)[1]
    if part == "L":
        return when.day == last
    if not part.endswith("W"):
        return _within(FIELDS[2], part, when.day)
    target = when.replace(day=min(int(part[:-1]), last))
    shift = {5: -1, 6: 1}.get(target.weekday(), 0)  # Saturday to Friday, Sunday to Monday, within the month
    nearest = target + timedelta(days=shift)
    if nearest.month != target.month:
        nearest = target + timedelta(days=2 if shift < 0 else -2)
    return nearest.day == when.day


def _weekday_matches(part: str, when: datetime) -> bool:
    today = when.isoweekday() % 7 + 1  # AWS counts from Sunday = 1
    if part == "L":
        return today == 7
    if part.endswith("L"):
        last = calendar.monthrange(when.year, when.month)[1]
        return today == int(part[:-1]) and when.day + 7 > last
    if "#" in part:
        day, _, which = part.partition("#")
        return today == _number(FIELDS[4], day) and (when.day - 1) // 7 + 1 == int(which)
    return _within(FIELDS[4], part, today)
