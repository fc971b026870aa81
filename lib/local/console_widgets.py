"""A dashboard's widgets as data to draw: CloudWatch's own body in, series out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lib.local.dashboard_rows import expand_rows

__all__ = ["drawn", "filled_variable", "placed_variables"]

_MOST_POINTS = 400
_SEARCHED = re.compile(r"\{([^,}]+),")


def placed_variables(body: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, Any]:
    """The body with each property variable's chosen value in place of its default, as CloudWatch's console does it."""
    placed: dict[str, Any] = json.loads(json.dumps(body))
    for variable in placed.get("variables", []):
        value = chosen.get(variable["id"]) or variable.get("defaultValue")
        if variable.get("type") != "property" or not value:
            continue
        for widget in placed["widgets"]:
            for row in widget.get("properties", {}).get("metrics", []):
                for index in range(2, len(row) - 1, 2):
                    if row[index] == variable["property"] and isinstance(row[index + 1], str):
                        row[index + 1] = value
    return placed


def filled_variable(variable: Mapping[str, Any], cloudwatch: Any) -> dict[str, Any]:
    """A variable with its choices; one that searches gets what the metrics have, as in CloudWatch's console."""
    found = _SEARCHED.match(variable.get("search", ""))
    if "values" in variable or not found:
        return dict(variable)
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=found[1])
    choices = {
        dimension["Value"]
        for page in pages
        for metric in page["Metrics"]
        for dimension in metric["Dimensions"]
        if dimension["Name"] == variable.get("populateFrom")
    }
    return {**variable, "values": [{"value": choice, "label": choice} for choice in sorted(choices)]}


def drawn(
    widget: Mapping[str, Any],
    first: float,
    last: float,
    fetch: Callable[[list[dict[str, Any]], float, float], list[Any]],
) -> dict[str, Any]:
    """What a page needs to draw `widget`: its place, title, view, and series of (epoch milliseconds, value).

    `fetch` is GetMetricData: (queries, first, last) -> MetricDataResults.
    """
    place = {key: widget[key] for key in ("x", "y", "width", "height")}
    properties = widget["properties"]
    if widget["type"] != "metric":
        return {"type": widget["type"], **place, **properties}
    period = _period(properties, first, last)
    results = fetch(_queries(properties, period), first, last)
    # Names that begin with _ are the project's own, such as setup's rehearsal: like reports, the page leaves them out.
    series = [_series(result) for result in results if result["Values"] and not result["Label"].startswith("_")]
    return {
        "type": "metric",
        **place,
        "title": properties.get("title", ""),
        "view": properties.get("view", "timeSeries"),
        "stacked": properties.get("stacked", False),
        "yAxis": properties.get("yAxis", {}),
        "period": period,
        "series": _added_up(series),
    }


def _period(properties: Mapping[str, Any], first: float, last: float) -> int:
    """The widget's period, or the whole range for a single value, never more points than a chart can show."""
    if properties.get("setPeriodToTimeRange"):
        return max(60, int(last - first) // 60 * 60)
    period = int(properties.get("period", 300))
    while (last - first) / period > _MOST_POINTS:
        period *= 2
    return period


def _queries(properties: Mapping[str, Any], period: int) -> list[dict[str, Any]]:
    rows, _ = expand_rows(properties.get("metrics", []))
    queries = []
    for index, row in enumerate(rows, 1):
        options = row.options
        query: dict[str, Any] = {"Id": options.get("id", f"row{index}"), "ReturnData": options.get("visible", True)}
        if "label" in options:
            query["Label"] = options["label"]
        if "expression" in options:
            query |= {"Expression": options["expression"], "Period": period}
        else:
            metric = {
                "Namespace": row.namespace,
                "MetricName": row.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in row.dimensions],
            }
            stat = options.get("stat", properties.get("stat", "Average"))
            query["MetricStat"] = {"Metric": metric, "Period": period, "Stat": stat}
        queries.append(query)
    return queries


def _series(result: Mapping[str, Any]) -> dict[str, Any]:
    points = sorted(zip(map(_milliseconds, result["Timestamps"]), result["Values"], strict=True))
    return {"label": result.get("Label", result["Id"]), "points": points}


def _milliseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _added_up(series: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Series of one label as one: a cost by tenant is the sum of its parts, each found by a search of its own."""
    sums: dict[str, dict[int, float]] = {}
    for one in series:
        points = sums.setdefault(one["label"], {})
        for moment, value in one["points"]:
            points[moment] = points.get(moment, 0.0) + value
    return [{"label": label, "points": sorted(points.items())} for label, points in sums.items()]
