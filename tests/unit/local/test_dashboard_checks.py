"""A dashboard body is refused, or warned about, as AWS documents it; and overlaps are found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.local.dashboard_body import check_body
from lib.local.dashboard_rows import expand_rows

P = "/widgets/0/properties"
ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:Cost-A"


def metric(*rows: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "metric", "properties": {"region": "us-east-1", "metrics": list(rows), **properties}}


def text(**place: Any) -> dict[str, Any]:
    return {"type": "text", "properties": {"markdown": "hi"}, **place}


def variable(**fields: Any) -> dict[str, Any]:
    values = [{"value": "a"}, {"value": "b"}]
    return {"type": "property", "property": "TenantID", "inputType": "select", "id": "v", "values": values, **fields}


M = ["N", "Cost", "TenantID", "A"]
GOOD = {
    "start": "-PT3H",
    "periodOverride": "inherit",
    "variables": [
        variable(defaultValue="a"),
        variable(id="w", property="region", inputType="input", defaultValue="us-east-1"),
        {
            "type": "pattern", "pattern": "p1", "inputType": "radio", "id": "p", "label": "Profile",
            "search": '{N,Profile} MetricName="Cost"', "populateFrom": "Profile", "defaultValue": "__FIRST",
        },
    ],
    "widgets": [
        text(x=0, y=0, width=24, height=1),
        {**metric(
            [*M, {"id": "m1", "stat": "p99", "color": "#1f77b4"}],
            [".", "Tokens", ".", ".", {"id": "m2", "visible": False, "yAxis": "right"}],
            ["...", "B"],
            [{"expression": "FILL(m1, 0) + m2 / PERIOD(m1)", "id": "e1", "label": "sum"}],
            [{"expression": "SEARCH('{N,TenantID} MetricName=\"Cost\"', 'Sum', 60)", "id": "s"}],
            view="timeSeries", stacked=True, period=300, stat="Sum", title="Cost", liveData=True,
            yAxis={"left": {"min": 0, "label": "USD", "showUnits": False}}, legend={"position": "right"},
            annotations={"horizontal": [{"value": 1, "label": "limit", "fill": "above"}]},
        ), "x": 0, "y": 1, "width": 12, "height": 6},
        {"type": "alarm", "x": 12, "y": 1, "width": 12, "height": 6, "properties": {"alarms": [ALARM], "title": "A"}},
        {"type": "metric", "x": 0, "y": 7, "properties": {"region": "eu-west-1", "annotations": {"alarms": [ALARM]}}},
        {**metric(M, view="gauge", yAxis={"left": {"min": 0, "max": 3}}), "x": 6, "y": 7},
        {"type": "log", "x": 12, "y": 7, "properties": {"query": "SOURCE 'a' | fields x", "region": "us-east-1"}},
    ],
}  # fmt: skip


def test_a_good_body_has_no_findings() -> None:
    assert check_body(GOOD) == []
    assert check_body({"widgets": []}) == []


@pytest.mark.parametrize(
    ("body", "path", "says"),
    [
        ([], "", "JSON object"),
        ({}, "", "'widgets'"),
        ({"widgets": [text()] * 501}, "/widgets", "more than 500"),
        ({"widgets": [], "variables": [variable()] * 26}, "/variables", "more than 25"),
        ({"widgets": [], "start": "3h"}, "/start", "ISO 8601"),
        ({"widgets": [], "end": "2026-11-23T00:00:00Z"}, "/end", "start"),
        ({"widgets": [], "periodOverride": "always"}, "/periodOverride", "auto"),
        ({"widgets": [text(type="picture")]}, "/widgets/0/type", "allowed values"),
        ({"widgets": [{"type": "text"}]}, "/widgets/0", "'properties'"),
        ({"widgets": [text(x=24, y=0)]}, "/widgets/0/x", "between 0 and 23"),
        ({"widgets": [text(x=0)]}, "/widgets/0", "together"),
        ({"widgets": [text(width=25)]}, "/widgets/0/width", "between 1 and 24"),
        ({"widgets": [text(height=1.5)]}, "/widgets/0/height", "integer"),
        ({"widgets": [{"type": "text", "properties": {}}]}, P, "'markdown'"),
        ({"widgets": [{"type": "metric", "properties": {"metrics": [M]}}]}, P, "'region'"),
        ({"widgets": [{"type": "metric", "properties": {"region": "us-east-1"}}]}, P, "'metrics'"),
        ({"widgets": [metric(M, region="Ireland")]}, P + "/region", "Region"),
        ({"widgets": [metric(M, period=90)]}, P + "/period", "multiple of 60"),
        ({"widgets": [metric(M, stat="Mean")]}, P + "/stat", "statistic"),
        ({"widgets": [metric(M, view="line")]}, P + "/view", "timeSeries"),
        ({"widgets": [metric(M, view="gauge")]}, P + "/yAxis/left", "min and max"),
        ({"widgets": [metric(M, yAxis={"middle": {}})]}, P + "/yAxis", "middle"),
        ({"widgets": [metric(M, yAxis={"left": {"min": 3, "max": 1}})]}, P + "/yAxis/left", "min"),
        ({"widgets": [metric(*[M] * 501)]}, P + "/metrics", "more than 500"),
        ({"widgets": [metric(["N"])]}, P + "/metrics/0", "fewer than 2"),
        ({"widgets": [metric(["N", "Cost", "TenantID"])]}, P + "/metrics/0", "value for each"),
        ({"widgets": [metric(["N", "Cost", {"TenantID": "A"}, "x"])]}, P + "/metrics/0/2", "'String'"),
        ({"widgets": [metric(["N", ".", "D", "x"])]}, P + "/metrics/0/1", "'.'"),
        ({"widgets": [metric(["...", "x"])]}, P + "/metrics/0/0", "'...'"),
        ({"widgets": [metric([*M, {"id": "M1"}])]}, P + "/metrics/0", "M1"),
        ({"widgets": [metric([*M, {"id": "a"}], [*M, {"id": "a"}])]}, P + "/metrics/1", "twice"),
        ({"widgets": [metric([{"expression": "m1 +"}])]}, P + "/metrics/0", "invalid"),
        ({"widgets": [metric([{"expression": "m1 * 2"}])]}, P + "/metrics/0", "m1"),
        ({"widgets": [metric([{"expression": "SEARCH('{} x', 'Sum')"}])]}, P + "/metrics/0", "namespace"),
        ({"widgets": [metric([*M, {"color": "red"}])]}, P + "/metrics/0/4/color", "hex"),
        ({"widgets": [metric([*M, {"yAxis": "up"}])]}, P + "/metrics/0/4/yAxis", "left"),
        ({"widgets": [metric(M, annotations={"alarms": [ALARM]})]}, P + "/annotations/alarms", "metrics"),
        ({"widgets": [{"type": "alarm", "properties": {"alarms": []}}]}, P + "/alarms", "fewer than 1"),
        ({"widgets": [{"type": "alarm", "properties": {"alarms": ["Cost-A"]}}]}, P + "/alarms", "ARN"),
        ({"widgets": [], "variables": [variable(values=[])]}, "/variables/0/values", "fewer than 1"),
        ({"widgets": [], "variables": [variable(id="a b")]}, "/variables/0/id", "1 to 32"),
        ({"widgets": [], "variables": [variable(), variable(property="x")]}, "/variables/1/id", "Duplicated id"),
        ({"widgets": [], "variables": [variable(), variable(id="w")]}, "/variables/1/property", "Duplicated property"),
        ({"widgets": [], "variables": [variable(defaultValue="c")]}, "/variables/0/defaultValue", "one of the values"),
        ({"widgets": [], "variables": [variable(type="pattern")]}, "/variables/0", "'pattern'"),
        ({"widgets": [], "variables": [variable(label="x" * 31)]}, "/variables/0/label", "longer than 30"),
        ({"widgets": [], "variables": [{"type": "property", "property": "D", "inputType": "radio", "id": "v",
          "search": "{N,D} MetricName=m", "populateFrom": "E"}]}, "/variables/0/populateFrom", "dimension"),
    ],
)  # fmt: skip
def test_refused(body: Any, path: str, says: str) -> None:
    fatal = [finding for finding in check_body(body) if finding.fatal]
    assert (path, True) in [(finding.path, says in finding.message) for finding in fatal], fatal


@pytest.mark.parametrize(
    ("widgets", "path", "says"),
    [
        ([text(x=0, y=0, width=12), text(x=11, y=5)], "/widgets/1", "overlaps /widgets/0"),
        ([text(x=20, y=0, width=6)], "/widgets/0", "beyond the grid"),
        ([text(colour="red")], "/widgets/0", '"colour"'),
        ([metric(M, colour="red")], P, '"colour"'),
        ([metric([*M, {"colour": "red"}])], P + "/metrics/0/4", '"colour"'),
    ],
)
def test_warned_about(widgets: list[Any], path: str, says: str) -> None:
    findings = check_body({"widgets": widgets})
    assert [finding.fatal for finding in findings] == [False]
    assert findings[0].path == path and says in findings[0].message


def test_neighbours_do_not_overlap() -> None:
    assert check_body({"widgets": [text(x=0, y=0, width=12), text(x=12, y=0, width=12), text(x=0, y=6)]}) == []


def test_shorthand_of_rows() -> None:
    rows, errors = expand_rows(
        json.loads('[["N","a","D","x","E","y"],[".","b",".","z",".","."],["...","w",{"id":"m"}]]')
    )
    assert not errors
    assert [(row.namespace, row.name, row.dimensions) for row in rows] == [
        ("N", "a", (("D", "x"), ("E", "y"))),
        ("N", "b", (("D", "z"), ("E", "y"))),
        ("N", "b", (("D", "z"), ("E", "w"))),
    ]
    assert rows[2].options == {"id": "m"}
