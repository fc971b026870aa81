"""IAM policy documents of the functions' roles: what their code calls, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lambda_function.ledger import INDEX
from lib.model_source import base_model, routed_models
from lib.names import OWNER_TAG

__all__ = ["LARGEST", "Scope", "document", "function_policy", "schedule_policy", "trust_policy"]

# All inline policies of a role together, white space not counted.
# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LARGEST = 10_240

Policy = dict[str, Any]


class Scope(NamedTuple):
    """The ARNs' common parts, and the names of what the functions use."""

    partition: str
    region: str
    account: str
    deployment: str
    bucket: str
    config_key: str
    table: str
    topic: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def document(policy: Policy) -> str:
    """A policy as IAM takes it, without white space."""
    return json.dumps(policy, separators=(",", ":"))


def trust_policy() -> Policy:
    """Lambda may run functions under the role."""
    principal = {"Service": "lambda.amazonaws.com"}
    return _policy([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}])


def function_policy(scope: Scope, log_group: str, models: Iterable[str]) -> Policy:
    """What answering requests takes. `models` are the model ids of the configuration.

    Profiles are named by our ownership tag, not one by one, and models only as far as one of our account's application
    profiles leads to them, so that the policy fits however many profiles there are.
    """
    common = [
        _allow("Configuration", ["s3:GetObject"], [_object(scope)]),
        _allow(
            "Ledger", ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"],
            [scope.arn("dynamodb", f"table/{scope.table}")],
        ),
        _allow("Announcements", ["sns:Publish"], _topics(scope)),
        _logs(scope, log_group),
    ]  # fmt: skip
    ids = sorted(set(models))
    exact = sorted({arn for model_id in ids for arn in routed_models(model_id, scope.region, scope.partition)})
    policy = _policy([*common, *_bedrock(scope, exact)])
    if len(document(policy)) <= LARGEST:
        return policy
    # Too many models to name each: their providers, in the same Regions.
    return _policy([*common, *_bedrock(scope, _by_provider(ids, scope))])


def schedule_policy(scope: Scope, log_group: str) -> Policy:
    """What sweeping, rolling up and judging levels each minute takes."""
    table = scope.arn("dynamodb", f"table/{scope.table}")
    return _policy(
        [
            _allow("Configuration", ["s3:GetObject"], [_object(scope)]),
            _allow(
                "Ledger",
                [
                    "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem",
                    "dynamodb:Query", "dynamodb:UpdateItem",
                ],
                [table],
            ),
            _allow("ActiveTenants", ["dynamodb:Query"], [f"{table}/index/{INDEX}"]),
            _allow("Announcements", ["sns:Publish"], _topics(scope)),
            _logs(scope, log_group),
        ]
    )  # fmt: skip


def _bedrock(scope: Scope, models: list[str]) -> list[dict[str, Any]]:
    profiles = scope.arn("bedrock", "application-inference-profile/*")
    return [
        _allow(
            "Profiles", ["bedrock:InvokeModel"], [profiles],
            {"StringEquals": {f"aws:ResourceTag/{OWNER_TAG}": scope.deployment}},
        ),
        _allow(
            "ModelsBehindProfiles", ["bedrock:InvokeModel"], models,
            {"ArnLike": {"bedrock:InferenceProfileArn": profiles}},
        ),
    ]  # fmt: skip


def _by_provider(ids: Iterable[str], scope: Scope) -> list[str]:
    return sorted(
        {
            f"{arn.rpartition('/')[0]}/{base_model(model_id).partition('.')[0]}.*"
            for model_id in ids
            for arn in routed_models(model_id, scope.region, scope.partition)
        }
    )


def _topics(scope: Scope) -> list[str]:
    """The operator's topic, and the tenants', which are named after it."""
    return [scope.arn("sns", scope.topic), scope.arn("sns", f"{scope.topic}-*")]


def _object(scope: Scope) -> str:
    return f"arn:{scope.partition}:s3:::{scope.bucket}/{scope.config_key}"


def _logs(scope: Scope, log_group: str) -> dict[str, Any]:
    # No CreateLogGroup: setup makes it, and a function that outlives it must not bring it back.
    streams = scope.arn("logs", f"log-group:{log_group}:*")
    return _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": dict(condition)} if condition else statement


def _policy(statements: list[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}
