"""A changed configuration changes exactly that; what may still be in use is deleted later."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from moto.sns.models import sns_backends

from lib import policies
from lib.errors import AwsError, ProjectError
from lib.local.door import Refused, Visit
from tests.contract.world import Document, World, document


def profile(config: Document, name: str) -> Document:
    found: Document = next(item for item in config["profiles"] if item["name"] == name)
    return found


def alarms(verb: str, name: str) -> list[str]:
    kinds = ("BedrockTokenCostAlarm", "BedrockTokensPerMinuteAlarm", "BedrockRequestsPerMinuteAlarm")
    return [f"{verb} alarm {kind}-{name}" for kind in kinds]


def add_profile(config: Document) -> None:
    config["profiles"].append({**profile(config, "chat"), "name": "mail", "description": "Profile mail"})


WRITES = ["writing the resolved configuration"]
DASHBOARD = ["updating dashboard BedrockInvocationDashboard"]
ROLE = "setting what role InvokeBedrockFunction-us-east-1 may do"
EDITS: dict[str, tuple[Callable[[Document], Any], list[str]]] = {
    "profile added": (
        add_profile,
        [
            "creating inference profile mail", "writing version * of profile mail", *WRITES,
            *alarms("creating", "mail"), *DASHBOARD,
        ],
    ),
    "profile removed": (
        lambda config: config["profiles"].remove(profile(config, "chat")),
        [ROLE, *WRITES, "deleting 3 alarms", *DASHBOARD, "deleting inference profile chat, formerly of chat"],
    ),
    "profile retagged": (
        lambda config: profile(config, "chat")["tags"].__setitem__(1, {"key": "Team", "value": "support"}),
        [
            "removing ApplicationID from inference profile chat", "tagging inference profile chat",
            "writing version * of profile chat", *WRITES, "activating cost-allocation tags Team",
        ],
    ),
    "another model": (
        lambda config: profile(config, "chat").update(model_id="anthropic.claude-3-haiku-20240307-v1:0"),
        [
            "creating inference profile chat", "writing version * of profile chat", ROLE, *WRITES,
            "deleting inference profile chat, formerly of chat",
        ],
    ),
    "another description": (
        lambda config: profile(config, "chat").update(description="Chat"),
        [
            "creating inference profile chat", "writing version * of profile chat", *WRITES,
            "deleting inference profile chat, formerly of chat",
        ],
    ),
    "another threshold": (
        lambda config: profile(config, "chat").update(token_alarm_threshold=7),
        [*WRITES, "updating alarm BedrockTokensPerMinuteAlarm-chat", *DASHBOARD],
    ),
    "another limit": (
        lambda config: config["tenants"]["Acme"].update(daily_budget_usd=3),
        ["setting the limits of Acme", *WRITES],
    ),
    "contact removed": (
        lambda config: config["tenants"]["Acme"].pop("contact_email"),
        [*WRITES, "deleting topic BedrockInvocationAlarms-Acme-37036cd8"],
    ),
    "contact added": (
        lambda config: config["tenants"]["Globex"].update(contact_email="it@globex.com"),
        [
            "creating topic BedrockInvocationAlarms-Globex-9b4ed45b",
            "subscribing it@globex.com to topic BedrockInvocationAlarms-Globex-9b4ed45b", *WRITES,
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_exactly_that_changes(deployed: World, edit: str) -> None:
    change, expected = EDITS[edit]
    deployed.configure(change)
    planned = deployed.set_up(planning=True)
    sentences = [change.sentence for change in deployed.set_up()]
    assert [change.sentence for change in planned] == sentences
    assert deployed.set_up() == []
    plain = [_without_version(sentence) for sentence in sentences]
    # The dashboard names profiles and thresholds where the body says so; its own test holds it.
    assert [s for s in plain if s not in DASHBOARD] == [s for s in expected if s not in DASHBOARD]


def _without_version(sentence: str) -> str:
    words = sentence.split(" ")
    return " ".join(["writing", "version", "*", *words[3:]]) if words[1] == "version" else sentence


def test_a_replaced_profile_is_deleted_when_no_request_can_use_it(deployed: World) -> None:
    old = deployed.state().group("profile_ids")["chat"]
    deployed.configure(lambda config: profile(config, "chat").update(description="Chat"))
    seen: list[tuple[str, float]] = []

    def watch(visit: Visit, applied: bool) -> None:
        if visit.operation in {"PutObject", "DeleteInferenceProfile"} and not applied:
            seen.append((visit.operation, deployed.now))

    with deployed.guarded(watch):
        deployed.set_up()
    (_, written), (deletion, deleted) = seen
    assert deletion == "DeleteInferenceProfile"
    assert 64 <= deleted - written <= 70
    (note,) = deployed.notes
    assert re.fullmatch(r"Waiting 6\d s until no running request can use what was replaced\.", note)
    assert old not in str(deployed.state().snapshot())
    written_ids = json.loads(
        deployed.client("s3").get_object(Bucket=deployed.names.bucket, Key=deployed.names.config_key)["Body"].read()
    )["profiles"]
    assert {item["name"]: item["id"] for item in written_ids} == deployed.state().group("profile_ids")


def test_the_former_model_again_before_the_replacement_was_finished(deployed: World) -> None:
    """The old profile is taken back, not made a third time."""
    former, before = deployed.config, deployed.state().group("profile_ids")
    deployed.configure(lambda config: profile(config, "chat").update(description="Chat"))

    def refuse(visit: Visit, applied: bool) -> None:
        if visit.operation == "PutMetricAlarm":
            raise AssertionError("no alarm changes")
        if visit.operation == "DeleteInferenceProfile":
            raise Refused("AccessDeniedException", "no", 403)

    with deployed.guarded(refuse), pytest.raises(AwsError, match="deleting inference profile chat"):
        deployed.set_up()
    deployed.config = former
    deployed.set_up()
    assert deployed.state().group("profile_ids") == before
    assert deployed.census()["profiles"] == ["chat", "letters", "search"]
    assert deployed.set_up() == []


def subscribed(world: World) -> dict[str, str]:
    topic = world.state().get("topic_arn")
    found = world.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {item["Endpoint"]: item["SubscriptionArn"] for item in found}


def test_an_address_that_never_confirmed_is_remembered_until_it_is_gone(world: World) -> None:
    from lib.local.mail import office

    office.auto_confirm = False
    try:
        world.set_up()
        assert subscribed(world) == {"ops@corp.com": "PendingConfirmation"}
        assert world.set_up() == []
        world.configure(lambda config: config.update(sns_email="noc@corp.com"))
        world.set_up()
        # An invitation has no ARN to end it by; SNS drops it some days later, if nobody accepts it.
        assert subscribed(world) == {"ops@corp.com": "PendingConfirmation", "noc@corp.com": "PendingConfirmation"}
        assert world.set_up() == []
        assert all("ops@corp.com never confirmed" in note for note in world.notes)
        for subscription in list(sns_backends[world.account]["us-east-1"].subscriptions.values()):
            office.confirm(subscription.local_token)
        assert [change.sentence for change in world.set_up()] == [
            "unsubscribing ops@corp.com from topic BedrockInvocationAlarms", "tagging topic BedrockInvocationAlarms",
        ]  # fmt: skip
        assert list(subscribed(world)) == ["noc@corp.com"]
        assert world.set_up() == []
    finally:
        office.auto_confirm = True


def refusing(operation: str, error: Refused, times: int) -> Callable[[Visit, bool], None]:
    left = [times]

    def refuse(visit: Visit, applied: bool) -> None:
        if visit.operation == operation and not applied and left[0]:
            left[0] -= 1
            raise error

    return refuse


NO_ROLE_YET = Refused(
    "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.", 400
)


def test_a_new_role_is_waited_for(world: World) -> None:
    with world.guarded(refusing("CreateFunction", NO_ROLE_YET, 9)):
        world.set_up()
    assert 20 <= world.slept <= 40
    assert world.set_up() == []


def test_a_role_that_never_comes_is_one_sentence(world: World) -> None:
    with (
        world.guarded(refusing("CreateFunction", NO_ROLE_YET, 999)),
        pytest.raises(AwsError, match="cannot be assumed by Lambda"),
    ):
        world.set_up()
    assert 115 <= world.slept <= 130
    world.set_up()
    assert world.set_up() == []


def test_another_invalid_parameter_is_not_waited_for(world: World) -> None:
    with (
        world.guarded(refusing("CreateFunction", Refused("InvalidParameterValueException", "Bad runtime.", 400), 1)),
        pytest.raises(AwsError, match="while creating function InvokeBedrockFunction: Bad runtime"),
    ):
        world.set_up()
    assert world.slept == 0


def test_an_account_without_spare_concurrency_goes_on(world: World) -> None:
    refusal = Refused("InvalidParameterValueException", "below its minimum value of [100].", 400)
    with world.guarded(refusing("PutFunctionConcurrency", refusal, 1)):
        world.set_up()
    assert "no execution to reserve" in world.notes[0]
    assert world.set_up() == []
    world.tear_down()
    assert world.remaining() == []


def test_backups_of_a_new_table_are_waited_for(world: World) -> None:
    refusal = Refused("ContinuousBackupsUnavailableException", "Backups are being enabled", 400)
    with world.guarded(refusing("UpdateContinuousBackups", refusal, 5)):
        world.set_up()
    assert world.set_up() == []


def test_nothing_is_made_without_a_role(world: World) -> None:
    world.config = dataclasses.replace(world.config, create_roles=False)
    with pytest.raises(ProjectError, match=r"no role to run with\. Run setup.py with --create-user-roles, or give"):
        world.set_up()
    assert not any(world.census().values())


def test_a_given_role_is_used_and_left_alone(world: World) -> None:
    trust = policies.document(policies.trust_policy())
    arn = world.client("iam").create_role(RoleName="given", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    world.config = dataclasses.replace(world.config, create_roles=False, role_arn=arn)
    world.set_up()
    assert world.set_up() == []
    for name in ("InvokeBedrockFunction", "InvokeBedrockFunction-Schedule"):
        assert world.client("lambda").get_function_configuration(FunctionName=name)["Role"] == arn
    world.tear_down()
    assert {kind: found for kind, found in world.census().items() if found} == {"roles": ["given"]}


def test_roles_once_made_are_kept_up_without_the_option(deployed: World) -> None:
    deployed.config = dataclasses.replace(deployed.config, create_roles=False)
    assert deployed.set_up() == []
    deployed.state_path.unlink()
    assert deployed.set_up() == []


@pytest.mark.parametrize(("quota", "fits"), [(2, False), (3, True)])
def test_the_quota_is_read_before_anything_is_made(world: World, quota: int, fits: bool) -> None:
    from lib.local.quotas import set_quota

    set_quota(world.account, "us-east-1", "bedrock", "L-40EC9882", quota)
    if fits:
        world.set_up()
        return
    with pytest.raises(ProjectError, match="3 new inference profiles are needed, but of the 2 that AWS allows"):
        world.set_up()
    assert not any(world.census().values())


def test_a_quota_that_may_not_be_read_is_a_note(world: World) -> None:
    with world.guarded(refusing("GetServiceQuota", Refused("AccessDeniedException", "no", 403), 9)):
        world.set_up()
    assert "L-40EC9882" in world.notes[0]


def test_an_older_file_with_ids_at_top_level_is_taken_over(world: World) -> None:
    """The profile that the older project made serves on; it is tagged, not made again."""
    haiku = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    made = world.client("bedrock").create_inference_profile(
        inferenceProfileName="search", description="Profile search", modelSource={"copyFrom": haiku}
    )
    older = document()
    older["profile_ids"] = [{"search": made["inferenceProfileArn"].rpartition("/")[2]}]
    world.configure(lambda config: config.update(older))
    world.seed = world.config.deployed
    sentences = [change.sentence for change in world.set_up()]
    assert "creating inference profile search" not in sentences
    assert "tagging inference profile search" in sentences
    assert world.set_up() == []
