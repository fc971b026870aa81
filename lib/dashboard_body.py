"""The dashboard as CloudWatch's JSON, a pure function of the configuration.

Rows are laid out by `_rows`, so that no two widgets can overlap on CloudWatch's grid of 24 columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lambda_function import metrics
from lib.config import Config

__all__ = ["dashboard_body"]

_COLUMNS = 24
_ALARMS_A_WIDGET = 100  # CloudWatch's limit
_MOST_CHOICES = 500  # values that a variable may list
_DAY = 86_400

_TOKENS = (metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS, metrics.CACHE_READ_TOKENS, metrics.CACHE_WRITE_TOKENS)
_COST = (metrics.INPUT_TOKENS_COST, metrics.OUTPUT_TOKENS_COST, metrics.CACHE_TOKENS_COST)
_REQUESTS = (metrics.INVOCATION_SUCCESS, metrics.INVOCATION_FAILURE, metrics.INVOCATION_DENIED)


def dashboard_body(config: Config, alarm_arns: list[str]) -> dict[str, Any]:
    """The body that PutDashboard gets: one profile, one tenant, everybody side by side, alarms, levels."""
    region = config.region
    profiles = [profile.name for profile in config.profiles]
    tenants = list(config.tenants)
    rows: list[tuple[int, list[dict[str, Any]]]] = [
        (1, [_text("# Bedrock cost by profile and tenant")]),
        *_one(region, metrics.PROFILE_DIMENSION, profiles[0], "Profile"),
        *_one(region, metrics.TENANT_DIMENSION, tenants[0], "Tenant"),
        (1, [_text("## Side by side")]),
        *_everybody(region, metrics.PROFILE_DIMENSION, "profile"),
        *_everybody(region, metrics.TENANT_DIMENSION, "tenant"),
        (1, [_text("## Alert levels (0 green, 1 yellow, 2 orange, 3 red) and alarms")]),
        (6, [_levels(region)]),
        *_alarm_rows(alarm_arns),
    ]
    return {
        "start": "-PT3H",
        "periodOverride": "inherit",
        "variables": [
            _variable("profile", metrics.PROFILE_DIMENSION, "Profile", profiles),
            _variable("tenant", metrics.TENANT_DIMENSION, "Tenant", tenants),
        ],
        "widgets": list(_placed(rows)),
    }


def _one(region: str, dimension: str, value: str, label: str) -> list[tuple[int, list[dict[str, Any]]]]:
    """Tokens, cost, requests per minute and per day of the one that the variable picks."""

    def lines(names: Iterable[str], stat: str = "Sum") -> list[list[Any]]:
        return [[metrics.NAMESPACE, name, dimension, value, {"stat": stat}] for name in names]

    return [
        (1, [_text(f"## {label} picked above")]),
        (
            6,
            [
                _graph(region, f"{label}: tokens per minute", lines(_TOKENS), 60),
                _graph(region, f"{label}: cost per 5 minutes (USD)", lines(_COST), 300, stacked=True),
                _graph(region, f"{label}: requests per minute", lines(_REQUESTS), 60),
                _graph(region, f"{label}: latency (ms)", lines((metrics.LATENCY,), "p90"), 60),
            ],
        ),
        (
            6,
            [
                _graph(region, f"{label}: tokens per day", lines(_TOKENS), _DAY, view="bar"),
                _graph(region, f"{label}: cost per day (USD)", lines(_COST), _DAY, view="bar"),
                _graph(region, f"{label}: requests per day", lines(_REQUESTS), _DAY, view="bar"),
                _graph(region, f"{label}: cost in the period shown (USD)", lines(_COST), _DAY, view="singleValue"),
            ],
        ),
    ]


def _everybody(region: str, dimension: str, noun: str) -> list[tuple[int, list[dict[str, Any]]]]:
    """One line per profile or tenant. SEARCH finds those that come later, up to CloudWatch's 500 a graph."""

    def totals(names: Iterable[str], period: int) -> list[list[Any]]:
        parts = [
            f"SEARCH('{{{metrics.NAMESPACE},{dimension}}} MetricName=\"{name}\"', 'Sum', {period})" for name in names
        ]
        return [
            [{"expression": part, "id": f"e{index}", "period": period, "label": f"${{PROP('Dim.{dimension}')}}"}]
            for index, part in enumerate(parts, 1)
        ]

    return [
        (
            7,
            [
                _graph(region, f"Cost by {noun}, 5 minutes (USD)", totals(_COST, 300), 300, stacked=True),
                _graph(region, f"Tokens by {noun} per minute", totals(_TOKENS[:2], 60), 60),
                _graph(region, f"Requests by {noun} per minute", totals(_REQUESTS[:1], 60), 60),
            ],
        ),
        (
            6,
            [
                _graph(region, f"Cost by {noun} per day (USD)", totals(_COST, _DAY), _DAY, view="bar"),
                _graph(region, f"Requests by {noun} per day", totals(_REQUESTS[:1], _DAY), _DAY, view="bar"),
                _graph(region, f"Denied by {noun} per minute", totals(_REQUESTS[2:], 60), 60),
            ],
        ),
    ]


