"""Which profile a request means: every way of saying it, and every way of saying it wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.request import Refusal
from lambda_function.resolve import Resolver

REGION = "us-east-1"


def row(name: str, tenant: str, **tags: str) -> dict[str, Any]:
    """A profile as the snapshot has it."""
    identity = f"{abs(hash(name)) % 10**12:012d}"
    arn = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/{identity}"
    return {"name": name, "id": identity, "arn": arn, "tenant": tenant, "model": "m", "version": "v",
            "tags": {"TenantID": tenant, **tags}}  # fmt: skip


ROWS = [
    row("a-search", "A", ApplicationID="Search", Env="prod"),
    row("a-chat", "A", ApplicationID="Chat", Env="prod"),
    row("b-only", "B", ApplicationID="Search", Env="prod", Host="h"),
]
RESOLVER = Resolver(ROWS, REGION)


@pytest.mark.parametrize(
    ("tenant", "headers", "name"),
    [
        ("B", {}, "b-only"),
        ("A", {"inference-profile-id": "a-chat"}, "a-chat"),
        ("A", {"inference-profile-name": " a-chat "}, "a-chat"),
        ("A", {"inference-profile-id": ROWS[0]["id"]}, "a-search"),
        ("A", {"inference-profile-id": ROWS[0]["arn"], "inference-profile-name": "a-search"}, "a-search"),
        ("A", {"applicationid": "Chat"}, "a-chat"),
        ("A", {"applicationid": "Chat", "env": "prod", "tenantid": "A"}, "a-chat"),
        ("A", {"tags": '{"applicationID": "Search"}'}, "a-search"),
        ("A", {"tags": '[{"key": "Env", "value": "prod"}, {"key": "ApplicationID", "value": "Search"}]'}, "a-search"),
        ("A", {"tags": '{"Env": "prod"}', "applicationid": "Search"}, "a-search"),
        ("A", {"tags": "{}", "applicationid": "Search", "accept": "*/*", "unknown": "x"}, "a-search"),
        ("A", {"applicationid": "Search", "region": REGION, "s3_bucket_name": "x"}, "a-search"),
        ("B", {"host": "api.example.com"}, "b-only"),  # a reserved header is no tag
        ("B", {"tags": '{"Host": "h"}'}, "b-only"),
    ],
)
def test_found(tenant: str, headers: dict[str, str], name: str) -> None:
    assert RESOLVER.resolve(tenant, headers).name == name


@pytest.mark.parametrize(
    ("tenant", "headers", "status", "code"),
    [
        ("A", {}, 400, "AmbiguousProfile"),
        ("A", {"env": "prod"}, 400, "AmbiguousProfile"),
        ("A", {"applicationid": "search"}, 404, "ProfileNotFound"),  # values are exact
        ("A", {"applicationid": "Nothing"}, 404, "ProfileNotFound"),
        ("A", {"tags": '{"Nothing": "x"}'}, 404, "ProfileNotFound"),
        ("A", {"tags": '{"Host": "h"}'}, 404, "ProfileNotFound"),
        ("A", {"inference-profile-id": "c"}, 404, "ProfileNotFound"),
        ("A", {"inference-profile-id": "a-chat", "inference-profile-name": "a-search"}, 404, "ProfileNotFound"),
        ("A", {"inference-profile-id": "a-chat", "applicationid": "Search"}, 404, "ProfileNotFound"),
        ("A", {"tags": '{"ApplicationID": "Chat"}', "applicationid": "Search"}, 404, "ProfileNotFound"),
        ("A", {"inference-profile-id": "b-only"}, 403, "Forbidden"),
        ("A", {"inference-profile-id": ROWS[2]["arn"]}, 403, "Forbidden"),
        ("A", {"tenantid": "B"}, 403, "Forbidden"),
        ("A", {"tags": '{"TenantID": "nobody"}', "applicationid": "Chat"}, 403, "Forbidden"),
        ("A", {"applicationid": "Chat", "region": "eu-west-1"}, 400, "ValidationError"),
        ("nobody", {}, 404, "ProfileNotFound"),
        *[("A", {"tags": text}, 400, "ValidationError")
          for text in ("", "x", "1", "[1]", '[{"key": "a"}]', '{"a": 1}', "[[]]", '[{"key": 1, "value": "x"}]')],
    ],
)  # fmt: skip
def test_refused(tenant: str, headers: dict[str, str], status: int, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        RESOLVER.resolve(tenant, headers)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert "b-only" not in caught.value.message or tenant == "B"


def test_choices_are_ones_own_and_named() -> None:
    with pytest.raises(Refusal, match="AmbiguousProfile") as caught:
        RESOLVER.resolve("A", {})
    assert caught.value.message == "Say which inference profile is meant: a-chat, a-search."


keys, values = st.sampled_from(["K1", "K2", "K3"]), st.sampled_from(["x", "y"])
profiles = st.lists(st.tuples(st.sampled_from("AB"), st.dictionaries(keys, values, max_size=3)), max_size=12)


@given(profiles, st.dictionaries(keys, values, min_size=1, max_size=3), st.randoms())
def test_tags_find_what_a_plain_search_finds_in_any_order(
    made: list[tuple[str, dict[str, str]]], wanted: dict[str, str], shuffled: random.Random
) -> None:
    rows = [row(f"p{index}", tenant, **tags) for index, (tenant, tags) in enumerate(made)]
    matching = [one["name"] for one in rows if one["tenant"] == "A" and wanted.items() <= one["tags"].items()]
    order = list(wanted.items())
    shuffled.shuffle(order)
    as_headers = {key.lower(): value for key, value in order}
    as_list = {"tags": json.dumps([{"key": key, "value": value} for key, value in order])}
    resolver = Resolver(rows, REGION)
    for headers in (as_headers, as_list, {"tags": json.dumps(dict(order))}):
        if not any(key in one["tags"] for one in rows for key in wanted) and headers is as_headers:
            continue  # headers of no tag at all are ignored
        known = headers if headers is not as_headers else {
            key: value for key, value in headers.items() if any(key.upper() in one["tags"] for one in rows)
        }  # fmt: skip
        expected = matching if len(known) == len(headers) else [
            one["name"] for one in rows
            if one["tenant"] == "A" and all(one["tags"].get(key.upper()) == value for key, value in known.items())
        ]  # fmt: skip
        assert found(resolver, headers) == (
            expected[0] if len(expected) == 1 else sorted(expected)[:0] or len(expected)
        )


def found(resolver: Resolver, headers: dict[str, str]) -> str | int:
    """The profile's name, or how many there were to choose from: 0 for none."""
    try:
        return resolver.resolve("A", headers).name
    except Refusal as refusal:
        return 0 if refusal.status == 404 else len(refusal.message.partition(": ")[2].split(", "))
