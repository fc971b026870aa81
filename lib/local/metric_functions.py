"""The functions of CloudWatch metric math, as far as alarms and dashboards use them.

Each takes the scope and its evaluated arguments. Of a single series SUM, AVG, MIN, MAX, STDDEV and DATAPOINT_COUNT
return a number, of an array one series. Not offered: INSIGHT_RULE_METRIC, SERVICE_QUOTA, DB_PERF_INSIGHTS, LAMBDA.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from lib.local.math_arguments import Arguments, Function, check_arity, number_of, series_of
from lib.local.metric_arrays import ARRAY_FUNCTIONS
from lib.local.time_series import MathError, Scope, Text, TimeSeries, Value, Word

__all__ = ["FUNCTIONS"]


def _each(name: str, change: Callable[[dict[int, float]], dict[int, float]]) -> Function:
    """A function from series to series, taken element by element over an array."""

    def apply(_: Scope, arguments: Arguments) -> Value:
        check_arity(name, arguments, 1)
        value = arguments[0]
        if isinstance(value, list):
            return [one._replace(id="", points=change(one.points)) for one in value]
        series = series_of(name, value)
        return series._replace(id="", points=change(series.points))

    return apply


def _pointwise(name: str, change: Callable[[float], float]) -> Function:
    def of(value: float) -> float:
        try:
            return change(value)
        except ValueError:  # the logarithm of what has none
            return math.nan

    return _each(name, lambda points: {at: of(value) for at, value in points.items()})


def _aggregate(name: str, of: Callable[[Sequence[float]], float], fill: bool = False) -> Function:
    """Of a series the number, of an array the series. `fill`: a member without a value counts as 0 (AVG)."""

    def apply(_: Scope, arguments: Arguments) -> Value:
        check_arity(name, arguments, 1)
        value = arguments[0]
        if isinstance(value, list):
            times = sorted({at for one in value for at in one.points})
            gap = [0.0] if fill else []
            columns = {at: [v for s in value for v in ([s.points[at]] if at in s.points else gap)] for at in times}
            period = value[0].period if value else 60
            return TimeSeries("", name, period, {at: of(column) for at, column in columns.items()})
        points = series_of(name, value).points
        return of(list(points.values())) if points or name in ("SUM", "DATAPOINT_COUNT") else math.nan

    return apply


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _steps(change: Callable[[float, float], float]) -> Callable[[dict[int, float]], dict[int, float]]:
    """A series of each point and the one before it; `change` gets the differences of value and of seconds."""

    def apply(points: dict[int, float]) -> dict[int, float]:
        times = sorted(points)
        return {later: change(points[later] - points[sooner], later - sooner) for sooner, later in pairwise(times)}

    return apply


def _running(points: dict[int, float]) -> dict[int, float]:
    total, result = 0.0, {}
    for at in sorted(points):
        total += points[at]
        result[at] = total
    return result


def _fill(scope: Scope, arguments: Arguments) -> Value:
    check_arity("FILL", arguments, 2)
    value, filler = arguments
    if isinstance(value, list):
        return [_filled(scope, one, filler) for one in value]
    return _filled(scope, series_of("FILL", value), filler)


def _filled(scope: Scope, series: TimeSeries, filler: Value) -> TimeSeries:
    known = sorted(series.points)
    points = dict(series.points)
    for at in scope.grid.times():
        if at not in points:
            found = _filling(series.points, known, at, filler)
            if found is not None:
                points[at] = found
    return series._replace(id="", points=dict(sorted(points.items())))


def _filling(points: dict[int, float], known: list[int], at: int, filler: Value) -> float | None:
    if isinstance(filler, TimeSeries):
        return filler.points.get(at)
    if not isinstance(filler, Word):
        return number_of("FILL", filler)
    if filler not in ("REPEAT", "LINEAR"):
        raise MathError(f"FILL does not know '{filler}'")
    place = bisect_left(known, at)
    if place == 0:
        return None  # nothing before it to go on with
    before = known[place - 1]
    if filler == "REPEAT":
        return points[before]
    if place == len(known):
        return None
    after = known[place]
    return points[before] + (points[after] - points[before]) * (at - before) / (after - before)


def _if(scope: Scope, arguments: Arguments) -> Value:
    check_arity("IF", arguments, 2, 3)
    condition, yes = arguments[0], arguments[1]
    no = arguments[2] if len(arguments) == 3 else None
    if any(isinstance(one, (list, Word, Text)) for one in arguments):
        raise MathError("IF takes numbers and single time series")
    if not isinstance(condition, TimeSeries):
        chosen = yes if condition else no
        period = scope.grid.period
        if chosen is None:
            return TimeSeries("", "IF", period, {})
        return (
            chosen
            if isinstance(chosen, TimeSeries)
            else TimeSeries("", "IF", period, dict.fromkeys(scope.grid.times(), number_of("IF", chosen)))
        )
    points: dict[int, float] = {}
    for at, flag in condition.points.items():
        branch = yes if flag else no
        # AWS: a true condition without a value to show gives 0, a false one drops the point
        found = branch.points.get(at, 0.0 if flag else None) if isinstance(branch, TimeSeries) else branch
        if found is not None:
            points[at] = number_of("IF", found)
    return TimeSeries("", condition.label, condition.period, points)


def _clock(name: str, part: Callable[[datetime], float]) -> Function:
    def apply(scope: Scope, arguments: Arguments) -> Value:
        check_arity(name, arguments, 1)
        series = series_of(name, arguments[0])
        points = {at: float(part(datetime.fromtimestamp(at, UTC))) for at in scope.grid.times()}
        return series._replace(id="", points=points)

    return apply


def _period(_: Scope, arguments: Arguments) -> Value:
    check_arity("PERIOD", arguments, 1)
    series = series_of("PERIOD", arguments[0])
    if not series.id:
        raise MathError("PERIOD takes a metric, not the result of an expression")
    return float(series.period)


def _time_series(scope: Scope, arguments: Arguments) -> Value:
    check_arity("TIME_SERIES", arguments, 1)
    value = number_of("TIME_SERIES", arguments[0])
    return TimeSeries("", "TIME_SERIES", scope.grid.period, dict.fromkeys(scope.grid.times(), value))


def _search(scope: Scope, arguments: Arguments) -> Value:
    check_arity("SEARCH", arguments, 2, 3)
    if scope.search is None:
        raise MathError("SEARCH is not supported here")
    query, stat = arguments[0], arguments[1]
    if not isinstance(query, Text) or not isinstance(stat, Text):
        raise MathError("SEARCH takes a quoted search and a quoted statistic")
    period = int(number_of("SEARCH", arguments[2])) if len(arguments) == 3 else scope.grid.period
    return scope.search(str(query), str(stat), period)


def _band(scope: Scope, arguments: Arguments) -> Value:
    check_arity("ANOMALY_DETECTION_BAND", arguments, 1, 2)
    if scope.band is None:
        raise MathError("ANOMALY_DETECTION_BAND is not supported here")
    width = number_of("ANOMALY_DETECTION_BAND", arguments[1]) if len(arguments) == 2 else 2.0
    if width <= 0:
        raise MathError("ANOMALY_DETECTION_BAND takes a positive number of standard deviations")
    return scope.band(series_of("ANOMALY_DETECTION_BAND", arguments[0]), width)


FUNCTIONS: dict[str, Function] = {
    **ARRAY_FUNCTIONS,
    "ABS": _pointwise("ABS", abs),
    "ANOMALY_DETECTION_BAND": _band,
    "AVG": _aggregate("AVG", _mean, fill=True),
    "CEIL": _pointwise("CEIL", math.ceil),
    "DATAPOINT_COUNT": _aggregate("DATAPOINT_COUNT", lambda values: float(len(values))),
    "DATE": _clock("DATE", lambda when: when.day),
    "DAY": _clock("DAY", lambda when: when.isoweekday()),
    "DIFF": _each("DIFF", _steps(lambda value, _: value)),
    "DIFF_TIME": _each("DIFF_TIME", _steps(lambda _, seconds: seconds)),
    "EPOCH": _clock("EPOCH", lambda when: when.timestamp()),
    "FILL": _fill,
    "FLOOR": _pointwise("FLOOR", math.floor),
    "HOUR": _clock("HOUR", lambda when: when.hour),
    "IF": _if,
    "LOG": _pointwise("LOG", math.log),
    "LOG10": _pointwise("LOG10", math.log10),
    "MAX": _aggregate("MAX", max),
    "MIN": _aggregate("MIN", min),
    "MINUTE": _clock("MINUTE", lambda when: when.minute),
    "MONTH": _clock("MONTH", lambda when: when.month),
    "PERIOD": _period,
    "RATE": _each("RATE", _steps(lambda value, seconds: value / seconds)),
    "RUNNING_SUM": _each("RUNNING_SUM", _running),
    "SEARCH": _search,
    "STDDEV": _aggregate("STDDEV", _deviation),
    "SUM": _aggregate("SUM", math.fsum),
    "TIME_SERIES": _time_series,
    "YEAR": _clock("YEAR", lambda when: when.year),
}
