"""The rule that runs the scheduled function each minute."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from lib.aws import Aws
from lib.config import Config
from lib.errors import AwsError
from lib.names import Names, names_of
from lib.ownership import claim, is_tagged, tag_map
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "schedule"

_TARGET = "schedule-function"
_STATEMENT = "schedule"
_RULE = {
    "ScheduleExpression": "rate(1 minute)",
    "State": "ENABLED",
    "Description": "Sweeps, rolls up and judges alert levels each minute",
}


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Make or repair the rule, its target, and its permission to call the function."""
    names = names_of(config, aws.account)
    rule = aws.read("events", "describe_rule", Name=names.rule)
    arn = f"arn:{aws.partition}:events:{aws.region}:{aws.account}:rule/{names.rule}"
    if rule is None:
        aws.write(
            "+", f"creating rule {names.rule}", "events", "put_rule", Name=names.rule, Tags=names.tag_list, **_RULE
        )
    else:
        _repair(aws, names, state, rule, arn)
    state.keep("rule", names.rule)
    _ensure_permission(aws, names, arn)
    _ensure_target(aws, names, state.get("schedule_function_arn"))


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the rule; its permission goes with the function."""
    names = names_of(config, aws.account)
    rule = aws.read("events", "describe_rule", Name=names.rule)
    if rule is not None and (is_tagged(_tags(aws, rule["Arn"]), names) or state.get("rule") == names.rule):
        targets = [target["Id"] for target in aws.pages("events", "list_targets_by_rule", "Targets", Rule=names.rule)]
        if targets:
            answer = aws.write(
                "-", f"removing the target of rule {names.rule}", "events", "remove_targets",
                Rule=names.rule, Ids=targets,
            )  # fmt: skip
            _check(answer, names)
        with aws.patient(_targets_go_soon, 30):
            aws.write("-", f"deleting rule {names.rule}", "events", "delete_rule", Name=names.rule)
    state.forget("rule")


def remaining(aws: Aws, config: Config) -> list[str]:
    """The rule, if it carries our tag."""
    names = names_of(config, aws.account)
    rule = aws.read("events", "describe_rule", Name=names.rule)
    return [f"rule {names.rule}"] if rule is not None and is_tagged(_tags(aws, rule["Arn"]), names) else []


def _tags(aws: Aws, arn: str) -> dict[str, str]:
    return tag_map((aws.read("events", "list_tags_for_resource", ResourceARN=arn) or {}).get("Tags"))


def _repair(aws: Aws, names: Names, state: State, rule: dict[str, Any], arn: str) -> None:
    recorded = state.get("rule") == names.rule
    tags = _tags(aws, arn)
    if claim(f"rule {names.rule}", tags, names, recorded=recorded, remedy="Choose another lambda_function_name"):
        aws.write("~", f"tagging rule {names.rule}", "events", "tag_resource", ResourceARN=arn, Tags=names.tag_list)
    if any(rule.get(key) != value for key, value in _RULE.items()):
        aws.write("~", f"updating rule {names.rule}", "events", "put_rule", Name=names.rule, **_RULE)


def _ensure_permission(aws: Aws, names: Names, rule_arn: str) -> None:
    """Exactly one statement lets exactly this rule call the function."""
    answer = aws.read("lambda", "get_policy", FunctionName=names.schedule_function)
    statements = {item["Sid"]: item for item in json.loads(answer["Policy"])["Statement"]} if answer else {}
    current = statements.get(_STATEMENT)
    if current is not None:
        if current.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn") == rule_arn:
            return
        aws.write(
            "-", f"forbidding another rule to call {names.schedule_function}", "lambda", "remove_permission",
            FunctionName=names.schedule_function, StatementId=_STATEMENT,
        )  # fmt: skip
    aws.write(
        "+", f"allowing rule {names.rule} to call {names.schedule_function}", "lambda", "add_permission",
        FunctionName=names.schedule_function, StatementId=_STATEMENT, Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule_arn,
    )  # fmt: skip


def _ensure_target(aws: Aws, names: Names, function_arn: str) -> None:
    targets = aws.pages("events", "list_targets_by_rule", "Targets", Rule=names.rule)
    found = {target["Id"]: target.get("Arn") for target in targets}
    if found.get(_TARGET) != function_arn:
        answer = aws.write(
            "~" if _TARGET in found else "+", f"pointing rule {names.rule} at {names.schedule_function}", "events",
            "put_targets", Rule=names.rule, Targets=[{"Id": _TARGET, "Arn": function_arn}],
        )  # fmt: skip
        _check(answer, names)


def _targets_go_soon(error: ClientError) -> bool:
    return "has targets" in str(error.response.get("Error", {}).get("Message", ""))


def _check(answer: dict[str, Any], names: Names) -> None:
    for failed in answer.get("FailedEntries") or []:
        raise AwsError(
            f"EventBridge answered {failed.get('ErrorCode')} for the target of rule {names.rule}: "
            f"{failed.get('ErrorMessage')}",
            "Run the command again.",
        )
