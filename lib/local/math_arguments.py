"""What the functions of metric math take: checks with AWS's words for what is wrong."""

from __future__ import annotations

from collections.abc import Callable

from lib.local.time_series import MathError, Scope, Text, TimeSeries, Value, Word

__all__ = ["Arguments", "Function", "array_of", "check_arity", "number_of", "series_of"]

Arguments = list[Value]
Function = Callable[[Scope, Arguments], Value]


def series_of(name: str, value: Value) -> TimeSeries:
    if not isinstance(value, TimeSeries):
        raise MathError(f"{name} needs a time series")
    return value


def array_of(name: str, value: Value) -> list[TimeSeries]:
    if not isinstance(value, list):
        raise MathError(f"{name} needs an array of time series")
    return value


def number_of(name: str, value: Value) -> float:
    if isinstance(value, (TimeSeries, list, Word, Text)):
        raise MathError(f"{name} needs a number")
    return value


def check_arity(name: str, arguments: Arguments, least: int, most: int | None = None) -> None:
    if not least <= len(arguments) <= (least if most is None else most):
        raise MathError(f"{name} does not take {len(arguments)} argument{'s' if len(arguments) != 1 else ''}")
