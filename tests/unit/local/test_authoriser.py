"""IAM's rules, held against the examples of its documentation and against our own policies' forms."""

from __future__ import annotations

from typing import Any

import pytest

from lib.local.authoriser import Request, allowed

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
OWNED = {"aws:resourcetag/bedrock-cost-tracing:deployment": "ours"}


def statement(effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("statements", "request_", "expected"),
    [
        ([], Request("s3:GetObject", "x"), False),
        ([statement()], Request("s3:GetObject", "x"), True),
        ([statement()], Request("s3:PutObject", "x"), False),
        ([statement(action="s3:Get*")], Request("s3:GetObject", "x"), True),
        ([statement(action="S3:getobject")], Request("s3:GetObject", "x"), True),
        ([statement(action=["sns:Publish", "s3:GetObject"])], Request("s3:GetObject", "x"), True),
        ([statement(resource="arn:aws:s3:::b/k")], Request("s3:GetObject", "arn:aws:s3:::b/K"), False),
        ([statement(resource="arn:aws:s3:::b/*")], Request("s3:GetObject", "arn:aws:s3:::b/a/b"), True),
        ([statement(resource="arn:aws:s3:::b/?")], Request("s3:GetObject", "arn:aws:s3:::b/ab"), False),
        ([statement(resource=["a", "b"])], Request("s3:GetObject", "b"), True),
        ([statement(), statement("Deny", resource="secret")], Request("s3:GetObject", "secret"), False),
        ([statement(), statement("Deny", resource="secret")], Request("s3:GetObject", "open"), True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], Request("s3:GetObject", "x"), True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], Request("iam:PassRole", "x"), False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "a"}], Request("s3:GetObject", "a"), False),
    ],
)
def test_actions_and_resources(statements: list[dict[str, Any]], request_: Request, expected: bool) -> None:
    assert allowed([policy(*statements)], request_) is expected


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"aws:ResourceTag/bedrock-cost-tracing:deployment": "ours"}}, OWNED, True),
        ({"StringEquals": {"aws:ResourceTag/bedrock-cost-tracing:deployment": "theirs"}}, OWNED, False),
        ({"StringEquals": {"aws:ResourceTag/Missing": "x"}}, OWNED, False),
        ({"StringEqualsIfExists": {"aws:ResourceTag/Missing": "x"}}, OWNED, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringLike": {"k": "a*"}}, {"k": "abc"}, True),
        ({"StringLike": {"k": ["x*", "a?c"]}}, {"k": "abc"}, True),
        ({"StringEqualsIgnoreCase": {"k": "ABC"}}, {"k": "abc"}, True),
        ({"ArnLike": {"bedrock:X": PROFILE[:-3] + "*"}}, {"bedrock:x": PROFILE}, True),
        ({"ArnLike": {"k": "arn:aws:sns:*:1:t"}}, {"k": "arn:aws:sns:eu-west-1:2:1:t"}, False),
        ({"ArnNotEquals": {"k": PROFILE}}, {"k": PROFILE}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": "false"}, True),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ("a", "b")}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ("a", "c")}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": ("c", "a")}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"a": "1", "b": "2"}}, {"a": "1", "b": "3"}, False),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "2*"}}, {"a": "1", "b": "22"}, True),
    ],
)  # fmt: skip
def test_conditions(condition: dict[str, Any], context: dict[str, Any], expected: bool) -> None:
    assert allowed([policy(statement(Condition=condition))], Request("s3:GetObject", "x", context)) is expected


def test_an_unknown_operator_is_said_and_not_guessed() -> None:
    narrow = policy(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    with pytest.raises(NotImplementedError, match="IpAddress"):
        allowed([narrow], Request("s3:GetObject", "x"))
