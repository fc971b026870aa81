"""The days a report covers, in UTC, as AWS's own bill counts them."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

__all__ = ["Period", "month_of", "period_from"]


class Period(NamedTuple):
    """`first` to `last`, both included."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """Days."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """The period to compare with: the month before a whole month, else as many days before."""
        if self == month_of(self.first):
            return month_of(self.first - timedelta(days=1))
        return Period(self.first - timedelta(days=self.length), self.first - timedelta(days=1))

    @property
    def is_month(self) -> bool:
        """Whether it is exactly a calendar month."""
        return self == month_of(self.first)

    def days(self) -> Iterator[date]:
        """Each day in order."""
        for offset in range(self.length):
            yield self.first + timedelta(days=offset)

    def months(self) -> list[str]:
        """The calendar months it touches, as yyyymm."""
        return sorted({f"{day:%Y%m}" for day in self.days()})

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}" if self.is_month else f"{self.first} to {self.last}"


def month_of(day: date) -> Period:
    """The calendar month that `day` lies in."""
    last = calendar.monthrange(day.year, day.month)[1]
    return Period(day.replace(day=1), day.replace(day=last))


def period_from(month: str | None, first: datetime | None, last: datetime | None, now: float) -> Period:
    """What the options ask for: --month, or --from and --to, or the month of `now` (epoch seconds).

    Raises ValueError with a sentence for a person.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    if month and (first or last):
        raise ValueError("give --month, or --from and --to, not both")
    if month:
        try:
            return month_of(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date())
        except ValueError:
            raise ValueError(f"{month!r} is not a month; write it as 2026-11") from None
    if not first and not last:
        return month_of(today)
    period = Period(first.date() if first else today.replace(day=1), last.date() if last else today)
    if period.length < 1:
        raise ValueError(f"--from {period.first} lies after --to {period.last}")
    return period