def _levels(region: str) -> dict[str, Any]:
    expression = (
        f"SEARCH('{{{metrics.NAMESPACE},{metrics.TENANT_DIMENSION}}} MetricName=\"{metrics.ALERT_LEVEL}\"', "
        "'Maximum', 60)"
    )
    label = f"${{PROP('Dim.{metrics.TENANT_DIMENSION}')}}"
    widget = _graph(
        region, "Alert level by tenant", [[{"expression": expression, "id": "e1", "period": 60, "label": label}]], 60
    )
    widget["properties"]["yAxis"] = {"left": {"min": 0, "max": 3, "showUnits": False}}
    return widget


def _alarm_rows(arns: list[str]) -> list[tuple[int, list[dict[str, Any]]]]:
    batches = [arns[start : start + _ALARMS_A_WIDGET] for start in range(0, len(arns), _ALARMS_A_WIDGET)]
    return [
        (
            max(3, 1 + (len(batch) + 3) // 4),
            [{"type": "alarm", "properties": {"title": f"Alarms {number}", "alarms": batch}}],
        )
        for number, batch in enumerate(batches, 1)
    ]


def _graph(
    region: str, title: str, lines: list[list[Any]], period: int, *, view: str = "timeSeries", stacked: bool = False
) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "title": title,
        "region": region,
        "view": view,
        "stat": "Sum",
        "period": period,
        "metrics": lines,
    }
    if view == "timeSeries":
        properties["stacked"] = stacked
        properties["yAxis"] = {"left": {"min": 0, "showUnits": False}}
    if view == "singleValue":
        properties["setPeriodToTimeRange"] = True
    return {"type": "metric", "properties": properties}


def _text(markdown: str) -> dict[str, Any]:
    return {"type": "text", "properties": {"markdown": markdown}}


def _variable(identifier: str, dimension: str, label: str, choices: list[str]) -> dict[str, Any]:
    variable: dict[str, Any] = {
        "type": "property",
        "property": dimension,
        "inputType": "select",
        "id": identifier,
        "label": label,
        "defaultValue": choices[0],
        "visible": True,
    }
    if len(choices) <= _MOST_CHOICES:
        return {**variable, "values": [{"value": choice, "label": choice} for choice in choices]}
    # CloudWatch then fills the list from the metrics themselves: whoever has called so far.
    found = f'{{{metrics.NAMESPACE},{dimension}}} MetricName="{metrics.INPUT_TOKENS}"'
    return {**variable, "search": found, "populateFrom": dimension}


def _placed(rows: list[tuple[int, list[dict[str, Any]]]]) -> Iterable[dict[str, Any]]:
    """Each row's widgets side by side over the full width, rows below each other."""
    y = 0
    for height, widgets in rows:
        width = _COLUMNS // len(widgets)
        for index, widget in enumerate(widgets):
            yield {**widget, "x": index * width, "y": y, "width": width, "height": height}
        y += height
