"""Dynamic labels: ${PROP('Dim.TenantID')}, ${LABEL}, ${MAX} and the like.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from lib.local.metric_store import Metric
from lib.local.time_series import TimeSeries

__all__ = ["label_of", "properties_of"]

PART = re.compile(r"\$\{(?:PROP\('([^']*)'\)|([A-Z_]+))\}")

STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "AVG": lambda values: math.fsum(values) / len(values),
    "DATAPOINT_COUNT": lambda values: float(len(values)),
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
}


def properties_of(metric: Metric, stat: str, period: int) -> dict[str, str]:
    """What PROP() may name of a metric."""
    dimensions = {f"Dim.{name}": value for name, value in metric.dimensions}
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Stat": stat,
        "Period": str(period),
        **dimensions,
    }


def label_of(template: str, series: TimeSeries) -> str:
    """The label that `template` gives to a series; parts that CloudWatch does not know stay as they are."""
    values = [series.points[at] for at in sorted(series.points)]

    def fill(match: re.Match[str]) -> str:
        if match[1] is not None:
            return series.properties.get(match[1], "--")
        if match[2] == "LABEL":
            return series.label
        if match[2] not in STATISTICS:
            return match[0]
        return f"{STATISTICS[match[2]](values):.10g}" if values else "--"

    return PART.sub(fill, template)
