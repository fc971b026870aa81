"""Clock, faults, catalogue, parameter rules, routes and answers of the embedded AWS: the parts without a socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.utils import get_service_model

from lib.local import clock
from lib.local.api_deployments import Deployed, Route
from lib.local.catalogue import is_model, listed_models, output_limit, system_profile, system_profiles
from lib.local.error_answers import access_denied, error_answer
from lib.local.faults import Fault, Faults, fault_of_text
from lib.local.gateway_answers import Stop, error_reply, lambda_reply
from lib.local.shape_rules import violations

ACCOUNT = "123456789012"
SOURCE = "arn:aws:bedrock:us-east-1::foundation-model/a.b"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(autouse=True)
def real_clock() -> Iterator[None]:
    yield
    clock.reset()


def test_the_clock_is_the_wall_clock_until_it_is_moved() -> None:
    assert abs(clock.now() - time.time()) < 0.1
    clock.set_offset(3600)
    assert abs(clock.now() - time.time() - 3600) < 0.1
    clock.set_offset(0)
    assert clock.reading() == clock.Reading(0.0, 0.0, 1.0)


def test_the_clock_can_run_faster_and_slow_down_again_without_a_leap() -> None:
    clock.set_offset(10)
    clock.set_speed(1000)
    began = clock.now()
    time.sleep(0.05)
    assert 40 < clock.now() - began < 5000
    clock.set_speed(1)
    ahead = clock.offset()
    time.sleep(0.02)
    assert clock.offset() == pytest.approx(ahead, abs=1e-3)
    with pytest.raises(ValueError, match="negative"):
        clock.set_speed(-1)


def test_faults_strike_their_profile_in_order_as_often_as_asked() -> None:
    faults = Faults()
    faults.add(Fault.of({"kind": "throttle", "count": 2, "profile": "a"}))
    faults.add(Fault.of({"kind": "internal"}))
    taken = [faults.take(profile) for profile in ("b", "b", "a", "a", "a")]
    assert [fault.kind if fault else "" for fault in taken] == ["internal", "", "throttle", "throttle", ""]
    assert faults.waiting() == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("please [[fault=throttle]]", Fault("throttle")),
        ("[[fault=slow 2.5]]", Fault("slow", seconds=2.5)),
        ("[[fault=model_timeout billed]]", Fault("model_timeout", billed=True)),
        ("[[fault=nonsense]]", None),
        ("[fault=throttle]", None),
    ],
)
def test_markers_in_a_text(text: str, expected: Fault | None) -> None:
    assert fault_of_text(text) == expected


def test_no_fault_is_made_up() -> None:
    with pytest.raises(ValueError, match="kind must be one of throttle"):
        Fault.of({"kind": "explode"})


@pytest.mark.parametrize(
    ("identifier", "region", "routes"),
    [
        ("us.amazon.nova-lite-v1:0", "us-east-1", ["us-east-1", "us-east-2", "us-west-2"]),
        ("us.amazon.nova-lite-v1:0", "eu-west-1", None),
        ("au.amazon.nova-lite-v1:0", "ap-southeast-4", ["ap-southeast-2", "ap-southeast-4"]),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "eu-west-1", ["eu-west-1", ""]),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "us-gov-west-1", None),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "us-gov-west-1", ["us-gov-east-1", "us-gov-west-1"]),
        ("amazon.nova-lite-v1:0", "us-east-1", None),
        ("us.nobody.model-v1:0", "us-east-1", None),
    ],
)  # fmt: skip
def test_system_profiles(identifier: str, region: str, routes: list[str] | None) -> None:
    found = system_profile(identifier, region, ACCOUNT)
    if routes is None:
        assert found is None
    else:
        assert found is not None
        partition = "aws-us-gov" if "gov" in region else "aws"
        assert (
            found["inferenceProfileArn"] == f"arn:{partition}:bedrock:{region}:{ACCOUNT}:inference-profile/{identifier}"
        )
        assert [model["modelArn"].split(":")[3] for model in found["models"]] == routes


def test_models_are_those_with_a_price_and_others_of_their_providers() -> None:
    assert HAIKU in listed_models()
    assert is_model("anthropic.claude-of-next-year-v1:0")
    assert not is_model("nobody.model-v1:0")
    assert not is_model("us.anthropic.claude-3-haiku-20240307-v1:0")
    assert not is_model("Anthropic Claude")
    assert output_limit(HAIKU, "us-east-1") == 4096
    assert {profile["inferenceProfileId"].partition(".")[0] for profile in system_profiles("us-east-1", "1")} == {
        "us", "global",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inferenceProfileName": "a b", "modelSource": {"copyFrom": SOURCE}}, ""),
        ({"modelSource": {}}, "'inferenceProfileName' failed to satisfy constraint: Member must not be null"),
        ({"inferenceProfileName": "a--b", "modelSource": {}}, "regular expression pattern: ([0-9a-zA-Z][ _-]?)+"),
        ({"inferenceProfileName": "a" * 65, "modelSource": {}}, "length less than or equal to 64"),
        ({"inferenceProfileName": 5, "modelSource": {}}, "type string"),
        ({"inferenceProfileName": "a", "modelSource": {"copyFrom": "x"}}, "'modelSource.copyFrom'"),
        ({"inferenceProfileName": "a", "modelSource": {}, "tags": [{"key": "k"}]}, "'tags.1.member.value'"),
        ({"inferenceProfileName": "a", "modelSource": {}, "tags": [{"key": "k!", "value": ""}]}, "'tags.1.member.key'"),
        ({"inferenceProfileName": "a", "modelSource": {}, "newerThanUs": True}, ""),
        ([], "type structure"),
    ],
)  # fmt: skip
def test_aws_own_rules(given: Any, said: str) -> None:
    shape = get_service_model("bedrock").operation_model("CreateInferenceProfile").input_shape
    found = list(violations(shape, given))
    assert any(said in sentence for sentence in found) if said else found == []


ROUTES = Deployed(
    tuple(
        Route(resource, method, False, None, 29)
        for resource, method in [
            ("/{proxy+}", "ANY"), ("/files/{name}", "GET"), ("/files/special", "GET"), ("/files/{name}", "ANY"),
        ]
    ),
    {},
    (),
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/files/special", "/files/special", {}),
        ("GET", "/files/a%20b", "/files/{name}", {"name": "a b"}),
        ("POST", "/files/x", "/files/{name}", {"name": "x"}),
        ("GET", "/a/b/c", "/{proxy+}", {"proxy": "a/b/c"}),
        ("GET", "/", None, {}),
    ],
)
def test_routes(method: str, path: str, resource: str | None, parameters: dict[str, str]) -> None:
    found = ROUTES.find(method, path)
    assert (found and (found[0].resource, found[1])) == (resource and (resource, parameters))


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        (b'{"statusCode": 200, "body": "x"}', 200, {"content-type": "application/json"}, b"x"),
        (b'{"statusCode": "201", "headers": {"X": 1, "Y": true}}', 201, {"X": "1", "Y": "true"}, b""),
        (b'{"statusCode": 200, "body": "eA==", "isBase64Encoded": true}', 200, {}, b"x"),
    ],
)
def test_answers_of_functions(result: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
    reply = lambda_reply(result)
    assert (reply.status, reply.body) == (status, body)
    assert headers.items() <= dict(reply.headers).items()


def test_several_headers_of_a_name() -> None:
    reply = lambda_reply(b'{"statusCode": 200, "headers": {"A": "0"}, "multiValueHeaders": {"a": ["1", "2"]}}')
    assert [value for name, value in reply.headers if name.lower() == "a"] == ["1", "2"]


@pytest.mark.parametrize(
    "result",
    [
        b"null", b"[]", b'"text"', b"{}", b'{"statusCode": "abc"}', b'{"statusCode": 200, "body": {}}',
        b'{"statusCode": 200, "headers": []}', b'{"statusCode": 200, "headers": {"a": {}}}', b'{"statusCode": 99}',
        b'{"statusCode": 200, "body": "?", "isBase64Encoded": true}',
    ],
)  # fmt: skip
def test_malformed_answers_of_functions_are_502(result: bytes) -> None:
    with pytest.raises(Stop) as stopped:
        lambda_reply(result)
    assert stopped.value.status == 502


def test_a_gateways_own_words_without_configured_answers() -> None:
    reply = error_reply({}, Stop("INVALID_API_KEY", 403, "Forbidden"), "id")
    assert (reply.status, reply.body) == (403, b'{"message": "Forbidden"}')
    assert dict(reply.headers)["x-amzn-errortype"] == "ForbiddenException"


@pytest.mark.parametrize(
    ("service", "headers", "status", "expected"),
    [
        ("dynamodb", {"content-type": "application/x-amz-json-1.0"}, 400, b'"__type": "AccessDeniedException"'),
        ("bedrock", {}, 403, b'"__type": "AccessDeniedException"'),
        ("s3", {}, 403, b"<Code>AccessDenied</Code><Message>a &lt; b</Message>"),
        ("sns", {"content-type": "application/x-www-form-urlencoded"}, 403, b"<Code>AuthorizationError</Code>"),
    ],
)
def test_refusals_speak_the_services_protocol(
    service: str, headers: dict[str, str], status: int, expected: bytes
) -> None:
    answer = access_denied(service, headers, "a < b")
    assert answer.status == status
    assert expected in answer.body


def test_refusals_in_cbor() -> None:
    answer = error_answer("monitoring", {"smithy-protocol": "rpc-v2-cbor"}, "Code", "Said", 501)
    assert answer.body == b"\xa2\x79\x00\x06__type\x79\x00\x04Code\x79\x00\x07message\x79\x00\x04Said"
