"""The numbers of a moment, for announcements, history and machines."""

from __future__ import annotations

from typing import Any

from lambda_function.spend import Scope, Spend
from lambda_function.usual import SLOTS

__all__ = ["figures"]


def figures(spend: Spend, scope: Scope) -> dict[str, Any]:
    """What is known at a change of level: pico-USD, epoch seconds and counts; what is not known is left out.

    `ends_at` is when the first budget ends at the pace of the last hour, if that is before the budget begins anew.
    """
    policy, dates, at = scope.policy, scope.dates(spend.at), spend.at
    numbers: dict[str, Any] = {"five_minutes": spend.five, "hour": spend.hour, "day": spend.day, "month": spend.month}
    ends = []
    for name, limit, used, reset in (
        ("month", policy.monthly_budget, spend.month, dates.month_end),
        ("day", policy.daily_budget, spend.day, dates.day_end),
    ):
        if limit is None:
            continue
        numbers[f"{name}_budget"], numbers[f"{name}_reset"] = limit, reset
        left = max(0, limit - used)
        if spend.hour and left * 3600 < spend.hour * (reset - at):
            ends.append((at + left * 3600 // spend.hour, name))
    if ends:
        numbers["ends_at"], numbers["ends_budget"] = min(ends)
    usual = spend.usual
    numbers["history_hours"] = usual.history if usual else 0
    if usual is None or usual.history < scope.numbers.history_days * 24:
        return numbers
    slot = at // 3600 - usual.start
    if 0 <= slot < SLOTS:
        numbers["usual_hour"] = usual.usual[slot]
    numbers["usual_day"] = usual.week // 7 if usual.history >= 168 else usual.day
    if usual.growth:
        numbers["growth_per_mille"] = usual.growth
    return numbers
