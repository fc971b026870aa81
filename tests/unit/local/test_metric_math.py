"""Metric math: the examples of AWS's documentation, the gaps, and what is refused."""

from __future__ import annotations

import pytest

from lib.local.metric_math import Expression
from lib.local.time_series import Grid, MathError, Scope, TimeSeries, Value

STEP = 60
GRID = Grid(0, 5 * STEP, STEP)

# "-" is a missing point, as in AWS's tables.
METRICS = {
    "m1": "1 2 3 4 5",
    "m2": "10 - 30 - 50",
    "none": "- - - - -",
    "flag": "1 1 0 0 -",
    "yes": "30 - 0 0 30",
    "no": "0 0 20 - 20",
    "a": "30 20 0 0 -",
    "b": "20 - 20 - -",
    "zero": "0 0 1 0 0",
}


def series(id: str, text: str) -> TimeSeries:
    points = {at * STEP: float(word) for at, word in enumerate(text.split()) if word != "-"}
    return TimeSeries(id, id, STEP, points)


def shown(value: Value) -> str:
    if isinstance(value, list):
        return " | ".join(shown(one) for one in value)
    assert isinstance(value, TimeSeries)
    return " ".join(f"{value.points[at]:.10g}" if at in value.points else "-" for at in GRID.times())


def evaluate(text: str) -> str:
    metrics = {id: series(id, points) for id, points in METRICS.items()}
    return shown(Expression(text).evaluate(Scope(GRID, metrics, {})))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", "11 2 33 4 55"),  # a gap counts as 0 where the other has a value
        ("m1 + none", "- - - - -"),  # a series without any point makes the sum missing
        ("m1 + FILL(none, 0)", "1 2 3 4 5"),
        ("FILL(m2, 0)", "10 0 30 0 50"),
        ("FILL(m2, REPEAT)", "10 10 30 30 50"),
        ("FILL(m2, LINEAR)", "10 20 30 40 50"),
        ("FILL(m2, m1)", "10 2 30 4 50"),
        ("FILL([m1, m2], 7)", "1 2 3 4 5 | 10 7 30 7 50"),
        ("m1 / zero", "- - 3 - -"),  # division by zero drops the point
        ("2 + 3 * m1 ^ 2", "5 14 29 50 77"),
        ("-m1 + (2 - 1) * 10", "9 8 7 6 5"),
        ("-2 ^ 2 * m1", "-4 -8 -12 -16 -20"),
        ("SUM([m1, m2])", "11 2 33 4 55"),
        ("AVG([m1, m2])", "5.5 1 16.5 2 27.5"),
        ("MIN([m1, m2])", "1 2 3 4 5"),
        ("MAX([m1, m2])", "10 2 30 4 50"),
        ("DATAPOINT_COUNT([m1, m2])", "2 1 2 1 2"),
        ("m1 - AVG(m1)", "-2 -1 0 1 2"),
        ("m1 / SUM(m1) * 15", "1 2 3 4 5"),
        ("m1 * PERIOD(m1)", "60 120 180 240 300"),
        ("RATE(m1) * 60", "- 1 1 1 1"),
        ("DIFF(m2)", "- - 20 - 20"),
        ("DIFF_TIME(m2)", "- - 120 - 120"),
        ("RUNNING_SUM(m1)", "1 3 6 10 15"),
        ("ABS(-m1) + CEIL(m1 / 2) + FLOOR(m1 / 2)", "2 4 6 8 10"),
        ("TIME_SERIES(MAX(m1))", "5 5 5 5 5"),
        ("m1 / METRIC_COUNT([m1, m2])", "0.5 1 1.5 2 2.5"),
        ("SLICE(SORT([m1, m2], MAX, DESC), 0, 1)", "10 - 30 - 50"),
        ("SORT([m2, m1], AVG, ASC, 1)", "1 2 3 4 5"),
        ("REMOVE_EMPTY([none, m1])", "1 2 3 4 5"),
        ("FIRST([m1, m2]) + LAST([m1, m2])", "11 2 33 4 55"),
        ("SUM(METRICS('zero')) + SUM(METRICS(\"m1\"))", "1 2 4 4 5"),
        ("[m1, m2] * 10", "10 20 30 40 50 | 100 - 300 - 500"),
        # AWS's table of comparisons
        ("a < b", "0 0 1 0 -"),
        ("a >= 30", "1 0 0 0 -"),
        ("a > 15 AND b > 15", "1 0 0 0 -"),
        ("a > 15 || b > 15", "1 1 1 0 -"),
        # AWS's tables of IF
        ("IF(flag, yes, no)", "30 0 20 - -"),
        ("IF(flag, 5, no)", "5 5 20 - -"),
        ("IF(flag, yes, 5)", "30 0 5 5 -"),
        ("IF(m1 > 3, m1)", "- - - 4 5"),
        ("IF(1 > 2, m1, m2)", "10 - 30 - 50"),
        ("MINUTE(m2) + EPOCH(m2) / 60", "0 2 4 6 8"),
        ("DAY(m1) + DATE(m1) + MONTH(m1) + YEAR(m1) + HOUR(m1)", "1976 1976 1976 1976 1976"),
    ],
)
def test_value(expression: str, expected: str) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "empty"),
        ("m1 +", "unexpected end"),
        ("m1 + )", "')'"),
        ("(m1", "unexpected end"),
        ("m9 + 1", "'m9'"),
        ("NOPE(m1)", "NOPE"),
        ("sum(m1)", "sum"),
        ("FILL(m1)", "FILL"),
        ("FILL(m2, SOMEHOW)", "SOMEHOW"),
        ("[m1] + [m2]", "arrays"),
        ("m1 & m2", "&"),
        ("SEARCH('{N,D} x', 'Sum', 60)", "SEARCH"),
        ("ANOMALY_DETECTION_BAND(m1, 2)", "ANOMALY_DETECTION_BAND"),
        ("METRICS(m1)", "METRICS"),
        ("PERIOD(m1 + 1)", "PERIOD"),
        ("'text' + 1", "text"),
    ],
)
def test_refused(expression: str, says: str) -> None:
    with pytest.raises(MathError, match=says.replace("(", r"\(").replace(")", r"\)")):
        evaluate(expression)


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("m1 * 2", "series"),
        ("SUM(m1)", "scalar"),
        ("[m1]", "array"),
        ("SEARCH('{N,D} x', 'Sum')", "array"),
        ("3", "scalar"),
    ],
)
def test_shape_is_known_before_any_data(expression: str, shape: str) -> None:
    assert Expression(expression).shape({"m1": "series"}) == shape
