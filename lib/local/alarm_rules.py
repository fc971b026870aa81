"""What CloudWatch accepts in PutMetricAlarm. moto accepts nearly anything, and AWS then refuses it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from moto.cloudwatch.exceptions import ValidationError

from lib.local.alarm_state import COMPARISONS
from lib.local.metric_query import QueryError, QuerySet
from lib.local.samples import is_statistic

__all__ = ["BAND_COMPARISONS", "MOST_METRICS", "check_actions", "check_alarm", "check_name", "check_tags", "queries_of"]

BAND_COMPARISONS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
MOST_METRICS = 10
SINGLE = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
UNSUPPORTED = ("EvaluationCriteria", "EvaluationInterval", "WarmUpConfiguration", "ActionConfiguration")
ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
ACTION = re.compile(r"arn:(aws[a-z-]*):(sns|lambda|automate|swf|autoscaling|ssm|ssm-incidents|aiops):([a-z0-9-]*):(.+)")
# Functions whose result depends on more than the points of one period, or on metrics not yet known.
NOT_IN_ALARMS = ("SEARCH",)


def _refuse(message: str) -> NoReturn:
    raise ValidationError(message)


def check_alarm(settings: Mapping[str, Any], region: str) -> QuerySet:
    """Check a PutMetricAlarm request and return its queries, parsed. Raises ValidationError."""
    check_name(settings.get("AlarmName"))
    for key in UNSUPPORTED:
        if settings.get(key) is not None:
            _refuse(f"{key} is not supported by the embedded AWS.")
    if "WallClockWindow" in (settings.get("EvaluationWindow") or {}):
        _refuse("EvaluationWindow.WallClockWindow is not supported by the embedded AWS.")
    if len(settings.get("AlarmDescription") or "") > 1024:
        _refuse("AlarmDescription must have at most 1024 characters.")
    check_actions(settings, region)
    check_tags(settings.get("Tags") or [])
    _check_option(settings, "TreatMissingData", ("breaching", "notBreaching", "ignore", "missing"))
    _check_option(settings, "EvaluateLowSampleCountPercentile", ("evaluate", "ignore"))
    _check_comparison(settings)
    queries = _check_source(settings)
    _check_range(settings, queries)
    return queries


def check_name(name: str | None) -> None:
    """Raises ValidationError unless the alarm name has 1 to 255 characters, none of them a control character."""
    if not name or len(name) > 255:
        _refuse("AlarmName must have 1 to 255 characters.")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        _refuse("AlarmName must not contain control characters.")


def check_actions(settings: Mapping[str, Any], region: str) -> None:
    """At most five ARNs a state, of a kind CloudWatch can act on, in the alarm's own Region."""
    for key in ACTIONS:
        actions = settings.get(key) or []
        if len(actions) > 5:
            _refuse(f"{key} must have at most 5 members.")
        for arn in actions:
            match = ACTION.fullmatch(arn)
            if match is None or len(arn) > 1024:
                _refuse(f"Invalid arn syntax: {arn}")
            if match[2] in ("sns", "lambda") and match[3] != region:
                _refuse(f"Invalid region {match[3]} specified. Only {region} is supported.")


def check_tags(tags: Sequence[Mapping[str, str]]) -> None:
    """At most 50 tags, keys unique and not AWS's own."""
    keys = [str(tag.get("Key", "")) for tag in tags]
    if len(tags) > 50:
        _refuse("Tags must have at most 50 members.")
    if len(set(keys)) < len(keys):
        _refuse("Tags must not contain the same key twice.")
    if any(not 1 <= len(key) <= 128 or key.lower().startswith("aws:") for key in keys):
        _refuse("Tag keys must have 1 to 128 characters and must not begin with aws:.")
    if any(len(str(tag.get("Value", ""))) > 256 for tag in tags):
        _refuse("Tag values must have at most 256 characters.")


def _check_option(settings: Mapping[str, Any], key: str, options: tuple[str, ...]) -> None:
    value = settings.get(key)
    if value is not None and value not in options:
        _refuse(f"Option {value} is not supported. Supported options for parameter {key} are {' and '.join(options)}.")


def _check_comparison(settings: Mapping[str, Any]) -> None:
    comparison, banded = settings.get("ComparisonOperator"), settings.get("ThresholdMetricId") is not None
    known = [*COMPARISONS, *BAND_COMPARISONS]
    if comparison not in known:
        _refuse(
            f"1 validation error detected: Value '{comparison}' at 'comparisonOperator' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(known)}]"
        )
    if banded != (comparison in BAND_COMPARISONS):
        _refuse(f"ComparisonOperator {comparison} does {'not ' if banded else ''}need a ThresholdMetricId.")
    if banded and settings.get("Threshold") is not None:
        _refuse("Threshold must not be specified together with ThresholdMetricId.")
    if not banded and settings.get("Threshold") is None:
        _refuse("Threshold must be specified.")


