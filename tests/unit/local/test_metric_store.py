"""Samples and the metric store: exact sums, AWS's statistics, sliding periods, searches."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.local.metric_search import check_search, find_metrics
from lib.local.metric_store import Metric, MetricStore
from lib.local.samples import Samples, is_statistic
from lib.local.time_series import MathError

MONDAY = 1_795_392_000  # 2026-11-23T00:00:00Z


@given(st.lists(st.integers(0, 10**16), max_size=50))
def test_costs_add_up_to_the_last_pico_dollar(picos: list[int]) -> None:
    store, metric = MetricStore(), Metric.of("N", "Cost")
    for index, pico in enumerate(picos):
        store.put(metric, MONDAY + 7 * index, Decimal(pico).scaleb(-12))
    assert Fraction(store.total(metric)) == Fraction(sum(picos), 10**12)


def test_a_float_counts_as_what_it_prints_as() -> None:
    samples = Samples()
    for _ in range(10):
        samples.add(0.1)
    assert samples.total == 1 and samples.statistic("Sum") == 1.0


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Sum", 5050), ("Average", 50.5), ("Minimum", 1), ("Maximum", 100), ("SampleCount", 100),
        ("p0", 1), ("p50", 50), ("p99", 99), ("p99.9", 100), ("p100", 100),
        ("tm90", 45.5), ("tc90", 90), ("ts90", 4095), ("TM(10%:90%)", 50.5), ("TC(:90%)", 90), ("IQM", 50.5),
        ("WM(10%:90%)", 50.5), ("wm95", 50.35), ("TM(50:60)", 55.5), ("TS(:10)", 55), ("PR(:25)", 25), ("PR(90:)", 10),
    ],
)  # fmt: skip
def test_statistics_of_one_to_a_hundred(statistic: str, expected: float) -> None:
    samples = Samples()
    for value in range(1, 101):
        samples.add(value)
    assert is_statistic(statistic)
    assert samples.statistic(statistic) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["p101", "q50", "sum", "tm", "TM(10:90", "p99.99999999999", ""])
def test_what_is_no_statistic(name: str) -> None:
    assert not is_statistic(name)


def test_statistic_sets_keep_percentiles_only_if_all_values_are_the_same() -> None:
    same, mixed = Samples(), Samples()
    same.add_set(total=30, count=3, low=10, high=10)
    mixed.add_set(total=30, count=3, low=5, high=15)
    assert (same.statistic("p50"), mixed.statistic("p50")) == (10, None)
    assert (mixed.statistic("Sum"), mixed.statistic("Minimum"), mixed.statistic("Maximum")) == (30, 5, 15)


def test_periods_are_counted_from_the_start_asked_for() -> None:
    store, metric = MetricStore(), Metric.of("N", "m", {"D": "x"})
    for minute in (0, 1, 5, 9):
        store.put(metric, MONDAY + 60 * minute + 3, minute + 1)
    assert store.values(metric, "Sum", 300, MONDAY, MONDAY + 600) == {MONDAY: 3, MONDAY + 300: 16}
    assert store.values(metric, "Sum", 300, MONDAY + 60, MONDAY + 660) == {MONDAY + 60: 8, MONDAY + 360: 10}
    assert store.values(metric, "Sum", 60, MONDAY + 60, MONDAY + 300) == {MONDAY + 60: 2}


def test_units_are_kept_apart_and_points_may_arrive_late_or_by_the_second() -> None:
    store, metric = MetricStore(), Metric.of("N", "m")
    store.put(metric, MONDAY + 60, 1, unit="Count")
    store.put(metric, MONDAY, 2, unit="Bytes")
    store.put(metric, MONDAY - 60, 4, unit="Count")
    assert store.values(metric, "Sum", 60, MONDAY - 60, MONDAY + 120, "Count") == {MONDAY - 60: 4, MONDAY + 60: 1}
    assert sum(store.values(metric, "Sum", 60, MONDAY - 60, MONDAY + 120).values()) == 7
    fast = Metric.of("N", "fast")
    store.put(fast, MONDAY + 10.2, 1, resolution=1)
    store.put(fast, MONDAY + 20.2, 1, resolution=1)
    assert store.values(fast, "Sum", 10, MONDAY, MONDAY + 60) == {MONDAY + 10: 1, MONDAY + 20: 1}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ('{App,TenantID} MetricName="Cost"', ["Cost A", "Cost B-two"]),
        ("{App,TenantID} Cost", ["Cost A", "CostPerToken A", "Cost B-two"]),
        ('{App,TenantID} MetricName=("Cost" OR "Latency")', ["Cost A", "Latency A", "Cost B-two"]),
        ('{App,TenantID} NOT MetricName="Cost"', ["CostPerToken A", "Latency A"]),
        ('{App,TenantID} TenantID="B-two" OR Latency', ["Latency A", "Cost B-two"]),
        ("{App,TenantID} two", ["Cost B-two"]),
        ("{App,TenantID,Other}", []),
        ("{App,Profile}", ["Cost p"]),
        ("Namespace=App MetricName=Latency", ["Latency A"]),
    ],
)
def test_search(search: str, found: list[str]) -> None:
    store = MetricStore()
    for name, dimension, value in [
        ("Cost", "TenantID", "B-two"), ("Cost", "TenantID", "A"), ("CostPerToken", "TenantID", "A"),
        ("Latency", "TenantID", "A"), ("Cost", "Profile", "p"),
    ]:  # fmt: skip
        store.put(Metric.of("App", name, {dimension: value}), MONDAY, 1)
    store.put(Metric.of("App", "Cost", {"TenantID": "long-gone"}), MONDAY - 15 * 86_400, 1)
    assert [f"{m.name} {m.dimensions[0][1]}" for m in find_metrics(store, search, MONDAY + 60)] == found


@pytest.mark.parametrize("search", ["", "{}", "{N,D} (a", "{N,D} = a", "{N,D} a)", "{N,D} NOT"])
def test_malformed_search(search: str) -> None:
    with pytest.raises(MathError):
        check_search(search)
