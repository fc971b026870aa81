"""What may stand in a tier's `levels`: the range and the meaning of each number.

docs/alert-levels.md has the same table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambda_function.level_numbers import DEFAULTS, LEVELS

__all__ = ["MEANINGS", "problems_of"]

_RISING = LEVELS[1:]
_WINDOWS = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 120, 180, 240, 300, 360, 1440)

# Lowest and highest value, and what the number says.
MEANINGS: Mapping[str, tuple[float, float, str]] = {
    "calm_minutes": (10, 1440, "minutes of calm before a level is left"),
    "longest_calm_minutes": (10, 10080, "the most that calm_minutes doubles to after relapses"),
    "calm_share": (0.1, 0.95, "share of a line below which spend must stay to count as calm"),
    "budget_share": (0, 1, "share of a budget that is used, if it will not last"),
    "overrun_share": (0, 1, "by how much of a budget the forecast must exceed it"),
    "month_burn": (1, 10000, "times the pace at which the monthly budget would just last"),
    "month_windows": (5, 1440, "long and short window of month_burn, in minutes"),
    "day_burn": (1, 10000, "times the pace at which the daily budget would just last"),
    "day_windows": (5, 1440, "long and short window of day_burn, in minutes"),
    "unusual_ratio": (0, 1000, "times the usual hour below which no burn rate counts"),
    "five_ratio": (1, 100000, "times the usual, in 5 minutes"),
    "five_excess": (0, 10000, "times the distance from the peak to the bursts that 5 minutes must exceed the bursts"),
    "hour_ratio": (1, 100000, "times the usual, in an hour"),
    "hour_deviations": (0, 10000, "standard deviations above the usual, in an hour"),
    "hour_excess": (0, 10000, "times the excess over the usual that is rare for the tenant, in an hour"),
    "hour_peaks": (0, 10000, "times the hour that is rarely exceeded at any time of the week"),
    "smallest_share": (0, 100000, "share of the cost alarm threshold below which nothing is a spike"),
    "rate_share": (0, 1, "share of a limit per minute, three minutes in a row"),
    "cost_threshold": (0.01, 100000, "times the cost alarm threshold, while there is no history"),
    "cost_bursts": (0, 10000, "times the largest 5 minutes so far, while there is no history"),
    "token_threshold": (0.01, 100000, "times the token alarm threshold, while there is no history"),
    "request_threshold": (0.01, 100000, "times the request alarm threshold, while there is no history"),
    "history_days": (3, 56, "days of history before anything is usual"),
    "growth_a_week": (0.001, 10, "steady growth a week that is called growth"),
    "growth_told": (0.01, 100, "growth after which it is told, and told again"),
}


def problems_of(levels: Mapping[str, Any]) -> list[str]:
    """Everything wrong with `levels`, a sentence each that names the number, what was found and what is allowed."""
    found = []
    for name, value in levels.items():
        if name not in DEFAULTS:
            found.append(f"{name}: there is no such number; there are {', '.join(sorted(DEFAULTS))}")
        else:
            found += _problems(name, value)
    if not found and len(levels):
        shortest = levels.get("calm_minutes", DEFAULTS["calm_minutes"])
        if levels.get("longest_calm_minutes", DEFAULTS["longest_calm_minutes"]) < shortest:
            found.append("longest_calm_minutes: found less than calm_minutes; allowed: as much or more")
    return found


def _problems(name: str, value: Any) -> Iterator[str]:
    default = DEFAULTS[name]
    if not isinstance(default, dict):
        yield from _number(name, value, whole=name.endswith(("minutes", "days")))
        return
    if not isinstance(value, dict):
        yield f"{name}: found {_shown(value)}; allowed: an object with any of {', '.join(_RISING)}"
        return
    for level, own in value.items():
        if level not in _RISING:
            yield f"{name}.{level}: there is no such level; allowed: {', '.join(_RISING)}"
        elif name.endswith("windows"):
            yield from _pair(f"{name}.{level}", own)
        elif own is not None:
            yield from _number(f"{name}.{level}", own, whole=False)
    merged = {**default, **value}
    lines = [merged[level] for level in _RISING if _is_number(merged[level])]
    if not name.endswith("windows") and lines != sorted(lines):
        yield f"{name}: found a line that falls from a level to a graver one; allowed: yellow <= orange <= red"


def _number(where: str, value: Any, *, whole: bool) -> Iterator[str]:
    low, high, _ = MEANINGS[where.partition(".")[0]]
    kind = "a whole number" if whole else "a number"
    if not _is_number(value) or (whole and value != int(value)) or not low <= value <= high:
        off = ", or null to switch the line off" if "." in where else ""
        yield f"{where}: found {_shown(value)}; allowed: {kind} from {low} to {high}{off}"


def _pair(where: str, value: Any) -> Iterator[str]:
    if not (isinstance(value, list) and len(value) == 2 and all(minutes in _WINDOWS for minutes in value)):
        yield f"{where}: found {_shown(value)}; allowed: two of {', '.join(map(str, _WINDOWS))} minutes"
    elif value[0] < value[1]:
        yield f"{where}: found {_shown(value)}; allowed: the long window first"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
