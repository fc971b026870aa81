"""Steady growth, told from a jump by the sums of whole weeks.

Weekly sums have no rhythm left in them. Growth is steady if nearly every later week is larger than every earlier one
(Mann, Econometrica 13 (1945); Kendall's tau), the median of all slopes between two weeks is large enough (Theil 1950,
Sen, JASA 63 (1968)), and no single step makes up most of the rise: that would be a jump.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from lambda_function.level_numbers import Numbers

__all__ = ["Growth", "growth_of"]

_FEWEST = 5  # weeks; chance puts five in order once in 120 times, fewer far more often
_ORDERED = 950  # thousandths of all pairs of weeks that must rise
_LARGEST_STEP = 600  # thousandths of the whole rise that one week may make up
_TOLD_HOURS = 24


class Growth(NamedTuple):
    """`told` is the weekly pico-USD at which growth was last told, `told_until` the hour until which it is told.

    `a_week` and `rise` are thousandths: steady growth a week, 0 if there is none, and that of all weeks together.
    """

    told: int = 0
    told_until: int = 0
    a_week: int = 0
    rise: int = 0


def growth_of(weeks: list[int], before: Growth, hour: int, numbers: Numbers) -> Growth:
    """The growth in weekly sums, oldest first, that end at `hour`.

    It is told for a day as soon as the last week exceeds the first one known by `growth_told`, and again each time it
    has grown by as much since: steady growth is no news every day.
    """
    if not weeks or weeks[-1] == 0:
        return Growth(0, before.told_until)
    last = weeks[-1]
    told = min(before.told, last)
    a_week = _slope(weeks)
    if len(weeks) < _FEWEST or a_week < numbers.growth_a_week or not _steady(weeks):
        return Growth(told, before.told_until)
    rise = (last - weeks[0]) * 1000 // max(weeks[0], 1)
    if (last - (told or weeks[0])) * 1000 < numbers.growth_told * (told or weeks[0]):
        return Growth(told, before.told_until, min(a_week, 65535), min(rise, 65535))
    return Growth(last, hour + _TOLD_HOURS, min(a_week, 65535), min(rise, 65535))


def _steady(weeks: list[int]) -> bool:
    pairs = rising = 0
    for place, earlier in enumerate(weeks):
        for later in weeks[place + 1 :]:
            pairs += 1
            rising += later > earlier
    steps = [later - earlier for earlier, later in pairwise(weeks)]
    return rising * 1000 >= pairs * _ORDERED and max(steps) * 1000 <= (weeks[-1] - weeks[0]) * _LARGEST_STEP


def _slope(weeks: list[int]) -> int:
    """The median slope between two weeks in thousandths of the middle week."""
    slopes = sorted(
        (later - earlier) * 1000 // (place + 1)
        for first, earlier in enumerate(weeks)
        for place, later in enumerate(weeks[first + 1 :])
    )
    middle = sorted(weeks)[len(weeks) // 2]
    return slopes[len(slopes) // 2] // middle if slopes and middle else 0
