"""What a row of data points means for an alarm's state, missing points included. Pure.

The rules and both example tables:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["COMPARISONS", "Point", "evaluation_range", "judge"]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class Point(NamedTuple):
    """A data point of the watched series: epoch second its period begins, value, and whether it breaches."""

    at: int
    value: float
    breaching: bool


def evaluation_range(periods: int) -> int:
    """How many of the newest periods are looked at. AWS says only "more than Evaluation Periods"; its examples use
    5 for 3, so two more it is.
    """
    return periods + 2


def judge(row: Sequence[Point | None], periods: int, needed: int, missing: str, state: str) -> str:
    """The new state. `row` holds the evaluation range from old to new, None where a point is missing.

    `periods` and `needed` are N and M of "M out of N", `missing` is TreatMissingData, `state` the present state.
    """
    real = [point for point in row if point is not None]
    if len(real) >= periods:
        return _verdict(sum(point.breaching for point in real[-periods:]), needed)
    breaching = sum(point.breaching for point in real)
    if missing == "breaching":
        return _verdict(breaching + periods - len(real), needed)
    if missing == "notBreaching":
        return _verdict(breaching, needed)
    if breaching >= needed:
        return "ALARM"
    if breaching < len(real):
        return "OK"
    if missing == "ignore":
        return state
    return "ALARM" if _old_enough(row, needed) else "INSUFFICIENT_DATA"


def _verdict(breaching: int, needed: int) -> str:
    return "ALARM" if breaching >= needed else "OK"


def _old_enough(row: Sequence[Point | None], needed: int) -> bool:
    """Against premature alarms: with breaching points only, the oldest must be at least M periods old."""
    newest_first = list(reversed(row))
    return any(point is not None for point in newest_first[needed - 1 :])
