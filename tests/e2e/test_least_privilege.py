"""The functions' roles allow what the code calls and nothing more; every call is held against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lib.local.authoriser import Request, allowed
from tests.e2e.stack import Stack, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("privilege"))
    made.set_up()
    yield made
    made.tear_down()


@pytest.fixture(scope="module")
def calls(stack: Stack) -> list[dict[str, Any]]:
    """Every call of both functions in a run through what they do: serve, fail, sweep, roll up, judge, announce."""
    for profile in ("acme-web-search-bot", "acme-support-chat"):
        stack.invoke("Acme", inference_profile_id=profile)
    stack.usage("Acme")
    stack.admin("POST", "/_local/faults", {"kind": "slow", "seconds": 3})
    now = stack.admin("GET", "/_local/clock")
    stack.run("tenants.py", "level", "Acme", "red", "--for", "30m")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 4000})
    eventually(lambda: any(one["role"].startswith("InvokeBedrockFunction-Schedule") for one in made(stack)), 30)
    stack.invoke("Globex", inference_profile_id="globex-web-search-bot")
    eventually(lambda: any(one["action"] == "dynamodb:Query" for one in made(stack)), 60)
    return made(stack)


def made(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.admin("GET", "/_local/calls")["calls"]
    return found


def policies(stack: Stack, role: str) -> list[dict[str, Any]]:
    """The inline policies of a role, as IAM tells them."""
    iam = stack.aws("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


def actions(documents: list[dict[str, Any]]) -> set[str]:
    """Every action that the documents name."""
    named: set[str] = set()
    for document in documents:
        for statement in document["Statement"]:
            listed = statement["Action"]
            named.update(listed if isinstance(listed, list) else [listed])
    return named


def without(documents: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    """The documents with one action taken out."""
    copy: list[dict[str, Any]] = json.loads(json.dumps(documents))
    for document in copy:
        for statement in document["Statement"]:
            listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = [one for one in listed if one != action]
    return copy


def as_request(call: dict[str, Any]) -> Request:
    return Request(call["action"], call["resource"], call["context"])


def test_every_call_is_allowed(calls: list[dict[str, Any]]) -> None:
    assert [call for call in calls if not call["allowed"]] == []
    assert {call["action"] for call in calls} >= {
        "s3:GetObject", "dynamodb:UpdateItem", "dynamodb:PutItem", "bedrock:InvokeModel", "dynamodb:Query",
    }  # fmt: skip


def test_no_action_and_no_managed_policy_is_wide(stack: Stack, calls: list[dict[str, Any]]) -> None:
    for role in {call["role"] for call in calls}:
        assert not [action for action in actions(policies(stack, role)) if "*" in action]


def test_with_any_called_action_taken_out_a_call_fails(stack: Stack, calls: list[dict[str, Any]]) -> None:
    for role in {call["role"] for call in calls}:
        documents = policies(stack, role)
        mine = [as_request(call) for call in calls if call["role"] == role]
        assert all(allowed(documents, request) for request in mine)
        for action in {request.action for request in mine}:
            assert not all(allowed(without(documents, action), request) for request in mine), action


def test_another_tenants_profile_and_a_bare_model_are_out_of_reach(stack: Stack) -> None:
    (role,) = [r["RoleName"] for r in stack.aws("iam").list_roles()["Roles"] if "Schedule" not in r["RoleName"]]
    documents = policies(stack, role)
    model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    strange = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/somebodyelse"
    assert not allowed(documents, Request("bedrock:InvokeModel", model, {}))
    assert not allowed(documents, Request("bedrock:InvokeModel", strange, {"aws:resourcetag/owner": "x"}))
