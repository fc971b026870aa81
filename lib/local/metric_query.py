"""Metric data queries: what GetMetricData, alarms and anomaly detectors ask, checked and answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lib.local.metric_labels import properties_of
from lib.local.metric_math import ID, Expression
from lib.local.metric_search import find_metrics
from lib.local.metric_store import Metric, MetricStore
from lib.local.samples import is_statistic
from lib.local.time_series import Grid, MathError, Scope, TimeSeries, Value

__all__ = ["Band", "Query", "QueryError", "QuerySet", "is_period"]

Band = Callable[[MetricStore, "Query", TimeSeries, float, Grid], list[TimeSeries]]


class QueryError(Exception):
    """The queries are wrong; the message is AWS's ValidationError."""


class Query(NamedTuple):
    """One MetricDataQuery. `metric` and `stat` are set for a metric, `expression` for an expression."""

    id: str
    label: str
    returned: bool | None
    period: int | None
    metric: Metric | None
    stat: str
    unit: str | None
    expression: str


def is_period(seconds: int) -> bool:
    """1, 5, 10, 20, 30, 60 or a multiple of 60."""
    return seconds in (1, 5, 10, 20, 30) or (seconds >= 60 and seconds % 60 == 0)


def _read(raw: Mapping[str, Any], index: int) -> Query:
    where = f"MetricDataQueries.member.{index}"
    id = str(raw.get("Id", ""))
    if not ID.fullmatch(id) or len(id) > 255:
        raise QueryError(f"Invalid value '{id}' for {where}.Id: it must match ^[a-z][a-zA-Z0-9_]*$")
    stat, expression = raw.get("MetricStat"), raw.get("Expression")
    if (stat is None) == (expression is None):
        raise QueryError(f"{where} ({id}): exactly one of MetricStat and Expression is required")
    period = raw.get("Period")
    if period is not None and not is_period(int(period)):
        raise QueryError(f"Invalid Period {period} for {where}: it must be 1, 5, 10, 20, 30 or a multiple of 60")
    label, returned = str(raw.get("Label") or ""), raw.get("ReturnData")
    if stat is None:
        text = str(expression)
        if not 1 <= len(text) <= 2048:
            raise QueryError(f"{where}.Expression must have 1 to 2048 characters")
        return Query(id, label, returned, period and int(period), None, "", None, text)
    return _read_metric(Query(id, label, returned, None, None, "", None, ""), stat, where)


def _read_metric(query: Query, stat: Mapping[str, Any], where: str) -> Query:
    named = stat.get("Metric") or {}
    for key in ("Namespace", "MetricName"):
        if not named.get(key):
            raise QueryError(f"The parameter {where}.MetricStat.Metric.{key} is required.")
    period = int(stat.get("Period") or 0)
    if not is_period(period):
        raise QueryError(f"Invalid Period {period} for {where}.MetricStat: use 1, 5, 10, 20, 30 or a multiple of 60")
    statistic = str(stat.get("Stat") or "")
    if not is_statistic(statistic):
        raise QueryError(f"The value {statistic} for parameter {where}.MetricStat.Stat is not supported.")
    pairs = tuple((str(pair["Name"]), str(pair["Value"])) for pair in named.get("Dimensions") or ())
    metric = Metric.of(str(named["Namespace"]), str(named["MetricName"]), pairs)
    return query._replace(period=period, metric=metric, stat=statistic, unit=stat.get("Unit"))


