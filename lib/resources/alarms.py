"""CloudWatch alarms: three per profile, optional anomaly alarms per tenant, and the operator's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lib.alarm_bodies import anomaly_alarm, operator_alarms, profile_alarms
from lib.aws import Aws
from lib.config import Config
from lib.names import OWNER_TAG, Names, names_of
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "alarms"

_PREFIXES = (
    "BedrockTokenCostAlarm-",
    "BedrockTokensPerMinuteAlarm-",
    "BedrockRequestsPerMinuteAlarm-",
    "BedrockCostAnomalyAlarm-",
    "BedrockReservationExceededAlarm-",
    "BedrockScheduleErrorsAlarm-",
)
_MOST_A_CALL = 100  # names that DescribeAlarms and DeleteAlarms take


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Write the alarms that are absent or differ, delete those the configuration no longer has."""
    names = names_of(config, aws.account)
    topic_arn = state.get("topic_arn")
    wanted = {body["AlarmName"]: body for body in _wanted(config, names, topic_arn)}
    actual = {alarm["AlarmName"]: alarm for alarm in _all(aws)}
    for name, body in wanted.items():
        if name not in actual:
            aws.write("+", f"creating alarm {name}", "cloudwatch", "put_metric_alarm", **body)
        elif not _same(actual[name], body):
            aws.write("~", f"updating alarm {name}", "cloudwatch", "put_metric_alarm", **body)
    unwanted = {name: alarm for name, alarm in actual.items() if name not in wanted}
    _delete(aws, list(_ours(aws, names, unwanted)))


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete every alarm that carries our tag."""
    names = names_of(config, aws.account)
    _delete(aws, list(_ours(aws, names, {alarm["AlarmName"]: alarm for alarm in _all(aws)})))


def remaining(aws: Aws, config: Config) -> list[str]:
    """Alarms that carry our tag."""
    names = names_of(config, aws.account)
    return [f"alarm {name}" for name in _ours(aws, names, {alarm["AlarmName"]: alarm for alarm in _all(aws)})]


def _wanted(config: Config, names: Names, topic_arn: str) -> Iterator[dict[str, Any]]:
    for profile in config.profiles:
        yield from profile_alarms(names, profile, topic_arn)
    for tenant in config.tenants.values():
        if tenant.anomaly_alarm:
            yield anomaly_alarm(names, tenant.name, topic_arn)
    yield from operator_alarms(names, topic_arn)


def _all(aws: Aws) -> Iterator[dict[str, Any]]:
    for prefix in _PREFIXES:
        yield from aws.pages(
            "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
        )


def _ours(aws: Aws, names: Names, alarms: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Those of `alarms` that carry our tag: another deployment of this project may have its own beside them."""
    for name, alarm in alarms.items():
        answer = aws.read("cloudwatch", "list_tags_for_resource", ResourceARN=alarm["AlarmArn"]) or {}
        if {"Key": OWNER_TAG, "Value": names.deployment} in answer.get("Tags", []):
            yield name


def _same(actual: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether AWS's alarm has every value we ask for; tags are set at creation and never read back with it."""
    return all(actual.get(key) == value for key, value in body.items() if key not in {"Tags", "Metrics"}) and (
        _by_id(actual.get("Metrics") or []) == _by_id(body.get("Metrics") or [])
    )


def _by_id(queries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {query["Id"]: {"ReturnData": True, **query} for query in queries}


def _delete(aws: Aws, names: list[str]) -> None:
    for start in range(0, len(names), _MOST_A_CALL):
        batch = names[start : start + _MOST_A_CALL]
        sentence = f"deleting alarm {batch[0]}" if len(batch) == 1 else f"deleting {len(batch)} alarms"
        aws.write("-", sentence, "cloudwatch", "delete_alarms", AlarmNames=batch)
