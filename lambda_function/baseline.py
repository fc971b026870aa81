"""What a tenant usually spends, hour by hour: 8 weeks of history, and the digest of it that the judgement uses.

The history is a ring of 1,344 hours in UTC. The same hour of the same weekday is looked up through the tenant's
calendar, so that a change to summer time moves the habits along with the clock. The middle of an hour is its median
over the weeks, its spread the median absolute deviation (times 1.4826, which makes it a standard deviation for a
normal distribution: Rousseeuw and Croux, JASA 88 (1993)): one bad week moves neither. With fewer than four weeks of an
hour, the mean of the same hour on the days before takes the missing weeks' place.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.growth import Growth, growth_of
from lambda_function.level_numbers import Numbers
from lambda_function.usual import SLOTS, Usual, amounts_of, code_of

__all__ = ["RING", "Baseline", "burst_of"]

RING = 1344  # hours: 8 weeks
_LATELY = 288  # hours over which rare excesses and bursts are remembered: 12 days, so that the item stays below 4 KB
_WEEK = 168
_FULL = 4  # weeks after which an hour of the week stands on its own
_PEAK_HOURS = 672
_FEW_EXCESSES = 96  # hours; with fewer, a tenant that works at any hour would not be known as one


class Baseline:
    """A tenant's history. Hours are counted since the epoch; it holds those from `since` to before `through`.

    `bursts` are the largest 5 minutes of the last hours, `excesses` by how much hours exceeded what was usual then.
    """

    __slots__ = ("_bursts", "_excesses", "_hours", "growth", "since", "through")

    def __init__(self, since: int) -> None:
        self.since = since
        self.through = since
        self.growth = Growth()
        self._hours = array("H", bytes(2 * RING))
        self._excesses = array("H", bytes(2 * _LATELY))
        self._bursts = array("H", bytes(2 * _LATELY))

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Baseline:
        """The baseline of an item that `to_item` made."""
        baseline = cls(item["since"])
        baseline.through = item["through"]
        baseline.growth = Growth(item["told"], item["told_until"])
        for ring, name in baseline._rings():
            ring[:] = array("H")
            ring.frombytes(item[name])
        return baseline

    def to_item(self) -> dict[str, Any]:
        """The attributes of the baseline item: below 4 KB whatever the amounts."""
        rings = {name: ring.tobytes() for ring, name in self._rings()}
        return {
            "since": self.since, "through": self.through, "told": self.growth.told,
            "told_until": self.growth.told_until, **rings,
        }  # fmt: skip

    def close(self, through: int, costs: Mapping[int, int], burst: int, calendar: Calendar, numbers: Numbers) -> None:
        """Take in the hours before `through`; `costs` are pico-USD by hour, nothing was spent in hours without.

        Hours that are in already are corrected. `burst` is the largest 5 minutes of the last hour.
        """
        for hour, cost in costs.items():
            if max(self.since, self.through - RING) <= hour < self.through:
                self._hours[hour % RING] = code_of(cost)
        known, news = numbers.history_days * 24, through > self.through
        for hour in range(max(self.through, through - RING), through):
            cost = costs.get(hour, 0)
            excess = 0
            if cost and hour - self.since >= known:
                self.through = hour
                excess = max(0, cost - self._usual(hour, calendar)[0])
            self._hours[hour % RING] = code_of(cost)
            self._excesses[hour % _LATELY] = code_of(excess)
            self._bursts[hour % _LATELY] = 0
        if news:
            self._bursts[(through - 1) % _LATELY] = code_of(burst)
            self.through = through

    def digest(self, calendar: Calendar, numbers: Numbers) -> Usual:
        """What is usual in the hours from `through` on; tells growth, once for each further part of it."""
        start = self.through
        history = min(start - self.since, RING)
        hours = self._last(self._hours, history)
        days = [sum(hours[day : day + 24]) for day in range(0, history - 23, 24)]
        factor = _factor(days)
        around = [self._scaled(hour, calendar, factor) for hour in range(start - 1, start + SLOTS + 1)]
        middles = [middle for middle, _ in around]
        peak = _rare(hours[:_PEAK_HOURS])
        self.growth = growth = growth_of([sum(week) for week in _weeks(days)], self.growth, start, numbers)
        lately = min(history, _LATELY)
        return Usual(
            start=start, history=history, growth=growth.a_week, rise=growth.rise, told_until=growth.told_until,
            usual=(middles[1], middles[2], middles[3]),
            high=(max(middles[:3]), max(middles[1:4]), max(middles[2:5])),
            spread=(around[1][1], around[2][1], around[3][1]),
            odd=self._odd(history - numbers.history_days * 24, peak),
            peak=peak,
            burst=_rare(self._last(self._bursts, lately)),
            day=sum(hours[:24]),
            week=sum(hours[:_WEEK]),
            rest=self._rest(calendar, factor),
        )  # fmt: skip

    def _odd(self, count: int, peak: int) -> int:
        """By how much the tenant rarely exceeds its usual hour, from `count` hours for which that is known."""
        rare = _rare(self._last(self._excesses, min(count, _LATELY))) if count > 0 else 0
        return rare if count >= _FEW_EXCESSES else max(rare, peak // 2)

    def _rings(self) -> tuple[tuple[array[int], str], ...]:
        return (self._hours, "hours"), (self._excesses, "excesses"), (self._bursts, "bursts")

    def _last(self, ring: array[int], count: int) -> list[int]:
        """The amounts of the last `count` hours, latest first."""
        place = self.through % len(ring)
        latest_last = ring[place:] + ring[:place]
        return amounts_of(reversed(latest_last))[:count]

    def _scaled(self, hour: int, calendar: Calendar, factor: int) -> tuple[int, int]:
        middle, spread = self._usual(hour, calendar)
        return middle * factor // 1000, spread * factor // 1000

    def _usual(self, hour: int, calendar: Calendar) -> tuple[int, int]:
        """Middle and spread of `hour`, from the same local hour of weeks and days before."""
        own = self._same(hour, calendar, 7 * 24, 8)
        missing = max(0, _FULL - len(own))
        middle, spread = _middle(own) if own else (0, 0)
        if missing:
            days = self._same(hour, calendar, 24, 7)
            if days:
                middle = (middle * (_FULL - missing) + sum(days) // len(days) * missing) // _FULL
                spread = max(spread, (max(days) - min(days)) // 2 * missing // _FULL)
        return middle, spread

    def _same(self, hour: int, calendar: Calendar, step: int, count: int) -> list[int]:
        """What was spent in `hour` by the local clock, 1 to `count` times `step` hours ago, as far as it is known."""
        first = max(self.since, self.through - RING)
        offset = calendar.offset(hour * 3600)
        found = []
        for number in range(1, count + 1):
            earlier = hour - number * step
            earlier += (offset - calendar.offset(earlier * 3600)) // 3600
            if first <= earlier < self.through:
                found.append(self._hours[earlier % RING])
        return amounts_of(found)

    def _rest(self, calendar: Calendar, factor: int) -> int:
        """What is usually spent from `through` to the end of the tenant's day."""
        end = calendar.day_end(self.through * 3600)
        hours = range(self.through, -(-end // 3600))
        return sum(self._scaled(hour, calendar, factor)[0] for hour in hours)


def burst_of(item: Mapping[str, Any], now: float) -> int:
    """The largest of the closed 5-minute buckets of the last hour in a counter item."""
    number = int(now) // 300
    fives: list[int] = [item.get(f"f_{bucket}", 0) for bucket in range(number - 12, number)]
    return max(fives)


def _middle(values: list[int]) -> tuple[int, int]:
    """Median, and median absolute deviation as a standard deviation."""
    middle = _median(values)
    return middle, _median([abs(value - middle) for value in values]) * 14826 // 10000


def _median(values: Iterable[int]) -> int:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def _rare(values: list[int]) -> int:
    """What one value in fifty exceeds."""
    return sorted(values, reverse=True)[len(values) // 50] if values else 0


def _weeks(days: list[int]) -> list[list[int]]:
    """The full weeks in `days`, oldest first."""
    return [days[7 * week : 7 * week + 7] for week in reversed(range(len(days) // 7))]


def _factor(days: list[int]) -> int:
    """By how much, in thousandths, the last seven days exceed their weekdays' median; at most double.

    The median lags behind steady growth by half of the weeks it looks at. The middle of seven days follows the growth,
    and not a day that went wrong. It does not follow a decline: who comes back from a holiday is as usual.
    """
    if len(days) < 21:
        return 1000
    ratios = []
    for day in range(7):
        before = _median(days[day::7])
        if before:
            ratios.append(days[day] * 1000 // before)
    return min(2000, max(1000, _median(ratios))) if len(ratios) >= 4 else 1000
