"""The resolved configuration as the functions read it: its shape is the seam between setup and the request path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib.config import Config, load
from lib.snapshot_body import Place, profile_version, render

ROOT = Path(__file__).resolve().parent.parent.parent
NOW = 1_763_900_000.0
PLACE = Place("123456789012", "us-east-1", "aws", "InvokeBedrockFunction", "InvokeBedrockFunction-Ledger")


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "config.json", ROOT / "models.json", local=True)


@pytest.fixture(scope="module")
def ids(config: Config) -> dict[str, Any]:
    return {
        "topic_arn": "arn:aws:sns:us-east-1:123456789012:BedrockInvocationAlarms",
        "tenant_topic_arns": {"Acme": "arn:aws:sns:us-east-1:123456789012:BedrockInvocationAlarms-Acme"},
        "keys": {"abc": {"tenant": "Acme", "until": None}},
        "profile_ids": {profile.name: f"id{number:010d}" for number, profile in enumerate(config.profiles)},
        "something_else": "is not for the functions",
    }


def test_it_holds_what_the_functions_need_and_no_more(config: Config, ids: dict[str, Any]) -> None:
    body = json.loads(render(config, PLACE, ids, NOW))
    assert set(body) == {
        "format", "version", "region", "partition", "account", "deployment", "table", "hold_seconds", "topics", "keys",
        "monthly_budget", "tenants", "zones", "price_version", "models", "profiles",
    }  # fmt: skip
    assert (body["format"], body["hold_seconds"], body["monthly_budget"]) == (1, 89, 500 * 10**12)
    assert body["topics"] == {"admin": ids["topic_arn"], "tenants": ids["tenant_topic_arns"]}
    assert body["keys"] == ids["keys"]
    assert set(body["zones"]) == {"Europe/Berlin", "America/New_York"}
    assert set(body["tenants"]) == {"Acme", "Globex"}
    assert body["tenants"]["Globex"]["policy"]["monthly_budget"] == 10 * 10**12
    assert set(body["models"]) == {profile["model"] for profile in body["profiles"]}
    assert body["profiles"][0] == {
        "name": "acme-web-search-bot",
        "id": "id0000000000",
        "arn": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/id0000000000",
        "tenant": "Acme",
        "tags": {"TenantID": "Acme", "ApplicationID": "Web-Search-Bot", "Environment": "prod"},
        "model": "anthropic.claude-3-haiku-20240307-v1:0",
        "version": profile_version(config.profiles[0]),
        "thresholds": {"cost": 10**12, "tokens": 2000, "requests": 10},
    }


def test_the_function_reads_it(config: Config, ids: dict[str, Any]) -> None:
    from lambda_function.snapshot import Snapshot

    snapshot = Snapshot(json.loads(render(config, PLACE, ids, NOW)))
    assert snapshot.table == "InvokeBedrockFunction-Ledger"
    assert snapshot.resolver.resolve("Acme", {"inference-profile-name": "acme-support-chat"}).id == "id0000000001"


def test_its_version_follows_its_content_and_nothing_else(config: Config, ids: dict[str, Any]) -> None:
    def version(ids: dict[str, Any], now: float = NOW) -> str:
        return str(json.loads(render(config, PLACE, ids, now))["version"])

    assert version(ids) == version({**dict(reversed(ids.items())), "more": 1}, NOW + 3600)
    assert version(ids) != version({**ids, "keys": {}})


def test_a_profile_version_follows_name_tags_and_model(config: Config) -> None:
    import dataclasses

    profile = config.profiles[0]
    same = dataclasses.replace(profile, tags=tuple(reversed(profile.tags)), description="x", token_alarm_threshold=1)
    assert profile_version(same) == profile_version(profile)
    for change in ({"name": "x"}, {"model_id": "x"}, {"tags": (("TenantID", "x"),)}):
        assert profile_version(dataclasses.replace(profile, **change)) != profile_version(profile)
