"""Entries, windows, keys and records: what is written can be read, and fits."""

from __future__ import annotations

import struct
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.calendars import UTC
from lambda_function.entries import (
    Entry,
    amounts,
    closed_windows,
    decode_entries,
    decode_entry,
    encode_entry,
    windows,
)  # fmt: skip
from lambda_function.ledger import TOKENS, daily_key, hour, hourly_key, record, record_key
from lambda_function.limits import Policy
from lambda_function.standing import budget_left, usage

START = 1_795_437_296  # 2026-11-23T12:34:56Z
USD = 10**12
ID = "0b9f5f8e-6c2c-4d5e-9b9d-0123456789ab"


def entry(**changes: Any) -> Entry:
    return Entry(ID, START, 89, 5 * USD, 4196, "abcdefghijkl", 0)._replace(**changes)


@given(
    st.builds(
        Entry,
        request_id=st.uuids().map(str),
        start=st.integers(0, 2**32 - 1),
        hold=st.integers(0, 2**16 - 1),
        amount=st.integers(0, 2**64 - 1),
        tokens=st.integers(0, 2**32 - 1),
        profile_id=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12),
        offset=st.integers(-12 * 60, 14 * 60).map(lambda minutes: minutes * 60),
    )
)
def test_an_entry_is_48_bytes_and_comes_back(one: Entry) -> None:
    data = encode_entry(one)
    assert len(data) == 48
    assert decode_entry(data) == one
    assert decode_entry(data).expiry == one.start + one.hold


@pytest.mark.parametrize("wrong", [{"request_id": "7"}, {"request_id": "z" * 36}, {"amount": -1}, {"tokens": 2**32}])
def test_what_does_not_fit_is_not_cut(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, struct.error)):
        encode_entry(entry(**wrong))


@pytest.mark.parametrize(
    ("offset", "month", "day"),
    [
        (0, "m_202611", "d_20261130"),
        (14 * 3600, "m_202612", "d_20261201"),
        (5 * 3600 + 1800, "m_202612", "d_20261201"),
        (5 * 3600, "m_202611", "d_20261130"),
        (-11 * 3600, "m_202611", "d_20261130"),
    ],
)
def test_windows_are_named_by_the_tenants_date_and_the_worlds_minute(offset: int, month: str, day: str) -> None:
    at = 1_796_063_400  # 2026-11-30T18:30:00Z
    assert windows(at, offset) == (month, day, "q_29934390", "k_29934390", "f_5986878", "h_498906")


def test_settled_and_reserved_are_told_apart_by_window() -> None:
    yesterday = entry(start=START - 86400, amount=USD)
    own = windows(START, 0)
    item = {
        own.month: 9 * USD,
        own.day: 7 * USD,
        "inflight": {encode_entry(entry()), encode_entry(yesterday)},
        "swept": {encode_entry(entry(amount=2 * USD))},  # charged in full: settled
    }
    assert amounts(item, own.month) == (3 * USD, 6 * USD)
    assert amounts(item, own.day) == (2 * USD, 5 * USD)
    assert amounts(None, own.day) == (0, 0)
    assert decode_entries(item) == [yesterday, entry()]


def test_windows_close_with_grace_and_never_under_an_entry() -> None:
    now = START
    old, new = windows(now - 40 * 86400, 0), windows(now, 0)
    minute = now // 60
    kept = {*new, f"q_{minute - 2}", f"f_{now // 300 - 13}", f"h_{now // 3600 - 7}", "d_20261124"}
    gone = {old.month, old.day, f"q_{minute - 3}", f"k_{minute - 3}", f"f_{now // 300 - 14}", f"h_{now // 3600 - 8}"}
    item: dict[str, Any] = {**dict.fromkeys([*kept, *gone], 1), "pv": 1, "policy": "{}", "active": "2026112312"}
    assert set(closed_windows(item, now)) == gone
    for name in ("inflight", "swept"):
        item[name] = {encode_entry(entry(start=now - 40 * 86400))}
        assert set(closed_windows(item, now)) == gone - set(old)
        del item[name]
    # A date is over when it is over everywhere: a tenant that moves west comes back to it.
    noon = START // 86400 * 86400 + 43200
    assert closed_windows({"d_20261122": 1}, noon + 119) == []
    assert closed_windows({"d_20261122": 1}, noon + 120) == ["d_20261122"]