class QuerySet:
    """Checked queries with their expressions parsed, ready to be answered many times.

    Raises QueryError: ids malformed or twice, an expression that cannot be parsed, names nothing, goes in circles,
    or results in a number.
    """

    def __init__(self, raw: Sequence[Mapping[str, Any]], most: int = 500) -> None:
        if len(raw) > most:
            raise QueryError(f"The collection MetricDataQueries must not have a size greater than {most}.")
        self.queries = [_read(one, index) for index, one in enumerate(raw, 1)]
        ids = [query.id for query in self.queries]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            raise QueryError(f"The values for parameter id in MetricDataQueries are not unique: {', '.join(twice)}")
        self.metrics = {query.id: query for query in self.queries if query.metric is not None}
        self.expressions: dict[str, Expression] = {}
        self.shapes: dict[str, str] = dict.fromkeys(self.metrics, "series")
        self._periods = {query.id: query.period for query in self.queries if query.period}
        self._parse([query for query in self.queries if query.metric is None])

    def _parse(self, queries: list[Query]) -> None:
        parsed: dict[str, Expression] = {}
        for query in queries:
            if re.match(r"\s*SELECT\b", query.expression):
                raise QueryError(
                    f"Error in expression '{query.id}': Metrics Insights queries are not supported locally"
                )
            try:
                parsed[query.id] = Expression(query.expression)
            except MathError as error:
                raise QueryError(f"Error in expression '{query.id}': {error}") from None
        while parsed:
            ready = [id for id, expression in parsed.items() if not expression.ids & parsed.keys()]
            if not ready:
                raise QueryError(f"Error in expression '{next(iter(parsed))}': it refers to itself")
            for id in ready:
                self._settle(id, parsed.pop(id))

    def _settle(self, id: str, expression: Expression) -> None:
        """Keep an expression whose references are all known, in the order in which to evaluate."""
        try:
            self.shapes[id] = expression.shape(self.shapes)
        except MathError as error:
            raise QueryError(f"Error in expression '{id}': {error}") from None
        if self.shapes[id] == "scalar":
            raise QueryError(f"Error in expression '{id}': the result must be a time series, not a single number")
        self.expressions[id] = expression

    def period_of(self, id: str) -> int:
        """The period of a metric, or the shortest among the metrics an expression draws on (300 if none)."""
        if id not in self._periods:
            used = self.expressions[id].ids or set(self.metrics)
            self._periods[id] = min((self.period_of(one) for one in used), default=300)
        return self._periods[id]

    def answer(self, store: MetricStore, start: int, end: int, band: Band | None = None) -> dict[str, Value]:
        """The value of every query over [start, end), periods counted from `start`. Raises QueryError."""
        metrics = {
            id: TimeSeries(
                id,
                query.label or query.metric.name,
                query.period or 60,
                store.values(query.metric, query.stat, query.period or 60, start, end, query.unit),
                properties_of(query.metric, query.stat, query.period or 60),
            )
            for id, query in self.metrics.items()
            if query.metric is not None
        }
        results: dict[str, Value] = {}
        for id, expression in self.expressions.items():
            grid = Grid(start, end, self.period_of(id))
            scope = Scope(grid, metrics, results, _searcher(store, start, end), self._bander(store, grid, band))
            try:
                results[id] = expression.evaluate(scope)
            except MathError as error:
                raise QueryError(f"Error in expression '{id}': {error}") from None
        return {query.id: metrics[query.id] if query.id in metrics else results[query.id] for query in self.queries}

    def _bander(
        self, store: MetricStore, grid: Grid, band: Band | None
    ) -> Callable[[TimeSeries, float], list[TimeSeries]] | None:
        if band is None:
            return None

        def of(series: TimeSeries, width: float) -> list[TimeSeries]:
            if series.id not in self.metrics:
                raise MathError("ANOMALY_DETECTION_BAND of an expression is not supported locally")
            return band(store, self.metrics[series.id], series, width, grid)

        return of


def _searcher(store: MetricStore, start: int, end: int) -> Callable[[str, str, int], list[TimeSeries]]:
    def search(text: str, stat: str, period: int) -> list[TimeSeries]:
        if not is_statistic(stat):
            raise MathError(f"SEARCH: no such statistic '{stat}'")
        if not is_period(period):
            raise MathError(f"SEARCH: {period} is no valid period")
        found = find_metrics(store, text, end)
        names = {metric.name for metric in found}
        return [
            TimeSeries(
                "",
                _label(metric, len(names) > 1),
                period,
                store.values(metric, stat, period, start, end),
                properties_of(metric, stat, period),
            )
            for metric in found
        ]

    return search


def _label(metric: Metric, named: bool) -> str:
    values = [value for _, value in metric.dimensions]
    return " ".join([*values, metric.name] if named or not values else values)
