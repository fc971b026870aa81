"""Embedded metric format: what is extracted, and that nothing ever raises."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.local.emf import extract
from lib.local.metric_store import Metric

AT = 1_795_392_000_123


def document(directive: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    usual = {
        "Namespace": "App",
        "Dimensions": [["Profile"], ["TenantID"]],
        "Metrics": [{"Name": "Cost", "Unit": "None"}, {"Name": "Tokens", "Unit": "Count"}],
    }
    metadata = {"Timestamp": AT, "CloudWatchMetrics": [{**usual, **(directive or {})}]}
    return {"_aws": metadata, "Profile": "p", "TenantID": "A", "Cost": 0.25, "Tokens": 7, **members}


def test_every_metric_under_every_dimension_set_exactly_as_written() -> None:
    line = json.dumps(document()).replace("0.25", "0.000000000001")
    points, problems = extract(line)
    assert problems == []
    assert [(point.metric, point.value, point.unit) for point in points] == [
        (Metric("App", "Cost", (("Profile", "p"),)), Decimal("0.000000000001"), "None"),
        (Metric("App", "Cost", (("TenantID", "A"),)), Decimal("0.000000000001"), "None"),
        (Metric("App", "Tokens", (("Profile", "p"),)), 7, "Count"),
        (Metric("App", "Tokens", (("TenantID", "A"),)), 7, "Count"),
    ]
    assert {point.at for point in points} == {AT / 1000}


def test_an_empty_dimension_set_arrays_and_a_prefix_of_lambda() -> None:
    points, problems = extract(
        "2026-11-23T00:00:00Z 8c1f-id INFO " + json.dumps(document({"Dimensions": [[]]}, Cost=[1, 2]))
    )
    assert not problems
    assert [(point.metric.dimensions, point.value) for point in points] == [((), 1), ((), 2), ((), 7)]


@pytest.mark.parametrize(
    ("bad", "kept"),
    [
        ({"_aws": 1}, 0),
        ({"_aws": {"CloudWatchMetrics": []}}, 0),
        ({"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}, 0),
        ({"_aws": {"Timestamp": AT, "CloudWatchMetrics": {}}}, 0),
        (document({"Namespace": ""}), 0),
        (document({"Namespace": "AWS/Bedrock"}), 0),
        (document({"Dimensions": []}), 0),
        (document({"Dimensions": [["Nowhere"]]}), 0),
        (document({"Dimensions": [[f"d{n}" for n in range(31)]]}), 0),
        (document({"Metrics": [{"Name": f"m{n}"} for n in range(101)]}), 0),
        (document(Profile=7), 0),
        (document(Cost="0.25"), 2),
        (document(Cost=True), 2),
        (document(Cost=[1] * 101), 2),
        (document({"Metrics": [{"Name": "Cost", "Unit": "USD"}, {"Name": "Tokens"}]}), 2),
        (document({"Metrics": [{"Name": "Cost", "StorageResolution": 5}, {"Name": "Tokens"}]}), 2),
        (document(filler="x" * 1_048_576), 0),
    ],
)
def test_what_breaks_the_specification_is_left_out_and_named(bad: dict[str, Any], kept: int) -> None:
    points, problems = extract(json.dumps(bad))
    assert (len(points), len(problems)) == (kept, 1)


@pytest.mark.parametrize("line", ["", "START RequestId", '{"a": 1}', '{"note": "\\"_aws\\" in text"}'])
def test_other_lines_carry_nothing(line: str) -> None:
    assert extract(line) == ([], [])


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values, json_values, st.text(max_size=3))
def test_nothing_raises(one: Any, two: Any, three: Any, tail: str) -> None:
    extract(json.dumps({"_aws": one, "x": two}) + tail)
    extract(json.dumps({"_aws": {"Timestamp": AT, "CloudWatchMetrics": [one, {"Namespace": "N", "Dimensions": two}]}}))
    extract(json.dumps(document({"Dimensions": one, "Metrics": two}, Cost=three)))
