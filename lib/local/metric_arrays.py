"""The functions of CloudWatch metric math that arrange arrays of time series."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lib.local.math_arguments import Arguments, Function, array_of, check_arity, number_of
from lib.local.time_series import MathError, Scope, Text, TimeSeries, Value

__all__ = ["ARRAY_FUNCTIONS"]


def _metrics(scope: Scope, arguments: Arguments) -> Value:
    check_arity("METRICS", arguments, 0, 1)
    if arguments and not isinstance(arguments[0], Text):
        raise MathError("METRICS takes a quoted string")
    part = str(arguments[0]) if arguments else ""
    return [series for id, series in scope.metrics.items() if part in id]


def _end(name: str, index: int) -> Function:
    def apply(scope: Scope, arguments: Arguments) -> Value:
        check_arity(name, arguments, 1)
        array = array_of(name, arguments[0])
        return array[index] if array else TimeSeries("", name, scope.grid.period, {})

    return apply


def _slice(_: Scope, arguments: Arguments) -> Value:
    check_arity("SLICE", arguments, 2, 3)
    bounds = [int(number_of("SLICE", bound)) for bound in arguments[1:]]
    return array_of("SLICE", arguments[0])[slice(*bounds) if len(bounds) == 2 else slice(bounds[0], None)]


def _sort(_: Scope, arguments: Arguments) -> Value:
    check_arity("SORT", arguments, 3, 4)
    array, by, order = array_of("SORT", arguments[0]), arguments[1], arguments[2]
    measures: dict[str, Callable[[Sequence[float]], float]] = {
        "AVG": lambda values: math.fsum(values) / len(values),
        "MIN": min,
        "MAX": max,
        "SUM": math.fsum,
    }
    if by not in measures or order not in ("ASC", "DESC"):
        raise MathError("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC")
    measure = measures[str(by)]
    full = sorted((s for s in array if s.points), key=lambda s: measure(list(s.points.values())))
    ranked = (full if order == "ASC" else full[::-1]) + [s for s in array if not s.points]
    return ranked[: int(number_of("SORT", arguments[3]))] if len(arguments) == 4 else ranked


def _count(_: Scope, arguments: Arguments) -> Value:
    check_arity("METRIC_COUNT", arguments, 1)
    return float(len(array_of("METRIC_COUNT", arguments[0])))


def _remove_empty(_: Scope, arguments: Arguments) -> Value:
    check_arity("REMOVE_EMPTY", arguments, 1)
    return [series for series in array_of("REMOVE_EMPTY", arguments[0]) if series.points]


ARRAY_FUNCTIONS: dict[str, Function] = {
    "FIRST": _end("FIRST", 0),
    "LAST": _end("LAST", -1),
    "METRICS": _metrics,
    "METRIC_COUNT": _count,
    "REMOVE_EMPTY": _remove_empty,
    "SLICE": _slice,
    "SORT": _sort,
}
