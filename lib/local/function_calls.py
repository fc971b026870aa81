"""Functions called by an AWS service: an alarm, a schedule. The function's own policy must allow the service to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends

__all__ = ["Refusal", "Start", "call", "find_function", "in_background", "invoke_as"]


class Refusal(Exception):
    """The service may not call the function, or there is none. The message is AWS's reason."""


def in_background(work: Callable[[], object]) -> None:
    """Run `work` in a daemon thread: services call functions asynchronously."""
    threading.Thread(target=work, name="function-call", daemon=True).start()


Start = Callable[[Callable[[], object]], object]


def find_function(function_arn: str) -> Any:
    """moto's function of this ARN. Raises Refusal where there is none."""
    parts = function_arn.split(":")
    if len(parts) < 7:
        raise Refusal(f"{function_arn} is not the ARN of a function")
    try:
        return lambda_backends[parts[4]][parts[3]].get_function(function_arn)
    except UnknownFunctionException:
        raise Refusal(f"Function not found: {function_arn}") from None


def call(function: Any, event: Mapping[str, Any], start: Start = in_background) -> None:
    """Invoke the function asynchronously, as the Event invocation type does."""
    body = json.dumps(event)
    start(lambda: function.invoke(body, {"x-amz-invocation-type": "Event"}, {}))


def invoke_as(
    principal: str, source_arn: str, function_arn: str, event: Mapping[str, Any], start: Start = in_background
) -> None:
    """Let the service `principal` invoke a function asynchronously on behalf of the resource `source_arn`.

    Raises Refusal unless the function exists and its resource policy allows it.
    """
    function = find_function(function_arn)
    if not allows_source(function, principal, source_arn):
        raise Refusal(f"{principal} is not authorized to perform: lambda:InvokeFunction on {function_arn}")
    call(function, event, start)


def allows_source(function: Any, principal: str, source_arn: str) -> bool:
    """Whether the function's own policy lets the service `principal` call it for the resource `source_arn`."""
    return any(_allows(statement, principal, source_arn) for statement in function.policy.statements)


def _allows(statement: Mapping[str, Any], principal: str, source_arn: str) -> bool:
    named = statement.get("Principal")
    services = named.get("Service", []) if isinstance(named, dict) else [named]
    if statement.get("Effect") != "Allow" or principal not in (services if isinstance(services, list) else [services]):
        return False
    if statement.get("Action") not in ("lambda:InvokeFunction", "lambda:*", "*"):
        return False
    account = source_arn.split(":")[4]
    tests = [
        (key.lower(), wanted)
        for condition in (statement.get("Condition") or {}).values()
        for key, wanted in condition.items()
    ]
    found = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
    return all(fnmatchcase(found.get(key, ""), str(wanted)) for key, wanted in tests)
