"""Somebody changes one thing of ours by hand: the next run says so in one line, mends it, and leaves the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lib.names import OWNER_TAG, PROFILE_TAG, SOURCE_TAG
from tests.contract.world import World

REQUEST, SCHEDULED = "InvokeBedrockFunction", "InvokeBedrockFunction-Schedule"


class Drift(NamedTuple):
    """A hand on something of ours, and the one change that mends it."""

    name: str
    hand: Callable[[World], Any]
    sign: str
    sentence: str


def profile_arn(world: World, name: str) -> str:
    identifier = world.state().group("profile_ids")[name]
    return f"arn:aws:bedrock:us-east-1:{world.account}:application-inference-profile/{identifier}"


def untag_profile(key: str) -> Callable[[World], Any]:
    return lambda w: w.client("bedrock").untag_resource(resourceARN=profile_arn(w, "search"), tagKeys=[key])


def item(world: World, prefix: str) -> dict[str, Any]:
    found = world.client("dynamodb").scan(TableName=world.names.table)["Items"]
    return next(one for one in found if one["pk"]["S"].startswith(prefix))


def write_item(prefix: str, **attributes: Any) -> Callable[[World], Any]:
    return lambda w: w.client("dynamodb").put_item(TableName=w.names.table, Item={**item(w, prefix), **attributes})


def topic_arn(world: World, name: str = "BedrockInvocationAlarms") -> str:
    return f"arn:aws:sns:us-east-1:{world.account}:{name}"


def unsubscribe(world: World) -> None:
    sns = world.client("sns")
    found = sns.list_subscriptions_by_topic(TopicArn=topic_arn(world))["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=found[0]["SubscriptionArn"])


def configure(function: str, **parameters: Any) -> Callable[[World], Any]:
    return lambda w: w.client("lambda").update_function_configuration(FunctionName=function, **parameters)


def function_arn(world: World, function: str) -> str:
    return f"arn:aws:lambda:us-east-1:{world.account}:function:{function}"


def table_arn(world: World) -> str:
    return f"arn:aws:dynamodb:us-east-1:{world.account}:table/{world.names.table}"


def rule_arn(world: World) -> str:
    return f"arn:aws:events:us-east-1:{world.account}:rule/{world.names.rule}"


def other_zip() -> bytes:
    from lib.package import build

    return build(Path(__file__).resolve().parent).content


def bucket(operation: str, **parameters: Any) -> Callable[[World], Any]:
    return lambda w: getattr(w.client("s3"), operation)(Bucket=w.names.bucket, **parameters)


def table(operation: str, **parameters: Any) -> Callable[[World], Any]:
    return lambda w: getattr(w.client("dynamodb"), operation)(TableName=w.names.table, **parameters)


def role(operation: str, **parameters: Any) -> Callable[[World], Any]:
    return lambda w: getattr(w.client("iam"), operation)(RoleName=w.names.function_role, **parameters)


def function(operation: str, **parameters: Any) -> Callable[[World], Any]:
    return lambda w: getattr(w.client("lambda"), operation)(FunctionName=SCHEDULED, **parameters)


EMPTY_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
OTHER_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
OTHER_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}]}
)
DRIFTS = [
    Drift("bucket tags", bucket("delete_bucket_tagging"), "~", "setting tagging of bucket"),
    Drift(
        "bucket versions", bucket("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}), "~",
        "setting versioning of bucket",
    ),
    Drift("bucket encryption", bucket("delete_bucket_encryption"), "~", "setting encryption of bucket"),
    Drift("bucket privacy", bucket("delete_public_access_block"), "~", "setting public access block of bucket"),
    Drift("table billing", table("update_table", BillingMode="PROVISIONED",
          ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}), "~", "to on-demand"),
    Drift(
        "table index", table("update_table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "active"}}]), "~",
        "adding index active to table",
    ),
    Drift(
        "table expiry",
        table("update_time_to_live", TimeToLiveSpecification={"Enabled": False, "AttributeName": "ttl"}), "~",
        "setting time to live of table",
    ),
    Drift(
        "table backups",
        table(
            "update_continuous_backups", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
        ),
        "~", "setting point-in-time recovery of table",
    ),
    Drift(
        "table tag",
        lambda w: w.client("dynamodb").untag_resource(ResourceArn=table_arn(w), TagKeys=[OWNER_TAG]), "~",
        "tagging table",
    ),
    Drift(
        "topic policy",
        lambda w: w.client("sns").set_topic_attributes(
            TopicArn=topic_arn(w), AttributeName="Policy", AttributeValue=EMPTY_POLICY
        ),
        "~", "letting alarms publish to topic BedrockInvocationAlarms",
    ),
    Drift(
        "topic tag", lambda w: w.client("sns").untag_resource(ResourceArn=topic_arn(w), TagKeys=[OWNER_TAG]), "~",
        "tagging topic BedrockInvocationAlarms",
    ),
    Drift("subscription", unsubscribe, "+", "subscribing ops@corp.com to topic BedrockInvocationAlarms"),
    Drift(
        "profile tag",
        lambda w: w.client("bedrock").tag_resource(
            resourceARN=profile_arn(w, "search"), tags=[{"key": "ApplicationID", "value": "other"}]
        ),
        "~", "tagging inference profile search",
    ),
    *(
        Drift(f"profile {key}", untag_profile(key), "~", "tagging inference profile search")
        for key in (OWNER_TAG, PROFILE_TAG, SOURCE_TAG, "TenantID")
    ),
    Drift("profile version", write_item("P#", name={"S": "x"}), "~", "writing version"),
    Drift("policy", write_item("T#Acme", policy={"S": "{}"}), "~", "setting the limits of Acme"),
    Drift(
        "trust", role("update_assume_role_policy", PolicyDocument=OTHER_TRUST), "~",
        "setting who may assume role InvokeBedrockFunction-us-east-1",
    ),
    Drift(
        "permissions", role("put_role_policy", PolicyName="bedrock-cost-tracing", PolicyDocument=OTHER_POLICY), "~",
        "setting what role InvokeBedrockFunction-us-east-1 may do",
    ),
    Drift(
        "no permissions", role("delete_role_policy", PolicyName="bedrock-cost-tracing"), "+",
        "setting what role InvokeBedrockFunction-us-east-1 may do",
    ),
    Drift("role tag", role("untag_role", TagKeys=[OWNER_TAG]), "~", "tagging role InvokeBedrockFunction-us-east-1"),
    Drift("memory", configure(REQUEST, MemorySize=1024), "~", f"updating MemorySize of function {REQUEST}"),
    Drift("timeout", configure(SCHEDULED, Timeout=3), "~", f"updating Timeout of function {SCHEDULED}"),
    Drift("handler", configure(REQUEST, Handler="a.b"), "~", f"updating Handler of function {REQUEST}"),
    Drift("runtime", configure(REQUEST, Runtime="python3.10"), "~", f"updating Runtime of function {REQUEST}"),
    Drift(
        "environment", configure(REQUEST, Environment={"Variables": {"CONFIG_KEY": "x"}}), "~",
        f"updating Environment of function {REQUEST}",
    ),
    Drift(
        "code", lambda w: w.client("lambda").update_function_code(FunctionName=SCHEDULED, ZipFile=other_zip()), "~",
        f"updating the code of function {SCHEDULED}",
    ),
    Drift(
        "function tag",
        lambda w: w.client("lambda").untag_resource(Resource=function_arn(w, REQUEST), TagKeys=[OWNER_TAG]), "~",
        f"tagging function {REQUEST}",
    ),
    Drift("concurrency", function("delete_function_concurrency"), "~", "reserving one execution"),
    Drift("retries", function("delete_function_event_invoke_config"), "~", "letting missed runs"),
    Drift(
        "retention",
        lambda w: w.client("logs").delete_retention_policy(logGroupName=f"/aws/lambda/{REQUEST}"), "~",
        f"keeping log group /aws/lambda/{REQUEST} for 30 days",
    ),
    Drift(
        "log group tag",
        lambda w: w.client("logs").untag_resource(
            resourceArn=f"arn:aws:logs:us-east-1:{w.account}:log-group:/aws/lambda/{REQUEST}", tagKeys=[OWNER_TAG]
        ),
        "~", f"tagging log group /aws/lambda/{REQUEST}",
    ),
    Drift(
        "snapshot",
        lambda w: w.client("s3").put_object(Bucket=w.names.bucket, Key=w.names.config_key, Body=b"[]"), "~",
        "writing the resolved configuration",
    ),
    Drift("no snapshot", lambda w: w.client("s3").delete_object(Bucket=w.names.bucket, Key=w.names.config_key), "+",
          "writing the resolved configuration"),
    Drift("rule state", lambda w: w.client("events").disable_rule(Name=w.names.rule), "~", "updating rule"),
    Drift(
        "rule rate", lambda w: w.client("events").put_rule(Name=w.names.rule, ScheduleExpression="rate(1 hour)"), "~",
        "updating rule",
    ),
    Drift(
        "rule tag", lambda w: w.client("events").untag_resource(ResourceARN=rule_arn(w), TagKeys=[OWNER_TAG]), "~",
        "tagging rule",
    ),
    Drift(
        "target",
        lambda w: w.client("events").put_targets(
            Rule=w.names.rule, Targets=[{"Id": "schedule-function", "Arn": function_arn(w, REQUEST)}]
        ),
        "~", f"pointing rule {SCHEDULED.removesuffix('-Schedule')}-EveryMinute at {SCHEDULED}",
    ),
    Drift("rule's permission", function("remove_permission", StatementId="schedule"), "+", "allowing rule"),
    Drift(
        "API's permission",
        lambda w: w.client("lambda").remove_permission(
            FunctionName=REQUEST, StatementId=f"api-{w.state().get('api_id')}"
        ),
        "+", "allowing API",
    ),
    Drift(
        "API tag",
        lambda w: w.client("apigateway").untag_resource(
            resourceArn=f"arn:aws:apigateway:us-east-1::/restapis/{w.state().get('api_id')}", tagKeys=[OWNER_TAG]
        ),
        "~", "tagging API",
    ),
    Drift(
        "error answers",
        lambda w: w.client("apigateway").delete_gateway_response(
            restApiId=w.state().get("api_id"), responseType="THROTTLED"
        ),
        "~", "updating API",
    ),
    Drift(
        "stage", lambda w: w.client("apigateway").delete_stage(restApiId=w.state().get("api_id"), stageName="dev"), "+",
        "deploying API",
    ),
    Drift(
        "plan throttle",
        lambda w: w.client("apigateway").update_usage_plan(
            usagePlanId=w.state().group("usage_plan_ids")["trial"],
            patchOperations=[{"op": "replace", "path": "/throttle/burstLimit", "value": "1"}],
        ),
        "~", "updating usage plan InvokeBedrockFunction-trial",
    ),
    Drift(
        "alarm threshold",
        lambda w: w.client("cloudwatch").put_metric_alarm(
            AlarmName="BedrockScheduleErrorsAlarm-InvokeBedrockFunction", Namespace="AWS/Lambda", MetricName="Errors",
            EvaluationPeriods=1, Period=60, Threshold=5, ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
        ),
        "~", "updating alarm BedrockScheduleErrorsAlarm-InvokeBedrockFunction",
    ),
    Drift(
        "alarm",
        lambda w: w.client("cloudwatch").delete_alarms(AlarmNames=["BedrockTokenCostAlarm-search"]), "+",
        "creating alarm BedrockTokenCostAlarm-search",
    ),
    Drift(
        "dashboard",
        lambda w: w.client("cloudwatch").put_dashboard(
            DashboardName=w.names.dashboard, DashboardBody=json.dumps({"widgets": []})
        ),
        "~", "updating dashboard",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One deployment for all: each test leaves it as it was."""
    with World.open(tmp_path_factory.mktemp("drift")) as world:
        world.set_up()
        yield world


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_one_drifted_attribute_is_one_change(mended: World, drift: Drift) -> None:
    drift.hand(mended)
    planned = mended.set_up(planning=True)
    assert [change.sign for change in planned] == [drift.sign]
    assert drift.sentence in planned[0].sentence
    assert mended.set_up() == planned
    assert mended.set_up(planning=True) == []
