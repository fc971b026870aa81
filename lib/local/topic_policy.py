"""Whether a topic's policy lets CloudWatch alarms publish. moto checks no topic policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["may_publish"]


def may_publish(policy: str, topic_arn: str, alarm_arn: str) -> bool:
    """Whether `policy` (JSON) allows sns:Publish on the topic to CloudWatch on behalf of the alarm."""
    account = alarm_arn.split(":")[4]
    context = {"aws:sourcearn": alarm_arn, "aws:sourceaccount": account, "aws:sourceowner": account}
    statements = json.loads(policy).get("Statement", [])
    effects = {
        statement.get("Effect")
        for statement in (statements if isinstance(statements, list) else [statements])
        if _applies(statement, topic_arn, context)
    }
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], topic_arn: str, context: Mapping[str, str]) -> bool:
    principal = statement.get("Principal")
    named = [principal] if isinstance(principal, str) else [n for v in (principal or {}).values() for n in _list(v)]
    if not {"*", "cloudwatch.amazonaws.com"}.intersection(named):
        return False
    if not any(fnmatchcase("sns:publish", str(action).lower()) for action in _list(statement.get("Action"))):
        return False
    if not any(fnmatchcase(topic_arn, str(resource)) for resource in _list(statement.get("Resource", "*"))):
        return False
    return all(_holds(test, wanted, context) for test, wanted in (statement.get("Condition") or {}).items())


def _holds(test: str, wanted: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """One operator of a condition. An unknown key is absent: Bool tests on transport hold, CloudWatch uses TLS."""
    for key, values in wanted.items():
        if key.lower() == "aws:securetransport":
            if "true" not in [str(value).lower() for value in _list(values)]:
                return False
        elif not any(fnmatchcase(context.get(key.lower(), ""), str(value)) for value in _list(values)):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
