"""Shapes of the parts of a dashboard body, after AWS's "Dashboard Body Structure and Syntax".

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
Each table maps a property to a test of its value; a test returns what is wrong, or "".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lib.local.samples import is_statistic

__all__ = [
    "ANNOTATION",
    "AXIS",
    "BODY",
    "METRIC",
    "RENDERING",
    "TABLE",
    "VARIABLE",
    "WIDGET_PROPERTIES",
    "Fields",
    "Test",
]

Test = Callable[[Any], str]
Fields = dict[str, Test]

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ALARM_ARN = re.compile(r"arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.{1,255}")
DURATION = re.compile(r"-P(?:T\d+[MH]|\d+[DWM])")
COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
ZONE = re.compile(r"[+-]\d{4}")


def kind(*types: type) -> Test:
    """A value of one of the types; a boolean is no number."""
    names = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}
    wanted = " or ".join(names[one] for one in types)

    def test(value: Any) -> str:
        fits = isinstance(value, types) and (not isinstance(value, bool) or bool in types)
        return "" if fits else f"Should be {wanted}"

    return test


def one_of(*options: str) -> Test:
    return lambda value: (
        "" if value in options else f"Should be equal to one of the allowed values: {', '.join(options)}"
    )


def like(pattern: re.Pattern[str], what: str) -> Test:
    return lambda value: "" if isinstance(value, str) and pattern.fullmatch(value) else f"Should be {what}"


def text(longest: int, shortest: int = 0) -> Test:
    def test(value: Any) -> str:
        if not isinstance(value, str):
            return "Should be string"
        if len(value) > longest:
            return f"Should NOT be longer than {longest} characters"
        return f"Should NOT be shorter than {shortest} characters" if len(value) < shortest else ""

    return test


def integer(least: int, most: int) -> Test:
    def test(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            return "Should be integer"
        return "" if least <= value <= most else f"Should be between {least} and {most}"

    return test


def array(least: int, most: int, of: Test) -> Test:
    def test(value: Any) -> str:
        if not isinstance(value, list):
            return "Should be array"
        if len(value) < least:
            return f"Should NOT have fewer than {least} items"
        if len(value) > most:
            return f"Should NOT have more than {most} items"
        return next((problem for problem in map(of, value) if problem), "")

    return test


def fields(table: Fields, *required: str) -> Test:
    """An object with these properties only."""

    def test(value: Any) -> str:
        if not isinstance(value, dict):
            return "Should be object"
        for name in required:
            if name not in value:
                return f"Should have required property '{name}'"
        for name, inner in value.items():
            if name not in table:
                return f'The "{name}" property is not expected here'
            if problem := table[name](inner):
                return f"{name}: {problem}"
        return ""

    return test


def moment(value: Any) -> str:
    """An absolute time in ISO 8601."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "Should be a date and time in ISO 8601"
    return ""


def start(value: Any) -> str:
    return (
        ""
        if isinstance(value, str) and DURATION.fullmatch(value)
        else moment(value) and ("Should be relative like -PT3H or -P7D, or a date and time in ISO 8601")
    )


def period(value: Any) -> str:
    fits = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and (value in (1, 5, 10, 20, 30) or value % 60 == 0 < value)
    )
    return "" if fits else "Should be a multiple of 60"


def statistic(value: Any) -> str:
    return "" if isinstance(value, str) and is_statistic(value) else "Should be a valid CloudWatch statistic"


string, number, boolean = kind(str), kind(float, int), kind(bool)
region = like(REGION, "the code of a Region")
color = like(COLOR, "a hex color code like #1f77b4")
alarm = like(ALARM_ARN, "the ARN of an alarm")
side = one_of("left", "right")
legend = fields({"position": one_of("right", "bottom", "hidden")}, "position")

AXIS: Fields = {"label": string, "min": number, "max": number, "showUnits": boolean}
TABLE: Fields = {
    "layout": one_of("vertical", "horizontal"),
    "stickySummary": boolean,
    "showTimeSeriesData": boolean,
    "summaryColumns": array(0, 4, one_of("MIN", "MAX", "SUM", "AVG")),
}
ANNOTATION: Fields = {
    "label": string,
    "color": color,
    "visible": boolean,
    "fill": string,
    "value": kind(float, int, str),
}
RENDERING: Fields = {
    "accountId": string,
    "color": color,
    "expression": text(2048, 1),
    "id": string,
    "label": string,
    "period": period,
    "region": region,
    "stat": statistic,
    "visible": boolean,
    "yAxis": side,
}
METRIC: Fields = {
    "accountId": string,
    "annotations": kind(dict),
    "end": string,
    "legend": legend,
    "liveData": boolean,
    "metrics": array(0, 500, kind(list)),
    "period": period,
    "region": region,
    "setPeriodToTimeRange": boolean,
    "singleValueFullPrecision": boolean,
    "sparkline": boolean,
    "stacked": boolean,
    "start": start,
    "stat": statistic,
    "table": fields(TABLE),
    "timezone": like(ZONE, "an offset like +0130"),
    "title": string,
    "trend": boolean,
    "view": one_of("timeSeries", "singleValue", "gauge", "bar", "pie", "table"),
    "yAxis": fields({"left": fields(AXIS), "right": fields(AXIS)}),
}
WIDGET_PROPERTIES: dict[str, tuple[Fields, tuple[str, ...]]] = {
    "metric": (METRIC, ("region",)),
    "text": ({"markdown": string, "background": one_of("transparent", "solid")}, ("markdown",)),
    "alarm": (
        {
            "alarms": array(1, 100, alarm),
            "sortBy": one_of("default", "stateUpdatedTimestamp", "timestamp"),
            "states": array(0, 3, one_of("ALARM", "INSUFFICIENT_DATA", "OK")),
            "title": string,
        },
        ("alarms",),
    ),
    "log": (
        {
            "accountId": string,
            "query": string,
            "region": region,
            "stacked": boolean,
            "title": string,
            "view": one_of("table", "timeSeries", "bar", "pie"),
        },
        ("query", "region"),
    ),
}
VARIABLE: Fields = {
    "type": one_of("property", "pattern"),
    "property": text(255, 1),
    "pattern": text(255, 1),
    "inputType": one_of("input", "select", "radio"),
    "id": like(re.compile(r"[0-9A-Za-z_-]{1,32}"), "1 to 32 of 0-9A-Za-z-_"),
    "label": text(30),
    "defaultValue": kind(str, float, int, bool),
    "search": text(2048, 1),
    "populateFrom": string,
    "values": array(1, 500, fields({"value": kind(str, float, int, bool), "label": text(255)}, "value")),
    "visible": boolean,
}
BODY: Fields = {
    "widgets": array(0, 500, kind(dict)),
    "variables": array(0, 25, kind(dict)),
    "start": start,
    "end": moment,
    "periodOverride": one_of("auto", "inherit"),
}
