"""Policies, what of them is in force at a level, what a request holds, and why it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.calendars import UTC
from lambda_function.entries import windows
from lambda_function.limits import DEFAULT_ACTIONS, Demand, Hold, Policy, hold, terms
from lambda_function.money import usd
from lambda_function.refusals import Refused, clamped, hopeless, refusal

USD = 10**12
NOW = 1_795_437_296.5  # 2026-11-23T12:34:56.5Z
OWN = windows(int(NOW), 0)
MONTH, DAY, MINUTE, TOKENS = OWN[:4]
DEMAND = Demand(input_tokens=100, input_cost=1000, output_price=10, model_max=4096)

limits = st.none() | st.integers(0, 10**18)
policies = st.builds(
    Policy,
    tier=st.text(max_size=5),
    timezone=st.sampled_from(["UTC", "Asia/Kolkata"]),
    monthly_budget=limits,
    daily_budget=limits,
    requests_per_minute=limits,
    tokens_per_minute=limits,
    max_concurrent_requests=st.integers(1, 500),
    max_output_tokens=limits,
    over_budget=st.sampled_from(["reject", "clamp"]),
    fail_open=st.booleans(),
    actions=st.builds(lambda red: {**DEFAULT_ACTIONS, "red": red}, st.just(["block", {"throttle": 0.5}])),
    levels=st.sampled_from([{}, {"yellow": {"share": 0.7}}]),
)


@given(policies)
def test_a_policy_survives_json(policy: Policy) -> None:
    text = json.dumps(policy.to_json(), separators=(",", ":"))
    assert Policy.from_json(json.loads(text)) == policy
    assert list(policy.to_json()) == sorted(policy.to_json())


def test_a_policy_stores_only_what_differs() -> None:
    assert Policy().to_json() == {"tier": "default", "timezone": "UTC"}
    named = Policy.from_json({"tier": "gold", "actions": {"red": ["block"]}, "from_the_future": 1})
    assert named.to_json() == {"actions": {"red": ["block"]}, "tier": "gold", "timezone": "UTC"}
    assert named.actions["yellow"] == ["notify_admin"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"monthly_budget": 1.5}, {"daily_budget": -1}, {"requests_per_minute": True}, {"tokens_per_minute": "9"},
        {"max_concurrent_requests": 0}, {"max_concurrent_requests": 501}, {"over_budget": "ignore"},
    ],
)  # fmt: skip
def test_a_limit_that_is_none_is_not_taken_for_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Policy.from_json(wrong)


def test_every_limit_of_the_configuration_reaches_the_policy() -> None:
    schema = json.loads((Path(__file__).parents[2] / "lib/config_schema.json").read_text(encoding="utf-8"))
    keys = {key.removesuffix("_usd") for key in schema["$defs"]["tier"]["properties"]}
    assert keys - set(Policy._fields) == {"anomaly_alarm"}


@pytest.mark.parametrize(
    ("policy", "limited"),
    [
        (Policy(), False),
        (Policy(max_output_tokens=5), False),
        (Policy(monthly_budget=0), True),
        (Policy(daily_budget=1), True),
        (Policy(requests_per_minute=1), True),
        (Policy(tokens_per_minute=1), True),
        (Policy(max_concurrent_requests=10), True),
    ],
)
def test_who_is_limited(policy: Policy, limited: bool) -> None:
    assert policy.limited is limited
    assert policy.budgeted is (policy.monthly_budget is not None or policy.daily_budget is not None)


@pytest.mark.parametrize(
    ("level", "actions", "expected"),  # requests, tokens, output tokens, blocked
    [
        ("green", ["block"], (60, 1001, 1000, False)),
        ("red", ["notify_admin"], (60, 1001, 1000, False)),
        ("red", [{"throttle": 0.5}], (30, 500, 1000, False)),
        ("red", [{"throttle": 0.001}], (1, 1, 1000, False)),
        ("red", [{"shorten": 256}], (60, 1001, 256, False)),
        ("red", [{"shorten": 5000}], (60, 1001, 1000, False)),
        ("red", ["block", {"throttle": 0.1}, {"shorten": 9}], (6, 100, 9, True)),
    ],
)
def test_a_level_acts_only_through_its_own_actions(
    level: str, actions: list[Any], expected: tuple[int, int, int, bool]
) -> None:
    policy = Policy(requests_per_minute=60, tokens_per_minute=1001, max_output_tokens=1000, actions={"red": actions})
    now = terms({"pv": 7, "level": level}, policy)
    assert now[4:] == expected and now.version == 7


def test_shortening_needs_no_limit_of_the_tier() -> None:
    policy = Policy(actions={"red": [{"shorten": 256}, {"throttle": 0.5}]})
    assert terms({"level": "red"}, policy)[4:] == (None, None, 256, False)


@pytest.mark.parametrize(
    ("policy", "demand", "expected"),  # maxTokens, tokens held
    [
        (Policy(), DEMAND, (4096, 4196)),
        (Policy(), DEMAND._replace(model_max=None), (4096, 4196)),
        (Policy(), DEMAND._replace(max_tokens=9), (9, 109)),
        (Policy(), DEMAND._replace(max_tokens=9000), (9000, 9100)),  # the model's to refuse
        (Policy(max_output_tokens=50), DEMAND, (50, 150)),
        (Policy(max_output_tokens=50), DEMAND._replace(max_tokens=51), (50, 150)),
        (Policy(max_output_tokens=50), DEMAND._replace(max_tokens=49), (49, 149)),
        (Policy(tokens_per_minute=1000), DEMAND, (900, 1000)),  # else it could never pass
        (Policy(tokens_per_minute=1000), DEMAND._replace(max_tokens=2000), (2000, 2100)),
        (Policy(tokens_per_minute=150), DEMAND, (4096, 4196)),  # too little room for an answer
        (Policy(tokens_per_minute=1000), Demand(200_000, 0, 0, 10, proven=False), (10, 1000)),
        (Policy(), DEMAND._replace(max_tokens=-5), (0, 100)),
    ],
)
def test_what_a_request_holds(policy: Policy, demand: Demand, expected: tuple[int, int]) -> None:
    held = hold(terms({}, policy), demand)
    assert (held.max_tokens, held.tokens) == expected
    assert held.amount == demand.input_cost + demand.output_price * held.max_tokens


HELD = Hold(amount=100, tokens=50, max_tokens=5)


@pytest.mark.parametrize(
    ("policy", "item", "expected"),  # code, retry_after, reset, remaining
    [
        (Policy(), {}, None),
        (Policy(), {"suspended": "unpaid"}, ("TenantSuspended", None, None, None)),
        (Policy(actions={"red": ["block"]}), {"level": "red"}, ("TenantSuspended", None, None, None)),
        (Policy(monthly_budget=100), {}, None),
        (Policy(monthly_budget=100), {MONTH: 1}, ("BudgetExceeded", None, "2026-12-01T00:00:00+00:00", 99)),
        (Policy(monthly_budget=99), {}, ("BudgetExceeded", None, "2026-12-01T00:00:00+00:00", 99)),
        (Policy(monthly_budget=50), {MONTH: 80}, ("BudgetExceeded", None, "2026-12-01T00:00:00+00:00", 0)),
        (Policy(daily_budget=100), {DAY: 1}, ("BudgetExceeded", None, "2026-11-24T00:00:00+00:00", 99)),
        (Policy(requests_per_minute=2), {MINUTE: 1}, None),
        (Policy(requests_per_minute=2), {MINUTE: 2}, ("RateLimited", 4, None, None)),
        (Policy(requests_per_minute=0), {}, ("RateLimited", 4, None, None)),
        (Policy(tokens_per_minute=100), {TOKENS: 50}, None),
        (Policy(tokens_per_minute=100), {TOKENS: 51}, ("RateLimited", 4, None, None)),
        (Policy(tokens_per_minute=49), {}, ("ValidationError", None, None, None)),
        (Policy(max_concurrent_requests=2), {"inflight": {b"1"}}, None),
        (Policy(max_concurrent_requests=2), {"inflight": {b"1", b"2"}}, ("RateLimited", 1, None, None)),
    ],
)
def test_why_a_request_is_refused(policy: Policy, item: dict[str, Any], expected: tuple[Any, ...] | None) -> None:
    refused = refusal(terms(item, policy), HELD, item, OWN, UTC, NOW)
    assert hopeless(terms(item, policy), HELD) is (refusal(terms(item, policy), HELD, {}, OWN, UTC, NOW) is not None)
    if refused is None:
        assert expected is None
    else:
        reset = UTC.iso(refused.reset) if refused.reset else None
        assert (refused.code, refused.retry_after, reset, refused.remaining) == expected


@pytest.mark.parametrize(("second", "wait"), [(0.0, 60), (0.4, 60), (1.0, 59), (58.9, 2), (59.0, 1), (59.999, 1)])
def test_retry_after_reaches_the_next_minute_and_no_further(second: float, wait: int) -> None:
    now = 1_795_437_240 + second
    refused = refusal(terms({}, Policy(requests_per_minute=0)), HELD, {}, windows(int(now), 0), UTC, now)
    assert refused is not None and refused.retry_after == wait
    assert int(now + wait) // 60 == int(now) // 60 + 1
    assert int(now + wait - 1) // 60 == int(now) // 60


def test_a_refusal_speaks_of_money() -> None:
    refused = refusal(
        terms({}, Policy(monthly_budget=25 * USD)),
        Hold(USD // 2, 50, 5),
        {MONTH: 24 * USD + USD * 3 // 4},
        OWN,
        UTC,
        NOW,
    )
    assert refused is not None and refused.message == (
        "Of the monthly budget of 25 USD 0.25 USD are left, and the request may cost up to 0.5 USD. "
        "The budget begins anew at 2026-12-01T00:00:00+00:00."
    )


@pytest.mark.parametrize(
    ("left", "expected"),
    [(1000 + 640, 64), (1000 + 639, None), (1000 + 1009, 100), (0, None), (10**9, 4096)],
)
def test_clamping_stops_at_64_tokens(left: int, expected: int | None) -> None:
    policy = Policy(monthly_budget=10**6, daily_budget=10**9 + left, over_budget="clamp")
    fitted = clamped(terms({}, policy._replace(monthly_budget=None)), DEMAND, {DAY: 10**9}, OWN)
    assert (fitted.max_tokens if fitted else None) == expected
    assert fitted is None or fitted.amount <= left


def test_what_costs_nothing_is_refused_too_when_a_budget_is_overdrawn() -> None:
    """As the write's condition says; a limit may have been lowered below what is spent."""
    free = Hold(amount=0, tokens=50, max_tokens=5)
    refused = refusal(terms({}, Policy(daily_budget=10)), free, {DAY: 11}, OWN, UTC, NOW)
    assert refused is not None and refused.remaining == 0
    assert refusal(terms({}, Policy(daily_budget=10)), free, {DAY: 10}, OWN, UTC, NOW) is None


def test_clamping_obeys_the_tighter_budget_and_free_output_gains_nothing() -> None:
    both = terms({}, Policy(monthly_budget=5000, daily_budget=3000))
    fitted = clamped(both, DEMAND, {MONTH: 2500, DAY: 1}, OWN)
    assert fitted is not None and fitted.max_tokens == 150
    assert clamped(both, DEMAND._replace(output_price=0), {MONTH: 4999}, OWN) is None


def test_numbers_beyond_an_entry_are_refused() -> None:
    free = terms({}, Policy(tokens_per_minute=10**12))
    for demand in (DEMAND._replace(max_tokens=2**32), DEMAND._replace(input_cost=2**64)):
        refused = refusal(free, hold(free, demand), {}, OWN, UTC, NOW)
        assert isinstance(refused, Refused) and refused.code == "ValidationError"
        assert hopeless(free, hold(free, demand))


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (0, "0"), (1, "0.000000000001"), (USD, "1"), (-USD // 2, "-0.5"), (1_250_000_000, "0.00125"),
        (12345 * USD + 10, "12345.00000000001"), (100 * USD, "100"),
    ],
)  # fmt: skip
def test_money_is_exact_in_plain_decimals(pico: int, text: str) -> None:
    assert usd(pico) == text
