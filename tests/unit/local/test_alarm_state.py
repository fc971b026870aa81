"""AWS's own tables of how missing data points are treated, and the premature-alarm rule."""

from __future__ import annotations

import pytest

from lib.local.alarm_state import Point, evaluation_range, judge

ROW_OF = {"0": Point(0, 0.0, False), "X": Point(0, 9.0, True), "-": None}
STATES = {"OK": "OK", "ALARM": "ALARM", "NONE": "INSUFFICIENT_DATA"}


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("row", "needed", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK", "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK", "OK", "OK"),
        ("- - - - -", 3, "NONE", "retain", "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", 3, "ALARM", "retain", "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - X -", 2, "ALARM", "retain", "ALARM", "OK"),
        # "the alarm does not go immediately into ALARM state when the data is either - - - - X or - - - X -"
        ("- - - - X", 3, "NONE", "retain", "ALARM", "OK"),
        ("- - - X -", 3, "NONE", "retain", "ALARM", "OK"),
    ],
)
def test_aws_tables(row: str, needed: int, missing: str, ignore: str, breaching: str, not_breaching: str) -> None:
    points = [ROW_OF[mark] for mark in row.split()]
    for treatment, expected in [
        ("missing", missing), ("ignore", ignore), ("breaching", breaching), ("notBreaching", not_breaching)
    ]:  # fmt: skip
        for present in STATES.values():
            wanted = present if expected == "retain" else STATES[expected]
            assert judge(points, 3, needed, treatment, present) == wanted, (treatment, present)


def test_without_gaps_only_the_newest_periods_count() -> None:
    points = [ROW_OF[mark] for mark in "XX000"]
    assert len(points) == evaluation_range(3)
    assert judge(points, 3, 1, "missing", "ALARM") == "OK"
