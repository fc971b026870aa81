"""The roles' policies: what the code calls, nothing more, and small enough for any number of profiles."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from lib.policies import LARGEST, Scope, document, function_policy, schedule_policy, trust_policy

SCOPE = Scope(
    "aws", "us-east-1", "123456789012", "InvokeBedrockFunction", "bedrock-cost-tracing-123456789012-us-east-1",
    "InvokeBedrockFunction/resolved.json", "InvokeBedrockFunction-Ledger", "BedrockInvocationAlarms",
)  # fmt: skip
# As long as AWS lets names be.
LONG = Scope(
    "aws-us-gov", "ap-southeast-1", "123456789012", "f" * 64, "b" * 63, f"{'f' * 64}/resolved.json",
    f"{'f' * 64}-Ledger", "t" * 180,
)  # fmt: skip
MODELS = Path(__file__).resolve().parent.parent.parent / "models.json"


def all_models() -> list[str]:
    prices = json.loads(MODELS.read_text())
    return sorted({model for kinds in prices.values() if "text" in kinds for model in kinds["text"]})


def statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}


@pytest.mark.parametrize("scope", [SCOPE, LONG], ids=["usual", "long names"])
def test_a_thousand_profiles_of_all_models_fit_a_role(scope: Scope) -> None:
    models = list(itertools.islice(itertools.cycle(all_models()), 1000))
    assert len(set(models)) > 100
    policy = function_policy(scope, f"/aws/lambda/{scope.deployment}", models)
    assert len(document(policy)) <= LARGEST
    assert not any(
        resource.endswith(("/*", ":*")) for resource in statements(policy)["ModelsBehindProfiles"]["Resource"]
    )
    assert len(document(schedule_policy(scope, f"/aws/lambda/{scope.deployment}-Schedule"))) <= LARGEST


def test_a_few_models_are_named_one_by_one() -> None:
    models = ["anthropic.claude-3-haiku-20240307-v1:0", "us.amazon.nova-lite-v1:0", "global.anthropic.claude-x-v1:0"]
    named = statements(function_policy(SCOPE, "/aws/lambda/x", models))
    assert named["ModelsBehindProfiles"]["Resource"] == [
        "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:*::foundation-model/anthropic.claude-x-v1:0",
        "arn:aws:bedrock:::foundation-model/anthropic.claude-x-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    ]
    profiles = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/*"
    assert named["ModelsBehindProfiles"]["Condition"] == {"ArnLike": {"bedrock:InferenceProfileArn": profiles}}
    assert named["Profiles"]["Condition"] == {
        "StringEquals": {"aws:ResourceTag/bedrock-cost-tracing:deployment": "InvokeBedrockFunction"}
    }


@pytest.mark.parametrize(
    "policy",
    [function_policy(SCOPE, "/aws/lambda/x", ["amazon.nova-lite-v1:0"]), schedule_policy(SCOPE, "/aws/lambda/x")],
    ids=["function", "schedule"],
)
def test_no_statement_reaches_further_than_this_deployment(policy: dict[str, Any]) -> None:
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        for resource in statement["Resource"]:
            assert resource != "*"
            name = resource.split(":", 5)[5]
            assert "*" not in name or "Condition" in statement or "InvokeBedrockFunction" in name or (
                name in {"/aws/lambda/x:*", "log-group:/aws/lambda/x:*", "BedrockInvocationAlarms-*"}
            )  # fmt: skip


def test_only_lambda_may_assume_the_roles() -> None:
    (statement,) = trust_policy()["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_what_a_role_of_ones_own_must_allow_is_documented() -> None:
    page = (MODELS.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    policies = (function_policy(SCOPE, "/aws/lambda/f", all_models()), schedule_policy(SCOPE, "/aws/lambda/f"))
    actions = {action for policy in policies for statement in policy["Statement"] for action in statement["Action"]}
    assert not [action for action in sorted(actions) if f"`{action}`" not in page]
