"""The numbers by which alert levels are judged: defaults, and a tier's own on top.

Ratios and shares become integers of a thousandth here, so that the judgement compares integers only. What each number
means, and what may stand there, is in lambda_function/level_checks.py and docs/alert-levels.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DEFAULTS", "LEVELS", "Numbers", "Pairs", "Three", "numbers_of"]

Three = tuple[int | None, int | None, int | None]
Pairs = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

LEVELS = ("green", "yellow", "orange", "red")

# A number for each of yellow, orange and red; None switches that line off.
DEFAULTS: Mapping[str, Any] = {
    "calm_minutes": 15,
    "longest_calm_minutes": 240,
    "calm_share": 0.75,
    "budget_share": {"yellow": 0.5, "orange": 0.9, "red": 0.98},
    "overrun_share": 0.03,
    # Rates and pairs of windows after Google, "The Site Reliability Workbook" (2018), chapter 5 ("Alerting on SLOs"),
    # 6: Multiwindow, Multi-Burn-Rate Alerts. The slowest pair is shorter here: a day, because months have rhythms.
    "month_burn": {"yellow": 3, "orange": 6, "red": 14.4},
    "month_windows": {"yellow": [1440, 120], "orange": [360, 30], "red": [60, 5]},
    "day_burn": {"yellow": 4, "orange": 6, "red": 12},
    "day_windows": {"yellow": [120, 30], "orange": [60, 10], "red": [30, 5]},
    "unusual_ratio": 1.5,
    "five_ratio": {"yellow": None, "orange": 3, "red": 10},
    "five_excess": {"yellow": None, "orange": 1.25, "red": 5},
    "hour_ratio": {"yellow": 2, "orange": 3, "red": 5},
    "hour_deviations": {"yellow": 4, "orange": 6, "red": 8},
    "hour_excess": {"yellow": 2, "orange": 3, "red": 6},
    "hour_peaks": {"yellow": 0.25, "orange": 1, "red": 2},
    "smallest_share": {"yellow": 0.01, "orange": 0.01, "red": 0.1},
    "rate_share": {"yellow": 0.9, "orange": None, "red": None},
    "cost_threshold": {"yellow": 2, "orange": 5, "red": 20},
    "cost_bursts": {"yellow": 1.5, "orange": 2, "red": 5},
    "token_threshold": {"yellow": 5, "orange": None, "red": None},
    "request_threshold": {"yellow": 5, "orange": None, "red": None},
    "history_days": 3,
    "growth_a_week": 0.02,
    "growth_told": 0.2,
}


class Numbers:
    """The numbers in force. `Three` holds thousandths for yellow, orange and red, `Pairs` minutes (long, short)."""

    calm_minutes: int
    longest_calm_minutes: int
    calm_share: int
    budget_share: Three
    overrun_share: int
    month_burn: Three
    month_windows: Pairs
    day_burn: Three
    day_windows: Pairs
    unusual_ratio: int
    five_ratio: Three
    five_excess: Three
    hour_ratio: Three
    hour_deviations: Three
    hour_excess: Three
    hour_peaks: Three
    smallest_share: Three
    rate_share: Three
    cost_threshold: Three
    cost_bursts: Three
    token_threshold: Three
    request_threshold: Three
    history_days: int
    growth_a_week: int
    growth_told: int

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


def numbers_of(overrides: Mapping[str, Any]) -> Numbers:
    """The defaults with a policy's `levels` on top; a level that an override leaves out keeps its default.

    `overrides` is one that `validate_levels` finds nothing wrong with. Names of a later version are ignored.
    """
    if not overrides and _CACHE:
        return _CACHE[0]
    values = {name: _number(name, default, overrides.get(name)) for name, default in DEFAULTS.items()}
    return Numbers(values)


def _number(name: str, default: Any, own: Any) -> Any:
    if isinstance(default, dict):
        merged = {**default, **(own or {})}
        return tuple(_milli(merged[level]) if "windows" not in name else tuple(merged[level]) for level in LEVELS[1:])
    value = default if own is None else own
    return value if name.endswith(("minutes", "days")) else _milli(value)


def _milli(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


_CACHE: list[Numbers] = []
_CACHE.append(numbers_of({}))
