"""Parameters of PutMetricAlarm, as pure functions: three alarms per profile, and the operator's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lambda_function import metrics
from lib.config import Profile
from lib.names import Names

__all__ = ["anomaly_alarm", "operator_alarms", "profile_alarms"]

_COST = (metrics.INPUT_TOKENS_COST, metrics.OUTPUT_TOKENS_COST, metrics.CACHE_TOKENS_COST)
_TOKENS = (metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS, metrics.CACHE_READ_TOKENS, metrics.CACHE_WRITE_TOKENS)
_REQUESTS = (metrics.INVOCATION_SUCCESS, metrics.INVOCATION_FAILURE)
_PICO = 10**12


def profile_alarms(names: Names, profile: Profile, topic_arn: str) -> list[dict[str, Any]]:
    """Cost over 5 minutes, tokens and requests per minute; ALARM goes to the topic, recovery to nobody.

    There is no OK action: a new alarm's first OK would send a mail each. Recovery is announced by the alert levels.
    """
    cost, tokens, requests = names.alarms(profile.name)
    usd = Decimal(profile.cost_alarm_threshold) / _PICO
    return [
        _sum_alarm(
            names, cost, f"Token cost of {profile.name} above {usd.normalize():f} USD in 5 minutes",
            topic_arn, profile.name, _COST, 300, float(usd),
        ),
        _sum_alarm(
            names, tokens, f"Tokens of {profile.name} above {profile.token_alarm_threshold} in a minute",
            topic_arn, profile.name, _TOKENS, 60, float(profile.token_alarm_threshold),
        ),
        _sum_alarm(
            names, requests, f"Requests of {profile.name} above {profile.request_alarm_threshold} in a minute",
            topic_arn, profile.name, _REQUESTS, 60, float(profile.request_alarm_threshold),
        ),
    ]  # fmt: skip


def anomaly_alarm(names: Names, tenant: str, topic_arn: str) -> dict[str, Any]:
    """CloudWatch's own anomaly detection on a tenant's output cost; three times the price of a plain alarm."""
    dimensions = [{"Name": metrics.TENANT_DIMENSION, "Value": tenant}]
    return {
        "AlarmName": f"BedrockCostAnomalyAlarm-{names.deployment}-{tenant}",
        "AlarmDescription": f"Cost of {tenant} outside the band CloudWatch expects",
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn],
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "ComparisonOperator": "GreaterThanUpperThreshold",
        "ThresholdMetricId": "band",
        "TreatMissingData": "notBreaching",
        "Metrics": [
            _query("m1", metrics.OUTPUT_TOKENS_COST, dimensions, 300, returned=True),
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 3)", "Label": "expected", "ReturnData": True},
        ],
        "Tags": names.tag_list,
    }


def operator_alarms(names: Names, topic_arn: str) -> list[dict[str, Any]]:
    """What only the operator can mend: a reply dearer than its reservation, a scheduled function that fails."""
    common: dict[str, Any] = {
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn],
        "Statistic": "Sum",
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": names.tag_list,
    }
    return [
        {
            **common,
            "AlarmName": f"BedrockReservationExceededAlarm-{names.deployment}",
            "AlarmDescription": "A reply cost more than was reserved for it: a bound or a price is wrong",
            "Namespace": metrics.NAMESPACE,
            "MetricName": metrics.RESERVATION_EXCEEDED,
            "Dimensions": [],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
        },
        {
            **common,
            "AlarmName": f"BedrockScheduleErrorsAlarm-{names.deployment}",
            "AlarmDescription": "The scheduled function fails: reservations are not swept, levels do not come down",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": names.schedule_function}],
            "Period": 60,
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 3,
        },
    ]


def _sum_alarm(
    names: Names,
    name: str,
    description: str,
    topic_arn: str,
    profile: str,
    summands: tuple[str, ...],
    period: int,
    threshold: float,
) -> dict[str, Any]:
    dimensions = [{"Name": metrics.PROFILE_DIMENSION, "Value": profile}]
    queries = [_query(f"m{index}", metric, dimensions, period) for index, metric in enumerate(summands, 1)]
    # A summand without a point would make the whole sum missing, so each counts as 0.
    total = " + ".join(f"FILL({query['Id']}, 0)" for query in queries)
    return {
        "AlarmName": name,
        "AlarmDescription": description,
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn],
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Metrics": [{"Id": "total", "Expression": total, "Label": "total", "ReturnData": True}, *queries],
        "Tags": names.tag_list,
    }


def _query(
    identifier: str, metric: str, dimensions: list[dict[str, str]], period: int, *, returned: bool = False
) -> dict[str, Any]:
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {"Namespace": metrics.NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
            "Period": period,
            "Stat": "Sum",
        },
        "ReturnData": returned,
    }
