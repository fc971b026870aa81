"""The two functions, from one zip: one answers requests, the other runs each minute; and their log groups."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lib.aws import Aws
from lib.config import Config
from lib.errors import AwsError
from lib.lifetimes import FUNCTION_SECONDS, SCHEDULE_SECONDS, SNAPSHOT_SECONDS
from lib.names import Names, names_of
from lib.ownership import claim, is_tagged, tag_map
from lib.package import RUNTIME, Package, build
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "function"

_ARCHITECTURES = ["arm64"]
_MEMORY = 256  # MB; nearly all of a function's time is waiting
_RETENTION_DAYS = 30
_ROLE_SECONDS = 120  # a new role can be assumed 5 to 30 s after it was made


class _Wanted(NamedTuple):
    key: str  # in state
    name: str
    log_group: str
    configuration: dict[str, Any]
    environment: dict[str, str]
    scheduled: bool


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Make or repair both functions; code is sent only where its digest differs."""
    names = names_of(config, aws.account)
    package = _package()
    for wanted in _wanted(names, state):
        _ensure_log_group(aws, names, state, wanted)
        found = _described(aws, wanted.name)
        if found is None:
            found = _create(aws, names, wanted, package)
        else:
            _claim(aws, names, state, wanted, found)
            _settle(aws, wanted.name)
            _update(aws, wanted, found["Configuration"], package)
        arn = f"arn:{aws.partition}:lambda:{aws.region}:{aws.account}:function:{wanted.name}"
        state.keep(wanted.key, arn)
        _settle(aws, wanted.name)
        if wanted.scheduled:
            _ensure_one_at_a_time(aws, state, wanted.name)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the functions, then their logs."""
    names = names_of(config, aws.account)
    for wanted in reversed(_wanted(names, state)):
        found = _described(aws, wanted.name)
        if found is not None and (is_tagged(found.get("Tags", {}), names) or state.get(wanted.key)):
            aws.write("-", f"deleting function {wanted.name}", "lambda", "delete_function", FunctionName=wanted.name)
        group = _log_group(aws, wanted.log_group)
        if group is not None and (is_tagged(_log_tags(aws, group), names) or _is_recorded(state, wanted)):
            aws.write(
                "-", f"deleting log group {wanted.log_group}", "logs", "delete_log_group",
                logGroupName=wanted.log_group,
            )  # fmt: skip
        state.forget(wanted.key)
        state.forget_in("log_groups", wanted.key)
    state.forget("schedule_concurrency_refused")


def remaining(aws: Aws, config: Config) -> list[str]:
    """Functions and log groups of our names that carry our tag."""
    names = names_of(config, aws.account)
    found = []
    for name in (names.function, names.schedule_function):
        function = _described(aws, name)
        if function is not None and is_tagged(function.get("Tags", {}), names):
            found.append(f"function {name}")
        group = _log_group(aws, names.log_group(name))
        if group is not None and is_tagged(_log_tags(aws, group), names):
            found.append(f"log group {names.log_group(name)}")
    return found


@cache
def _package() -> Package:
    return build()


def _wanted(names: Names, state: State) -> tuple[_Wanted, _Wanted]:
    # The ids are in the resolved configuration; the environment only says where that is.
    environment = {
        "CONFIG_BUCKET": names.bucket,
        "CONFIG_KEY": names.config_key,
        "SNAPSHOT_SECONDS": str(SNAPSHOT_SECONDS),
    }
    common = {"Runtime": RUNTIME, "MemorySize": _MEMORY}
    request = {
        **common, "Handler": "lambda_function.handler.handle", "Timeout": FUNCTION_SECONDS,
        "Role": state.get("lambda_role_arn"),
    }  # fmt: skip
    scheduled = {
        **common, "Handler": "lambda_function.schedule.handle", "Timeout": SCHEDULE_SECONDS,
        "Role": state.get("schedule_role_arn"),
    }  # fmt: skip
    function, schedule = names.function, names.schedule_function
    return (
        _Wanted("function_arn", function, names.log_group(function), request, environment, scheduled=False),
        _Wanted("schedule_function_arn", schedule, names.log_group(schedule), scheduled, environment, scheduled=True),
    )


def _described(aws: Aws, name: str) -> dict[str, Any] | None:
    return aws.read("lambda", "get_function", FunctionName=name)


def _create(aws: Aws, names: Names, wanted: _Wanted, package: Package) -> dict[str, Any]:
    with aws.patient(_role_comes_soon, _ROLE_SECONDS):
        return aws.write(
            "+", f"creating function {wanted.name}", "lambda", "create_function", FunctionName=wanted.name,
            Code={"ZipFile": package.content}, Architectures=_ARCHITECTURES, Tags=names.tags,
            Environment={"Variables": wanted.environment}, **wanted.configuration,
        )  # fmt: skip


def _claim(aws: Aws, names: Names, state: State, wanted: _Wanted, found: dict[str, Any]) -> None:
    untagged = claim(
        f"function {wanted.name}", found.get("Tags", {}), names,
        recorded=bool(state.get(wanted.key)), remedy="Choose another lambda_function_name",
    )  # fmt: skip
    if untagged:
        arn = found["Configuration"]["FunctionArn"]
        aws.write("~", f"tagging function {wanted.name}", "lambda", "tag_resource", Resource=arn, Tags=names.tags)


def _update(aws: Aws, wanted: _Wanted, actual: dict[str, Any], package: Package) -> None:
    if actual.get("CodeSha256") != package.sha256 or actual.get("Architectures", _ARCHITECTURES) != _ARCHITECTURES:
        aws.write(
            "~", f"updating the code of function {wanted.name}", "lambda", "update_function_code",
            FunctionName=wanted.name, ZipFile=package.content, Architectures=_ARCHITECTURES,
        )  # fmt: skip
        _settle(aws, wanted.name)
    differing = {key: value for key, value in wanted.configuration.items() if actual.get(key) != value}
    variables = actual.get("Environment", {}).get("Variables", {})
    if any(variables.get(key) != value for key, value in wanted.environment.items()):
        differing["Environment"] = {"Variables": {**variables, **wanted.environment}}
    if differing:
        with aws.patient(_role_comes_soon, _ROLE_SECONDS):
            aws.write(
                "~", f"updating {', '.join(sorted(differing))} of function {wanted.name}", "lambda",
                "update_function_configuration", FunctionName=wanted.name, **differing,
            )  # fmt: skip


def _settle(aws: Aws, name: str) -> None:
    """Wait until the last change took effect; another one before that is a ResourceConflictException."""

    def ready() -> bool:
        actual = aws.read("lambda", "get_function_configuration", FunctionName=name) or {}
        if "Failed" in {actual.get("State"), actual.get("LastUpdateStatus")}:
            reason = actual.get("LastUpdateStatusReason") or actual.get("StateReason") or "no reason given"
            raise AwsError(f"Lambda could not bring function {name} up: {reason}", "Run the command again.")
        return actual.get("State") == "Active" and actual.get("LastUpdateStatus", "Successful") == "Successful"

    aws.settle(f"waiting for function {name}", ready, seconds=180)


def _role_comes_soon(error: ClientError) -> bool:
    return "cannot be assumed by Lambda" in str(error.response.get("Error", {}).get("Message", ""))


def _ensure_one_at_a_time(aws: Aws, state: State, name: str) -> None:
    """Reserve one execution, and let no backlog build up. An account at its floor cannot reserve: every pass is
    idempotent, so the function then runs unreserved."""
    concurrency = (aws.read("lambda", "get_function_concurrency", FunctionName=name) or {}).get(
        "ReservedConcurrentExecutions"
    )
    if concurrency != 1 and not state.get("schedule_concurrency_refused"):
        try:
            aws.write(
                "~", f"reserving one execution for function {name}", "lambda", "put_function_concurrency",
                FunctionName=name, ReservedConcurrentExecutions=1,
            )  # fmt: skip
        except AwsError as error:
            if error.code != "InvalidParameterValueException":
                raise
            state.keep("schedule_concurrency_refused", True)
            aws.note(f"This account has no execution to reserve for {name}; it runs unreserved.")
    current = aws.read("lambda", "get_function_event_invoke_config", FunctionName=name) or {}
    once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    if any(current.get(key) != value for key, value in once.items()):
        aws.write(
            "~", f"letting missed runs of function {name} go", "lambda", "put_function_event_invoke_config",
            FunctionName=name, **once,
        )  # fmt: skip


def _ensure_log_group(aws: Aws, names: Names, state: State, wanted: _Wanted) -> None:
    """A log group that was there before us keeps its retention and outlives us."""
    group = _log_group(aws, wanted.log_group)
    if group is None:
        aws.write(
            "+", f"creating log group {wanted.log_group}", "logs", "create_log_group",
            logGroupName=wanted.log_group, tags=names.tags,
        )  # fmt: skip
    elif not is_tagged(_log_tags(aws, group), names):
        if not _is_recorded(state, wanted):
            return
        aws.write(
            "~", f"tagging log group {wanted.log_group}", "logs", "tag_resource",
            resourceArn=_log_arn(group), tags=names.tags,
        )  # fmt: skip
    state.keep_in("log_groups", wanted.key, wanted.log_group)
    if (group or {}).get("retentionInDays") != _RETENTION_DAYS:
        aws.write(
            "~", f"keeping log group {wanted.log_group} for {_RETENTION_DAYS} days", "logs", "put_retention_policy",
            logGroupName=wanted.log_group, retentionInDays=_RETENTION_DAYS,
        )  # fmt: skip


def _is_recorded(state: State, wanted: _Wanted) -> bool:
    return state.group("log_groups").get(wanted.key) == wanted.log_group


def _log_group(aws: Aws, name: str) -> dict[str, Any] | None:
    groups = aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return next((group for group in groups if group["logGroupName"] == name), None)


def _log_tags(aws: Aws, group: dict[str, Any]) -> dict[str, str]:
    answer = aws.read("logs", "list_tags_for_resource", resourceArn=_log_arn(group))
    return tag_map((answer or {}).get("tags"))


def _log_arn(group: dict[str, Any]) -> str:
    return str(group["arn"]).removesuffix(":*")
