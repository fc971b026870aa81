"""What a tenant spent lately, by its counter item, and by what it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.entries import windows
from lambda_function.level_numbers import Numbers
from lambda_function.limits import Policy
from lambda_function.usual import Usual

__all__ = ["Dates", "Scope", "Spend", "Thresholds"]

_DAY = 86400
_AMOUNT = slice(22, 30)  # of an entry in flight: its pico-USD (lambda_function/entries.py)

# The classes here and in signals.py are no NamedTuples: making one costs a cold start half a millisecond.


class Thresholds:
    """The alarm thresholds of a tenant's profiles, added up: pico-USD in 5 minutes, tokens and requests in a minute."""

    __slots__ = ("cost", "requests", "tokens")

    def __init__(self, cost: int = 0, tokens: int = 0, requests: int = 0) -> None:
        self.cost = cost
        self.tokens = tokens
        self.requests = requests


class Scope:
    """By what a tenant is judged."""

    __slots__ = ("_dates", "calendar", "numbers", "policy", "thresholds")

    def __init__(self, policy: Policy, numbers: Numbers, thresholds: Thresholds, calendar: Calendar) -> None:
        self.policy = policy
        self.numbers = numbers
        self.thresholds = thresholds
        self.calendar = calendar
        self._dates: Dates | None = None

    def dates(self, at: int) -> Dates:
        """Month and day of `at`; worked out once a day."""
        dates = self._dates
        if dates is None or not dates.day_start <= at < dates.day_end:
            dates = self._dates = Dates(self.calendar, at)
        return dates


class Dates:
    """The calendar windows of an instant: the counter's attributes, and epoch seconds."""

    __slots__ = ("day", "day_end", "day_start", "month", "month_end", "month_start")

    def __init__(self, calendar: Calendar, at: int) -> None:
        own = windows(at, calendar.offset(at))
        self.month, self.day = own.month, own.day
        self.month_start, self.month_end = calendar.month_start(at), calendar.month_end(at)
        self.day_start, self.day_end = calendar.day_start(at), calendar.day_end(at)


class Spend:
    """What a counter item says was spent up to `now`: sliding sums of pico-USD from its 5-minute and hourly buckets.

    The oldest bucket of a window counts by the part of it that is still inside, as if it had been spent evenly. With
    `fresh`, up to an hour is seen only as far back as the level was last left: what it was reached by once does not
    count again.
    """

    __slots__ = ("_fives", "_fresh", "_hours", "at", "day", "five", "hour", "item", "month", "reserved", "usual")

    def __init__(self, item: Mapping[str, Any], dates: Dates, now: float, *, fresh: bool = False) -> None:
        at = self.at = int(now)
        number, hour = at // 300, at // 3600
        get = item.get
        self.item = item
        self._fives: list[int] = [get(f"f_{bucket}", 0) for bucket in range(number, number - 13, -1)]
        self._hours: list[int] = [get(f"h_{bucket}", 0) for bucket in range(hour, hour - 7, -1)]
        self.reserved = sum(int.from_bytes(entry[_AMOUNT], "big") for entry in get("inflight", ()))
        self.month: int = max(0, get(dates.month, 0) - self.reserved)
        self.day: int = max(0, get(dates.day, 0) - self.reserved)
        digest = get("usual")
        fell_at = get("fell_at") if fresh else None
        self._fresh = 12 if fell_at is None else (at - fell_at) // 300 + 1
        self.usual = None if digest is None else Usual.decode(digest)
        self.five = self.over(5)
        self.hour = self.over(60)

    def over(self, minutes: int) -> int:
        """Spent in the last `minutes`: up to 60 in steps of 5, up to 360 in steps of 60, or 1440."""
        if minutes <= 60:
            count = min(minutes // 5, self._fresh)
            return sum(self._fives[:count]) + self._fives[count] * (300 - self.at % 300) // 300
        if minutes <= 360:
            count = minutes // 60
            return sum(self._hours[:count]) + self._hours[count] * (3600 - self.at % 3600) // 3600
        if self.usual is None:
            return sum(self._hours)
        since = self.at // 3600 - self.usual.start
        return (self.usual.day + sum(self._hours[: since + 1])) * _DAY // (_DAY + self.at - self.usual.start * 3600)

    def minutes(self, kind: str) -> tuple[int, int, int]:
        """The counts of this minute and the two before; `kind` is q for requests or k for tokens."""
        minute, get = self.at // 60, self.item.get
        return get(f"{kind}_{minute}", 0), get(f"{kind}_{minute - 1}", 0), get(f"{kind}_{minute - 2}", 0)
