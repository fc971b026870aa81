"""API calls on the embedded AWS over real HTTP: keys, plans, sizes, time-outs, and what the function gets and gives."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.exceptions
import pytest

from tests.e2e.gateway import Gateway, admin, http_call

pytestmark = pytest.mark.e2e

Client = Callable[..., Any]
ECHO = "import json\ndef handle(event, context): return {'statusCode': 200, 'body': json.dumps(event)}"
BODY = "import json\ndef handle(event, context): return json.loads(event['body'])"
MEGABYTE = 1024 * 1024


@pytest.fixture
def echo(aws: Client, embedded_aws: str) -> Gateway:
    """A function that answers with its event."""
    return Gateway(aws, embedded_aws, ECHO)


def test_the_event_is_what_a_rest_api_hands_a_function(echo: Gateway) -> None:
    answer = echo.call(
        b'{"a": "\xc3\xa4"}', path="/invoke?x=1&x=2&y=", **{"cost_center": "7", "Tag-Key": "A b", "tag-key": "c"}
    )
    event = answer.body
    context = event["requestContext"]
    assert answer.status == 200
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/invoke", "/invoke", "POST")
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "ä"}', False)
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert event["headers"].items() >= {"cost_center": "7", "Tag-Key": "A b", "tag-key": "c"}.items()
    assert event["pathParameters"] is None
    (key,) = echo.aws("apigateway").get_api_keys()["items"]
    assert (context["identity"]["apiKeyId"], context["identity"]["apiKey"]) == (key["id"], echo.key)
    assert (context["stage"], context["apiId"], context["path"]) == ("dev", echo.api_id, "/dev/invoke")
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert abs(context["requestTimeEpoch"] / 1000 - time.time()) < 60


def test_path_parameters_and_open_routes(echo: Gateway) -> None:
    event = echo.call(b"", method="GET", path="/files/a%20b", key=None).body
    assert (event["pathParameters"], event["body"]) == ({"name": "a b"}, None)
    assert "apiKeyId" not in event["requestContext"]["identity"]


def test_by_host_name_too(echo: Gateway) -> None:
    headers = {"host": f"{echo.api_id}.execute-api.us-east-1.localhost", "x-api-key": echo.key}
    assert http_call(echo.endpoint, "POST", "/dev/invoke", b"{}", headers).body["path"] == "/invoke"


def test_callers_that_are_turned_away(echo: Gateway) -> None:
    unplanned = echo.make_key("unplanned", planned=False)
    for key in (None, "wrong", unplanned):
        answer = echo.call(key=key)
        assert (answer.status, answer.body) == (403, {"message": "Forbidden"})
        assert answer.headers["x-amzn-errortype"] == "ForbiddenException"
    (key_id,) = [one["id"] for one in echo.aws("apigateway").get_api_keys()["items"] if one["name"] == "tenant"]
    echo.aws("apigateway").update_api_key(
        apiKey=key_id, patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )
    assert echo.call().status == 403


@pytest.mark.parametrize(("method", "path"), [("GET", "/invoke"), ("POST", "/other"), ("POST", "/invoke/more")])
def test_unknown_routes(echo: Gateway, method: str, path: str) -> None:
    answer = echo.call(method=method, path=path)
    assert (answer.status, answer.body) == (403, {"message": "Missing Authentication Token"})


def test_unknown_stages_and_apis(echo: Gateway) -> None:
    for path in (
        f"/restapis/{echo.api_id}/prod/_user_request_/invoke",
        "/restapis/nobody1234/dev/_user_request_/invoke",
    ):
        answer = http_call(echo.endpoint, "POST", path, b"{}", {"x-api-key": echo.key})
        assert (answer.status, answer.body) == (403, {"message": "Forbidden"})


def test_a_change_is_served_when_it_is_deployed(echo: Gateway) -> None:
    api, document = echo.aws("apigateway"), echo.document()
    document["paths"]["/more"] = document["paths"].pop("/invoke")
    api.put_rest_api(restApiId=echo.api_id, mode="overwrite", body=json.dumps(document).encode())
    assert (echo.call().status, echo.call(path="/more").status) == (200, 403)
    api.create_deployment(restApiId=echo.api_id, stageName="dev")
    assert (echo.call().status, echo.call(path="/more").status) == (403, 200)


RESPONSES = {
    "INVALID_API_KEY": {
        "statusCode": "401",
        "responseParameters": {
            "gatewayresponse.header.x-request-id": "context.requestId",
            "gatewayresponse.header.Retry-After": "'7'",
        },
        "responseTemplates": {
            "application/json": '{"said": $context.error.messageString, "id": "$context.requestId", '
            '"kind": "$context.error.responseType"}'
        },
    },
    "DEFAULT_4XX": {"responseTemplates": {"application/json": '{"code": $context.error.messageString}'}},
    "INTEGRATION_TIMEOUT": {"statusCode": "504", "responseTemplates": {"application/json": '{"late": true}'}},
}


def test_configured_answers(aws: Client, embedded_aws: str) -> None:
    gateway = Gateway(aws, embedded_aws, ECHO, responses=RESPONSES)
    answer = gateway.call(key=None)
    assert answer.status == 401
    assert answer.body == {"said": "Forbidden", "id": answer.headers["x-request-id"], "kind": "INVALID_API_KEY"}
    assert answer.headers["retry-after"] == "7"
    unknown = gateway.call(path="/other")
    assert (unknown.status, unknown.body) == (403, {"code": "Missing Authentication Token"})


def test_sizes(echo: Gateway) -> None:
    fits = echo.call(x__filler="x" * 9_500)
    assert fits.status == 200
    assert echo.call(x__filler="x" * 10_200).status == 413
    assert echo.call(path=f"/invoke?q={'x' * 10_200}").status == 413
    assert echo.call(b"x" * (10 * MEGABYTE + 1)).status == 413
    assert echo.call(b"x" * (6 * MEGABYTE)).status == 413
    assert echo.call(b"x" * (2 * MEGABYTE)).status == 200


def test_an_answer_over_lambdas_limit_is_502(aws: Client, embedded_aws: str) -> None:
    source = "def handle(event, context): return {'statusCode': 200, 'body': 'x' * int(event['body'])}"
    gateway = Gateway(aws, embedded_aws, source)
    assert len(gateway.call(str(5 * MEGABYTE).encode()).body) == 5 * MEGABYTE
    assert gateway.call(str(7 * MEGABYTE).encode()).status == 502


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"statusCode": 418, "headers": {"X-Cost": "1"}, "body": "text"}, 418, b"text"),
        (
            {"statusCode": 200, "body": base64.b64encode(b"\xff\x00").decode(), "isBase64Encoded": True},
            200,
            b"\xff\x00",
        ),
        ({"statusCode": 204}, 204, b""),
        ("no object", 502, {"message": "Internal server error"}),
        ({"body": "no status"}, 502, {"message": "Internal server error"}),
    ],
)
def test_what_a_function_answers(aws: Client, embedded_aws: str, result: Any, status: int, body: Any) -> None:
    answer = Gateway(aws, embedded_aws, BODY).call(json.dumps(result).encode())
    assert (answer.status, answer.body) == (status, body)
    if status == 418:
        assert answer.headers["x-cost"] == "1"


def test_a_function_that_fails_is_502(aws: Client, embedded_aws: str) -> None:
    answer = Gateway(aws, embedded_aws, "def handle(event, context): raise ValueError('secret')").call()
    assert (answer.status, answer.body) == (502, {"message": "Internal server error"})


def test_a_late_function_goes_on_after_the_504(aws: Client, embedded_aws: str) -> None:
    source = "import time\ndef handle(event, context):\n    time.sleep(1.5)\n    print('done all the same')"
    gateway = Gateway(aws, embedded_aws, source, responses=RESPONSES, milliseconds=500)
    began = time.monotonic()
    answer = gateway.call()
    assert (answer.status, answer.body) == (504, {"late": True})
    assert 0.5 <= time.monotonic() - began < 1.4

    def done() -> bool:
        events = aws("logs").filter_log_events(logGroupName="/aws/lambda/app")["events"]
        return "done all the same" in [event["message"] for event in events]

    while not done():
        assert time.monotonic() - began < 20
        time.sleep(0.05)


def test_an_api_that_may_not_call_the_function_is_500(aws: Client, embedded_aws: str) -> None:
    gateway = Gateway(aws, embedded_aws, ECHO, permit=False)
    assert gateway.call().status == 500
    stranger = f"arn:aws:execute-api:us-east-1:123456789012:{gateway.api_id}/prod/*/*"
    aws("lambda").add_permission(
        FunctionName="app", StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
        SourceArn=stranger,
    )  # fmt: skip
    assert gateway.call().status == 500


def test_a_plan_throttles_each_key(aws: Client, embedded_aws: str) -> None:
    gateway = Gateway(aws, embedded_aws, ECHO, plan={"throttle": {"rateLimit": 1.5, "burstLimit": 3}})
    other = gateway.make_key("other")
    assert [gateway.call().status for _ in range(4)] == [200, 200, 200, 429]
    assert gateway.call(key=other).status == 200
    now = admin(embedded_aws, "GET", "/_local/clock")["offset"]
    admin(embedded_aws, "POST", "/_local/clock", {"offset": now + 2})
    assert [gateway.call().status for _ in range(4)] == [200, 200, 200, 429]


def test_a_plan_has_a_quota(aws: Client, embedded_aws: str) -> None:
    gateway = Gateway(aws, embedded_aws, ECHO, plan={"quota": {"limit": 2, "period": "DAY"}})
    answers = [gateway.call() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].body == {"message": "Limit Exceeded"}
    day = time.strftime("%Y-%m-%d", time.gmtime(admin(embedded_aws, "GET", "/_local/clock")["now"]))
    usage = aws("apigateway").get_usage(usagePlanId=gateway.plan_id, startDate=day, endDate=day)
    assert list(usage["items"].values()) == [[[2, 0]]]
    admin(embedded_aws, "POST", "/_local/clock", {"offset": 86_400})
    assert gateway.call().status == 200


def test_what_usage_plans_refuse(echo: Gateway) -> None:
    api = echo.aws("apigateway")
    (key,) = api.get_api_keys()["items"]
    second = api.create_usage_plan(name="second", apiStages=[{"apiId": echo.api_id, "stage": "dev"}])["id"]
    with pytest.raises(botocore.exceptions.ClientError, match="ConflictException"):
        api.create_usage_plan_key(usagePlanId=second, keyId=key["id"], keyType="API_KEY")
    with pytest.raises(botocore.exceptions.ClientError, match="BadRequestException"):
        api.delete_usage_plan(usagePlanId=second)
    stage = {"op": "remove", "path": "/apiStages", "value": f"{echo.api_id}:dev"}
    rate = {"op": "replace", "path": "/throttle/rateLimit", "value": "12.5"}
    patched = api.update_usage_plan(usagePlanId=second, patchOperations=[stage, rate])
    assert patched["throttle"]["rateLimit"] == 12.5
    api.delete_usage_plan(usagePlanId=second)


def test_many_callers_at_once(aws: Client, embedded_aws: str) -> None:
    """Each function calls the embedded AWS back while its own caller waits: this must not lock up."""
    source = (
        "import os, time, urllib.request\n"
        "def handle(event, context):\n"
        "    time.sleep(0.2)\n"
        "    urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_local/health', timeout=20).close()\n"
        "    return {'statusCode': 200, 'body': context.aws_request_id}\n"
    )
    gateway = Gateway(aws, embedded_aws, source, Timeout=29)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: gateway.call(), range(96)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 96
