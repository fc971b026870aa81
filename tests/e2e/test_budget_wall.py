"""A budget is a wall: under concurrency, crashes and rates, as the model endpoint itself counts it."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import boto3.dynamodb.types
import pytest

from tests.e2e.stack import Answer, Stack, eventually

pytestmark = pytest.mark.e2e

CALLERS = 64
SEEDS = 20
BUDGET = Fraction("0.02")
INPUT, OUTPUT = Fraction("0.00000025"), Fraction("0.00000125")  # Claude 3 Haiku, USD per token


def tenants(count: int, limits: dict[str, Any]) -> dict[str, Any]:
    """A configuration of `count` tenants with one profile each, all in a tier with `limits`."""
    return {
        "aws_region": "us-east-1",
        "sns_email": "your-email@example.com",
        "default_model_id": "anthropic.claude-3-haiku-20240307-v1:0",
        "tiers": {"default": limits},
        "profiles": [
            {"name": f"profile-{index}", "tags": [{"key": "TenantID", "value": f"T{index}"}]} for index in range(count)
        ],
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    limits = {"monthly_budget_usd": float(BUDGET), "max_concurrent_requests": 100}
    config = tenants(SEEDS + 1, limits)
    config["tenants"] = {
        f"T{SEEDS}": {"monthly_budget_usd": 1000, "daily_budget_usd": 900, "max_concurrent_requests": 500}
    }
    made = Stack(tmp_path_factory.mktemp("wall"), config)
    made.set_up("--no-rehearsal")
    yield made
    made.tear_down()


def request(chosen: random.Random) -> dict[str, Any]:
    """A request of random size."""
    text = "word " * chosen.randint(1, 800)
    asked = chosen.randint(1, 400)
    return {
        "messages": [{"role": "user", "content": [{"text": f"{text}[[tokens={asked}]]"}]}],
        "inferenceConfig": {"maxTokens": asked},
    }


def served_usd(stack: Stack, tenant: str) -> Fraction:
    """What the model endpoint served to a tenant, priced here: calls without a 200 included."""
    profile = stack.deployed["profile_ids"][f"profile-{tenant[1:]}"]
    calls = [one for one in stack.admin("GET", "/_local/bedrock/served")["served"] if one["profileId"] == profile]
    return sum((one["inputTokens"] * INPUT + one["outputTokens"] * OUTPUT for one in calls), Fraction(0))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_64_callers_at_the_edge_never_cross_it_and_the_rest_can_be_used(stack: Stack, seed: int) -> None:
    chosen, tenant = random.Random(seed), f"T{seed}"
    bodies = [request(chosen) for _ in range(2 * CALLERS)]
    # Some answers are lost after they were served and billed, some calls fail after they were billed.
    for _ in range(3):
        profile = stack.deployed["profile_ids"][f"profile-{seed}"]
        stack.admin("POST", "/_local/faults", {"kind": chosen.choice(["reset", "billed_error"]), "profile": profile})
    stack.key(tenant)

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda body: stack.invoke(tenant, body), bodies))

    assert served_usd(stack, tenant) <= BUDGET
    kinds = Counter((answer.status, answer.code) for answer in answers)
    assert kinds[402, "BudgetExceeded"] > 0, kinds
    assert set(kinds) <= {(200, ""), (402, "BudgetExceeded"), (503, "ServiceUnavailableException"),
                          (500, "InternalServerException"), (429, "RateLimited"),
                          (503, "LimitsUnavailable")}, kinds  # fmt: skip

    settle_all(stack, tenant)
    tiny = {"messages": [{"role": "user", "content": [{"text": "[[tokens=8]]"}]}], "inferenceConfig": {"maxTokens": 8}}
    while (answer := stack.invoke(tenant, tiny)).status == 200:
        pass
    assert (answer.status, answer.code) == (402, "BudgetExceeded")
    assert answer.headers["x-budget-reset"].startswith("20")
    month = stack.usage(tenant).body["budgets"]["month"]
    assert Fraction(month["reserved_usd"]) == 0
    assert BUDGET * 95 / 100 <= Fraction(month["spent_usd"]) <= BUDGET
    assert served_usd(stack, tenant) <= BUDGET


def settle_all(stack: Stack, tenant: str) -> None:
    """Let the sweeper settle what a request could not settle itself on this machine, loaded as it is."""
    if Fraction(stack.usage(tenant).body["budgets"]["month"]["reserved_usd"]):
        now = stack.admin("GET", "/_local/clock")
        stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 200})
        eventually(lambda: not Fraction(stack.usage(tenant).body["budgets"]["month"]["reserved_usd"]), 60)


def records(stack: Stack, tenant: str) -> dict[str, dict[str, Any]]:
    """Request records of a tenant by request id."""
    plain = boto3.dynamodb.types.TypeDeserializer().deserialize
    pages = stack.aws("dynamodb").get_paginator("scan").paginate(TableName=stack.deployed["table"])
    items = ({name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"])
    return {item["sk"]: item for item in items if item["pk"].startswith(f"R#{tenant}#")}


def test_after_random_kills_the_ledger_covers_everything_that_was_served(stack: Stack) -> None:
    tenant, chosen = f"T{SEEDS}", random.Random(3)
    profile = stack.deployed["profile_ids"][f"profile-{SEEDS}"]
    stack.admin("POST", "/_local/faults", {"kind": "slow", "seconds": 0.05, "count": 300, "profile": profile})
    stack.key(tenant)
    stopped = threading.Event()

    def kill() -> None:
        while not stopped.wait(0.05 + chosen.random() / 10):
            stack.admin("POST", "/_local/lambda/kill", {"function": "InvokeBedrockFunction", "how": "random"})

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: stack.invoke(tenant, request(chosen)), range(300)))
    finally:
        stopped.set()
        killer.join()
    died = sum(answer.status >= 500 for answer in answers)
    assert died > 5, "the test killed too little to say anything"

    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 200})  # past every reservation's time
    eventually(lambda: not stack.usage(tenant).body["concurrent_requests"]["used"], 90)
    assert_covered(stack, tenant, profile)


def assert_covered(stack: Stack, tenant: str, profile: str) -> None:
    """Request by request: what Bedrock served stands in the ledger, at its cost or above."""
    kept = records(stack, tenant)
    served = [one for one in stack.admin("GET", "/_local/bedrock/served")["served"] if one["profileId"] == profile]
    exact = Counter((int(item.get("in", 0)), int(item.get("out", 0))) for item in kept.values() if not item.get("est"))
    estimated = sorted(int(item["cost"]) for item in kept.values() if item.get("est"))
    uncovered = []
    for call in served:
        size = (call["inputTokens"], call["outputTokens"])
        if exact[size]:
            exact[size] -= 1
        else:
            uncovered.append((size[0] * INPUT + size[1] * OUTPUT) * 10**12)
    # Each call whose owner died is covered by an estimate of its own, at least as large.
    for cost in sorted(uncovered, reverse=True):
        assert estimated, "a call that was served is in no record"
        assert estimated.pop() >= cost
    spent = sum(int(item["cost"]) for item in kept.values())
    assert Fraction(stack.usage(tenant).body["budgets"]["month"]["spent_usd"]) == Fraction(spent, 10**12)


def test_60_requests_a_minute_are_60_in_each_minute(tmp_path_factory: pytest.TempPathFactory) -> None:
    stack = Stack(tmp_path_factory.mktemp("rate"), tenants(1, {"requests_per_minute": 60}))
    stack.set_up("--no-rehearsal")
    try:
        stack.key("T0")
        for _ in range(2):
            now = stack.admin("GET", "/_local/clock")
            stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 60 - now["now"] % 60 + 0.01})
            kinds, waits = offered(stack, 600)
            assert kinds == {(200, ""): 60, (429, "RateLimited"): 540}
            assert all(1 <= wait <= 60 for wait in waits)
    finally:
        stack.tear_down()


def offered(stack: Stack, count: int) -> tuple[Counter[tuple[int, str]], list[int]]:
    """Statuses of `count` requests offered at once, and what the refused ones are told to wait."""
    with ThreadPoolExecutor(32) as pool:
        answers: list[Answer] = list(pool.map(lambda _: stack.invoke("T0"), range(count)))
    kinds = Counter((answer.status, answer.code) for answer in answers)
    return kinds, [int(answer.headers["retry-after"]) for answer in answers if answer.status == 429]


def test_a_limit_changed_in_the_configuration_acts_without_losing_what_was_spent(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = tenants(1, {"monthly_budget_usd": 1})
    stack = Stack(tmp_path_factory.mktemp("change"), config)
    stack.set_up("--no-rehearsal")
    try:
        assert stack.invoke("T0").status == 200
        spent = stack.usage("T0").body["budgets"]["month"]["spent_usd"]
        for budget, status in ((0.0001, 402), (2, 200)):
            config["tiers"]["default"]["monthly_budget_usd"] = budget
            stack.write_config(config)
            told = stack.set_up("--no-rehearsal").stderr
            assert "updating function" not in told
            assert stack.invoke("T0").status == status
        after = stack.usage("T0").body["budgets"]["month"]
        assert Fraction(after["spent_usd"]) > Fraction(spent)
        assert after["limit_usd"] == "2"
    finally:
        stack.tear_down()


def test_suspended_tenants_are_refused_at_the_next_request_and_resumed_as_well(stack: Stack) -> None:
    tenant = f"T{SEEDS}"
    for command, status, code in (("suspend", 403, "TenantSuspended"), ("resume", 200, "")):
        stack.run("tenants.py", command, tenant)
        answer = stack.invoke(tenant)
        assert (answer.status, answer.code) == (status, code)
    assert json.loads(stack.run("tenants.py", "show", tenant, "--format", "json").stdout)["suspended"] is None
