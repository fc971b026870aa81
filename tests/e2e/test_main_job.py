"""The main job on the embedded AWS: provision, call, meter, alarm, mail, tear down. One deployment, real sockets."""

from __future__ import annotations

import csv
import email
import email.policy
import json
import random
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import boto3.dynamodb.types
import pytest

from tests.e2e.stack import HELLO, ROOT, Stack, eventually

pytestmark = pytest.mark.e2e

TRACE = ROOT.parent / "shared" / "data" / "azure_llm_2023_conv.csv"
ACME = "acme-web-search-bot"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack"))
    made.printed = made.set_up()  # type: ignore[attr-defined]
    yield made
    made.tear_down()


def records(stack: Stack) -> list[dict[str, Any]]:
    """Every request record, read with plain boto3."""
    plain = boto3.dynamodb.types.TypeDeserializer().deserialize
    pages = stack.aws("dynamodb").get_paginator("scan").paginate(TableName=stack.deployed["table"])
    items = [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
    return [item for item in items if item["pk"].startswith("R#")]


def price(model: str) -> dict[str, Fraction]:
    """USD per token of a model, straight from models.json."""
    regions = json.loads((ROOT / "models.json").read_text())
    row = regions.get("us-east-1", {}).get("text", {}).get(model) or regions["default"]["text"][model]
    return {name: Fraction(str(row[name])) / 1000 for name in ("input_cost", "output_cost")}


def test_the_printed_curl_line_works_as_pasted(stack: Stack) -> None:
    (line,) = [line for line in stack.printed.stdout.splitlines() if line.startswith("curl ")]  # type: ignore[attr-defined]
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    assert json.loads(body)["output"]["message"]["role"] == "assistant"


@pytest.mark.parametrize(
    "headers",
    [
        {"inference_profile_id": ACME},
        {"inference_profile_name": ACME},
        {"tags": '[{"key":"ApplicationID","value":"Web-Search-Bot"}]'},
        {"tags": '[{"key":"Environment","value":"prod"},{"key":"ApplicationID","value":"Web-Search-Bot"}]'},
        {"tags": '{"ApplicationID":"Web-Search-Bot"}'},
        {"ApplicationID": "Web-Search-Bot"},
        {"environment": "prod", "APPLICATIONID": "Web-Search-Bot"},
        {"tags": '{"Environment":"prod"}', "ApplicationID": "Web-Search-Bot", "TenantID": "Acme"},
        {"ApplicationID": "Web-Search-Bot", "s3_bucket_name": "somebody-elses", "x-anything": "ignored"},
    ],
)
def test_a_profile_can_be_named_in_many_ways(stack: Stack, headers: dict[str, str]) -> None:
    answer = stack.invoke("Acme", **headers)
    assert (answer.status, answer.headers["x-inference-profile"]) == (200, ACME)


def test_a_profile_can_be_named_by_id_and_arn(stack: Stack) -> None:
    profile_id = stack.deployed["profile_ids"][ACME]
    arn = f"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/{profile_id}"
    for named in (profile_id, arn):
        assert stack.invoke("Acme", inference_profile_id=named).headers["x-inference-profile"] == ACME


def test_the_bare_list_of_messages_is_a_request(stack: Stack) -> None:
    assert stack.invoke("Acme", HELLO["messages"], inference_profile_id=ACME).status == 200


def test_reconciliation_at_once_finds_no_fault(stack: Stack) -> None:
    """Roll-ups follow in minutes, and leave the rehearsal out: both are told, neither is a difference."""
    told = json.loads(stack.run("report.py", "--reconcile", "--format", "json", expect=0).stdout)
    reasons = [reason for line in told["profiles"] for reason in line["reasons"]]
    assert {line["percent_off"] for line in told["profiles"]} == {"0.000000"}
    assert any("were setup's rehearsal" in reason for reason in reasons)
    assert not any("differ" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("tenant", "body", "headers", "status", "code"),
    [
        (None, None, {}, 403, "Forbidden"),
        (None, None, {"x_api_key": "nobody's"}, 403, "Forbidden"),
        ("Acme", None, {}, 400, "AmbiguousProfile"),
        ("Acme", None, {"Environment": "prod"}, 400, "AmbiguousProfile"),
        ("Acme", None, {"inference_profile_id": "no-such-profile"}, 404, "ProfileNotFound"),
        ("Acme", None, {"inference_profile_id": "globex-web-search-bot"}, 403, "Forbidden"),
        ("Acme", None, {"TenantID": "Globex"}, 403, "Forbidden"),
        ("Acme", None, {"inference_profile_id": ACME, "ApplicationID": "Support-Chat"}, 404, "ProfileNotFound"),
        ("Acme", None, {"inference_profile_id": ACME, "tags": "not json"}, 400, "ValidationError"),
        ("Acme", None, {"inference_profile_id": ACME, "region": "eu-west-1"}, 400, "ValidationError"),
        ("Acme", b"not json", {"inference_profile_id": ACME}, 400, "ValidationError"),
        ("Acme", b"", {"inference_profile_id": ACME}, 400, "ValidationError"),
        ("Acme", b'"text"', {"inference_profile_id": ACME}, 400, "ValidationError"),
        ("Acme", {"messages": []}, {"inference_profile_id": ACME}, 400, "ValidationException"),
        ("Acme", b"x" * (11 * 1024 * 1024), {"inference_profile_id": ACME}, 413, "PayloadTooLarge"),
        ("Acme", b"x" * (6 * 1024 * 1024 + 1), {"inference_profile_id": ACME}, 413, "PayloadTooLarge"),
    ],
)  # fmt: skip
def test_refusals(stack: Stack, tenant: str | None, body: Any, headers: dict[str, str], status: int, code: str) -> None:
    answer = stack.invoke(tenant, body, **headers)
    assert (answer.status, answer.code) == (status, code)
    assert answer.body["requestId"]
    assert "arn:aws" not in json.dumps(answer.body)
    assert "123456789012" not in json.dumps(answer.body)


def test_headers_over_the_limit_are_refused(stack: Stack) -> None:
    assert stack.invoke("Acme", inference_profile_id=ACME, x_filler="x" * 10_300).status in {400, 413, 431}


def test_an_ambiguous_request_lists_only_its_own_choices(stack: Stack) -> None:
    message = stack.invoke("Acme").body["error"]["message"]
    assert "acme-web-search-bot" in message
    assert "acme-support-chat" in message
    assert "globex" not in message


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "throttle"}, 429, "ThrottlingException"),
        ({"kind": "unavailable"}, 503, "ServiceUnavailableException"),
        ({"kind": "internal"}, 500, "InternalServerException"),
        ({"kind": "model_error"}, 424, "ModelErrorException"),
        ({"kind": "model_timeout"}, 408, "ModelTimeoutException"),
    ],
)
def test_bedrocks_errors_keep_code_and_status(stack: Stack, fault: dict[str, Any], status: int, code: str) -> None:
    stack.admin("POST", "/_local/faults", {**fault, "count": 1})
    answer = stack.invoke("Acme", inference_profile_id=ACME)
    assert (answer.status, answer.code) == (status, code)


