"""Habits: medians over weeks, the first days, summer time, growth, and the sizes of what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_function.baseline import RING, Baseline
from lambda_function.calendars import UTC, Calendar
from lambda_function.growth import Growth, growth_of
from lambda_function.level_numbers import numbers_of
from lambda_function.usual import Usual, amounts_of, code_of
from lib.zones import zone_table

USD = 10**12
MONDAY = 490_896 - 490_896 % 24 + 24 * ((4 - 490_896 // 24) % 7)  # hours since the epoch; 5 January 1970 was a Monday
NUMBERS = numbers_of({})


def learned(costs: dict[int, int], start: int, end: int, calendar: Calendar = UTC) -> Usual:
    baseline = Baseline(start)
    for hour in range(start + 1, end + 1):
        baseline.close(hour, {number: costs.get(number, 0) for number in (hour - 1,)}, 0, calendar, NUMBERS)
    return baseline.digest(calendar, NUMBERS)


def weekly(hours: int, night: int = 1, day: int = 10) -> dict[int, int]:
    """Dollars by hour: `day` from 9 to 17 on working days, `night` otherwise."""
    return {MONDAY + n: (day if n // 24 % 7 < 5 and 9 <= n % 24 < 17 else night) * USD for n in range(hours)}


def near(amount: int, usd: float) -> bool:
    return abs(amount - usd * USD) <= 0.002 * usd * USD + 10**6


def test_monday_morning_after_four_weeks_is_what_monday_mornings_were() -> None:
    digest = learned(weekly(4 * 168 + 9), MONDAY, MONDAY + 4 * 168 + 9)
    assert digest.history == 4 * 168 + 9
    assert all(near(amount, 10) for amount in digest.usual) and digest.spread == (0, 0, 0)
    saturday = learned(weekly(4 * 168 + 129), MONDAY, MONDAY + 4 * 168 + 129)
    assert all(near(amount, 1) for amount in saturday.usual)


def test_one_week_that_went_wrong_moves_nothing() -> None:
    costs = weekly(5 * 168 + 9)
    for hour in range(MONDAY + 3 * 168, MONDAY + 4 * 168):
        costs[hour] *= 20
    assert near(learned(costs, MONDAY, MONDAY + 5 * 168 + 9).usual[0], 10)


def test_while_history_is_short_the_days_before_count_for_the_missing_weeks() -> None:
    # Tuesday to Thursday are known; on Friday at ten nothing is known of Fridays.
    start = MONDAY + 24
    digest = learned(weekly(96 + 10), start, MONDAY + 96 + 10)
    assert digest.history == 82 and near(digest.usual[0], 10)
    # In the second week half way between last Saturday and the days before it.
    digest = learned(weekly(168 + 130), MONDAY, MONDAY + 168 + 130)
    assert 1 * USD < digest.usual[0] < 10 * USD and digest.spread[0] > 2 * USD


def test_habits_follow_the_local_clock_through_a_change_to_summer_time() -> None:
    berlin = Calendar.from_zones("Europe/Berlin", {"Europe/Berlin": zone_table("Europe/Berlin", 1_774_000_000)})
    change = 1_774_746_000 // 3600  # Sunday 29 March 2026, 01:00 UTC
    costs = {}
    for hour in range(change - 6 * 168, change + 72):
        local = (hour * 3600 + berlin.offset(hour * 3600)) // 3600 % 24
        costs[hour] = (10 if 9 <= local < 17 else 1) * USD
    for hour, usd in ((change + 24 + 5, 1), (change + 24 + 6, 10)):  # 08:00 and 09:00 in summer time
        assert near(learned(costs, change - 6 * 168, hour, berlin).usual[0], usd)


def test_a_gap_counts_as_nothing_spent_and_corrections_are_taken_in() -> None:
    baseline = Baseline(MONDAY)
    baseline.close(MONDAY + 24, {MONDAY + 3: USD}, 5, UTC, NUMBERS)
    baseline.close(MONDAY + 48, {MONDAY + 23: 2 * USD, MONDAY + 47: USD}, 5, UTC, NUMBERS)
    digest = baseline.digest(UTC, NUMBERS)
    assert near(digest.week, 4) and near(digest.day, 1)


def test_what_is_stored_is_small_and_comes_back_whole() -> None:
    baseline = Baseline(MONDAY)
    for hour in range(MONDAY + 1, MONDAY + 400):
        baseline.close(hour, {hour - 1: 3 * USD * hour}, USD, UTC, NUMBERS)
    digest = baseline.digest(UTC, NUMBERS)
    item: dict[str, Any] = baseline.to_item()
    size = sum(len(name) + (len(value) if isinstance(value, bytes) else 12) for name, value in item.items())
    assert size < 4096 - 80, "four write units, key included"
    again = Baseline.from_item(item).digest(UTC, NUMBERS)
    assert again.encode() == digest.encode() and len(digest.encode()) == 44
    assert Usual.decode(digest.encode()).encode() == digest.encode()


@pytest.mark.parametrize("usd", [0, 1e-6, 0.0123, 1, 999.99, 123_456])
def test_codes_are_exact_to_a_thousandth(usd: float) -> None:
    (back,) = amounts_of([code_of(int(usd * USD))])
    assert 0 <= int(usd * USD) - back <= usd * USD / 1000 + 10**6
    assert code_of(10**30) == 0xFFFF and code_of(-5) == 0


def test_nothing_overflows_after_a_year_of_silence() -> None:
    baseline = Baseline(MONDAY)
    baseline.close(MONDAY + 100, {MONDAY + 50: USD}, USD, UTC, NUMBERS)
    baseline.close(MONDAY + 9000, {}, 0, UTC, NUMBERS)
    digest = baseline.digest(UTC, NUMBERS)
    assert digest.history == RING and digest.peak == digest.week == digest.burst == 0


@pytest.mark.parametrize(
    ("weeks", "told"),
    [
        ([100, 105, 110, 116, 122], True),  # 5 % a week
        ([100, 105, 110, 116], False),  # too few weeks
        ([100, 101, 99, 102, 100, 101], False),  # noise
        ([100, 100, 100, 100, 200, 200], False),  # a jump
        ([100, 101, 102, 103, 180], False),  # a jump after slow growth
        ([100, 105, 103, 108, 125], False),  # not steady
        ([122, 116, 110, 105, 100], False),  # a decline
    ],
)
def test_growth_is_steady_and_a_jump_is_not(weeks: list[int], told: bool) -> None:
    found = growth_of([week * USD for week in weeks], Growth(), MONDAY, NUMBERS)
    assert (found.told_until > 0) == told


def test_growth_is_told_again_only_after_as_much_again() -> None:
    growth, told = Growth(), []
    for week in range(5, 30):
        weeks = [int(100 * USD * 1.05**number) for number in range(max(0, week - 8), week)]
        growth = growth_of(weeks, growth, MONDAY + week * 168, NUMBERS)
        if growth.told_until == MONDAY + week * 168 + 24:
            told.append(week)
    assert told == [5, 9, 13, 17, 21, 25, 29]
