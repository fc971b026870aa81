"""What is not ours is used where it must be, never changed, never removed, and named where it stands in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.bedrock.models import bedrock_backends

from lib.errors import Kept, ProjectError
from lib.local import inference_profiles
from lib.local.door import Refused, Visit
from lib.names import OWNER_TAG
from lib.policies import document, trust_policy
from tests.contract.world import Document, Killed, World

BUCKET = "bedrock-cost-tracing-123456789012-us-east-1"


def keys(world: World) -> list[str]:
    return [item["Key"] for item in world.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_a_bucket_that_was_there_is_used_as_it_is(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="resolved.json", Body=b"theirs")
    assert not [change for change in world.set_up() if "bucket" in change.sentence]
    assert world.set_up() == []
    assert sorted(keys(world)) == [world.names.config_key, "resolved.json"]
    assert s3.get_bucket_versioning(Bucket=BUCKET).get("Status") is None
    world.tear_down()
    assert keys(world) == ["resolved.json"]
    assert world.remaining() == []


@pytest.mark.parametrize("lose_state", [False, True])
def test_objects_of_others_keep_our_bucket_and_nothing_else(deployed: World, lose_state: bool) -> None:
    s3 = deployed.client("s3")
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"theirs/{number}", Body=b"x")
    if lose_state:
        deployed.state_path.unlink()
    planned: list[str] = []
    for planning in (True, False):
        with pytest.raises(Kept) as caught:
            deployed.tear_down(planning=planning)
        planned.append(str(caught.value))
    assert planned[0] == planned[1]
    assert planned[0] == (
        f"Bucket {BUCKET} was kept because it holds objects that are not ours: theirs/0, theirs/1, theirs/2 "
        "and 2 more. Move or delete them, then run unsetup.py again."
    )
    assert deployed.remaining() == [f"bucket {BUCKET}"]
    assert {kind for kind, found in deployed.census().items() if found} == {"buckets", "objects"}
    for number in range(5):
        for version in s3.list_object_versions(Bucket=BUCKET, Prefix=f"theirs/{number}")["Versions"]:
            s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    deployed.tear_down()
    assert deployed.remaining() == []
    assert not any(deployed.census().values())


def make_table(world: World) -> None:
    world.client("dynamodb").create_table(
        TableName=world.names.table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip


def make_role(world: World) -> None:
    world.client("iam").create_role(RoleName=world.names.function_role, AssumeRolePolicyDocument="{}")


def make_function(world: World) -> None:
    iam = world.client("iam")
    trust = document(trust_policy())
    arn = iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    world.client("lambda").create_function(
        FunctionName=world.names.schedule_function, Role=arn, Runtime="python3.13", Handler="a.b",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )  # fmt: skip


STRANGERS: dict[str, Callable[[World], Any]] = {
    "table InvokeBedrockFunction-Ledger": make_table,
    "SNS topic BedrockInvocationAlarms": lambda w: w.client("sns").create_topic(
        Name="BedrockInvocationAlarms", Tags=[{"Key": OWNER_TAG, "Value": "Another"}]
    ),
    "role InvokeBedrockFunction-us-east-1": make_role,
    "function InvokeBedrockFunction-Schedule": make_function,
    "rule InvokeBedrockFunction-EveryMinute": lambda w: w.client("events").put_rule(
        Name=w.names.rule, ScheduleExpression="rate(1 day)"
    ),
}


@pytest.mark.parametrize("thing", STRANGERS)
def test_a_stranger_of_our_name_is_named_and_left_alone(world: World, thing: str) -> None:
    STRANGERS[thing](world)
    there = world.census()
    with pytest.raises(ProjectError, match=f"There is already a {thing}, and it .*Choose another .* or hand it over"):
        world.set_up()
    world.tear_down()
    assert world.census() == there


def test_logs_that_were_there_are_kept(world: World) -> None:
    logs = world.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/InvokeBedrockFunction")
    world.set_up()
    assert world.set_up() == []
    world.tear_down()
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["logGroupName"] == "/aws/lambda/InvokeBedrockFunction"
    assert "retentionInDays" not in group


def test_what_others_added_to_ours_stays(deployed: World) -> None:
    sns, bedrock, function = deployed.client("sns"), deployed.client("bedrock"), deployed.client("lambda")
    topic = deployed.state().get("topic_arn")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="colleague@corp.com")
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    theirs = {"Sid": "theirs", "Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sns:Publish",
              "Resource": topic}  # fmt: skip
    policy["Statement"].append(theirs)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    profile = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"][0]
    bedrock.tag_resource(resourceARN=profile["inferenceProfileArn"], tags=[{"key": "map-migrated", "value": "1"}])
    variables = function.get_function(FunctionName="InvokeBedrockFunction")["Configuration"]["Environment"]["Variables"]
    function.update_function_configuration(
        FunctionName="InvokeBedrockFunction",
        Environment={"Variables": {**variables, "THEIRS": "1", "CONFIG_KEY": "drift"}},
    )

    def edit(config: Document) -> None:
        config["sns_email"] = "noc@corp.com"

    deployed.configure(edit)
    assert [change.sentence for change in deployed.set_up()] == [
        "subscribing noc@corp.com to topic BedrockInvocationAlarms",
        "unsubscribing ops@corp.com from topic BedrockInvocationAlarms",
        "tagging topic BedrockInvocationAlarms",
        "updating Environment of function InvokeBedrockFunction",
    ]
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert sorted(item["Endpoint"] for item in found) == ["colleague@corp.com", "noc@corp.com"]
    assert theirs in json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]
    assert {"key": "map-migrated", "value": "1"} in bedrock.list_tags_for_resource(
        resourceARN=profile["inferenceProfileArn"]
    )["tags"]
    configuration = function.get_function(FunctionName="InvokeBedrockFunction")["Configuration"]
    assert configuration["Environment"]["Variables"] == {**variables, "THEIRS": "1"}


def test_a_profile_name_taken_by_others_is_avoided(world: World) -> None:
    world.client("bedrock").create_inference_profile(
        inferenceProfileName="search",
        modelSource={"copyFrom": "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"},
    )
    world.set_up()
    assert world.set_up() == []
    assert sorted(world.census()["profiles"]) == ["chat", "letters", "search", "search"]
    world.tear_down()
    assert world.census()["profiles"] == ["search"]


@pytest.mark.parametrize("remembered", [True, False], ids=["token remembered", "token forgotten"])
def test_a_listing_that_lags_makes_no_second_profile(world: World, remembered: bool) -> None:
    """A run died right after making a profile, and the next one's first listings do not show it."""

    def die(number: int, answered: bool) -> None:
        if answered and world.calls[-1] == "bedrock.CreateInferenceProfile":
            raise Killed

    with pytest.raises(Killed):
        world.set_up(fault=die)
    profiles = inference_profiles.held(bedrock_backends[world.account]["us-east-1"])
    hidden = dict(profiles)
    assert len(hidden) == 1
    blind, refused = 2, remembered

    def lag(visit: Visit, applied: bool) -> None:
        nonlocal blind, refused
        if visit.operation == "ListInferenceProfiles":
            profiles.update(hidden)
            if not applied and blind:
                blind -= 1
                for identity in hidden:
                    del profiles[identity]
        if visit.operation == "CreateInferenceProfile" and not refused:
            refused = True
            raise Refused("ConflictException", "The name is taken.", 400)

    with world.guarded(lag):
        world.set_up()
    assert world.census()["profiles"] == ["chat", "letters", "search"]
    assert world.set_up() == []


