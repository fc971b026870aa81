"""Rows added up by any tags, with share, change and forecast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from lib.reports.period import Period
from lib.reports.rows import KINDS, Row

__all__ = ["FORECAST_DAYS", "Group", "Report", "forecast_of", "report_of"]

FORECAST_DAYS = 28  # four of each weekday


class Group(NamedTuple):
    """One line of a report. Amounts are pico-USD; `share` is a part of 1.

    `change` is the cost less the cost of the period before; `budget` and `forecast` are None where there is none.
    """

    key: tuple[str, ...]
    requests: int
    failures: int
    estimated: int
    tokens: dict[str, int]
    cost: int
    share: float
    before: int
    budget: int | None
    forecast: int | None
    daily: dict[date, int]

    @property
    def change(self) -> int:
        """More or less than in the period before, pico-USD."""
        return self.cost - self.before


class Report(NamedTuple):
    """The whole answer: groups by falling cost, and their sum."""

    period: Period
    by: tuple[str, ...]
    groups: tuple[Group, ...]
    total: Group


def report_of(
    rows: Iterable[Row],
    before: Iterable[Row],
    period: Period,
    by: Sequence[str],
    budgets: Mapping[str, int],
    today: date,
) -> Report:
    """Add up `rows` by the tags `by`. `before` holds the period before and the days a forecast looks back on.

    A tag that a profile does not have counts as "". Budgets apply where the grouping is by tenant alone and the
    period is a calendar month.
    """
    now: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    then: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        now[_key(row, by)].append(row)
    for row in before:
        then[_key(row, by)].append(row)
    whole = sum(row.cost for members in now.values() for row in members)
    by_tenant = tuple(by) == ("TenantID",) and period.is_month
    groups = [
        _group(
            key, now.get(key, []), then.get(key, []), period, whole, budgets.get(key[0]) if by_tenant else None, today
        )
        for key in now.keys() | {key for key, members in then.items() if _within(members, period.before)}
    ]
    groups.sort(key=lambda group: (-group.cost, group.key))
    everything = [row for members in now.values() for row in members]
    earlier = [row for members in then.values() for row in members]
    known = [group.budget for group in groups if group.budget is not None]
    budget = sum(known) if known else None
    total = _group(("total",), everything, earlier, period, whole, budget, today)
    return Report(period, tuple(by), tuple(groups), total)


def forecast_of(daily: Mapping[date, int], period: Period, today: date) -> int | None:
    """What the period will have cost at its end, pico-USD; None where it is over or has not begun.

    What was spent up to yesterday, plus for today and each day to come the mean of the same weekday over the last
    28 days. Days before the first spend in that time do not count as zeros. With less than a week of history, the
    mean of the days there are.
    """
    if not period.first <= today <= period.last:
        return None
    start = today - timedelta(days=FORECAST_DAYS)
    seen = [day for day, cost in daily.items() if start <= day < today and cost]
    spent_today = daily.get(today, 0)
    spent = sum(cost for day, cost in daily.items() if period.first <= day < today)
    if not seen:
        return spent + spent_today
    first = min(seen)
    known = [first + timedelta(days=offset) for offset in range((today - first).days)]
    expected = {
        weekday: _mean([daily.get(day, 0) for day in known if day.weekday() == weekday or len(known) < 7])
        for weekday in range(7)
    }
    rest = sum(expected[day.weekday()] for day in Period(today, period.last).days())
    # Today has already cost what it has cost, however little is usual.
    return spent + max(rest, rest - expected[today.weekday()] + spent_today)


def _mean(values: list[int]) -> int:
    return sum(values) // len(values) if values else 0


def _key(row: Row, by: Sequence[str]) -> tuple[str, ...]:
    return tuple(row.tags.get(tag, "") for tag in by)


def _within(rows: Iterable[Row], period: Period) -> bool:
    return any(period.first <= row.day <= period.last for row in rows)


def _group(
    key: tuple[str, ...],
    rows: Sequence[Row],
    before: Sequence[Row],
    period: Period,
    whole: int,
    budget: int | None,
    today: date,
) -> Group:
    daily: dict[date, int] = defaultdict(int)
    for row in rows:
        daily[row.day] += row.cost
    history: dict[date, int] = defaultdict(int, daily)
    for row in before:
        history[row.day] += row.cost
    cost = sum(row.cost for row in rows)
    return Group(
        key=key,
        requests=sum(row.requests for row in rows),
        failures=sum(row.failures for row in rows),
        estimated=sum(row.estimated for row in rows),
        tokens={kind: sum(row.tokens[kind] for row in rows) for kind in KINDS},
        cost=cost,
        share=cost / whole if whole else 0.0,
        before=sum(row.cost for row in before if period.before.first <= row.day <= period.before.last),
        budget=budget,
        forecast=forecast_of(history, period, today),
        daily=dict(daily),
    )
