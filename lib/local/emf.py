"""CloudWatch's embedded metric format: the metrics that a log line carries. Pure; nothing here raises.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Numbers are read as decimals, so that a cost arrives as it was written.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, NamedTuple

from lib.local.metric_store import Metric

__all__ = ["Extraction", "MetricPoint", "extract"]

LARGEST_EVENT = 1_048_576
MOST_METRICS = 100
MOST_DIMENSIONS = 30
MOST_VALUES = 100
_SIZES = [f"{size}{unit}" for unit in ("bytes", "bits") for size in ("Kilo", "Mega", "Giga", "Tera")]
_RATED = ["Bytes", "Bits", "Count", *_SIZES]
UNITS = frozenset(_RATED + [f"{unit}/Second" for unit in _RATED]) | {
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "None"),
}


class MetricPoint(NamedTuple):
    """One value of one metric, at epoch second `at`. `resolution` is 60 or 1 seconds."""

    metric: Metric
    at: float
    value: Decimal | int
    unit: str
    resolution: int


class Extraction(NamedTuple):
    """What a line carries, and what in it breaks the specification (such parts are left out, as AWS does)."""

    points: list[MetricPoint]
    problems: list[str]


NOTHING = Extraction([], [])


class _Invalid(Exception):
    """A part of the document that AWS would not extract."""


def extract(message: str) -> Extraction:
    """The metric points of a log line; nothing for a line that is no embedded metric document."""
    if '"_aws"' not in message:
        return NOTHING
    try:
        # Lambda may put a time stamp and a request id before the document
        document = json.loads(message[message.index("{") :], parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Extraction([], ["not a JSON object"])
    if not isinstance(document, dict) or "_aws" not in document:
        return NOTHING
    if len(message.encode("utf-8", "replace")) > LARGEST_EVENT:
        return Extraction([], ["larger than 1 MB"])
    points: list[MetricPoint] = []
    problems: list[str] = []
    try:
        at, directives = _metadata(document["_aws"])
    except _Invalid as problem:
        return Extraction([], [str(problem)])
    for directive in directives:
        try:
            points += _points(document, directive, at, problems)
        except _Invalid as problem:
            problems.append(str(problem))
    return Extraction(points, problems)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _metadata(metadata: Any) -> tuple[float, list[Any]]:
    if not isinstance(metadata, dict):
        raise _Invalid("_aws is not an object")
    timestamp, directives = metadata.get("Timestamp"), metadata.get("CloudWatchMetrics")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        raise _Invalid("_aws.Timestamp is not a number of milliseconds")
    if not isinstance(directives, list):
        raise _Invalid("_aws.CloudWatchMetrics is not an array")
    return timestamp / 1000, directives


def _points(document: dict[str, Any], directive: Any, at: float, problems: list[str]) -> list[MetricPoint]:
    if not isinstance(directive, dict):
        raise _Invalid("a metric directive is not an object")
    namespace, metrics, sets = (directive.get(key) for key in ("Namespace", "Metrics", "Dimensions"))
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255 or namespace.startswith("AWS/"):
        raise _Invalid("Namespace is not a string of 1 to 255 characters, or one of AWS's own")
    if not isinstance(metrics, list) or len(metrics) > MOST_METRICS:
        raise _Invalid(f"Metrics is not an array of at most {MOST_METRICS}")
    if not isinstance(sets, list) or not sets:
        raise _Invalid("Dimensions is not an array of dimension sets")
    dimensions = [_dimension_set(document, one) for one in sets]
    found: list[MetricPoint] = []
    for definition in metrics:
        try:
            name, unit, resolution, values = _values(document, definition)
        except _Invalid as problem:
            problems.append(str(problem))
            continue
        for pairs in dimensions:
            metric = Metric.of(namespace, name, pairs)
            found += [MetricPoint(metric, at, value, unit, resolution) for value in values]
    return found


def _dimension_set(document: dict[str, Any], names: Any) -> dict[str, str]:
    if not isinstance(names, list) or len(names) > MOST_DIMENSIONS:
        raise _Invalid(f"a dimension set is not an array of at most {MOST_DIMENSIONS}")
    pairs: dict[str, str] = {}
    for name in names:
        value = document.get(name) if isinstance(name, str) else None
        if not isinstance(value, str) or not 1 <= len(value) <= 1024:
            raise _Invalid(f"the dimension {name} has no string of 1 to 1024 characters at the root")
        pairs[name] = value
    return pairs


def _values(document: dict[str, Any], definition: Any) -> tuple[str, str, int, list[Decimal | int]]:
    name = definition.get("Name") if isinstance(definition, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise _Invalid("a metric definition has no Name of 1 to 255 characters")
    unit, resolution = definition.get("Unit", "None"), definition.get("StorageResolution", 60)
    if unit not in UNITS:
        raise _Invalid(f"{name}: {unit} is no unit of CloudWatch")
    if resolution not in (1, 60):
        raise _Invalid(f"{name}: StorageResolution must be 1 or 60")
    target = document.get(name)
    values: list[Any] = target if isinstance(target, list) else [target]
    if len(values) > MOST_VALUES or not all(_is_number(value) for value in values):
        raise _Invalid(f"{name}: no number, and no array of at most {MOST_VALUES} numbers, at the root")
    return name, unit, resolution, values


def _is_number(value: Any) -> bool:
    return isinstance(value, (Decimal, int)) and not isinstance(value, bool) and math.isfinite(value)
