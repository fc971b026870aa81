"""Calls of functions are held against their role's policies; refusals look as each service's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.local.authoriser import Request
from lib.local.role_requests import Signed, requests_of, signed
from tests.e2e.gateway import admin, make_function, make_role

pytestmark = pytest.mark.e2e

Client = Callable[..., Any]
ACCOUNT = "123456789012"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/ledger"
CALLS = """
import boto3, botocore.exceptions
from botocore.config import Config

def handle(event, context):
    client = boto3.client(event["service"], config=Config(retries={"total_max_attempts": 1}))
    try:
        getattr(client, event["method"])(**event["parameters"])
    except botocore.exceptions.ClientError as error:
        return [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
    return ["ok", 200]
"""
READ = {"TableName": "ledger", "Key": {"pk": {"S": "a"}}}


def allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


@pytest.fixture
def world(aws: Client) -> dict[str, str]:
    """A table, a topic, a bucket with an object, and a tagged profile; the ARNs of topic and profile."""
    aws("dynamodb").create_table(
        TableName="ledger", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip
    aws("s3").create_bucket(Bucket="config")
    aws("s3").put_object(Bucket="config", Key="resolved.json", Body=b"{}")
    source = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    profile = aws("bedrock").create_inference_profile(
        inferenceProfileName="app", modelSource={"copyFrom": source}, tags=[{"key": "Owner", "value": "us"}]
    )["inferenceProfileArn"]
    return {"topic": aws("sns").create_topic(Name="alerts")["TopicArn"], "profile": profile, "model": source}


def converse(profile: str) -> dict[str, Any]:
    return {"modelId": profile, "messages": [{"role": "user", "content": [{"text": "x"}]}]}


def test_what_is_allowed_passes_and_all_else_is_refused(aws: Client, embedded_aws: str, world: dict[str, str]) -> None:
    profiles = world["profile"].rpartition("/")[0] + "/*"
    role = make_role(
        aws, "role",
        allow("dynamodb:GetItem", TABLE), allow("s3:GetObject", "arn:aws:s3:::config/resolved.json"),
        allow("sns:Publish", world["topic"]), allow("cloudwatch:PutMetricData", "*"),
        allow("bedrock:InvokeModel", profiles, StringEquals={"aws:ResourceTag/Owner": "us"}),
        allow("bedrock:InvokeModel", world["model"], ArnLike={"bedrock:InferenceProfileArn": profiles}),
    )  # fmt: skip
    make_function(aws, CALLS, role=role, Timeout=30)
    other = aws("sns").create_topic(Name="other")["TopicArn"]
    data = {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1}]}
    expected = [
        ("dynamodb", "get_item", READ, ["ok", 200]),
        ("dynamodb", "delete_item", READ, ["AccessDeniedException", 400]),
        ("s3", "get_object", {"Bucket": "config", "Key": "resolved.json"}, ["ok", 200]),
        ("s3", "get_object", {"Bucket": "config", "Key": "other.json"}, ["AccessDenied", 403]),
        ("s3", "list_objects_v2", {"Bucket": "config"}, ["AccessDenied", 403]),
        ("sns", "publish", {"TopicArn": world["topic"], "Message": "x"}, ["ok", 200]),
        ("sns", "publish", {"TopicArn": other, "Message": "x"}, ["AuthorizationError", 403]),
        ("cloudwatch", "put_metric_data", data, ["ok", 200]),
        ("cloudwatch", "describe_alarms", {}, ["AccessDenied", 403]),
        ("bedrock-runtime", "converse", converse(world["profile"]), ["ok", 200]),
        ("bedrock-runtime", "converse", converse(world["model"]), ["AccessDeniedException", 403]),
        ("bedrock-runtime", "converse_stream", converse(world["profile"]), ["AccessDeniedException", 403]),
        ("iam", "list_roles", {}, ["AccessDenied", 403]),
        ("sts", "get_caller_identity", {}, ["ok", 200]),
    ]
    found = []
    for service, method, parameters, _ in expected:
        event = json.dumps({"service": service, "method": method, "parameters": parameters}).encode()
        answer = aws("lambda").invoke(FunctionName="app", Payload=event)
        found.append((service, method, parameters, json.loads(answer["Payload"].read())))
    assert found == expected
    aws("bedrock").tag_resource(resourceARN=world["profile"], tags=[{"key": "Owner", "value": "them"}])
    again = {"service": "bedrock-runtime", "method": "converse", "parameters": converse(world["profile"])}
    answer = aws("lambda").invoke(FunctionName="app", Payload=json.dumps(again).encode())
    assert json.loads(answer["Payload"].read()) == ["AccessDeniedException", 403]
    calls = admin(embedded_aws, "GET", "/_local/calls")["calls"]
    assert {(call["role"], call["action"]) for call in calls if call["resource"] == TABLE} == {
        ("role", "dynamodb:GetItem"), ("role", "dynamodb:DeleteItem"),
    }  # fmt: skip
    assert {"role": "role", "action": "bedrock:InvokeModel", "resource": world["model"], "allowed": True,
            "context": {"bedrock:inferenceprofilearn": world["profile"]}} in calls  # fmt: skip


def test_a_policy_over_the_limit_is_refused(aws: Client) -> None:
    wide = [allow("s3:GetObject", f"arn:aws:s3:::{'b' * 60}/{number:04}") for number in range(120)]
    with pytest.raises(aws("iam").exceptions.LimitExceededException, match="10240"):
        make_role(aws, "wide", *wide)


def call(service: str, path: str = "/", body: Any = b"", method: str = "POST", **headers: str) -> list[Request]:
    """The requests of an HTTP call, signed for `service`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(
        requests_of(
            Signed(
                "key",
                service,
                "us-east-1",
                ACCOUNT,
                method,
                path,
                "",
                {name.replace("_", "-"): value for name, value in headers.items()},
                content,
            )
        )
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (call("dynamodb", body={"TableName": "t", "IndexName": "i"}, x_amz_target="DynamoDB_20120810.Query"),
         [("dynamodb:Query", TABLE[:-6] + "t/index/i")]),
        (call("dynamodb", body={"RequestItems": {"a": {}, "b": {}}}, x_amz_target="DynamoDB_20120810.BatchGetItem"),
         [("dynamodb:BatchGetItem", TABLE[:-6] + "a"), ("dynamodb:BatchGetItem", TABLE[:-6] + "b")]),
        (call("dynamodb", body={"TransactItems": [{"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}]},
              x_amz_target="DynamoDB_20120810.TransactWriteItems"),
         [("dynamodb:PutItem", TABLE[:-6] + "a"), ("dynamodb:UpdateItem", TABLE[:-6] + "b")]),
        (call("dynamodb", body={}, x_amz_target="DynamoDB_20120810.ListTables"), [("dynamodb:ListTables", "*")]),
        (call("s3", "/b/a%20b/c", method="PUT"), [("s3:PutObject", "arn:aws:s3:::b/a b/c")]),
        (call("sns", body=b"Action=Publish&TopicArn=arn%3Aaws%3Asns%3At"), [("sns:Publish", "arn:aws:sns:t")]),
        (call("monitoring", "/service/GraniteServiceVersion20100801/operation/PutMetricData"),
         [("cloudwatch:PutMetricData", "*")]),
        (call("bedrock", "/model/us.amazon.nova-lite-v1%3A0/count-tokens")[:1],
         [("bedrock:CountTokens", f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0")]),
    ],
)  # fmt: skip
def test_what_calls_ask_for(found: list[Request], expected: list[tuple[str, str]]) -> None:
    assert [(request.action, request.resource) for request in found] == expected


def test_signatures() -> None:
    header = (
        "AWS4-HMAC-SHA256 Credential=ASIAX/20261123/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    )
    assert signed({"authorization": header}) == ("ASIAX", "us-east-1", "bedrock")
    assert signed({"authorization": "Basic x"}) is None