def test_cost_is_exact_in_header_record_and_metric(stack: Stack) -> None:
    before = metric_total(stack, "acme-support-chat")
    answer = stack.invoke("Acme", inference_profile_id="acme-support-chat")
    usage, rates = answer.body["usage"], price("us.amazon.nova-lite-v1:0")
    expected = usage["inputTokens"] * rates["input_cost"] + usage["outputTokens"] * rates["output_cost"]
    assert Fraction(answer.headers["x-cost-usd"]) == expected
    (found,) = [item for item in records(stack) if item["sk"] == answer.headers["x-request-id"]]
    assert Fraction(int(found["cost"]), 10**12) == expected
    eventually(lambda: abs(metric_total(stack, "acme-support-chat") - before - float(expected)) < 1e-12)


def metric_total(stack: Stack, profile: str) -> float:
    """Cost in the metrics of a profile, as CloudWatch tells it."""
    now = datetime.fromtimestamp(stack.admin("GET", "/_local/clock")["now"]).astimezone()
    total = 0.0
    for name in ("InputTokensCost", "OutputTokensCost", "CacheTokensCost"):
        points = stack.aws("cloudwatch").get_metric_statistics(
            Namespace="BedrockInvocationTracing", MetricName=name, Period=86_400, Statistics=["Sum"],
            Dimensions=[{"Name": "InferenceProfile", "Value": profile}],
            StartTime=now - timedelta(days=2), EndTime=now + timedelta(days=1),
        )["Datapoints"]  # fmt: skip
        total += sum(point["Sum"] for point in points)
    return total


def test_max_tokens_is_always_set_and_obeyed(stack: Stack) -> None:
    body = {**HELLO, "inferenceConfig": {"maxTokens": 3}}
    answer = stack.invoke("Acme", body, inference_profile_id=ACME)
    assert answer.body["usage"]["outputTokens"] <= 3
    assert answer.body["stopReason"] == "max_tokens"


def test_usage_tells_the_tenant_its_own_spend(stack: Stack) -> None:
    stack.invoke("Globex", inference_profile_id="globex-web-search-bot")
    answer = stack.usage("Globex")
    assert answer.status == 200
    assert answer.body["tenant"] == "Globex"
    spent = sum(int(item["cost"]) for item in records(stack) if item["pk"].startswith("R#Globex#"))
    assert Fraction(answer.body["budgets"]["month"]["spent_usd"]) == Fraction(spent, 10**12)
    assert "Acme" not in json.dumps(answer.body)


