"""What an alarm does when its state changes: tell an SNS topic, call a function. Nothing raises: AWS records failures
in the alarm's history and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from botocore.loaders import Loader
from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends

from lib.local.alarm_reasons import COMPARED, iso_text
from lib.local.function_calls import Refusal, invoke_as
from lib.local.topic_policy import may_publish

__all__ = ["perform"]

LAMBDA_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
MISSING_WORDS = {
    "breaching": "Missing data points count as breaching.",
    "notBreaching": "Missing data points count as fine.",
    "ignore": "Missing data points leave the state as it is.",
    "missing": "Without any data points there is no state.",
}


class Acting(Protocol):
    """What actions tell of an alarm."""

    name: str
    account: str
    region: str
    alarm_arn: str
    state: str
    reason: str
    configured: float
    settings: Mapping[str, Any]

    def actions_of(self, state: str) -> list[str]:
        """The ARNs to act on when the alarm enters `state`."""


def perform(alarm: Acting, before: str, at: float) -> list[str]:
    """Perform the actions of the alarm's present state; one line for the history each."""
    return [_perform(alarm, action, before, at) for action in alarm.actions_of(alarm.state)]


def _perform(alarm: Acting, action: str, before: str, at: float) -> str:
    service = action.split(":")[2]
    try:
        if service == "sns":
            _publish(alarm, action, before, at)
        elif service == "lambda":
            invoke_as(LAMBDA_PRINCIPAL, alarm.alarm_arn, action, _function_event(alarm, before, at))
        else:
            return f"The embedded AWS does not perform action {action}"
    except (Refusal, ServiceException) as error:
        return f"Failed to execute action {action}. Received error: {error}"[:255]
    return f"Successfully executed action {action}"


def _publish(alarm: Acting, topic_arn: str, before: str, at: float) -> None:
    backend = sns_backends[topic_arn.split(":")[4]][alarm.region]
    topic = backend.get_topic(topic_arn)
    if not may_publish(topic.policy, topic_arn, alarm.alarm_arn):
        raise Refusal("CloudWatch Alarms is not authorized to perform: SNS:Publish on the topic")
    message = {"default": json.dumps(_notification(alarm, before, at)), "email": _mail_text(alarm, before, at)}
    # SNS takes less than 100 characters and ASCII for a subject
    subject = f'{alarm.state}: "{alarm.name}" in {region_title(alarm.region)}'.encode("ascii", "replace").decode()[:99]
    backend.publish(json.dumps(message), arn=topic_arn, subject=subject, message_structure="json")


@lru_cache
def region_title(region: str) -> str:
    """US East (N. Virginia) for us-east-1; the code itself where botocore knows no title."""
    for partition in Loader().load_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region


def _notification(alarm: Acting, before: str, at: float) -> dict[str, Any]:
    """The JSON that subscribers other than people receive."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.settings.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmConfigurationUpdatedTimestamp": iso_text(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": iso_text(at),
        "Region": region_title(alarm.region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.actions_of("OK"),
        "AlarmActions": alarm.actions_of("ALARM"),
        "InsufficientDataActions": alarm.actions_of("INSUFFICIENT_DATA"),
        "Trigger": {key: value for key, value in alarm.settings.items() if key in _TRIGGER_KEYS},
    }


_TRIGGER_KEYS = {
    *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Unit", "Dimensions", "Period", "Metrics"),
    *("EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold", "ThresholdMetricId"),
    *("TreatMissingData", "EvaluateLowSampleCountPercentile", "AlarmRule"),
}


def _function_event(alarm: Acting, before: str, at: float) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": alarm.account,
        "time": iso_text(at),
        "region": alarm.region,
        "alarmData": {
            "alarmName": alarm.name,
            "state": {"value": alarm.state, "reason": alarm.reason, "timestamp": iso_text(at)},
            "previousState": {"value": before},
            "configuration": _notification(alarm, before, at)["Trigger"],
        },
    }


def _mail_text(alarm: Acting, before: str, at: float) -> str:
    """The notification for people: the same facts as AWS's mail, in our own sentences."""
    settings = alarm.settings
    lines = [
        f'The CloudWatch alarm "{alarm.name}" in {region_title(alarm.region)} went from {before} to {alarm.state} '
        f"at {datetime.fromtimestamp(at, UTC):%A %d %B %Y, %H:%M:%S} UTC.",
        "",
        f"Why: {alarm.reason}",
        "",
        "About the alarm",
        f"- Name: {alarm.name}",
        f"- Description: {settings.get('AlarmDescription') or '(none)'}",
        f"- State change: {before} -> {alarm.state}",
        f"- Account: {alarm.account}",
        f"- ARN: {alarm.alarm_arn}",
        "",
        *_condition_lines(settings),
        "",
        "What it does",
        *(f"- {state}: {', '.join(alarm.actions_of(state)) or '(nothing)'}" for state in ("OK", "ALARM")),
        f"- INSUFFICIENT_DATA: {', '.join(alarm.actions_of('INSUFFICIENT_DATA')) or '(nothing)'}",
    ]
    return "\n".join(lines)


def _condition_lines(settings: Mapping[str, Any]) -> list[str]:
    if "AlarmRule" in settings:
        return ["When it alarms", f"- Rule: {settings['AlarmRule']}"]
    periods = settings["EvaluationPeriods"]
    needed = settings.get("DatapointsToAlarm") or periods
    limit = settings.get("Threshold")
    watched = settings.get("Metrics") or [
        {"Id": "m1", "MetricStat": {"Metric": settings, "Stat": settings.get("Statistic")}}
    ]
    missing = MISSING_WORDS[settings.get("TreatMissingData") or "missing"]
    lines = [
        "When it alarms",
        f"- The value is {COMPARED[settings['ComparisonOperator']]} {'the expected band' if limit is None else limit} "
        f"for {needed} of the last {periods} period{'s' if int(periods) != 1 else ''}. {missing}",
        "",
        "What it watches",
    ]
    for query in watched:
        if query.get("Expression"):
            lines.append(f"- {query['Id']} = {query['Expression']}")
            continue
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = ", ".join(f"{pair['Name']} = {pair['Value']}" for pair in metric.get("Dimensions") or [])
        period = stat.get("Period") or settings.get("Period")
        lines.append(
            f"- {query['Id']} = {stat['Stat'] or settings.get('ExtendedStatistic')} of {metric['Namespace']} "
            f"{metric['MetricName']} ({dimensions or 'no dimensions'}) over {period} seconds"
        )
    return lines