def test_two_deployments_share_an_account(deployed: World) -> None:
    first, first_state = deployed.config, deployed.state_path

    def second(config: Document) -> None:
        config.update(
            lambda_function_name="Second", sns_topic_name="SecondAlarms", api_name="SecondAPI",
            dashboard_name="SecondDashboard",
        )  # fmt: skip
        for profile in config["profiles"]:
            profile["name"] = f"second-{profile['name']}"

    deployed.configure(second)
    deployed.state_path = deployed.folder / "second.json"
    deployed.set_up()
    assert deployed.set_up() == []
    deployed.tear_down()
    assert deployed.remaining() == []
    deployed.config, deployed.state_path = first, first_state
    assert deployed.set_up() == []


def test_what_has_our_tag_under_a_former_name_is_found(deployed: World) -> None:
    """Names changed and the state lost: nothing leads to it but the tag."""
    deployed.state_path.unlink()
    deployed.configure(lambda config: config.update(s3_bucket_name="another-bucket", sns_topic_name="OtherAlarms"))
    deployed.tear_down()
    assert sorted(deployed.remaining()) == [
        f"arn:aws:s3:::{BUCKET}",
        f"arn:aws:sns:us-east-1:{deployed.account}:BedrockInvocationAlarms",
        f"arn:aws:sns:us-east-1:{deployed.account}:BedrockInvocationAlarms-Acme-37036cd8",
    ]


@pytest.mark.filterwarnings("ignore:.*does not match an error shape")  # moto's models lack the code
def test_a_search_that_is_not_allowed_is_a_note(deployed: World) -> None:
    def refuse(visit: Visit, applied: bool) -> None:
        if visit.operation == "GetResources":
            raise Refused("AccessDenied", "no", 403)

    found = deployed.remaining()
    with deployed.guarded(refuse):
        assert deployed.remaining() == found
    assert "tag:GetResources" in deployed.notes[0]


def test_a_bucket_in_another_region_is_refused(world: World) -> None:
    world.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ProjectError, match=f"Bucket {BUCKET} lies in eu-west-1, the deployment in us-east-1"):
        world.set_up()