def test_setup_again_writes_nothing(stack: Stack) -> None:
    assert "Nothing to change." in stack.set_up().stderr
    assert stack.set_up("--plan", "--detailed-exitcode").stdout.strip() == "Nothing to change."


def test_a_tenants_program_never_sees_another_tenant(stack: Stack) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda index: stack.invoke(
                    ("Acme", "Globex")[index % 2],
                    inference_profile_id=(ACME, "globex-web-search-bot")[index % 2],
                ),
                range(32),
            )
        )
    assert Counter(answer.headers["x-inference-profile"] for answer in answers) == {
        ACME: 16,
        "globex-web-search-bot": 16,
    }


@pytest.mark.skipif(not TRACE.is_file(), reason="the Azure trace is not beside the project")
def test_five_hundred_requests_of_a_real_trace_agree_to_the_last_pico_dollar(tmp_path: Path) -> None:
    """Records, metrics and Bedrock's own account of what it served, in a deployment without limits."""
    config = json.loads((ROOT / "config.json").read_text())
    config["tiers"] = {"default": {}}
    config.pop("tenants", None)
    stack = Stack(tmp_path, config)
    stack.set_up("--no-rehearsal")
    try:
        replay(stack)
        agree(stack)
    finally:
        stack.tear_down()


def replay(stack: Stack) -> None:
    with TRACE.open() as file:
        rows = [row for _, row in zip(range(500), csv.DictReader(file), strict=False)]
    chosen = random.Random(7)

    def call(index: int) -> int:
        row = rows[index]
        words = "word " * max(1, int(row["ContextTokens"]))
        body = {
            "messages": [{"role": "user", "content": [{"text": words}]}],
            "inferenceConfig": {"maxTokens": max(1, int(row["GeneratedTokens"]))},
        }
        tenant, profile = chosen.choice([("Acme", ACME), ("Globex", "globex-document-summary")])
        return stack.invoke(tenant, body, inference_profile_id=profile).status

    stack.key("Acme"), stack.key("Globex")
    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(call, range(len(rows)))) == {200: len(rows)}


def agree(stack: Stack) -> None:
    served: dict[str, Counter[str]] = defaultdict(Counter)
    for call in stack.admin("GET", "/_local/bedrock/served")["served"]:
        served[call["profileId"]].update({"requests": 1, "in": call["inputTokens"], "out": call["outputTokens"]})
    kept: dict[str, Counter[str]] = defaultdict(Counter)
    for item in records(stack):
        kept[item["profile"]].update(
            {"requests": 1, "in": int(item.get("in", 0)), "out": int(item.get("out", 0)), "cost": int(item["cost"])}
        )
    models = {profile["name"]: profile.get("model_id", stack.read_config()["default_model_id"])
              for profile in stack.read_config()["profiles"]}  # fmt: skip
    names = {profile_id: name for name, profile_id in stack.deployed["profile_ids"].items()}
    assert served.keys() == kept.keys()
    for profile_id, counts in served.items():
        assert {kind: kept[profile_id][kind] for kind in counts} == dict(counts)
        rates = price(models[names[profile_id]])
        expected = counts["in"] * rates["input_cost"] + counts["out"] * rates["output_cost"]
        assert Fraction(kept[profile_id]["cost"], 10**12) == expected
        told(stack, names[profile_id], expected)


def told(stack: Stack, profile: str, usd: Fraction) -> None:
    """Wait until the metrics of `profile` add up to `usd`."""
    eventually(lambda: abs(metric_total(stack, profile) - float(usd)) < 1e-12)


def test_an_overrun_turns_the_right_alarm_and_mails_once(stack: Stack) -> None:
    name = "BedrockRequestsPerMinuteAlarm-globex-web-search-bot"

    def state() -> str:
        (alarm,) = stack.aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    def mails() -> list[email.message.EmailMessage]:
        found = [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in (stack.folder / ".local" / "mail").glob("*.eml")
        ]
        return [mail for mail in found if name in str(mail["Subject"])]

    # What the tests before this one sent may have been an overrun too: it passes first.
    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 241 + 60 - (now["now"] + 240) % 60})
    eventually(lambda: state() == "OK", 60)
    before = len(mails())
    for _ in range(12):
        stack.invoke("Globex", inference_profile_id="globex-web-search-bot")
    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 60})
    eventually(lambda: state() == "ALARM", 60)
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 240})
    eventually(lambda: state() == "OK", 60)
    assert len(mails()) == before + 1
    assert mails()[-1]["To"] == "your-email@example.com"
