"""The embedded Bedrock through boto3: profiles and their rules, Converse, streams, faults, and its own record."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.e2e.gateway import admin

pytestmark = pytest.mark.e2e

Client = Callable[..., Any]
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SOURCE = f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"
NOVA = "us.amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Say hello."}]}]


def make(aws: Client, name: str = "app", source: str = SOURCE, region: str = "us-east-1", **more: Any) -> str:
    """The ARN of a new profile."""
    made = aws("bedrock", region).create_inference_profile(
        inferenceProfileName=name, modelSource={"copyFrom": source}, clientRequestToken=f"token-{name}", **more
    )
    assert made["status"] == "ACTIVE"
    return str(made["inferenceProfileArn"])


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    """(code, HTTP status, message) of a call that must be refused."""
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def tags(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def test_a_profile_lives(aws: Client) -> None:
    bedrock = aws("bedrock")
    arn = make(aws, "web-search", tags=tags(TenantID="Acme"), description="Search")
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/[a-z0-9]{12}", arn)
    shown = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    assert shown["models"] == [{"modelArn": SOURCE}]
    assert (shown["inferenceProfileName"], shown["type"], shown["description"]) == (
        "web-search",
        "APPLICATION",
        "Search",
    )
    assert "tags" not in bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"][0]
    bedrock.tag_resource(resourceARN=arn, tags=tags(TenantID="Globex", Team="a"))
    bedrock.untag_resource(resourceARN=arn, tagKeys=["Team"])
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == tags(TenantID="Globex")
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn.rpartition("/")[2])
    assert bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
    for gone in (
        lambda: bedrock.get_inference_profile(inferenceProfileIdentifier=arn),
        lambda: bedrock.delete_inference_profile(inferenceProfileIdentifier=arn),
        lambda: bedrock.list_tags_for_resource(resourceARN=arn),
    ):
        assert refusal(gone)[:2] == ("ResourceNotFoundException", 404)


def test_the_same_client_token_makes_one_profile(aws: Client) -> None:
    assert make(aws, "app") == make(aws, "app")
    assert len(aws("bedrock").list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]) == 1


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"inferenceProfileName": "two  spaces"}, "ValidationException", "inferenceProfileName"),
        ({"inferenceProfileName": "a" * 65}, "ValidationException", "less than or equal to 64"),
        ({"inferenceProfileName": "taken"}, "ConflictException", "already exists"),
        ({"description": "no, commas"}, "ValidationException", "description"),
        ({"tags": tags(key="ä")}, "ValidationException", "tags.1.member.value"),
        ({"tags": tags(a="1") * 2}, "ValidationException", "Duplicate"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "TooManyTagsException", "50"),
        ({"tags": [{"key": "aws:mine", "value": ""}]}, "ValidationException", "aws:"),
        ({"modelSource": {"copyFrom": SOURCE.replace("us-east-1", "us-west-2")}}, "ValidationException", "invalid"),
        ({"modelSource": {"copyFrom": SOURCE.replace("anthropic", "nobody")}}, "ValidationException", "invalid"),
        ({"modelSource": {"copyFrom": SOURCE.replace(":aws:", ":aws-cn:")}}, "ValidationException", "invalid"),
        ({"modelSource": {"copyFrom": "APPLICATION"}}, "ValidationException", "modelSource.copyFrom"),
        ({"modelSource": {}}, "ValidationException", "invalid"),
    ],
)
def test_what_bedrock_refuses(aws: Client, given: dict[str, Any], code: str, said: str) -> None:
    taken = make(aws, "taken")
    if given.get("modelSource", {}).get("copyFrom") == "APPLICATION":
        given = {"modelSource": {"copyFrom": taken}}
    wanted = {"inferenceProfileName": "app", "modelSource": {"copyFrom": SOURCE}, **given}
    found = refusal(lambda: aws("bedrock").create_inference_profile(**wanted))
    assert found[:2] == (code, 400)
    assert said in found[2]


def test_the_quota_counts(aws: Client, embedded_aws: str) -> None:
    admin(embedded_aws, "POST", "/_local/quotas", {"service": "bedrock", "code": "L-40EC9882", "value": 1})
    make(aws, "one")
    assert refusal(lambda: make(aws, "two"))[0] == "ServiceQuotaExceededException"


def test_lists_come_in_pages(aws: Client) -> None:
    for number in range(5):
        make(aws, f"app-{number}")
    pages = list(
        aws("bedrock").get_paginator("list_inference_profiles").paginate(
            typeEquals="APPLICATION", PaginationConfig={"PageSize": 2}
        )
    )  # fmt: skip
    assert [len(page["inferenceProfileSummaries"]) for page in pages] == [2, 2, 1]
    assert refusal(lambda: aws("bedrock").list_inference_profiles(maxResults=1001))[0] == "ValidationException"


def test_another_partition(aws: Client) -> None:
    region = "us-gov-west-1"
    arn = make(aws, "app", f"arn:aws-us-gov:bedrock:{region}::foundation-model/{HAIKU}", region)
    assert arn.startswith(f"arn:aws-us-gov:bedrock:{region}:123456789012:application-inference-profile/")


def test_system_defined_profiles_are_there_and_stay(aws: Client) -> None:
    bedrock = aws("bedrock")
    shown = bedrock.get_inference_profile(inferenceProfileIdentifier=NOVA)
    assert shown["type"] == "SYSTEM_DEFINED"
    copied = make(aws, "app", shown["inferenceProfileArn"])
    assert bedrock.get_inference_profile(inferenceProfileIdentifier=copied)["models"] == shown["models"]
    listed = {one["inferenceProfileId"] for one in bedrock.list_inference_profiles()["inferenceProfileSummaries"]}
    assert NOVA in listed
    assert not {one for one in listed if one.startswith("eu.")}
    assert (
        refusal(lambda: bedrock.delete_inference_profile(inferenceProfileIdentifier=NOVA))[0] == "ValidationException"
    )


def test_foundation_models(aws: Client) -> None:
    listed = {one["modelId"] for one in aws("bedrock").list_foundation_models()["modelSummaries"]}
    assert HAIKU in listed
    assert aws("bedrock").get_foundation_model(modelIdentifier=HAIKU)["modelDetails"]["modelArn"] == SOURCE
    assert refusal(lambda: aws("bedrock").get_foundation_model(modelIdentifier="nobody.x"))[1] == 404


def test_converse_by_every_name(aws: Client, embedded_aws: str) -> None:
    arn = make(aws, "app", tags=tags(TenantID="Acme"))
    for name in (arn, arn.rpartition("/")[2], HAIKU, SOURCE, NOVA):
        answer = aws("bedrock-runtime").converse(modelId=name, messages=HELLO)
        assert "stand-in" in answer["output"]["message"]["content"][0]["text"]
        usage = answer["usage"]
        assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
        assert "serviceTier" not in answer
    served = admin(embedded_aws, "GET", "/_local/bedrock/served")["served"]
    profile = arn.rpartition("/")[2]
    assert [(one["profileId"], one["modelId"]) for one in served] == [
        (profile, HAIKU), (profile, HAIKU), ("", HAIKU), ("", HAIKU), ("", NOVA),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"modelId": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/gone12345678"},
         "ResourceNotFoundException", 404),
        ({"modelId": "nobody.model"}, "ValidationException", 400),
        ({"modelId": f"eu.{HAIKU}"}, "ValidationException", 400),
        ({"messages": []}, "ValidationException", 400),
        ({"messages": [{"role": "user"}]}, "ValidationException", 400),
        ({"messages": [{"role": "robot", "content": [{"text": "x"}]}]}, "ValidationException", 400),
        ({"inferenceConfig": {"maxTokens": 0}}, "ValidationException", 400),
        ({"inferenceConfig": {"maxTokens": 4097}}, "ValidationException", 400),
        ({"inferenceConfig": {"temperature": 1.5}}, "ValidationException", 400),
        ({"serviceTier": {"type": "cheap"}}, "ValidationException", 400),
        ({"requestMetadata": {f"k{n}": "v" for n in range(17)}}, "ValidationException", 400),
        ({"toolConfig": {}}, "ValidationException", 400),
    ],
)  # fmt: skip
def test_what_converse_refuses(aws: Client, embedded_aws: str, given: dict[str, Any], code: str, status: int) -> None:
    wanted = {"modelId": HAIKU, "messages": HELLO, **given}
    assert refusal(lambda: aws("bedrock-runtime").converse(**wanted))[:2] == (code, status)
    assert admin(embedded_aws, "GET", "/_local/bedrock/served")["served"] == []


def test_a_profile_of_another_region_is_not_here(aws: Client) -> None:
    arn = make(aws, "app", SOURCE.replace("us-east-1", "us-west-2"), "us-west-2")
    assert refusal(lambda: aws("bedrock-runtime").converse(modelId=arn, messages=HELLO))[1] == 404


def test_cached_tokens_service_tier_and_metadata_are_on_record(aws: Client, embedded_aws: str) -> None:
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    wanted = {
        "messages": HELLO, "system": [{"text": "s" * 4000}, point], "serviceTier": {"type": "flex"},
        "requestMetadata": {"tenant": "Acme"}, "inferenceConfig": {"maxTokens": 7},
    }  # fmt: skip
    first, second = (aws("bedrock-runtime").converse(modelId=make(aws), **wanted) for _ in range(2))
    assert first["usage"]["cacheDetails"] == [{"ttl": "1h", "inputTokens": 1006}]
    assert (first["usage"]["cacheWriteInputTokens"], first["usage"]["cacheReadInputTokens"]) == (1006, 0)
    assert (second["usage"]["cacheWriteInputTokens"], second["usage"]["cacheReadInputTokens"]) == (0, 1006)
    assert second["usage"]["totalTokens"] == 1006 + second["usage"]["inputTokens"] + 7
    assert (second["serviceTier"], second["stopReason"]) == ({"type": "flex"}, "max_tokens")
    record = admin(embedded_aws, "GET", "/_local/bedrock/served")["served"][1]
    expected = {
        "cacheReadInputTokens": 1006, "cacheWriteInputTokens": 0, "cacheWrite1hInputTokens": 0, "serviceTier": "flex",
        "outputTokens": 7, "requestMetadata": {"tenant": "Acme"}, "operation": "Converse",
        "requestId": second["ResponseMetadata"]["RequestId"],
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert "s" * 100 not in json.dumps(record)


def test_a_stream_tells_its_usage_last(aws: Client) -> None:
    answer = aws("bedrock-runtime").converse_stream(modelId=make(aws), messages=HELLO, serviceTier={"type": "priority"})
    events = list(answer["stream"])
    kinds = [next(iter(event)) for event in events]
    assert (kinds[0], kinds[-2:]) == ("messageStart", ["messageStop", "metadata"])
    said = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    metadata = events[-1]["metadata"]
    assert len(said) == 4 * metadata["usage"]["outputTokens"]
    assert metadata["serviceTier"] == {"type": "priority"}


def test_tokens_can_be_counted_beforehand(aws: Client) -> None:
    runtime = aws("bedrock-runtime")
    counted = runtime.count_tokens(modelId=HAIKU, input={"converse": {"messages": HELLO}})["inputTokens"]
    assert counted == runtime.converse(modelId=HAIKU, messages=HELLO)["usage"]["inputTokens"]
    assert refusal(lambda: runtime.invoke_model(modelId=HAIKU, body=b"{}"))[0] == "ValidationException"


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 429),
        ("not_ready", "ModelNotReadyException", 429),
        ("unavailable", "ServiceUnavailableException", 503),
        ("internal", "InternalServerException", 500),
        ("model_timeout", "ModelTimeoutException", 408),
        ("model_error", "ModelErrorException", 424),
        ("denied", "AccessDeniedException", 403),
    ],
)
def test_faults(aws: Client, embedded_aws: str, kind: str, code: str, status: int) -> None:
    profile = make(aws).rpartition("/")[2]
    for billed in (False, True):
        admin(embedded_aws, "POST", "/_local/faults", {"kind": kind, "profile": profile, "billed": billed})
        aws("bedrock-runtime").converse(modelId=HAIKU, messages=HELLO)
        assert refusal(lambda: aws("bedrock-runtime").converse(modelId=profile, messages=HELLO))[:2] == (code, status)
    served = [one["profileId"] for one in admin(embedded_aws, "GET", "/_local/bedrock/served")["served"]]
    assert served == ["", "", profile]


def test_a_broken_connection_before_and_after_serving(aws: Client, embedded_aws: str) -> None:
    for kind, billed in (("refuse", 0), ("reset", 1)):
        admin(embedded_aws, "POST", "/_local/faults", {"kind": kind})
        with pytest.raises(botocore.exceptions.HTTPClientError):
            aws("bedrock-runtime").converse(modelId=HAIKU, messages=HELLO)
        assert len(admin(embedded_aws, "GET", "/_local/bedrock/served")["served"]) == billed


def test_markers_in_the_text_ask_for_faults_too(aws: Client) -> None:
    runtime = aws("bedrock-runtime")

    def say(text: str) -> Any:
        return runtime.converse(modelId=HAIKU, messages=[{"role": "user", "content": [{"text": text}]}])

    assert refusal(lambda: say("[[fault=throttle]]"))[1] == 429
    began = time.monotonic()
    assert say("[[fault=slow 0.5]] [[tokens=33]]")["usage"]["outputTokens"] == 33
    assert time.monotonic() - began > 0.5


def test_metrics_of_the_model_service_add_up(aws: Client, embedded_aws: str) -> None:
    profile = make(aws).rpartition("/")[2]
    usages = [aws("bedrock-runtime").converse(modelId=profile, messages=HELLO)["usage"] for _ in range(3)]
    now = admin(embedded_aws, "GET", "/_local/clock")["now"]
    for name, expected in (
        ("Invocations", 3),
        ("InputTokenCount", sum(usage["inputTokens"] for usage in usages)),
        ("OutputTokenCount", sum(usage["outputTokens"] for usage in usages)),
    ):
        points = aws("cloudwatch").get_metric_statistics(
            Namespace="AWS/Bedrock", MetricName=name, Dimensions=[{"Name": "ModelId", "Value": profile}],
            StartTime=now - 3600, EndTime=now + 60, Period=86_400, Statistics=["Sum"],
        )["Datapoints"]  # fmt: skip
        assert sum(point["Sum"] for point in points) == expected
