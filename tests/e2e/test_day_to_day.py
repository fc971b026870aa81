"""Lived with: keys rotated under load, reports, reconciliation, a profile given another model."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest

from tests.e2e.stack import HELLO, Stack, eventually
from tests.e2e.test_main_job import records

pytestmark = pytest.mark.e2e

ACME = "acme-web-search-bot"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("days"))
    config = made.read_config()
    config["tiers"]["default"].pop("requests_per_minute")
    made.write_config(config)
    made.set_up("--no-rehearsal")
    yield made
    made.tear_down()


def move(stack: Stack, seconds: float) -> None:
    """Move the embedded clock forward."""
    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + seconds})


def invoke_with(stack: Stack, key: str) -> int:
    """The status of a request with a certain key."""
    headers = {"x-api-key": key, "inference-profile-id": ACME}
    return stack.http("POST", stack.deployed["api_url"] + "/invoke", headers, HELLO).status


def test_a_key_is_rotated_without_a_request_refused(stack: Stack) -> None:
    old = stack.key("Acme")
    statuses: list[int] = []
    stopped = threading.Event()

    def load() -> None:
        while not stopped.wait(0.02):
            statuses.append(invoke_with(stack, old))

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(load) for _ in range(4)]
        try:
            new = stack.run("tenants.py", "rotate-key", "Acme", "--grace", "30m").stdout.strip()
            first = invoke_with(stack, new)
            time.sleep(1)
        finally:
            stopped.set()
        for future in futures:
            future.result()
    assert first == 200
    assert new != old
    assert set(statuses) == {200}
    assert len(statuses) > 20
    move(stack, 30 * 60 + 1)
    assert invoke_with(stack, old) == 403
    assert invoke_with(stack, new) == 200
    assert "deleting an API key of Acme" in stack.set_up("--no-rehearsal").stderr
    stack._keys.clear()


def reconcile(stack: Stack, expect: int) -> dict[str, Any]:
    """report.py --reconcile as JSON, by profile name."""
    done = stack.run("report.py", "--reconcile", "--format", "json", expect=expect)
    return {line["profile"]: line for line in json.loads(done.stdout)["profiles"]}


@pytest.fixture(scope="module")
def rolled_up(stack: Stack) -> Stack:
    """Some traffic, its hour over, rolled up."""
    for profile in (ACME, "acme-support-chat"):
        for _ in range(3):
            assert stack.invoke("Acme", inference_profile_id=profile).status == 200
    spent = sum(int(item["cost"]) for item in records(stack))
    move(stack, 3700)
    eventually(lambda: report_total(stack) == Fraction(spent, 10**12), 90, 2)
    return stack


def report_total(stack: Stack) -> Fraction:
    """The sum that a report over the last days tells, exactly."""
    done = stack.run("report.py", "--format", "json", expect=None)
    return Fraction(json.loads(done.stdout)["total"]["cost_usd"]) if done.returncode == 0 else Fraction(-1)


def test_reports_add_up_to_the_records_in_every_format(rolled_up: Stack) -> None:
    spent = Fraction(sum(int(item["cost"]) for item in records(rolled_up)), 10**12)
    text = rolled_up.run("report.py", "--format", "csv", "--by", "TenantID,ApplicationID").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert sum(Fraction(line["cost_usd"]) for line in lines) == spent
    assert {line["ApplicationID"] for line in lines} == {"Web-Search-Bot", "Support-Chat"}
    focus = csv.DictReader(io.StringIO(rolled_up.run("report.py", "--format", "focus").stdout))
    assert sum(Fraction(line["BilledCost"]) for line in focus) == spent
    assert "Acme" in rolled_up.run("report.py").stdout
    assert "<table>" in rolled_up.run("report.py", "--format", "html").stdout
    mistyped = rolled_up.run("report.py", "--by", "TenantId", expect=1).stderr
    assert "'TenantId'" in mistyped and "ApplicationID, Environment, TenantID" in mistyped


def test_reconciliation_finds_nothing_and_then_each_thing(rolled_up: Stack) -> None:
    stack = rolled_up
    assert {line["percent_off"] for line in reconcile(stack, 0).values()} == {"0.000000"}
    table, dynamodb = stack.deployed["table"], stack.aws("dynamodb")
    item = next(item for item in records(stack) if item["profile"] == stack.deployed["profile_ids"][ACME])
    key = {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}
    whole = dynamodb.get_item(TableName=table, Key=key)["Item"]

    dynamodb.delete_item(TableName=table, Key=key)
    assert "missing from the ledger" in " ".join(reconcile(stack, 1)[ACME]["reasons"])
    dynamodb.put_item(TableName=table, Item=whole)

    twice = {**whole, "sk": {"S": item["sk"][:-1] + ("0" if item["sk"][-1] != "0" else "1")}}
    dynamodb.put_item(TableName=table, Item=twice)
    assert "recorded twice" in " ".join(reconcile(stack, 1)[ACME]["reasons"])
    dynamodb.delete_item(TableName=table, Key={"pk": twice["pk"], "sk": twice["sk"]})

    dearer = {**whole, "cost": {"N": str(int(item["cost"]) * 2)}, "prices": {"S": "otherprices1"}}
    dynamodb.put_item(TableName=table, Item=dearer)
    assert "price tables were in use" in " ".join(reconcile(stack, 1)[ACME]["reasons"])
    dynamodb.put_item(TableName=table, Item=whole)

    arn = f"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/{stack.deployed['profile_ids'][ACME]}"
    stack.aws("bedrock-runtime").converse(modelId=arn, messages=HELLO["messages"])
    assert "went round the gateway" in " ".join(reconcile(stack, 1)[ACME]["reasons"])


def test_another_model_is_a_new_profile_and_the_old_one_goes(rolled_up: Stack) -> None:
    stack = rolled_up
    config, before = stack.read_config(), stack.deployed["profile_ids"][ACME]
    config["profiles"][0]["model_id"] = "us.amazon.nova-lite-v1:0"
    stack.write_config(config)
    planned = stack.set_up("--plan", "--detailed-exitcode", expect=2).stderr
    assert "acme-web-search-bot" in planned
    move(stack, 0)
    stack.set_up("--no-rehearsal")
    after = stack.deployed["profile_ids"][ACME]
    profiles = stack.aws("bedrock").list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert before != after
    assert Counter(one["inferenceProfileId"] for one in profiles)[before] == 0
    assert stack.invoke("Acme", inference_profile_id=ACME).status == 200
    assert stack.invoke("Acme", inference_profile_id=before).status == 404
    assert "Nothing to change." in stack.set_up("--no-rehearsal").stderr
