"""read, write, settle: what reaches AWS, what does not, and which sentence comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from lib.aws import Aws, Uncertain
from lib.errors import AccessDenied, AwsError, NotReady
from lib.planned import is_planned


class Endpoint:
    """Answers each request from a script; a callable raises, a tuple is (status, body)."""

    def __init__(self, *script: tuple[int, dict[str, Any]] | Exception) -> None:
        self.script = list(script)
        self.requests: list[str] = []

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request.url)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        raw = io.BytesIO(json.dumps(body).encode())
        raw.stream = lambda **_: iter([raw.getvalue()])  # type: ignore[attr-defined]
        headers = {"x-amzn-errortype": body.get("__type", "")} if status >= 400 else {}
        return AWSResponse(request.url, status, headers, raw)


@pytest.fixture
def aws_with() -> Iterator[Callable[..., tuple[Aws, Endpoint, list[float]]]]:
    def make(*script: Any, **options: Any) -> tuple[Aws, Endpoint, list[float]]:
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
        slept: list[float] = []
        now = [0.0]

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        aws = Aws(session, sleep=sleep, clock=lambda: now[0], jitter=lambda: 1.0, **options)
        endpoint = Endpoint(*script)
        session.events.register("before-send", endpoint)
        return aws, endpoint, slept

    yield make


def test_missing_is_none_and_denied_is_not(aws_with: Any) -> None:
    aws, _, _ = aws_with(
        (404, {"__type": "NotFoundException", "message": "no such API"}),
        (403, {"__type": "AccessDeniedException", "message": "not yours"}),
    )
    assert aws.read("apigateway", "get_rest_api", restApiId="x") is None
    with pytest.raises(AccessDenied, match="AccessDeniedException while reading apigateway get rest api"):
        aws.read("apigateway", "get_rest_api", restApiId="x")


def test_throttling_and_server_errors_are_retried_with_growing_pauses(aws_with: Any) -> None:
    aws, endpoint, slept = aws_with(
        (429, {"__type": "TooManyRequestsException", "message": "slow down"}),
        (503, {"__type": "ServiceUnavailableException", "message": "sorry"}),
        (200, {"id": "abc"}),
        paced=False,
    )
    assert aws.read("apigateway", "get_rest_api", restApiId="x")["id"] == "abc"
    assert len(endpoint.requests) == 3
    assert slept == [1.0, 2.0]


def test_a_create_of_unknown_outcome_is_not_sent_again(aws_with: Any) -> None:
    aws, endpoint, _ = aws_with((500, {"__type": "InternalServerError", "message": "?"}))
    with pytest.raises(Uncertain):
        aws.write("+", "creating a key", "apigateway", "create_api_key", name="k")
    assert len(endpoint.requests) == 1


def test_deleting_what_is_gone_is_done(aws_with: Any) -> None:
    aws, _, _ = aws_with((404, {"__type": "NotFoundException", "message": "no"}))
    assert aws.write("-", "deleting a key", "apigateway", "delete_api_key", apiKey="k") == {}


def test_a_refusal_says_what_we_were_doing_and_what_to_do(aws_with: Any) -> None:
    aws, _, _ = aws_with((400, {"__type": "BadRequestException", "message": "bad name"}))
    with pytest.raises(AwsError) as caught:
        aws.write("+", "creating key k", "apigateway", "create_api_key", name="k")
    assert str(caught.value).startswith("AWS answered BadRequestException while creating key k: bad name Run")


def test_planning_sends_nothing_and_answers_in_aws_shape(aws_with: Any) -> None:
    aws, endpoint, _ = aws_with(planning=True)
    key = aws.write("+", "creating a key", "apigateway", "create_api_key", name="k")
    assert is_planned(key["id"])
    assert aws.read("apigateway", "get_api_key", apiKey=key["id"]) is None
    assert endpoint.requests == []
    assert [change.sign for change in aws.changes] == ["+"]


def test_planning_checks_parameters_as_botocore_does(aws_with: Any) -> None:
    aws, _, _ = aws_with(planning=True)
    with pytest.raises(AssertionError, match="Unknown parameter"):
        aws.write("+", "creating a key", "apigateway", "create_api_key", nmae="k")


@pytest.mark.parametrize("planning", [True, False])
def test_a_mutation_past_write_is_loud(aws_with: Any, planning: bool) -> None:
    aws, endpoint, _ = aws_with(planning=planning)
    with pytest.raises(AssertionError, match=r"outside Aws\.write"):
        aws.client("apigateway").create_api_key(name="k")
    assert endpoint.requests == []


def test_mutations_stay_under_the_published_rate(aws_with: Any) -> None:
    aws, _, slept = aws_with(*[(200, {"id": "x"})] * 4)
    for _ in range(4):
        aws.write("+", "creating a key", "apigateway", "create_api_key", name="k")
    assert slept == pytest.approx([0.2] * 3)


def test_waiting_ends(aws_with: Any) -> None:
    aws, _, slept = aws_with()
    with pytest.raises(NotReady, match="Gave up waiting for the role after 120 s"):
        aws.settle("waiting for the role", lambda: False)
    assert sum(slept) == pytest.approx(120)
