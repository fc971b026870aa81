"""The values that metric math works with: numbers, time series, and arrays of time series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

__all__ = ["Grid", "MathError", "Scope", "TimeSeries", "Value"]


class MathError(Exception):
    """The expression is wrong. The message says where, without the name of the expression."""


class Grid(NamedTuple):
    """The timestamps of a question: every `period` seconds from `start`, `end` excluded."""

    start: int
    end: int
    period: int

    def times(self) -> range:
        return range(self.start, self.end, self.period)


class TimeSeries(NamedTuple):
    """Points by epoch second. A timestamp that is absent has no value, which is not zero.

    `properties` are what a label may name of the metric behind it.
    """

    id: str
    label: str
    period: int
    points: dict[int, float]
    properties: Mapping[str, str] = MappingProxyType({})


class Word(str):
    """A bare word as argument: REPEAT, LINEAR, ASC, DESC, or the name of a function."""

    __slots__ = ()


class Text(str):
    """A quoted string as argument."""

    __slots__ = ()


Value: TypeAlias = "float | TimeSeries | list[TimeSeries] | Word | Text"


class Scope(NamedTuple):
    """What an expression may refer to.

    `metrics` and `expressions` are by id; METRICS() returns only the first. `search` answers SEARCH(query, statistic,
    period) and `band` ANOMALY_DETECTION_BAND(series, deviations); where one is None the function is refused.
    """

    grid: Grid
    metrics: Mapping[str, TimeSeries]
    expressions: Mapping[str, Value]
    search: Callable[[str, str, int], list[TimeSeries]] | None = None
    band: Callable[[TimeSeries, float], list[TimeSeries]] | None = None
