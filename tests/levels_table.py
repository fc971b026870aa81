"""Alert levels beside a fixed threshold and a three-sigma rule, on the series of tests/series.py.

    python -m tests.levels_table [SEEDS]

prints the table that stands in docs/alert-levels.md (SEEDS is 5 there; more noise, the same spikes).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from math import sqrt
from typing import NamedTuple

from lambda_function.calendars import UTC, Calendar
from lambda_function.crossing import Crossing
from lambda_function.levels import LEVELS, scope_of
from lambda_function.limits import Policy
from lambda_function.spend import Thresholds
from lib.replays.tenant import ReplayedTenant
from lib.zones import zone_table
from tests.series import SERIES, USD, Series

__all__ = ["Score", "replayed", "score", "table"]

_FIVE = 300
_WEEK = 7 * 86400
_AFTER = 3600  # seconds after a spike that an alarm still belongs to it


class Score(NamedTuple):
    """How a rule did: seconds until each spike was found (None: not at all), and alarms without a spike."""

    delays: tuple[float | None, ...]
    false_alarms: int


def replayed(series: Series, policy: Policy | None = None) -> ReplayedTenant:
    """The series through the level code, with the defaults of config.json's thresholds and no budget."""
    zone = series.timezone
    calendar = UTC if zone == "UTC" else Calendar.from_zones(zone, {zone: zone_table(zone, series.start)})
    scope = scope_of(policy or Policy(timezone=zone), calendar, Thresholds(USD, 2000, 10))
    tenant = ReplayedTenant(scope, series.start)
    for at, amount in series.events:
        tenant.spend(at, amount)
    tenant.finish(series.end + 4 * 3600)
    return tenant


def score(series: Series, crossings: list[Crossing]) -> Score:
    """Orange and red within a spike find it; every rise outside of one is false, but growth that is called growth."""
    alarms = [c.at / 1000 for c in crossings if c.rises and LEVELS.index(c.after) >= 2]
    others = [c.at / 1000 for c in crossings if c.rises and not c.why[0].startswith("growth")]
    return Score(_delays(series, alarms), sum(not _in_spike(series, at) for at in others))


def fixed(series: Series, usd: float) -> Score:
    """An alarm when 5 minutes cost more than so many dollars, as CloudWatch would have it."""
    return _rule(series, lambda sums, number: usd * USD)


def three_sigma(series: Series) -> Score:
    """An alarm when 5 minutes cost more than mean + 3 standard deviations of the week before; none before 3 days."""
    first = int(series.start) // _FIVE
    total = squares = 0.0

    def line(sums: dict[int, int], number: int) -> float:
        nonlocal total, squares
        latest, dropped = sums.get(number - 1, 0) / USD, sums.get(number - 1 - _WEEK // _FIVE, 0) / USD
        total += latest - dropped
        squares += latest * latest - dropped * dropped
        count = min(number - first, _WEEK // _FIVE)
        if count < 3 * 86400 // _FIVE:
            return float("inf")
        mean = total / count
        return USD * (mean + 3 * sqrt(max(0.0, squares / count - mean * mean)))

    return _rule(series, line)


def table(seeds: int) -> Iterator[str]:
    """The lines of the Markdown table."""
    yield "| series | spikes | alert levels | | | fixed: $1 in 5 minutes | | three sigma | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    found = "found in 5 min | false alarms"
    yield f"| | | found in 5 min | slowest | false alarms | {found} | {found} |"
    for make in SERIES:
        series = [make(seed) for seed in range(seeds)]
        ours = [score(one, replayed(one).crossings) for one in series]
        others = [[fixed(one, 1.0) for one in series], [three_sigma(one) for one in series]]
        spikes = sum(len(one.spikes) for one in series)
        slowest = max((delay or _AFTER * 10 for one in ours for delay in one.delays), default=0)
        cells = [series[0].name, str(spikes or "none"), *_cells(ours, spikes)]
        cells.insert(3, f"{int(slowest) // 60}:{int(slowest) % 60:02d} min" if spikes else "")
        yield f"| {' | '.join([*cells, *_cells(others[0], spikes), *_cells(others[1], spikes)])} |"


def _cells(scores: list[Score], spikes: int) -> list[str]:
    found = sum(delay is not None and delay <= 300 for one in scores for delay in one.delays)
    return [f"{found} of {spikes}" if spikes else "", str(sum(one.false_alarms for one in scores))]


def _rule(series: Series, line: Callable[[dict[int, int], int], float]) -> Score:
    """Score an alarm over closed windows of 5 minutes; it goes off at a window's end, once until it is over."""
    sums: dict[int, int] = {}
    for at, amount in series.events:
        sums[int(at) // _FIVE] = sums.get(int(at) // _FIVE, 0) + amount
    alarms, on = [], False
    for number in range(int(series.start) // _FIVE, int(series.end) // _FIVE + 1):
        above = sums.get(number, 0) > line(sums, number)
        if above and not on:
            alarms.append((number + 1) * _FIVE)
        on = above
    return Score(_delays(series, alarms), sum(not _in_spike(series, at) for at in alarms))


def _delays(series: Series, alarms: list[float] | list[int]) -> tuple[float | None, ...]:
    return tuple(
        min((at - spike.start for at in alarms if spike.start <= at <= spike.end), default=None)
        for spike in series.spikes
    )


def _in_spike(series: Series, at: float) -> bool:
    return any(spike.start <= at <= spike.end + _AFTER for spike in series.spikes)


if __name__ == "__main__":
    for row in table(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        sys.stdout.write(f"{row}\n")
