"""Deterministic series of spend: (epoch seconds, pico-USD), a request every minute or so, in order of time.

The same `seed` gives the same series, another one other noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import cos, exp, pi
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["SERIES", "Series", "Spike", "rhythm"]

USD = 10**12
DAY = 86400
WEEK = 7 * DAY
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())  # a Monday
_STEP = 60


class Spike(NamedTuple):
    """A jump that was put into a series: epoch seconds from and to."""

    start: float
    end: float


class Series(NamedTuple):
    """A named series with what was put into it."""

    name: str
    events: list[tuple[float, int]]
    spikes: tuple[Spike, ...] = ()
    timezone: str = "UTC"

    @property
    def start(self) -> float:
        return self.events[0][0]

    @property
    def end(self) -> float:
        return self.events[-1][0]


def shape(at: float, zone: ZoneInfo | None = None) -> float:
    """The usual pace at an instant: 1 at the busy hour (15:00) of a working day, 0.08 at night, a third on weekends."""
    local = datetime.fromtimestamp(at, zone or UTC)
    hour = local.hour + local.minute / 60
    day = 0.08 + 0.92 * max(0.0, (1 + cos((hour - 15) / 24 * 2 * pi)) / 2) ** 2
    return day * (0.33 if local.weekday() >= 5 else 1.0)


def rhythm(
    seed: int,
    weeks: float,
    *,
    busy_usd: float = 4.0,
    noise: float = 0.35,
    start: int = START,
    zone: str = "UTC",
    factor: Callable[[float], float] = lambda at: 1.0,
) -> Iterator[tuple[float, int]]:
    """A request each minute whose amount follows `shape` times `factor`, with lognormal noise; `busy_usd` an hour."""
    random_ = random.Random(seed)
    where = ZoneInfo(zone)
    for minute in range(int(weeks * WEEK / _STEP)):
        at = start + minute * _STEP + random_.random() * 50
        amount = busy_usd / 60 * shape(at, where) * factor(at) * exp(random_.gauss(0, noise) - noise * noise / 2)
        if amount > 0:
            yield at, int(amount * USD)


def _times(spikes: tuple[Spike, ...], by: Callable[[float], float]) -> Callable[[float], float]:
    return lambda at: by(at) if any(spike.start <= at < spike.end for spike in spikes) else 1.0


def _at(days: int, hours: float) -> float:
    return START + days * DAY + hours * 3600


def _three(hour: float) -> tuple[Spike, ...]:
    """An hour each on a Tuesday, a Thursday and a Monday, that begin at different places of a 5-minute bucket."""
    places = ((15, hour), (31, hour + 0.04), (42, hour + 0.6))
    return tuple(Spike(_at(day, start), _at(day, start + 1)) for day, start in places)


def weekly_rhythm(seed: int = 0) -> Series:
    """8 weeks of nothing but rhythm and noise."""
    return Series("weekly rhythm", list(rhythm(1 + 10 * seed, 8)))


def growth(seed: int = 0) -> Series:
    """5 % a week for 8 weeks."""
    return Series("growth", list(rhythm(2 + 10 * seed, 8, factor=lambda at: 1.05 ** ((at - START) / WEEK))))


def busy_spikes(seed: int = 0) -> Series:
    """Five times the usual for an hour at the busy hour, on a Tuesday, a Thursday and a Monday of later weeks."""
    spikes = _three(14.5)
    return Series(
        "spike at the busy hour", list(rhythm(3 + 10 * seed, 7, factor=_times(spikes, lambda at: 5.0))), spikes
    )


def night_spikes(seed: int = 0) -> Series:
    """The same amount at three in the morning."""
    spikes = _three(3)
    return Series(
        "the same amount at night",
        list(rhythm(4 + 10 * seed, 7, factor=_times(spikes, lambda at: 5.0 / shape(at)))),
        spikes,
    )


def runaway(seed: int = 0) -> Series:
    """A loop that doubles its pace every 5 minutes, from the usual on, up to 60 times it; stopped after two hours."""
    spike = Spike(_at(23, 11), _at(23, 13))
    return Series(
        "runaway loop",
        list(
            rhythm(5 + 10 * seed, 4, factor=_times((spike,), lambda at: min(60.0, 5 * 2 ** ((at - spike.start) / 300))))
        ),
        (spike,),
    )


def quiet_weekend(seed: int = 0) -> Series:
    """A weekend with a tenth of a usual weekend, then a usual Monday."""
    quiet = (Spike(_at(26, 0), _at(28, 0)),)
    return Series("quiet weekend", list(rhythm(6 + 10 * seed, 6, factor=_times(quiet, lambda at: 0.1))))


def stopping(seed: int = 0) -> Series:
    """A tenant that stops after 4 weeks and comes back 10 days later."""
    gap = (Spike(_at(28, 10), _at(38, 10)),)
    return Series("a tenant that stops", list(rhythm(7 + 10 * seed, 7, factor=_times(gap, lambda at: 0.0))))


def summer_time(seed: int = 0) -> Series:
    """Berlin's working day across the change to summer time on 29 March 2026."""
    start = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    return Series(
        "change to summer time",
        list(rhythm(8 + 10 * seed, 8, start=start, zone="Europe/Berlin")),
        timezone="Europe/Berlin",
    )


def irregular(seed: int = 0) -> Series:
    """A batch of 20 minutes once a day, at any hour."""
    random_ = random.Random(9 + 10 * seed)
    events = []
    for day in range(56):
        begin = _at(day, random_.random() * 23.5)
        for minute in range(20):
            events.append((begin + 60 * minute + random_.random() * 50, int(random_.uniform(0.05, 0.12) * USD)))
    return Series("a batch at any hour", sorted(events))


SERIES: tuple[Callable[[int], Series], ...] = (
    weekly_rhythm, growth, busy_spikes, night_spikes, runaway, quiet_weekend, stopping, summer_time, irregular,
)  # fmt: skip
