"""Anomaly detectors, and the band they give: simple statistics in place of AWS's trained model.

For each timestamp the band is mean +- width standard deviations of the metric over the two weeks before the range:
of the same hour of the same weekday where three such points exist, else of all points. Fewer than three points give
no band, so that an alarm stays at INSUFFICIENT_DATA while it "trains", as at AWS.
"""

from __future__ import annotations

import math
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ResourceNotFoundException
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from lib.local.metric_query import Query, QueryError, QuerySet
from lib.local.metric_store import MetricStore
from lib.local.samples import is_statistic
from lib.local.time_series import Grid, TimeSeries

__all__ = ["AnomalyOperations", "band"]

TRAINING_SECONDS = 14 * 86_400
FEWEST_POINTS = 3
SINGLE = ("Namespace", "MetricName", "Dimensions", "Stat")


def band(store: MetricStore, query: Query, series: TimeSeries, width: float, grid: Grid) -> list[TimeSeries]:
    """Upper and lower bound of what is usual, in this order, over the grid."""
    assert query.metric is not None
    history = TRAINING_SECONDS // series.period * series.period
    past = store.values(query.metric, query.stat, series.period, grid.start - history, grid.start, query.unit)
    upper: dict[int, float] = {}
    lower: dict[int, float] = {}
    by_hour: dict[int, list[float]] = {}
    for at, value in past.items():
        by_hour.setdefault(_hour_of_week(at), []).append(value)
    for at in grid.times():
        usual = by_hour.get(_hour_of_week(at), [])
        usual = usual if len(usual) >= FEWEST_POINTS else list(past.values())
        if len(usual) >= FEWEST_POINTS:
            mean = math.fsum(usual) / len(usual)
            spread = width * math.sqrt(math.fsum((value - mean) ** 2 for value in usual) / len(usual))
            upper[at], lower[at] = mean + spread, mean - spread
    return [
        TimeSeries("", f"{series.label} (upper)", series.period, upper),
        TimeSeries("", f"{series.label} (lower)", series.period, lower),
    ]


def _hour_of_week(at: int) -> int:
    return at // 3600 % 168


class AnomalyOperations(CloudWatchResponse):
    """PutAnomalyDetector, DescribeAnomalyDetectors, DeleteAnomalyDetector; to be mixed into the endpoint."""

    @property
    def _detectors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cloudwatch_backend.__dict__.setdefault("local_anomaly_detectors", [])
        return found

    def _asked(self) -> dict[str, Any]:
        """The detector that the request names, in the shape of AnomalyDetector. Raises AWS's errors."""
        params = self._get_params()
        flat = {key: params[key] for key in SINGLE if params.get(key)}
        forms = [flat, params.get("SingleMetricAnomalyDetector"), params.get("MetricMathAnomalyDetector")]
        if sum(bool(form) for form in forms) != 1:
            raise InvalidParameterCombination(
                "Exactly one of a single metric, SingleMetricAnomalyDetector and MetricMathAnomalyDetector is required."
            )
        if forms[2]:
            try:
                QuerySet(forms[2].get("MetricDataQueries") or [], most=10)
            except QueryError as error:
                raise InvalidParameterValue(str(error)) from None
            return {"MetricMathAnomalyDetector": forms[2]}
        single = dict(flat or forms[1] or {})
        for key in ("Namespace", "MetricName", "Stat"):
            if not single.get(key):
                raise InvalidParameterValue(f"The parameter {key} is required.")
        if not is_statistic(single["Stat"]):
            raise InvalidParameterValue(f"The value {single['Stat']} for parameter Stat is not supported.")
        single["Dimensions"] = sorted(single.get("Dimensions") or [], key=lambda pair: str(pair["Name"]))
        return {**single, "SingleMetricAnomalyDetector": dict(single)}

    def _find(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        return next((held for held in self._detectors if all(held.get(key) == asked[key] for key in asked)), None)

    def put_anomaly_detector(self) -> ActionResult:
        asked = self._asked()
        held = self._find(asked)
        if held is None:
            held = asked
            self._detectors.append(held)
        held["StateValue"] = "TRAINED"
        for key in ("Configuration", "MetricCharacteristics"):
            if self._get_param(key):
                held[key] = self._get_param(key)
        return EmptyResult()

    def describe_anomaly_detectors(self) -> ActionResult:
        kinds = self._get_param("AnomalyDetectorTypes") or ["SINGLE_METRIC"]
        wanted = {key: self._get_param(key) for key in ("Namespace", "MetricName") if self._get_param(key)}
        dimensions = sorted(self._get_param("Dimensions") or [], key=lambda pair: str(pair["Name"]))
        found = [
            held
            for held in self._detectors
            if ("METRIC_MATH" if "MetricMathAnomalyDetector" in held else "SINGLE_METRIC") in kinds
            and all(held.get(key) == value for key, value in wanted.items())
            and (not dimensions or held.get("Dimensions") == dimensions)
        ]
        first, most = int(self._get_param("NextToken") or 0), int(self._get_param("MaxResults") or 100)
        token = str(first + most) if len(found) > first + most else None
        return ActionResult({"AnomalyDetectors": found[first : first + most], "NextToken": token})

    def delete_anomaly_detector(self) -> ActionResult:
        held = self._find(self._asked())
        if held is None:
            raise ResourceNotFoundException("The anomaly detector does not exist.")
        self._detectors.remove(held)
        return EmptyResult()