def _check_source(settings: Mapping[str, Any]) -> QuerySet:
    metrics = settings.get("Metrics")
    given = [key for key in SINGLE if settings.get(key)]
    if metrics is not None:
        if given:
            _refuse(f"Parameters {', '.join(given)} must not be used together with Metrics.")
        return _check_math(settings, metrics)
    for key in ("MetricName", "Namespace", "Period"):
        if not settings.get(key):
            _refuse(f"The parameter {key} is required when Metrics is not specified.")
    if bool(settings.get("Statistic")) == bool(settings.get("ExtendedStatistic")):
        _refuse("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if len(settings.get("Dimensions") or []) > 30:
        _refuse("Dimensions must have at most 30 members.")
    extended = settings.get("ExtendedStatistic")
    if extended and not is_statistic(extended):
        _refuse(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    return queries_of(settings)


def queries_of(settings: Mapping[str, Any]) -> QuerySet:
    """The queries an alarm watches: its Metrics, or its single metric under the id "m1". Raises ValidationError."""
    raw = settings.get("Metrics") or [
        {
            "Id": "m1",
            "ReturnData": True,
            "MetricStat": {
                "Metric": {key: settings[key] for key in ("Namespace", "MetricName", "Dimensions") if key in settings},
                "Period": settings.get("Period"),
                "Stat": settings.get("Statistic") or settings.get("ExtendedStatistic"),
                "Unit": settings.get("Unit"),
            },
        }
    ]
    try:
        return QuerySet(raw)
    except QueryError as error:
        raise ValidationError(str(error)) from None


def _check_math(settings: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> QuerySet:
    if not metrics:
        _refuse("Metrics must not be empty.")
    queries = queries_of(settings)
    if len(queries.metrics) > MOST_METRICS:
        _refuse(f"An alarm can watch at most {MOST_METRICS} metrics; this one has {len(queries.metrics)}.")
    if len({query.period for query in queries.metrics.values()}) > 1:
        _refuse("All metrics of an alarm must have the same period.")
    for id, expression in queries.expressions.items():
        forbidden = sorted(expression.functions.intersection(NOT_IN_ALARMS))
        if forbidden:
            _refuse(f"Error in expression '{id}': {forbidden[0]} is not allowed in alarms.")
    # ReturnData is true where it is omitted
    returned = [query for query in queries.queries if query.returned is not False]
    band = settings.get("ThresholdMetricId")
    if band is not None:
        _check_band(queries, band, [query.id for query in returned])
    elif len(returned) != 1:
        _refuse("Exactly one element of the metrics list should return data.")
    elif queries.shapes[returned[0].id] != "series":
        _refuse(f"Error in expression '{returned[0].id}': an alarm can watch only one time series.")
    return queries


def _check_band(queries: QuerySet, band: str, returned: list[str]) -> None:
    expression = queries.expressions.get(band)
    if expression is None or "ANOMALY_DETECTION_BAND" not in expression.functions:
        _refuse(f"ThresholdMetricId {band} is not the id of an ANOMALY_DETECTION_BAND expression.")
    if len(returned) != 2 or band not in returned:
        _refuse("Exactly two elements of the metrics list should return data: the metric and its band.")
    watched = next(id for id in returned if id != band)
    if watched not in expression.ids:
        _refuse(f"The band {band} is not the band of {watched}, which is the other element that returns data.")
    if queries.shapes[watched] != "series":
        _refuse("An anomaly alarm can watch only one time series.")


def _check_range(settings: Mapping[str, Any], queries: QuerySet) -> None:
    periods = settings.get("EvaluationPeriods")
    if periods is None or int(periods) < 1:
        _refuse("EvaluationPeriods must be specified and at least 1.")
    needed = settings.get("DatapointsToAlarm")
    if needed is not None and not 1 <= int(needed) <= int(periods):
        _refuse("DatapointsToAlarm must be at least 1 and at most EvaluationPeriods.")
    if not queries.metrics:
        _refuse("An alarm must watch at least one metric.")
    period = next(query.period or 60 for query in queries.metrics.values())
    if period not in (10, 20, 30) and period % 60:
        _refuse("Period must be 10, 20, 30 or a multiple of 60.")
    most = 604_800 if period >= 3600 else 86_400
    if period * int(periods) > most:
        span = "7 days" if most > 86_400 else "a day"
        _refuse(f"Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be <= {most}).")
