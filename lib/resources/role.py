"""The least-privilege roles that the functions run with, if setup is to make them (--create-user-roles)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from lib.answers import is_missing
from lib.aws import Aws
from lib.config import Config
from lib.errors import ProjectError
from lib.names import Names, names_of
from lib.ownership import claim, is_tagged, tag_map
from lib.policies import Scope, document, function_policy, schedule_policy, trust_policy
from lib.state import State

__all__ = ["NAME", "check", "ensure", "remaining", "remove"]

NAME = "role"

_POLICY = "bedrock-cost-tracing"


def check(aws: Aws, config: Config, state: State) -> None:
    """Raise ProjectError if there is no role to run with, before anything is made."""
    if not _makes_roles(aws, config, state) and config.role_arn is None:
        raise ProjectError(
            "The functions have no role to run with.",
            "Run setup.py with --create-user-roles, or give lambda_role_arn in the configuration.",
        )


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Make or repair both roles, or note the one that the configuration names."""
    if not _makes_roles(aws, config, state):
        state.keep("lambda_role_arn", config.role_arn)
        state.keep("schedule_role_arn", config.role_arn)
        return
    names = names_of(config, aws.account)
    for key, role, policy in _roles(aws, config, names):
        arn = _arn(aws, role)
        _ensure_role(aws, names, state, key, role)
        state.keep(key, arn)
        _ensure_policy(aws, role, policy)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the roles that we made; one that the configuration names is left as it is."""
    names = names_of(config, aws.account)
    for key, role in (("schedule_role_arn", names.schedule_role), ("lambda_role_arn", names.function_role)):
        found = _described(aws, role)
        if found is not None and (is_tagged(_tags(found), names) or state.get(key) == _arn(aws, role)):
            _delete(aws, role)
        state.forget(key)


def remaining(aws: Aws, config: Config) -> list[str]:
    """Roles of our names that carry our tag."""
    names = names_of(config, aws.account)
    found = ((role, _described(aws, role)) for role in (names.function_role, names.schedule_role))
    return [f"role {role}" for role, described in found if described and is_tagged(_tags(described), names)]


def _makes_roles(aws: Aws, config: Config, state: State) -> bool:
    """Asked for now, or made before and not replaced by a role in the configuration since."""
    if config.create_roles:
        return True
    if config.role_arn is not None:
        return False
    names = names_of(config, aws.account)
    if state.get("lambda_role_arn") == _arn(aws, names.function_role):
        return True
    found = _described(aws, names.function_role)
    return found is not None and is_tagged(_tags(found), names)


def _roles(aws: Aws, config: Config, names: Names) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name in state, role, policy) of both."""
    scope = Scope(
        aws.partition, aws.region, aws.account, names.deployment,
        names.bucket, names.config_key, names.table, names.topic,
    )  # fmt: skip
    models = [profile.model_id for profile in config.profiles]
    yield (
        "lambda_role_arn", names.function_role,
        function_policy(scope, names.log_group(names.function), models),
    )  # fmt: skip
    yield (
        "schedule_role_arn", names.schedule_role,
        schedule_policy(scope, names.log_group(names.schedule_function)),
    )  # fmt: skip


def _ensure_role(aws: Aws, names: Names, state: State, key: str, role: str) -> None:
    found = _described(aws, role)
    recorded = state.get(key) == _arn(aws, role)
    if found is None:
        state.keep(key, _arn(aws, role))  # before the call: IAM may answer without the tags at first
        aws.write(
            "+", f"creating role {role}", "iam", "create_role", RoleName=role, Tags=names.tag_list,
            Description="Multi-tenant cost control for Amazon Bedrock",
            AssumeRolePolicyDocument=document(trust_policy()),
        )  # fmt: skip
        return
    if claim(f"role {role}", _tags(found), names, recorded=recorded, remedy="Choose another lambda_function_name"):
        aws.write("~", f"tagging role {role}", "iam", "tag_role", RoleName=role, Tags=names.tag_list)
    if _parsed(found["AssumeRolePolicyDocument"]) != trust_policy():
        aws.write(
            "~", f"setting who may assume role {role}", "iam", "update_assume_role_policy",
            RoleName=role, PolicyDocument=document(trust_policy()),
        )  # fmt: skip


def _ensure_policy(aws: Aws, role: str, policy: dict[str, Any]) -> None:
    answer = aws.read("iam", "get_role_policy", RoleName=role, PolicyName=_POLICY)
    if answer is None or _parsed(answer["PolicyDocument"]) != policy:
        with aws.patient(is_missing, 30):  # a new role is not known everywhere at once
            aws.write(
                "~" if answer else "+", f"setting what role {role} may do", "iam", "put_role_policy",
                RoleName=role, PolicyName=_POLICY, PolicyDocument=document(policy),
            )  # fmt: skip


def _delete(aws: Aws, role: str) -> None:
    """IAM deletes a role only without policies; those that others attached to our role go too."""
    for policy in list(aws.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role)):
        aws.write(
            "-", f"detaching {policy['PolicyName']} from role {role}", "iam", "detach_role_policy",
            RoleName=role, PolicyArn=policy["PolicyArn"],
        )  # fmt: skip
    for name in list(aws.pages("iam", "list_role_policies", "PolicyNames", RoleName=role)):
        aws.write(
            "-", f"deleting policy {name} of role {role}", "iam", "delete_role_policy", RoleName=role, PolicyName=name
        )
    aws.write("-", f"deleting role {role}", "iam", "delete_role", RoleName=role)


def _described(aws: Aws, role: str) -> dict[str, Any] | None:
    answer = aws.read("iam", "get_role", RoleName=role)
    return answer["Role"] if answer else None


def _tags(role: dict[str, Any]) -> dict[str, str]:
    return tag_map(role.get("Tags"))


def _arn(aws: Aws, role: str) -> str:
    return f"arn:{aws.partition}:iam::{aws.account}:role/{role}"


def _parsed(policy: Any) -> Any:
    """A policy document as IAM answers it: parsed by botocore, or still URL-encoded JSON."""
    return json.loads(unquote(policy)) if isinstance(policy, str) else policy
