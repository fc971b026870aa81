"""Alarms and their evaluation at CloudWatch's pace.

Every full minute (every ten seconds for periods below a minute) each alarm looks at its newest periods, which slide:
a five-minute alarm looks each minute at the last five. A change of state is kept in the history and sets off the
actions of the new state, once; while a state lasts nothing happens. The state of an alarm before its first
evaluation is INSUFFICIENT_DATA.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.utils import make_arn_for_alarm

from lib.local import alarm_actions, anomaly_bands, clock
from lib.local.alarm_reasons import explain
from lib.local.alarm_rules import queries_of
from lib.local.alarm_state import COMPARISONS, Point, evaluation_range, judge
from lib.local.composite_alarms import Rule
from lib.local.metric_query import QueryError, QuerySet
from lib.local.metric_store import MetricStore, store_of
from lib.local.time_series import TimeSeries

__all__ = ["Alarm", "AlarmClock"]

# Points of a minute arrive shortly after its end; AWS waits longer.
GRACE_SECONDS = 2.0
# After a leap of the clock: no more than this many evaluations are made up for.
MOST_MISSED = 1440
HISTORY_SECONDS = 14 * 86_400
# An alarm with one of these may change without new data.
RESTLESS = {"ANOMALY_DETECTION_BAND", "MINUTE", "HOUR", "DAY", "DATE", "MONTH", "YEAR", "EPOCH"}


class HistoryItem(NamedTuple):
    at: float
    kind: str
    summary: str
    data: dict[str, Any]


class Alarm:
    """A metric alarm, or a composite one if its settings have an AlarmRule.

    `settings` is the request that made it, in AWS's words. moto's other services read `name`, `alarm_arn` and
    `alarm_actions`.
    """

    def __init__(self, settings: Mapping[str, Any], account: str, region: str, created: float) -> None:
        self.name = str(settings["AlarmName"])
        self.account, self.region = account, region
        self.alarm_arn: str = make_arn_for_alarm(region, account, self.name)
        self.lock = threading.RLock()
        self.history: list[HistoryItem] = []
        self.state = "INSUFFICIENT_DATA"
        self.reason, self.reason_data = "Unchecked: Initial alarm creation", ""
        self.transitioned = created
        self.evaluated = created
        self.settings: Mapping[str, Any] = {}
        self.configure(settings, created, f'Alarm "{self.name}" created')

    def configure(self, settings: Mapping[str, Any], at: float, summary: str) -> None:
        """Take over a new configuration. The state stays; whatever the settings leave out is gone."""
        with self.lock:
            self.settings = {key: value for key, value in settings.items() if key != "Tags"}
            self.actions_enabled = settings.get("ActionsEnabled") is not False
            self.rule = Rule(str(settings["AlarmRule"])) if "AlarmRule" in settings else None
            self.queries = None if self.rule else queries_of(settings)
            self.configured = at
            self.quiet = False
            self.remember(at, "ConfigurationUpdate", summary, {"updatedAlarm": {"alarmName": self.name}})

    @property
    def alarm_actions(self) -> list[str]:
        return list(self.settings.get("AlarmActions") or [])

    @property
    def kind(self) -> str:
        return "CompositeAlarm" if self.rule else "MetricAlarm"

    def actions_of(self, state: str) -> list[str]:
        key = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(state, "InsufficientDataActions")
        return list(self.settings.get(key) or [])

    def remember(self, at: float, kind: str, summary: str, data: dict[str, Any]) -> None:
        self.history.append(HistoryItem(at, kind, summary, data))
        while self.history[0].at < at - HISTORY_SECONDS:
            del self.history[0]

    def enter(self, state: str, reason: str, data: dict[str, Any], at: float) -> None:
        """Take on a state. If it is another one than before, keep it in the history and set off its actions."""
        with self.lock:
            before, self.state = self.state, state
            if before == state:
                return  # the reason stays that of the last change
            self.reason, self.reason_data = reason[:1023], json.dumps(data) if data else ""
            self.transitioned, self.quiet = at, False
            states = {"oldState": {"stateValue": before}, "newState": {"stateValue": state, "stateReason": reason}}
            self.remember(at, "StateUpdate", f"Alarm updated from {before} to {state}", states)
            if self.actions_enabled:
                for summary in alarm_actions.perform(self, before, at):
                    self.remember(at, "Action", summary, {"stateUpdateTimestamp": at})

    # Evaluation of metric alarms

    @property
    def interval(self) -> int:
        """Seconds between evaluations: 60, or 10 for high-resolution alarms."""
        return 10 if self._period() < 60 else 60

    def _period(self) -> int:
        assert self.queries is not None
        return next(query.period or 60 for query in self.queries.metrics.values())

    def catch_up(self, store: MetricStore, now: float) -> None:
        """Evaluate at every boundary since the last evaluation. Where nothing can have changed, nothing is done."""
        with self.lock:
            interval = self.interval
            newest = math.floor((now - GRACE_SECONDS) / interval) * interval
            first = math.floor(self.evaluated / interval) * interval + interval
            for boundary in range(max(first, newest - MOST_MISSED * interval), newest + 1, interval):
                if self.quiet and self._untouched(store, newest):
                    break
                self.evaluate(store, boundary, min(now, boundary + GRACE_SECONDS) if boundary < newest else now)
            self.evaluated = max(self.evaluated, newest)

    def _untouched(self, store: MetricStore, newest: int) -> bool:
        assert self.queries is not None
        span = evaluation_range(int(self.settings["EvaluationPeriods"])) * self._period()
        return not any(
            query.metric is not None and store.has_data(query.metric, self.evaluated - span - 60, newest)
            for query in self.queries.metrics.values()
        )

    def evaluate(self, store: MetricStore, boundary: int, at: float) -> None:
        """Judge the periods that end at `boundary`, as of the time `at`."""
        assert self.queries is not None
        periods = int(self.settings["EvaluationPeriods"])
        needed = int(self.settings.get("DatapointsToAlarm") or periods)
        period = self._period()
        start = boundary - evaluation_range(periods) * period
        try:
            row = self._row(self.queries, store, start, boundary, period)
        except QueryError as error:
            self.enter("INSUFFICIENT_DATA", f"The metric math expression failed: {error}", {}, at)
            return
        missing = str(self.settings.get("TreatMissingData") or "missing")
        if self._too_few_samples(store, start, boundary, periods * period):
            missing, row = "ignore", [None] * len(row)
        state = judge(row, periods, needed, missing, self.state)
        reason, data = explain(self.settings, period, row, state, at)
        self.enter(state, reason, data, at)
        functions = {name for expression in self.queries.expressions.values() for name in expression.functions}
        self.evaluated = boundary
        self.quiet = not functions & RESTLESS and not any(
            query.metric is not None and store.has_data(query.metric, start, boundary)
            for query in self.queries.metrics.values()
        )

    def _row(self, queries: QuerySet, store: MetricStore, start: int, end: int, period: int) -> list[Point | None]:
        answers = queries.answer(store, start, end, anomaly_bands.band)
        band_id = self.settings.get("ThresholdMetricId")
        watched = next(q.id for q in queries.queries if q.returned is not False and q.id != band_id)
        series = answers[watched]
        assert isinstance(series, TimeSeries)
        breaches = self._breaches(answers[band_id]) if band_id else self._over
        row: list[Point | None] = []
        for begin in range(start, end, period):
            value = series.points.get(begin)
            breaching = None if value is None else breaches(begin, value)
            row.append(None if value is None or breaching is None else Point(begin, value, breaching))
        return row

    def _over(self, _: int, value: float) -> bool | None:
        compare = COMPARISONS[self.settings["ComparisonOperator"]]
        return compare(value, float(self.settings["Threshold"]))

    def _breaches(self, band: Any) -> Callable[[int, float], bool | None]:
        upper, lower = band
        comparison = self.settings["ComparisonOperator"]

        def outside(at: int, value: float) -> bool | None:
            if at not in upper.points:
                return None
            above: bool = value > upper.points[at]
            below: bool = value < lower.points[at]
            if comparison == "GreaterThanUpperThreshold":
                return above
            return below if comparison == "LessThanLowerThreshold" else above or below

        return outside

    def _too_few_samples(self, store: MetricStore, start: int, end: int, span: int) -> bool:
        """EvaluateLowSampleCountPercentile=ignore: fewer than 10/(1-p) samples do not count (10/p below p50)."""
        stat = str(self.settings.get("ExtendedStatistic") or "")
        if self.settings.get("EvaluateLowSampleCountPercentile") != "ignore" or not stat.startswith("p"):
            return False
        share = float(stat[1:]) / 100
        least = 10 / max(1e-9, 1 - share if share >= 0.5 else share)
        assert self.queries is not None
        metric = next(query.metric for query in self.queries.metrics.values())
        assert metric is not None
        return sum(store.values(metric, "SampleCount", 60, end - span, end).values()) < least


class AlarmClock:
    """Evaluates all alarms of all accounts and Regions; `tick` about once a second."""

    def tick(self, now: float | None = None) -> None:
        """Bring every alarm up to date as of `now` (default: the embedded AWS's clock)."""
        when = clock.now() if now is None else now
        for _, _, backend in list(cloudwatch_backends.iter_backends()):
            alarms = [alarm for alarm in list(backend.alarms.values()) if isinstance(alarm, Alarm)]
            store = store_of(backend)
            for alarm in alarms:
                if alarm.rule is None:
                    alarm.catch_up(store, when)
            for alarm in alarms:
                if alarm.rule is not None:
                    _evaluate_composite(alarm, {other.name: other.state for other in alarms}, when)


def _evaluate_composite(alarm: Alarm, states: dict[str, str], now: float) -> None:
    assert alarm.rule is not None
    state = "ALARM" if alarm.rule.holds(states) else "OK"
    named = {name: states.get(name, "INSUFFICIENT_DATA") for name in sorted(alarm.rule.names)}
    children = ", ".join(f"{name} is {value}" for name, value in named.items())
    with alarm.lock:
        if state != alarm.state:
            data = {"triggeringAlarms": [{"name": name, "state": {"value": value}} for name, value in named.items()]}
            alarm.enter(state, f"The alarm rule is {'true' if state == 'ALARM' else 'false'}: {children}", data, now)
