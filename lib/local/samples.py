"""The samples of one metric in one stretch of time, and CloudWatch's statistics of them.

Sums are kept in decimal arithmetic: a float cannot hold a day of costs to the last pico-dollar. A number that came
as a float counts as what it prints as (0.1 is one tenth), which is what its sender meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Context, Decimal

__all__ = ["Number", "Samples", "exact", "is_statistic"]

Number = Decimal | float | int

# Exact for every sum whose largest and smallest part are less than 60 orders of magnitude apart.
ARITHMETIC = Context(prec=60)

# AWS keeps percentiles in a sparse histogram as well; ours starts only where memory would matter.
MOST_DISTINCT_VALUES = 20_000

PLAIN: dict[str, Callable[[Samples], float]] = {
    "Sum": lambda s: float(s.total),
    "Average": lambda s: float(ARITHMETIC.divide(s.total, s.count)),
    "Minimum": lambda s: s.low,
    "Maximum": lambda s: s.high,
    "SampleCount": lambda s: float(s.count),
}
SHORT = re.compile(r"(p|tm|tc|ts|wm)(\d{1,2}(?:\.\d{0,10})?|100)")
PERCENT = re.compile(r"(TM|TC|TS|WM)\((?:(\d+(?:\.\d*)?)%)?:(?:(\d+(?:\.\d*)?)%)?\)")
ABSOLUTE = re.compile(r"(TM|TC|TS|WM|PR)\((-?\d+(?:\.\d*)?)?:(-?\d+(?:\.\d*)?)?\)")


def exact(value: Number) -> Decimal:
    """`value` as a decimal; a float as the shortest decimal that prints like it."""
    if isinstance(value, Decimal):
        return value
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def is_statistic(name: str) -> bool:
    """Whether CloudWatch knows the statistic: Sum, p99.9, tm90, TM(10%:90%), PR(:300), IQM and so on."""
    return name in PLAIN or name == "IQM" or any(form.fullmatch(name) for form in (SHORT, PERCENT, ABSOLUTE))


class Samples:
    """Count, sum, extremes and values. `values` (value -> how often) is None once a statistic set hid them."""

    __slots__ = ("count", "high", "low", "total", "values")
    count: Decimal
    total: Decimal
    low: float
    high: float
    values: dict[float, float] | None

    def __init__(self) -> None:
        self.count = self.total = Decimal(0)
        self.low, self.high = float("inf"), float("-inf")
        self.values = {}

    def add(self, value: Number, count: Number = 1) -> None:
        """Take in `count` samples of `value`."""
        number, times = exact(value), exact(count)
        self.add_set(ARITHMETIC.multiply(number, times), times, float(number), float(number), keep_values=True)
        if self.values is not None:
            key = float(number)
            self.values[key] = self.values.get(key, 0.0) + float(times)
            if len(self.values) > MOST_DISTINCT_VALUES:
                self._coarsen()

    def add_set(self, total: Number, count: Number, low: Number, high: Number, keep_values: bool = False) -> None:
        """Take in a statistic set. Percentiles remain only if all its values must be the same, as AWS documents."""
        self.total = ARITHMETIC.add(self.total, exact(total))
        self.count = ARITHMETIC.add(self.count, exact(count))
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
        if keep_values or self.values is None:
            return
        if low == high and exact(total) == ARITHMETIC.multiply(exact(low), exact(count)):
            self.values[float(low)] = self.values.get(float(low), 0.0) + float(count)
        else:
            self.values = None

    def _coarsen(self) -> None:
        coarse: dict[float, float] = {}
        for value, times in (self.values or {}).items():
            key = float(f"{value:.3g}")
            coarse[key] = coarse.get(key, 0.0) + times
        self.values = coarse

    @classmethod
    def merged(cls, parts: Iterable[Samples]) -> Samples:
        """All parts as one."""
        whole = cls()
        for part in parts:
            whole.add_set(part.total, part.count, part.low, part.high, keep_values=True)
            if part.values is None or whole.values is None:
                whole.values = None
            else:
                for value, times in part.values.items():
                    whole.values[value] = whole.values.get(value, 0.0) + times
        return whole

    def statistic(self, name: str) -> float | None:
        """The statistic, or None where there are no samples or the values it needs are not known."""
        if not self.count:
            return None
        if name in PLAIN:
            return PLAIN[name](self)
        if self.values is None:
            return None
        ordered = sorted(self.values.items())
        if match := SHORT.fullmatch(name):
            upper = float(match[2])
            return _percentile(ordered, upper) if match[1] == "p" else _trimmed(match[1], ordered, 0.0, upper)
        if name == "IQM":
            return _trimmed("tm", ordered, 25.0, 75.0)
        if match := PERCENT.fullmatch(name):
            return _trimmed(match[1].lower(), ordered, float(match[2] or 0), float(match[3] or 100))
        if match := ABSOLUTE.fullmatch(name):
            return _bounded(match[1].lower(), ordered, float(match[2] or "-inf"), float(match[3] or "inf"))
        raise ValueError(f"no such statistic: {name}")


Ordered = list[tuple[float, float]]


def _percentile(ordered: Ordered, percent: float) -> float:
    """Nearest rank: the smallest value that at least `percent` of the samples do not exceed."""
    rank = percent / 100 * sum(times for _, times in ordered)
    seen = 0.0
    for value, times in ordered:
        seen += times
        if seen >= rank - 1e-9:
            return value
    return ordered[-1][0]


def _trimmed(kind: str, ordered: Ordered, lower: float, upper: float) -> float | None:
    """Mean, count or sum of the samples whose rank lies between two percentages; wm replaces those outside."""
    whole = sum(times for _, times in ordered)
    first, last = whole * lower / 100, whole * upper / 100
    inside: Ordered = []
    seen = 0.0
    for value, times in ordered:
        share = min(seen + times, last) - max(seen, first)
        seen += times
        if share > 1e-9:
            inside.append((value, share))
    if kind == "wm" and inside:
        inside = [(inside[0][0], first), *inside, (inside[-1][0], whole - last)]
    return _summary(kind, inside)


def _bounded(kind: str, ordered: Ordered, lower: float, upper: float) -> float | None:
    """The same between two values; pr is the percentage of samples between them."""
    inside = [(value, times) for value, times in ordered if lower < value <= upper]
    if kind == "pr":
        return 100 * sum(times for _, times in inside) / sum(times for _, times in ordered)
    if kind == "wm":
        inside = [(min(max(value, lower), upper), times) for value, times in ordered]
    return _summary(kind, inside)


def _summary(kind: str, inside: Ordered) -> float | None:
    count = sum(times for _, times in inside)
    if kind == "tc":
        return count
    total = sum(value * times for value, times in inside)
    if kind == "ts":
        return total
    return total / count if count else None
