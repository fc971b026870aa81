"""Schedules call functions at their time, if they may; DynamoDB items expire; S3 keeps the facts we rely on."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends

from lib.local import clock
from lib.local.metric_store import Metric, store_of
from lib.local.schedules import Schedules
from lib.local.ttl import Expiry

Aws = Callable[[str], Any]
ACCOUNT, REGION = "123456789012", "us-east-1"


class Scene:
    """A function whose calls are recorded instead of run, and a clock for schedules."""

    def __init__(self, aws: Aws) -> None:
        services = ["scheduler.amazonaws.com", "lambda.amazonaws.com"]
        may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": services}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        self.role = aws("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("f.py", "")
        self.function = aws("lambda").create_function(
            FunctionName="f", Runtime="python3.13", Handler="f.f", Code={"ZipFile": buffer.getvalue()}, Role=self.role
        )["FunctionArn"]  # fmt: skip
        self.calls: list[Any] = []
        self.start = clock.now()
        self._schedules = Schedules(start=lambda work: work())

    def tick(self, seconds: float) -> int:
        """The number of calls so far, when the clock shows `seconds` after the start."""
        self._schedules.tick(self.start + seconds)
        return len(self.calls)

    def failures(self) -> float:
        metric = Metric.of("AWS/Events", "FailedInvocations", {"RuleName": "every-minute"})
        return float(store_of(cloudwatch_backends[ACCOUNT][REGION]).total(metric))


@pytest.fixture
def scene(moto_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(moto_aws)

    def invoke(function: Any, body: str, request_headers: Any, response_headers: Any) -> bytes:
        assert request_headers == {"x-amz-invocation-type": "Event"}
        scene.calls.append(json.loads(body))
        return b""

    monkeypatch.setattr(LambdaFunction, "invoke", invoke)
    return scene


def rule(aws: Aws, scene: Scene, **target: Any) -> str:
    arn = aws("events").put_rule(Name="every-minute", ScheduleExpression="rate(1 minute)")["RuleArn"]
    aws("events").put_targets(Rule="every-minute", Targets=[{"Id": "1", "Arn": scene.function, **target}])
    return str(arn)


def permit(aws: Aws, source: str) -> None:
    aws("lambda").add_permission(
        FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=source,
    )  # fmt: skip


def test_a_rule_calls_its_function_each_minute_while_enabled(moto_aws: Aws, scene: Scene) -> None:
    arn = rule(moto_aws, scene)
    permit(moto_aws, arn)
    assert [scene.tick(seconds) for seconds in (0, 30, 59, 61, 90, 121)] == [0, 0, 0, 1, 1, 2]
    event = scene.calls[0]
    assert (event["source"], event["detail-type"], event["resources"]) == ("aws.events", "Scheduled Event", [arn])
    assert scene.tick(3600) == 3  # a leap of the clock fires once
    moto_aws("events").disable_rule(Name="every-minute")
    assert scene.tick(3700) == 3
    moto_aws("events").enable_rule(Name="every-minute")
    assert [scene.tick(seconds) for seconds in (3800, 3830, 3870)] == [3, 3, 4]
    moto_aws("events").remove_targets(Rule="every-minute", Ids=["1"])
    moto_aws("events").delete_rule(Name="every-minute")
    assert scene.tick(4000) == 4


def test_input_replaces_the_event(moto_aws: Aws, scene: Scene) -> None:
    permit(moto_aws, rule(moto_aws, scene, Input='{"do": "sweep"}'))
    scene.tick(0)
    scene.tick(61)
    assert scene.calls == [{"do": "sweep"}]


@pytest.mark.parametrize("source", [None, "arn:aws:events:us-east-1:123456789012:rule/another"])
def test_a_rule_without_permission_calls_nothing_and_is_counted(
    moto_aws: Aws, scene: Scene, source: str | None
) -> None:
    rule(moto_aws, scene)
    if source:
        permit(moto_aws, source)
    scene.tick(0)
    assert (scene.tick(61), scene.failures()) == (0, 1.0)


def test_scheduler_calls_with_its_role(moto_aws: Aws, scene: Scene) -> None:
    scheduler = moto_aws("scheduler")
    common = {"FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "cron(* * * * ? *)"}
    target = {"Arn": scene.function, "RoleArn": scene.role, "Input": '{"from": "scheduler"}'}
    scheduler.create_schedule(Name="a", Target=target, **common)
    scheduler.create_schedule(Name="b", Target={**target, "RoleArn": scene.role + "x"}, **common)
    scene.tick(0)
    scene.tick(61)
    assert scene.calls == [{"from": "scheduler"}]
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        scheduler.create_schedule(Name="c", Target=target, **{**common, "ScheduleExpression": "rate(1 minutes)"})
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        moto_aws("events").put_rule(Name="x", ScheduleExpression="cron(* * *)")


def test_rules_are_found_by_tag(moto_aws: Aws) -> None:
    arn = moto_aws("events").put_rule(
        Name="r", ScheduleExpression="rate(1 minute)", Tags=[{"Key": "owner", "Value": "us"}]
    )["RuleArn"]
    found = moto_aws("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "owner", "Values": ["us"]}])
    assert [resource["ResourceARN"] for resource in found["ResourceTagMappingList"]] == [arn]


def test_items_expire_within_ten_minutes(moto_aws: Aws) -> None:
    dynamodb, now = moto_aws("dynamodb"), int(clock.now())
    keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))]
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    dynamodb.create_table(TableName="t", KeySchema=keys, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST")
    times = {"soon": now + 300, "late": now + 5000, "ancient": now - 6 * 365 * 86_400}
    for name, expires in times.items():
        dynamodb.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": name}, "ttl": {"N": str(expires)}})
    dynamodb.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": "never"}})
    dynamodb.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": "text"}, "ttl": {"S": "0"}})

    def left() -> set[str]:
        return {item["sk"]["S"] for item in dynamodb.scan(TableName="t")["Items"]}

    expiry = Expiry()
    expiry.tick(now + 400)
    assert "soon" in left()  # not switched on
    dynamodb.update_time_to_live(TableName="t", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    expiry.tick(now + 500)
    assert "soon" in left()  # swept a moment ago
    expiry.tick(now + 1000)
    assert left() == {"late", "ancient", "never", "text"}


def test_s3_conditional_requests_and_versions(moto_aws: Aws) -> None:
    s3 = moto_aws("s3")
    s3.create_bucket(Bucket="the-bucket")
    s3.put_bucket_versioning(Bucket="the-bucket", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="the-bucket", Key="resolved.json", Body=b"1", IfNoneMatch="*")
    assert s3.get_object(Bucket="the-bucket", Key="resolved.json")["Body"].read() == b"1"

    def refusal(call: Callable[..., Any], **parameters: Any) -> int:
        with pytest.raises(ClientError) as caught:
            call(Bucket="the-bucket", Key="resolved.json", **parameters)
        return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])

    assert refusal(s3.get_object, IfNoneMatch=first["ETag"]) == 304
    assert refusal(s3.put_object, Body=b"2", IfNoneMatch="*") == 412
    assert refusal(s3.put_object, Body=b"2", IfMatch='"0"') == 412
    second = s3.put_object(Bucket="the-bucket", Key="resolved.json", Body=b"2", IfMatch=first["ETag"])
    assert s3.get_object(Bucket="the-bucket", Key="resolved.json", IfNoneMatch=first["ETag"])["Body"].read() == b"2"
    versions = s3.list_object_versions(Bucket="the-bucket")["Versions"]
    assert {version["VersionId"] for version in versions} == {first["VersionId"], second["VersionId"]}
    old = s3.get_object(Bucket="the-bucket", Key="resolved.json", VersionId=first["VersionId"])
    assert old["Body"].read() == b"1"
