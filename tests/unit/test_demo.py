"""The demo's hour: who sends what when, and how it is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from lib.cli.setup import main
from lib.config import Config, load
from lib.demo import HOUR, Sending, drive, plan, runaway, start_of
from lib.web import WebAnswer

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "config.json", ROOT / "models.json", local=True)


def price(config: Config, sending: Sending) -> int:
    model = next(profile.model_id for profile in config.profiles if profile.name == sending.profile)
    row = config.prices[model]
    return sending.input_tokens * int(row["input_cost"]) + sending.output_tokens * int(row["output_cost"])


def test_everybody_sends_within_the_hour_in_order(config: Config) -> None:
    sendings = plan(config)
    assert {sending.profile for sending in sendings} == {profile.name for profile in config.profiles}
    seconds = [sending.second for sending in sendings]
    assert seconds == sorted(seconds) and min(seconds) >= 0 and max(seconds) < HOUR
    assert plan(config) == sendings


def test_one_tenant_wants_more_than_its_budget_and_only_late(config: Config) -> None:
    tenant = runaway(config)
    assert tenant is not None and tenant.name == "Globex" and tenant.policy.daily_budget is not None
    asked = Counter[tuple[str, bool]]()
    for sending in plan(config):
        asked[sending.tenant, sending.second < HOUR / 2] += price(config, sending)
    assert asked["Globex", True] < 0.05 * tenant.policy.daily_budget
    assert asked["Globex", False] > 1.05 * tenant.policy.daily_budget
    assert asked["Acme", False] < 2 * asked["Acme", True]


def test_ordinary_traffic_seldom_reaches_an_alarm(config: Config) -> None:
    minutes: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for sending in plan(config):
        minutes[sending.profile][sending.second // 60] += sending.input_tokens + sending.output_tokens
    for profile in config.profiles:
        if profile.tenant == "Acme":
            above = sum(tokens > profile.token_alarm_threshold for tokens in minutes[profile.name].values())
            assert above <= 6


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-23T18:00:00", "2026-11-23T18:00:00"),
        # Midnight in New York is 05:00 UTC in November.
        ("2026-11-24T01:59:00", "2026-11-24T01:59:00"),
        ("2026-11-24T02:01:00", "2026-11-24T05:01:00"),
        ("2026-11-24T04:59:59", "2026-11-24T05:01:00"),
        ("2026-11-24T05:00:00", "2026-11-24T05:00:00"),
    ],
)
def test_the_runaways_day_does_not_end_while_somebody_looks(config: Config, now: str, start: str) -> None:
    def epoch(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    assert start_of(config, epoch(now)) == epoch(start)


def test_a_request_asks_for_its_tokens() -> None:
    body = Sending(0, "T", "p", 100, 30).body
    assert body["inferenceConfig"] == {"maxTokens": 30}
    assert "[[tokens=30]]" in body["messages"][0]["content"][0]["text"]


def test_the_clock_moves_through_the_hour_and_news_are_told_once() -> None:
    now = [0.0]
    moved: list[float] = []
    said: list[str] = []
    sent: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def send(sending: Sending) -> WebAnswer:
        sent.append((moved[-1] - 1000, sending.second))
        if sending.second < 1800:
            return WebAnswer(200, {"x-alert-level": "green" if sending.second < 900 else "orange"}, {})
        return WebAnswer(402, {}, {"error": {"code": "BudgetExceeded", "message": "Nothing is left."}})

    sendings = [Sending(second, "T", "p", 1, 1) for second in range(0, HOUR, 100)]
    answers = drive(sendings, 1000.0, send, moved.append, said.append, monotonic=lambda: now[0], sleep=sleep)
    assert answers == {("T", 200): 18, ("T", 402): 18}
    assert all(at <= second < at + 15 for at, second in sent) and len(sent) == 36
    assert moved == sorted(moved) and (moved[0], moved[-1]) == (1000.0, 1000.0 + HOUR)
    assert now[0] == pytest.approx(60)
    assert sum("is orange" in line for line in said) == sum("402 BudgetExceeded" in line for line in said) == 1
    assert sum("last 10 minutes" in line for line in said) == 6


@pytest.mark.parametrize("arguments", [["--demo"], ["--demo", "--local", "--plan"]])
def test_a_demo_never_goes_to_a_real_account(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and "--demo" in done.output
