"""Checks a dashboard body against AWS's documented rules, and one of ours: no widget overlaps another.

What AWS refuses is an error; what it would ignore, not draw, or draw over something else is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from lib.local.dashboard_rows import Row, expand_rows
from lib.local.dashboard_schema import (
    ANNOTATION,
    BODY,
    RENDERING,
    VARIABLE,
    WIDGET_PROPERTIES,
    Fields,
    color,
    moment,
    number,
    one_of,
    side,
)
from lib.local.metric_math import ID, Expression
from lib.local.metric_search import check_search
from lib.local.time_series import MathError

__all__ = ["Finding", "check_body"]

COLUMNS = 24
# Widgets that exist at AWS but that we neither draw nor check in detail.
OTHER_WIDGETS = ("custom", "explorer", "chart", "trace")
PLACE = {"x": (0, COLUMNS - 1), "y": (0, 10**6), "width": (1, COLUMNS), "height": (1, 1000)}


class Finding(NamedTuple):
    """Something about the body: where (JSON pointer), what, and whether AWS refuses the dashboard for it."""

    path: str
    message: str
    fatal: bool = True


def check_body(body: Any) -> list[Finding]:
    """Everything there is to say about a parsed dashboard body; nothing if all is well."""
    if not isinstance(body, dict):
        return [Finding("", "The dashboard body should be a JSON object")]
    found = list(_check_fields("", body, BODY, ("widgets",)))
    if "end" in body and "start" not in body:
        found.append(Finding("/end", "end needs a start"))
    if "end" in body and str(body.get("start", "")).startswith("-"):
        found.append(Finding("/start", "start should be absolute where there is an end"))
    if any(finding.fatal for finding in found):
        return found
    places: list[tuple[int, tuple[int, int, int, int]]] = []
    for index, widget in enumerate(body["widgets"]):
        found += _check_widget(f"/widgets/{index}", widget)
        if all(isinstance(widget.get(key, 6), int) for key in PLACE) and "x" in widget and "y" in widget:
            places.append((index, (widget["x"], widget["y"], widget.get("width", 6), widget.get("height", 6))))
    found += _check_overlaps(places)
    found += _check_variables(body.get("variables", []))
    return found


def _check_fields(path: str, value: dict[str, Any], table: Fields, required: tuple[str, ...] = ()) -> Iterator[Finding]:
    for name in required:
        if name not in value:
            yield Finding(path, f"Should have required property '{name}'")
    for name, inner in value.items():
        if name not in table:
            where = "be part of a widget definition" if path.startswith("/widgets") else "be here"
            yield Finding(path, f'The "{name}" property is not expected to {where}, will be ignored', fatal=False)
        elif problem := table[name](inner):
            yield Finding(f"{path}/{name}", problem)


def _check_widget(path: str, widget: dict[str, Any]) -> Iterator[Finding]:
    for name in ("type", "properties"):
        if name not in widget:
            yield Finding(path, f"Should have required property '{name}'")
    for name in widget:
        if name not in (*PLACE, "type", "properties"):
            yield Finding(
                path, f'The "{name}" property is not expected to be part of a widget definition, will be ignored', False
            )
    yield from _check_place(path, widget)
    kind, properties = widget.get("type"), widget.get("properties")
    if not isinstance(properties, dict):
        yield Finding(f"{path}/properties", "Should be object")
        return
    if kind in WIDGET_PROPERTIES:
        table, required = WIDGET_PROPERTIES[kind]
        findings = list(_check_fields(f"{path}/properties", properties, table, required))
        yield from findings
        if kind == "metric" and not any(finding.fatal for finding in findings):
            yield from _check_metric(f"{path}/properties", properties)
    elif kind not in OTHER_WIDGETS:
        known = ", ".join((*WIDGET_PROPERTIES, *OTHER_WIDGETS))
        yield Finding(f"{path}/type", f"Should be equal to one of the allowed values: {known}")


def _check_place(path: str, widget: dict[str, Any]) -> Iterator[Finding]:
    for name, (least, most) in PLACE.items():
        value = widget.get(name)
        if value is None and name not in widget:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            yield Finding(f"{path}/{name}", "Should be integer")
        elif not least <= value <= most:
            yield Finding(f"{path}/{name}", f"Should be between {least} and {most}")
    if ("x" in widget) != ("y" in widget):
        yield Finding(path, "x and y should be given together")
    x, width = widget.get("x", 0), widget.get("width", 6)
    if isinstance(x, int) and isinstance(width, int) and x + width > COLUMNS:
        yield Finding(
            path, f"The widget reaches beyond the grid of {COLUMNS} columns: x {x} + width {width}", fatal=False
        )


def _check_overlaps(places: list[tuple[int, tuple[int, int, int, int]]]) -> Iterator[Finding]:
    for index, (one, (x, y, width, height)) in enumerate(places):
        for other, (left, top, wide, high) in places[:index]:
            if x < left + wide and left < x + width and y < top + high and top < y + height:
                yield Finding(f"/widgets/{one}", f"The widget overlaps /widgets/{other}", fatal=False)


def _check_metric(path: str, properties: dict[str, Any]) -> Iterator[Finding]:
    annotations = properties.get("annotations", {})
    alarms = annotations.get("alarms") or []
    if "metrics" not in properties and not alarms:
        yield Finding(path, "Should have required property 'metrics'")
        yield Finding(path, "The metric widget should have specified a region and a data source or an alarm annotation")
    if alarms and properties.get("metrics"):
        yield Finding(f"{path}/annotations/alarms", "A widget with an alarm annotation cannot have metrics")
    yield from _check_annotations(f"{path}/annotations", annotations)
    left = properties.get("yAxis", {}).get("left", {})
    if properties.get("view") == "gauge" and not {"min", "max"} <= left.keys():
        yield Finding(f"{path}/yAxis/left", "A gauge should have min and max on the left axis")
    for name, axis in properties.get("yAxis", {}).items():
        if axis.get("min", 0) > axis.get("max", float("inf")):
            yield Finding(f"{path}/yAxis/{name}", "min should not be greater than max")
    if properties.get("sparkline") and properties.get("setPeriodToTimeRange"):
        yield Finding(path, "setPeriodToTimeRange and sparkline exclude each other", fatal=False)
    rows, errors = expand_rows(properties.get("metrics", []))
    for error in errors:
        part = "" if error.part is None else f"/{error.part}"
        yield Finding(f"{path}/metrics/{error.row}{part}", str(error))
    for index, raw in enumerate(properties.get("metrics", [])):
        if raw and isinstance(raw[-1], dict):
            yield from _check_fields(f"{path}/metrics/{index}/{len(raw) - 1}", raw[-1], RENDERING)
    if not errors:
        yield from _check_ids(f"{path}/metrics", rows)


def _check_ids(path: str, rows: list[Row]) -> Iterator[Finding]:
    """Ids unique and well formed, expressions that parse and name only ids of the same widget."""
    shapes: dict[str, str] = {}
    for index, row in enumerate(rows):
        id = row.options.get("id")
        if id is None:
            continue
        if not isinstance(id, str) or not ID.fullmatch(id) or len(id) > 255:
            yield Finding(f"{path}/{index}", f'The id "{id}" should match ^[a-z][a-zA-Z0-9_]*$')
        elif id in shapes:
            yield Finding(f"{path}/{index}", f'The id "{id}" is used twice in this widget')
        else:
            shapes[id] = "array" if "expression" in row.options else "series"
    for index, row in enumerate(rows):
        text = row.options.get("expression")
        if isinstance(text, str) and not text.lstrip().startswith("SELECT"):
            try:
                expression = Expression(text)
                for search in expression.searches:
                    check_search(search)
            except MathError as error:
                yield Finding(f"{path}/{index}", f"The expression is invalid: {error}")
                continue
            for id in sorted(expression.ids - shapes.keys()):
                yield Finding(f"{path}/{index}", f'The expression names the id "{id}", which no metric here has')
            if row.options.get("id") in expression.ids:
                yield Finding(f"{path}/{index}", "The expression refers to itself")


def _check_annotations(path: str, annotations: dict[str, Any]) -> Iterator[Finding]:
    for name in annotations:
        if name not in ("alarms", "horizontal", "vertical"):
            yield Finding(
                path, f'The "{name}" property is not expected to be part of a widget definition, will be ignored', False
            )
    alarms = annotations.get("alarms", [])
    test = WIDGET_PROPERTIES["alarm"][0]["alarms"]
    if alarms and (problem := test(alarms)):
        yield Finding(f"{path}/alarms", problem)
    elif len(alarms) > 1:
        yield Finding(f"{path}/alarms", "Should NOT have more than 1 items")
    if alarms and (annotations.get("horizontal") or annotations.get("vertical")):
        yield Finding(path, "A widget cannot have both an alarm and other annotations")
    tables: dict[str, Fields] = {
        "horizontal": {**ANNOTATION, "value": number, "fill": one_of("above", "below", "none"), "yAxis": side},
        "vertical": {**ANNOTATION, "value": moment, "fill": one_of("before", "after", "none"), "color": color},
    }
    for name, table in tables.items():
        for index, line in enumerate(annotations.get(name, [])):
            for edge in line if isinstance(line, list) else [line]:
                if not isinstance(edge, dict):
                    yield Finding(f"{path}/{name}/{index}", "Should be object")
                else:
                    yield from _check_fields(f"{path}/{name}/{index}", edge, table, ("value",))


def _check_variables(variables: list[dict[str, Any]]) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for index, variable in enumerate(variables):
        path = f"/variables/{index}"
        yield from _check_fields(path, variable, VARIABLE, ("type", "inputType", "id"))
        kind = str(variable.get("type"))
        if kind in ("property", "pattern") and kind not in variable:
            yield Finding(path, f"Should have required property '{kind}'")
        for name in ("id", "property"):
            if name in variable and (name, str(variable[name])) in seen:
                yield Finding(f"{path}/{name}", f'Duplicated {name} in variable: "{variable[name]}"')
            seen.add((name, str(variable.get(name, index))))
        yield from _check_choices(path, variable)


def _check_choices(path: str, variable: dict[str, Any]) -> Iterator[Finding]:
    """select and radio need values, or a search and the dimension to populate from."""
    if variable.get("inputType") == "input":
        if len(str(variable.get("defaultValue", ""))) > 255:
            yield Finding(f"{path}/defaultValue", "Should NOT be longer than 255 characters")
        return
    values, search, dimension = variable.get("values"), variable.get("search"), variable.get("populateFrom")
    if not values and not (search and dimension):
        yield Finding(path, "Should have 'values', or 'search' together with 'populateFrom'")
    default = variable.get("defaultValue")
    if isinstance(values, list) and default is not None and not search:
        options = [value.get("value") for value in values if isinstance(value, dict)]
        if default not in options:
            yield Finding(f"{path}/defaultValue", "Should be one of the values")
    if isinstance(search, str) and isinstance(dimension, str):
        try:
            if dimension not in check_search(search)[1:]:
                yield Finding(f"{path}/populateFrom", "Should be a dimension that the search names")
        except MathError as error:
            yield Finding(f"{path}/search", str(error))
