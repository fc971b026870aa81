"""CloudWatch's metric operations on our store: PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from lib.local import anomaly_bands, clock
from lib.local.metric_labels import label_of
from lib.local.metric_query import Query, QueryError, QuerySet, is_period
from lib.local.metric_store import Metric, MetricStore, store_of
from lib.local.samples import is_statistic
from lib.local.time_series import TimeSeries

__all__ = ["MetricOperations", "epoch_of", "when"]

PAGE = 500
MOST_DATAPOINTS = 100_800
# ListMetrics: "If a metric has had no new data for two weeks, it is not returned"
RECENT_SECONDS = 14 * 86_400
LARGEST = 2.0**360


def epoch_of(value: datetime) -> float:
    """Epoch seconds of a request's timestamp; the parser leaves out the zone, which is UTC."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def when(epoch: float) -> datetime:
    """The datetime that responses are made of."""
    return datetime.fromtimestamp(epoch, UTC)


class MetricOperations(CloudWatchResponse):
    """To be mixed into the CloudWatch endpoint."""

    @property
    def _store(self) -> MetricStore:
        return store_of(self.cloudwatch_backend)

    def put_metric_data(self) -> ActionResult:
        namespace = str(self._get_param("Namespace") or "")
        if not namespace or namespace.startswith(("AWS/", ":")):
            raise InvalidParameterValue(f"The value {namespace} for parameter Namespace is invalid.")
        data = list(self._get_param("MetricData") or [])
        for entity in self._get_param("EntityMetricData") or []:
            data += entity.get("MetricData") or []
        if len(data) > 1000:
            raise InvalidParameterValue("The collection MetricData must not have a size greater than 1000.")
        for index, datum in enumerate(data, 1):
            _check_datum(datum, f"MetricData.member.{index}")
        for datum in data:
            _keep(self._store, namespace, datum)
        return EmptyResult()

    def get_metric_data(self) -> ActionResult:
        start, end = self._range()
        descending = self._get_param("ScanBy") != "TimestampAscending"
        most = int(self._get_param("MaxDatapoints") or MOST_DATAPOINTS)
        try:
            queries = QuerySet(self._get_param("MetricDataQueries") or [])
            answers = queries.answer(self._store, start, end, anomaly_bands.band)
        except QueryError as error:
            raise ValidationError(str(error)) from None
        series: list[tuple[str, str, TimeSeries]] = []
        for query in queries.queries:
            if query.returned is False:
                continue
            value = answers[query.id]
            for one in value if isinstance(value, list) else [value]:
                assert isinstance(one, TimeSeries)
                series.append((query.id, _label(query, one, isinstance(value, list)), one))
        results, token = _page(series, descending, most, int(self._get_param("NextToken") or 0))
        return ActionResult({"MetricDataResults": results, "Messages": [], "NextToken": token})

    def _range(self) -> tuple[int, int]:
        """The asked range in epoch seconds, its start rounded down to the minute as AWS does."""
        start, end = epoch_of(self._get_param("StartTime")), epoch_of(self._get_param("EndTime"))
        if start > end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        if start == end:
            raise ValidationError("The parameter StartTime must not equal parameter EndTime.")
        return math.floor(start / 60) * 60, math.ceil(end)

    def get_metric_statistics(self) -> ActionResult:
        plain, extended = self._get_param("Statistics") or [], self._get_param("ExtendedStatistics") or []
        if not plain and not extended:
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        for stat in [*plain, *extended]:
            if not is_statistic(stat):
                raise InvalidParameterValue(f"The value {stat} for parameter ExtendedStatistics is not supported.")
        period = int(self._get_param("Period"))
        if not is_period(period):
            raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60")
        if epoch_of(self._get_param("StartTime")) >= epoch_of(self._get_param("EndTime")):
            raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
        start, end = self._range()
        if (asked := math.ceil((end - start) / period)) > 1440:
            raise InvalidParameterCombination(
                f"You have requested up to {asked:,} datapoints, which exceeds the limit of 1,440. You may reduce the "
                "datapoints requested by increasing Period, or decreasing the time range."
            )
        name = self._get_param("MetricName")
        metric = Metric.of(self._get_param("Namespace"), name, _pairs(self._get_param("Dimensions") or []))
        points = []
        for at, (samples, unit) in self._store.periods(metric, period, start, end, self._get_param("Unit")).items():
            point: dict[str, Any] = {"Timestamp": when(at), "Unit": unit}
            point |= {stat: samples.statistic(stat) for stat in plain}
            if extended:
                found = {stat: samples.statistic(stat) for stat in extended}
                point["ExtendedStatistics"] = {stat: value for stat, value in found.items() if value is not None}
            points.append(point)
        return ActionResult({"Label": name, "Datapoints": points})

    def list_metrics(self) -> ActionResult:
        namespace, name = self._get_param("Namespace"), self._get_param("MetricName")
        wanted = [(pair["Name"], pair.get("Value")) for pair in self._get_param("Dimensions") or []]
        active = 3 * 3600 if self._get_param("RecentlyActive") == "PT3H" else RECENT_SECONDS
        oldest = clock.now() - active
        found = [
            metric
            for metric in self._store.metrics()
            if (not namespace or metric.namespace == namespace)
            and (not name or metric.name == name)
            and all(_has(metric, *pair) for pair in wanted)
            and (self._store.latest(metric) or 0) >= oldest
        ]
        first = int(self._get_param("NextToken") or 0)
        page = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
            }
            for metric in found[first : first + PAGE]
        ]
        token = str(first + PAGE) if len(found) > first + PAGE else None
        return ActionResult({"Metrics": page, "NextToken": token})