def test_keys_sort_by_time_and_tell_tenants_apart() -> None:
    assert hour(START) == "2026112312"
    assert record_key("Tenant A", ID, START + 0.9) == ("R#Tenant A#2026112312", ID)
    assert hourly_key("T", "2026112312", "p", "v") == ("H#T", "2026112312#p#v")
    assert daily_key("T", "20261123", "p", "v") == ("D#202611", "23#T#p#v")


def test_a_record_is_small_even_at_its_largest() -> None:
    item = record(
        "T" * 60, ID, START + 0.25, profile_id="abcdefghijkl", version="0123456789ab",
        model="us.anthropic.claude-3-5-sonnet-20241022-v2:0", cost=123_456_789_012, prices="0123456789ab",
        status="ModelTimeoutException", latency=29_000, tokens=(200_000, 64_000, 100_000, 50_000, 50_000),
        tier="priority", estimated=True,
    )  # fmt: skip
    # DynamoDB counts the UTF-8 of names and strings, about a byte for two digits, one byte for a boolean.
    size = sum(
        len(name) + (len(value) if isinstance(value, str) else len(str(value)) // 2 + 2) for name, value in item.items()
    )
    assert size < 400
    assert item["at"] == START * 1000 + 250 and item["ttl"] == START + 90 * 86400
    plain = record(
        "T",
        ID,
        START,
        profile_id="p",
        version="v",
        model="m",
        cost=0,
        prices="x",
        status="ok",
        latency=1,
        tokens=(7, 0),
    )
    assert plain["in"] == 7 and not set(plain) & {*TOKENS[1:], "tier", "est"}


def test_usage_tells_what_is_spent_reserved_and_left() -> None:
    own = windows(START, 0)
    item = {
        own.month: 9 * USD, own.day: 7 * USD, own.requests: 3, own.tokens: 4196, "pv": 4, "level": "red",
        "inflight": {encode_entry(entry())},
    }  # fmt: skip
    policy = Policy(
        monthly_budget=25 * USD, requests_per_minute=60, max_output_tokens=100, actions={"red": [{"throttle": 0.5}]}
    )
    assert usage("T", item, policy, UTC, START) == {
        "tenant": "T",
        "level": "red",
        "suspended": None,
        "budgets": {
            "month": {
                "spent_usd": "4",
                "reserved_usd": "5",
                "limit_usd": "25",
                "remaining_usd": "16",
                "reset": "2026-12-01T00:00:00+00:00",
            },
            "day": {
                "spent_usd": "2",
                "reserved_usd": "5",
                "limit_usd": None,
                "remaining_usd": None,
                "reset": "2026-11-24T00:00:00+00:00",
            },
        },
        "requests_per_minute": {"used": 3, "limit": 30},
        "tokens_per_minute": {"used": 4196, "limit": None},
        "concurrent_requests": {"used": 1, "limit": 100},
        "max_output_tokens": 100,
    }
    nothing = usage("T", None, Policy(), UTC, START)
    assert nothing["level"] == "green" and nothing["budgets"]["day"]["spent_usd"] == "0"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), None),
        (Policy(monthly_budget=10), (7, "2026-12-01T00:00:00+00:00")),
        (Policy(monthly_budget=10, daily_budget=5), (3, "2026-11-24T00:00:00+00:00")),
        (Policy(monthly_budget=2, daily_budget=5), (0, "2026-12-01T00:00:00+00:00")),
    ],
)
def test_the_tightest_budget_is_the_one_that_is_told(policy: Policy, expected: tuple[int, str] | None) -> None:
    own = windows(START, 0)
    left = budget_left(policy, {own.month: 3, own.day: 2}, UTC, START)
    assert (left and (left[0], UTC.iso(left[1]))) == expected


def test_ids_are_canonical() -> None:
    one = uuid.UUID(ID)
    assert decode_entry(encode_entry(entry(request_id=one.hex.upper()))).request_id == ID
