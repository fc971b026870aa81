"""Proxy events in, Converse bodies out."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lambda_function.request import MOST_BODY_BYTES, Refusal, converse_body, request_of


def event(body: Any = "{}", **more: Any) -> dict[str, Any]:
    """A REST API's proxy event."""
    return {
        "httpMethod": "POST", "resource": "/invoke", "headers": {"X-Api-Key": "k", "Tags": "{}"}, "body": body,
        "requestContext": {"identity": {"apiKeyId": "id1"}}, "isBase64Encoded": False, **more,
    }  # fmt: skip


def test_an_event_is_read_whatever_the_spelling_of_its_headers() -> None:
    request = request_of(event("text"))
    assert request == ("POST", "/invoke", {"x-api-key": "k", "tags": "{}"}, "text", "id1")


def test_a_base64_body_is_decoded() -> None:
    assert request_of(event(base64.b64encode("ä{}".encode()).decode(), isBase64Encoded=True)).body == "ä{}"


@pytest.mark.parametrize(
    ("made", "status", "code"),
    [
        (event("not base64!", isBase64Encoded=True), 400, "ValidationError"),
        (event(base64.b64encode(b"\xff").decode(), isBase64Encoded=True), 400, "ValidationError"),
        (event("x" * (MOST_BODY_BYTES + 1)), 413, "PayloadTooLarge"),
        (event("ä" * (MOST_BODY_BYTES // 2 + 1)), 413, "PayloadTooLarge"),
    ],
)
def test_a_body_that_cannot_be_read(made: dict[str, Any], status: int, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        request_of(made)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_nothing_but_a_method_is_an_event_too() -> None:
    assert request_of({"httpMethod": "GET", "headers": None, "body": None}).key_id == ""


@pytest.mark.parametrize(
    ("body", "parsed", "exact"),
    [
        ('{"messages": [1], "future": {"x": 1}}', {"messages": [1], "future": {"x": 1}}, True),
        ("[1, 2]", {"messages": [1, 2]}, False),
        (' {"messages": [], "inferenceConfig": {"maxTokens": 1}}', None, True),
    ],
)
def test_bodies(body: str, parsed: Any, exact: bool) -> None:
    found, same = converse_body(body)
    assert same is exact
    assert parsed in (None, found)


@pytest.mark.parametrize(
    "body",
    ["", "  ", "x", '"text"', "1", "null", "{}", "[]x", '{"messages": {}}', '{"messages": [], "inferenceConfig": []}',
     '{"messages": [], "inferenceConfig": {"maxTokens": 0}}',
     '{"messages": [], "inferenceConfig": {"maxTokens": true}}',
     '{"messages": [], "inferenceConfig": {"maxTokens": 1.5}}', "[" * 100_000],
)  # fmt: skip
def test_wrong_bodies(body: str) -> None:
    with pytest.raises(Refusal) as caught:
        converse_body(body)
    assert (caught.value.status, caught.value.code) == (400, "ValidationError")