def _label(query: Query, series: TimeSeries, of_many: bool) -> str:
    if "${" in query.label:
        return label_of(query.label, series)
    if of_many:
        return f"{query.label} {series.label}".strip()
    return query.label or (f"{query.metric.name} {query.stat}" if query.metric else query.id)


def _has(metric: Metric, name: str, value: str | None) -> bool:
    return any(key == name and value in (None, held) for key, held in metric.dimensions)


def _pairs(dimensions: Iterable[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((pair["Name"], pair["Value"]) for pair in dimensions)


def _page(
    series: list[tuple[str, str, TimeSeries]], descending: bool, most: int, skip: int
) -> tuple[list[dict[str, Any]], str | None]:
    """The results from the `skip`-th point on, at most `most` points, and the token of the rest."""
    results: list[dict[str, Any]] = []
    seen = given = 0
    whole = sum(len(one.points) for _, _, one in series)
    for id, label, one in series:
        points = sorted(one.points.items(), reverse=descending)
        first = max(0, skip - seen)
        part = points[first : first + most - given]
        seen += len(points)
        given += len(part)
        if skip and not part:
            continue
        complete = first + len(part) == len(points)
        results.append(
            {
                "Id": id,
                "Label": label,
                "Timestamps": [when(at) for at, _ in part],
                "Values": [value for _, value in part],
                "StatusCode": "Complete" if complete else "PartialData",
            }
        )
    return results, str(skip + given) if skip + given < whole else None


def _check_datum(datum: dict[str, Any], where: str) -> None:
    if not datum.get("MetricName"):
        raise InvalidParameterValue(f"The parameter {where}.MetricName is required.")
    dimensions = datum.get("Dimensions") or []
    if len(dimensions) > 30 or any(not pair.get("Name") or not pair.get("Value") for pair in dimensions):
        raise InvalidParameterValue(f"The value for parameter {where}.Dimensions is invalid: at most 30, none empty.")
    forms = [key for key in ("Value", "Values", "StatisticValues") if datum.get(key) is not None]
    if len(forms) != 1:
        raise InvalidParameterCombination(f"{where}: exactly one of Value, Values and StatisticValues is required.")
    values = [datum["Value"]] if forms == ["Value"] else datum.get("Values") or []
    if len(values) > 150 or len(datum.get("Counts") or values) != len(values):
        raise InvalidParameterValue(
            f"The parameters {where}.Values and {where}.Counts must be of the same size, 150 at most."
        )
    if forms == ["StatisticValues"]:
        values = [datum["StatisticValues"].get(key) for key in ("Sum", "SampleCount", "Minimum", "Maximum")]
    for value in [*values, *(datum.get("Counts") or [])]:
        if value is None or not math.isfinite(value) or abs(value) > LARGEST:
            raise InvalidParameterValue(f"The value {value} for parameter {where}.{forms[0]} is invalid.")
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise InvalidParameterValue(f"The parameter {where}.StorageResolution must be 1 or 60.")
    age = clock.now() - epoch_of(datum["Timestamp"]) if datum.get("Timestamp") else 0.0
    if not -2 * 3600 <= age <= 14 * 86_400:
        raise InvalidParameterValue(
            f"The parameter {where}.Timestamp must be at most two weeks in the past or two hours ahead."
        )


def _keep(store: MetricStore, namespace: str, datum: dict[str, Any]) -> None:
    metric = Metric.of(namespace, datum["MetricName"], _pairs(datum.get("Dimensions") or []))
    at = epoch_of(datum["Timestamp"]) if datum.get("Timestamp") else clock.now()
    unit, resolution = datum.get("Unit") or "None", int(datum.get("StorageResolution") or 60)
    if datum.get("StatisticValues") is not None:
        store.put_set(metric, at, datum["StatisticValues"], unit=unit, resolution=resolution)
        return
    values = datum["Values"] if datum.get("Values") is not None else [datum["Value"]]
    for value, count in zip(values, datum.get("Counts") or [1] * len(values), strict=True):
        store.put(metric, at, value, count=count, unit=unit, resolution=resolution)
