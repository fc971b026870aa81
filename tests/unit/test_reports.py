"""Reports: periods, grouping, forecast, formats. Amounts are exact wherever they are not only for eyes."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.reports.amounts import rounded
from lib.reports.focus import as_focus
from lib.reports.groups import forecast_of, report_of
from lib.reports.period import Period, month_of, period_from
from lib.reports.rows import KINDS, Row
from lib.reports.text import as_csv, as_json, as_table

USD = 10**12
NOVEMBER = month_of(date(2026, 11, 1))


def row(day: date, tenant: str, cost: int, *, app: str = "chat", requests: int = 1) -> Row:
    tokens = dict.fromkeys(KINDS, 0) | {"in": 10, "out": 5}
    tags = {"TenantID": tenant, "ApplicationID": app}
    return Row(day, tenant, "abcdefghijkl", "0123456789ab", f"{tenant}-{app}", "anthropic.claude-3-haiku", tags,
               requests, 0, 0, tokens, cost)  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0.00"), (USD, "1.00"), (1_234_567_890_000_000, "1,234.57"), (USD // 3, "0.3333")]
)
def test_rounded_amounts(amount: int, text: str) -> None:
    assert rounded(amount) == text


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (NOVEMBER, month_of(date(2026, 10, 1))),
        (month_of(date(2028, 3, 1)), month_of(date(2028, 2, 1))),
        (Period(date(2026, 11, 10), date(2026, 11, 16)), Period(date(2026, 11, 3), date(2026, 11, 9))),
    ],
)
def test_a_period_is_compared_with_the_one_before(period: Period, before: Period) -> None:
    assert period.before == before


def test_what_the_options_mean() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
    assert period_from(None, None, None, now) == NOVEMBER
    assert period_from("2026-02", None, None, now) == Period(date(2026, 2, 1), date(2026, 2, 28))
    assert period_from(None, datetime(2026, 11, 5, tzinfo=UTC), None, now) == Period(
        date(2026, 11, 5), date(2026, 11, 23)
    )
    for wrong in [("November", None, None), ("2026-11", datetime(2026, 1, 1, tzinfo=UTC), None)]:
        with pytest.raises(ValueError, match=r"--month|is not a month"):
            period_from(*wrong, now)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("ABC"), st.integers(0, 10**15))))
def test_groups_add_up_to_the_total_exactly(spend: list[tuple[int, str, int]]) -> None:
    rows = [row(date(2026, 11, day), tenant, cost) for day, tenant, cost in spend]
    report = report_of(rows, [], NOVEMBER, ("TenantID",), {}, date(2026, 12, 5))
    assert sum(group.cost for group in report.groups) == report.total.cost == sum(cost for _, _, cost in spend)
    assert {group.key[0] for group in report.groups} == {tenant for _, tenant, _ in spend}


def test_any_tags_group_and_a_missing_tag_is_a_group_of_its_own() -> None:
    rows = [row(date(2026, 11, 1), "A", USD), row(date(2026, 11, 1), "A", 2 * USD, app="search")]
    report = report_of(rows, [], NOVEMBER, ("ApplicationID", "Team"), {}, date(2026, 12, 5))
    assert [(group.key, group.cost) for group in report.groups] == [(("search", ""), 2 * USD), (("chat", ""), USD)]


def test_change_and_tenants_that_went_quiet() -> None:
    before = [row(date(2026, 10, 20), "gone", 3 * USD), row(date(2026, 9, 30), "long gone", USD)]
    report = report_of([row(date(2026, 11, 2), "new", USD)], before, NOVEMBER, ("TenantID",), {}, date(2026, 12, 5))
    assert {group.key[0]: group.change for group in report.groups} == {"new": USD, "gone": -3 * USD}


def test_forecast_follows_the_week() -> None:
    today = date(2026, 11, 23)  # a Monday
    daily = {
        today - timedelta(days=back): (0 if (today - timedelta(days=back)).weekday() >= 5 else 10 * USD)
        for back in range(1, 29)
    }
    spent = sum(cost for day, cost in daily.items() if day >= NOVEMBER.first)
    # Left are Monday to Friday, a weekend, and Monday the 30th.
    assert forecast_of(daily, NOVEMBER, today) == spent + 6 * 10 * USD


def test_forecast_is_never_below_what_is_spent() -> None:
    today = date(2026, 11, 30)
    daily = {today: 50 * USD, today - timedelta(days=1): USD}
    assert forecast_of(daily, NOVEMBER, today) == 51 * USD
    assert forecast_of(daily, NOVEMBER, date(2026, 12, 1)) is None


def test_a_table_fits_its_terminal() -> None:
    rows = [row(date(2026, 11, 1), f"a tenant with a rather long name {index}", index * USD) for index in range(5)]
    report = report_of(
        rows, [], NOVEMBER, ("TenantID",), {"a tenant with a rather long name 1": USD}, date(2026, 11, 9)
    )
    for width in (60, 80, 120, 200):
        lines = list(as_table(report, width))
        assert max(map(len, lines[:-1])) <= width
        assert any("total" in line and "10.00" in line for line in lines)


def test_csv_is_exact_and_safe_in_a_spreadsheet() -> None:
    rows = [row(date(2026, 11, 1), "=HYPERLINK(1)", 1), row(date(2026, 11, 1), 'Quote"d, Inc', 2 * USD)]
    report = report_of(rows, [], NOVEMBER, ("TenantID",), {}, date(2026, 12, 5))
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [(line["TenantID"], line["cost_usd"]) for line in lines] == [
        ('Quote"d, Inc', "2"),
        ("'=HYPERLINK(1)", "0.000000000001"),
    ]


def test_json_and_focus_carry_the_exact_sum() -> None:
    rows = [row(date(2026, 11, day), "A", 10**day) for day in range(1, 13)]
    report = report_of(rows, [], NOVEMBER, ("TenantID",), {}, date(2026, 12, 5))
    total = sum(10**day for day in range(1, 13))
    assert Fraction(json.loads(as_json(report))["total"]["cost_usd"]) == Fraction(total, USD)
    focus = csv.DictReader(io.StringIO(as_focus(rows, "123456789012", "us-east-1", "aws")))
    assert sum(Fraction(line["BilledCost"]) for line in focus) == Fraction(total, USD)
