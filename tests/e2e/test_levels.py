"""A tenant runs from green to red and back, and what its tier answers to that acts on it and on nobody else."""

from __future__ import annotations

import email
import email.policy
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any

import pytest

from tests.e2e.stack import Answer, Stack, eventually

pytestmark = pytest.mark.e2e

LOUD, QUIET, SLOW = "Loud", "Quiet", "Slow"
# Claude 3 Haiku: 400 tokens of answer cost 0.0005 USD, and 40 such requests are the day's budget.
DAY_USD = 0.02


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    actions = {
        "yellow": ["notify_admin"],
        "orange": ["notify_admin", {"shorten": 50}],
        "red": ["notify_admin", "notify_tenant", "block"],
    }
    config = {
        "aws_region": "us-east-1",
        "sns_email": "your-email@example.com",
        "default_model_id": "anthropic.claude-3-haiku-20240307-v1:0",
        "tiers": {"default": {"daily_budget_usd": DAY_USD, "actions": actions}},
        "tenants": {
            LOUD: {"contact_email": "it@loud.example"},
            QUIET: {"contact_email": "it@quiet.example"},
            SLOW: {"requests_per_minute": 20, "actions": {"yellow": [{"throttle": 0.5}]}},
        },
        "profiles": [
            {"name": name.lower(), "tags": [{"key": "TenantID", "value": name}]} for name in (LOUD, QUIET, SLOW)
        ],
    }
    made = Stack(tmp_path_factory.mktemp("levels"), config)
    made.set_up("--no-rehearsal")
    yield made
    made.tear_down()


def ask(stack: Stack, tenant: str, tokens: int = 400) -> Answer:
    """One request for an answer of `tokens`."""
    text = f"[[tokens={tokens}]]"
    body = {"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": tokens}}
    return stack.invoke(tenant, body)


def mails(stack: Stack, to: str, level: str) -> list[EmailMessage]:
    """Announcements of a level to somebody."""
    found = []
    for file in (stack.folder / ".local" / "mail").glob("*.eml"):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        if (
            message["To"] == to
            and level in str(message["Subject"]).lower()
            and "confirm" not in str(message["Subject"]).lower()
        ):
            found.append(message)
    return found


def shown(stack: Stack, tenant: str) -> dict[str, Any]:
    """tenants.py show, as JSON."""
    facts: dict[str, Any] = json.loads(stack.run("tenants.py", "show", tenant, "--format", "json").stdout)
    return facts


def test_from_green_to_red_and_back(stack: Stack) -> None:
    stack.key(LOUD), stack.key(QUIET)
    assert ask(stack, LOUD).headers["x-alert-level"] == "green"

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: ask(stack, LOUD), range(64)))
    levels = [change["to"] for change in reversed(shown(stack, LOUD)["history"])]
    assert levels == sorted(set(levels), key=["green", "yellow", "orange", "red"].index), "each level is crossed once"
    assert levels[-1] == "red"
    assert {answer.status for answer in answers} <= {200, 402, 403, 503}

    blocked = ask(stack, LOUD)
    assert (blocked.status, blocked.code) == (403, "TenantSuspended")
    eventually(lambda: mails(stack, "your-email@example.com", "red"))
    told = eventually(lambda: mails(stack, "it@loud.example", "red"))
    assert len(told) == 1
    assert len(mails(stack, "your-email@example.com", "red")) == 1
    text = told[0].get_content()
    assert "Loud" in text
    assert mails(stack, "it@quiet.example", "red") == []

    other = ask(stack, QUIET)
    assert (other.status, other.headers["x-alert-level"]) == (200, "green")

    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 2 * 86_400})
    # Minute by minute the schedule finds it calm; the clock goes on by itself.
    for _ in range(40):
        now = stack.admin("GET", "/_local/clock")
        stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 300})
        if stack.usage(LOUD).body["level"] == "green":
            break
        time.sleep(1)  # the schedule looks about twice a second
    eventually(lambda: stack.usage(LOUD).body["level"] == "green", 60)
    assert ask(stack, LOUD, 10).status == 200


def test_a_level_set_by_hand_acts_and_is_taken_back(stack: Stack) -> None:
    stack.run("tenants.py", "level", QUIET, "orange", "--for", "1h", "--reason", "a test")
    answer = ask(stack, QUIET, 400)
    assert answer.status == 200
    assert answer.body["usage"]["outputTokens"] <= 50
    assert shown(stack, QUIET)["history"][0]["to"] == "orange"
    stack.run("tenants.py", "level", QUIET, "auto")
    eventually(lambda: stack.usage(QUIET).body["level"] == "green", 30)


def test_a_throttled_tenant_has_half_its_rate(stack: Stack) -> None:
    stack.key(SLOW)
    stack.run("tenants.py", "level", SLOW, "yellow", "--for", "1h")
    now = stack.admin("GET", "/_local/clock")
    stack.admin("POST", "/_local/clock", {"offset": now["offset"] + 60.01 - now["now"] % 60})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(stack, SLOW, 5), range(40)))
    assert Counter((answer.status, answer.code) for answer in answers) == {(200, ""): 10, (429, "RateLimited"): 30}
    assert ask(stack, QUIET, 5).status == 200
