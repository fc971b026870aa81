"""What Lambda refuses and moto takes: roles it cannot assume, unknown runtimes, reserved variables, used statement ids.

docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.policy import Policy
from moto.core.utils import unix_time
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from lib.local.door import Refused

__all__ = ["install", "set_role_delay"]

# docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, of those that the runner can run
RUNTIMES = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")
_RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
_ENVIRONMENT_BYTES = 4096
_SECONDS, _MEGABYTES = (1, 900), (128, 10_240)
_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."

_role_delay = 0.0


def install() -> None:
    """Check what moto does not. Idempotent."""
    LambdaFunction.__init__ = _init
    LambdaFunction.update_configuration = _update
    Policy.add_statement = _add_statement
    LambdaBackend.put_function_event_invoke_config = _put_event_invoke_config


def set_role_delay(seconds: float) -> None:
    """For how long a new role cannot be assumed: at AWS 5 to 30 s, here 0 unless a test asks for more."""
    global _role_delay
    _role_delay = seconds


_moto_init = LambdaFunction.__init__
_moto_update = LambdaFunction.update_configuration
_moto_add_statement = Policy.add_statement
_moto_put_event_invoke_config = LambdaBackend.put_function_event_invoke_config


def _init(self: Any, account_id: str, spec: dict[str, Any], region: str, *rest: Any, **named: Any) -> None:
    _check(account_id, region, spec)
    _moto_init(self, account_id, spec, region, *rest, **named)


def _update(self: Any, config_updates: dict[str, Any]) -> Any:
    _check(self.account_id, self.region, config_updates)
    return _moto_update(self, config_updates)


def _check(account_id: str, region: str, spec: Mapping[str, Any]) -> None:
    if "Role" in spec and not _assumable(account_id, get_partition(region), spec["Role"]):
        raise _invalid(_ASSUMABLE)
    if "Runtime" in spec and spec["Runtime"] not in RUNTIMES:
        raise _invalid(
            f"Value {spec['Runtime']} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(RUNTIMES)}] or be a valid ARN"
        )
    for name, (least, most) in (("Timeout", _SECONDS), ("MemorySize", _MEGABYTES)):
        if not least <= spec.get(name, least) <= most:
            raise _invalid(f"Value '{spec[name]}' at '{name}' failed to satisfy constraint: {least} to {most}")
    variables = (spec.get("Environment") or {}).get("Variables") or {}
    reserved = sorted(_RESERVED & variables.keys())
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables, separators=(",", ":"))) > _ENVIRONMENT_BYTES:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the {_ENVIRONMENT_BYTES // 1024}KB limit."
        )


def _assumable(account_id: str, partition: str, arn: str) -> bool:
    """Whether the role exists, for long enough, and lets Lambda assume it."""
    for role in list(iam_backends[account_id][partition].roles.values()):
        if role.arn == arn:
            document = role.assume_role_policy_document
            trust = json.loads(unquote(document)) if isinstance(document, str) else document
            old_enough = time.time() - unix_time(role.create_date) >= _role_delay
            return old_enough and any(_lets_lambda(statement) for statement in _list(trust["Statement"]))
    return False


def _lets_lambda(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = _list(principal.get("Service", [])) if isinstance(principal, Mapping) else []
    return (
        statement.get("Effect") == "Allow"
        and "lambda.amazonaws.com" in services
        and any(action in ("sts:AssumeRole", "sts:*", "*") for action in _list(statement.get("Action", [])))
    )


def _add_statement(self: Any, raw: str, qualifier: str | None = None) -> Any:
    sid = json.loads(raw).get("StatementId")
    if any(statement.get("Sid") == sid for statement in self.statements):
        raise Refused(
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement.",
            409,
        )
    return _moto_add_statement(self, raw, qualifier)


def _put_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> Any:
    """It replaces what was there; moto would go on answering the first."""
    self.get_function(function_name).event_invoke_config = []
    return _moto_put_event_invoke_config(self, function_name, config)


def _invalid(message: str) -> Refused:
    return Refused("InvalidParameterValueException", message, 400)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
