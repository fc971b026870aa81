"""The judgement: which rule speaks when, what can be overridden, and that the short cut never hides a change."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lambda_function.calendars import UTC
from lambda_function.crossing import Crossing, minute, rise
from lambda_function.entries import Entry, encode_entry
from lambda_function.level_checks import MEANINGS
from lambda_function.level_numbers import DEFAULTS, numbers_of
from lambda_function.levels import LEVELS, judge, scope_of, validate_levels
from lambda_function.limits import Policy
from lambda_function.spend import Scope, Thresholds
from lambda_function.usual import Usual
from lambda_function.wording import dollars, duration, reason_of, times
from tests.levels_table import replayed, score
from tests.series import SERIES, USD

NOW = 1_795_521_750.0  # Tuesday 2026-11-24T12:02:30Z: half of the 5 minutes, a fifth of the month is left
FIVE, HOUR, MINUTE = int(NOW) // 300, int(NOW) // 3600, int(NOW) // 60


def scope(**tier: Any) -> Scope:
    return scope_of(Policy.from_json(tier), UTC, Thresholds(USD, 2000, 10))


def habits(usual: float, **more: Any) -> bytes:
    """A digest of 4 weeks in which every hour costs `usual` dollars, a night hour or a busy one."""
    amount = int(usual * USD)
    fields: dict[str, Any] = {
        "start": HOUR, "history": 672, "growth": 0, "rise": 0, "told_until": 0, "usual": (amount,) * 3,
        "high": (amount,) * 3, "spread": (amount // 20,) * 3, "odd": amount // 10, "peak": amount, "burst": amount // 9,
        "day": amount * 24, "week": amount * 168, "rest": amount * 12,
    }  # fmt: skip
    return Usual(**{**fields, **{name: int(value * USD) for name, value in more.items()}}).encode()


def item(five: float = 0, before: float = 0, earlier: float = 0, **more: Any) -> dict[str, Any]:
    """A counter item: dollars in this 5-minute bucket, in the one before, and in each of the 11 before that."""
    buckets = {f"f_{FIVE}": five, f"f_{FIVE - 1}": before, **{f"f_{FIVE - n}": earlier for n in range(2, 13)}}
    amounts = {name: int(usd * USD) for name, usd in buckets.items() if usd}
    hours = {f"h_{HOUR}": int(five * USD), f"h_{HOUR - 1}": int((before + 11 * earlier) * USD)}
    return {"pv": 1, **amounts, **hours, **more}


def verdict(counters: dict[str, Any], by: Scope) -> tuple[str, str]:
    judged = judge(counters, by, NOW)
    return judged.level, judged.reasons[0].kind if judged.reasons else ""


MONTH = {"monthly_budget": 100 * USD}
DAY = {"daily_budget": 10 * USD}


@pytest.mark.parametrize(
    ("counters", "tier", "expected"),
    [
        # without history or budget: multiples of the alarm threshold
        (item(1.9), {}, ("green", "")),
        (item(2), {}, ("yellow", "threshold")),
        (item(1, 2), {}, ("yellow", "threshold")),  # half of the bucket before is still inside
        (item(5), {}, ("orange", "threshold")),
        (item(20), {}, ("red", "threshold")),
        (item(20, level="red"), {}, ("red", "")),
        (item(3, usual=habits(0, history=24e-12, burst=2.5)), {}, ("green", "")),  # it has been so before
        # habits
        (item(2.9, usual=habits(12.0)), {}, ("green", "")),
        (item(3.1, usual=habits(12.0)), {}, ("orange", "spike")),
        (item(10.1, usual=habits(12.0)), {}, ("red", "spike")),
        (item(1, 2, 2.1, usual=habits(12.0)), {}, ("yellow", "spike")),
        (item(0, 0.5, 2.6, usual=habits(12.0)), {}, ("green", "")),  # it is over already
        (item(0.9, usual=habits(0.1, peak=12, burst=1.4)), {}, ("green", "")),  # a night with a day's pace
        (item(3, usual=habits(0.1, peak=12, burst=1.4)), {}, ("orange", "spike")),
        (item(0.009, usual=habits(0.001)), {}, ("green", "")),  # nobody wants a mail about a cent
        # budgets
        (item(m_202611=40 * USD), MONTH, ("green", "")),
        (item(m_202611=60 * USD, usual=habits(0.05)), MONTH, ("green", "")),  # it will last
        (item(m_202611=60 * USD, usual=habits(0.3)), MONTH, ("yellow", "budget")),
        (item(m_202611=91 * USD, usual=habits(0.3)), MONTH, ("orange", "budget")),
        (item(m_202611=98 * USD, usual=habits(0.3)), MONTH, ("red", "budget")),
        (item(m_202611=100 * USD, usual=habits(0)), MONTH, ("red", "budget")),
        (item(0.2, 0.2, 0.18, m_202611=20 * USD), MONTH, ("red", "burn")),
        (item(0.2, 0.0, 0.0, m_202611=20 * USD), MONTH, ("green", "")),  # the long window says no
        (item(0.0, 0.0, 0.25, m_202611=20 * USD), MONTH, ("green", "")),  # the short window says it is over
        (item(0.2, 0.5, 0.5, d_20261124=3 * USD), DAY, ("red", "burn")),
        # rates: three minutes in a row
        (item(**{f"q_{MINUTE - n}": 95 for n in range(3)}), {"requests_per_minute": 100}, ("yellow", "rate")),
        (item(**{f"q_{MINUTE - n}": 95 for n in range(2)}), {"requests_per_minute": 100}, ("green", "")),
        (item(**{f"k_{MINUTE - n}": 10_000 for n in range(3)}), {}, ("yellow", "threshold")),
        # by hand
        (item(20, level="green", level_until=int(NOW) + 60), {}, ("green", "")),
        (item(20, level="green", level_until=int(NOW)), {}, ("red", "threshold")),
    ],
)  # fmt: skip
def test_what_speaks_for_a_level(counters: dict[str, Any], tier: dict[str, Any], expected: tuple[str, str]) -> None:
    assert verdict(counters, scope(**tier)) == expected


def test_what_is_only_reserved_is_not_spent() -> None:
    held = encode_entry(Entry("6f9619ff-8b86-d011-b42d-00c04fc964ff", int(NOW), 89, 60 * USD, 10, "abcdefghijkl", 0))
    assert verdict(item(m_202611=100 * USD, inflight={held}), scope(**MONTH)) == ("green", "")


def test_growth_is_told_as_growth_and_uses_a_budget_up_without_red() -> None:
    growing = {"growth": 50e-12, "rise": 400e-12}
    told = item(usual=habits(1, told_until=(HOUR + 5) * 1e-12, **growing))
    assert verdict(told, scope()) == ("yellow", "growth")
    assert "spend rises steadily by 5.0 % a week" in reason_of(judge(told, scope(), NOW).reasons[0])
    for used, level in ((91, "yellow"), (98, "orange"), (100, "orange")):
        assert verdict(item(m_202611=used * USD, usual=habits(0.3, **growing)), scope(**MONTH)) == (level, "budget")
    jump = item(0.05, 0.05, 0.06, m_202611=99 * USD, usual=habits(0.3, **growing))
    assert verdict(jump, scope(**MONTH)) == ("red", "budget")


@pytest.mark.parametrize(
    "tier", [{}, MONTH, DAY, {**MONTH, **DAY, "requests_per_minute": 50, "tokens_per_minute": 9000}]
)
@pytest.mark.parametrize("seed", range(8))
def test_the_short_cut_never_hides_a_change(tier: dict[str, Any], seed: int) -> None:
    random_ = random.Random(seed)
    by, counters, now = scope(**tier), item(), NOW
    if seed % 2:
        counters["usual"] = habits(random_.choice((0.5, 5)))
    judged, saved = judge(counters, by, now), 0
    for _ in range(600):
        now += random_.expovariate(1 / random_.choice((1, 20)))
        amount, names = int(random_.lognormvariate(-4, 1.5) * USD), (int(now) // 300, int(now) // 3600, int(now) // 60)
        for name, more in (
            (f"f_{names[0]}", amount), (f"h_{names[1]}", amount), ("m_202611", amount), ("d_20261124", amount),
            (f"q_{names[2]}", 1), (f"k_{names[2]}", random_.randrange(500)),
        ):  # fmt: skip
            counters[name] = counters.get(name, 0) + more
        truth = judge(counters, by, now)
        if judged.stands(counters, now):
            saved += 1
            assert truth.level == judged.level
        else:
            judged = truth
        if truth.level != counters.get("level", "green"):
            counters["level"], counters["pv"] = truth.level, counters["pv"] + 1
    assert saved > 200


def test_a_crossing_says_what_it_changes_and_a_calm_tenant_comes_down_in_time() -> None:
    by, counters = scope(), item(6)
    crossing = rise(counters, judge(counters, by, NOW), by, NOW)
    assert (crossing.before, crossing.after, crossing.rises) == ("green", "orange", True)
    assert crossing.sets["level"] == "orange" and crossing.numbers["five_minutes"] == 6 * USD
    counters.update(crossing.sets)
    falls = []
    for step in range(1, 60):
        found = minute(counters, by, NOW + 60 * step)
        if found is not None:
            counters.update(found.sets)
            for name in found.removes:
                counters.pop(name, None)
            falls += [(step, found.after)] if isinstance(found, Crossing) else []
    ((step, level),) = falls
    assert level == "green" and 18 <= step <= 24


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({}, ""),
        ({"calm_minutes": 30, "hour_ratio": {"red": 8, "yellow": None}, "month_windows": {"red": [30, 5]}}, ""),
        ({"calm_minute": 30}, "there is no such number"),
        ({"calm_minutes": 5}, "allowed: a whole number from 10 to 1440"),
        ({"calm_minutes": True}, "found True"),
        ({"hour_ratio": 5}, "an object with any of yellow, orange, red"),
        ({"hour_ratio": {"purple": 5}}, "there is no such level"),
        ({"hour_ratio": {"red": "5"}}, "or null to switch the line off"),
        ({"hour_ratio": {"yellow": 4}}, "falls from a level to a graver one"),
        ({"month_windows": {"red": [60, 7]}}, "two of 5, 10"),
        ({"month_windows": {"red": [5, 60]}}, "the long window first"),
        ({"calm_minutes": 300}, "longest_calm_minutes: found less than calm_minutes"),
    ],
)
def test_overrides_are_checked(levels: dict[str, Any], said: str) -> None:
    problems = validate_levels(levels)
    assert (problems == []) if not said else (len(problems) == 1 and said in problems[0]), problems


def test_every_number_can_be_overridden_and_has_a_meaning() -> None:
    assert MEANINGS.keys() == DEFAULTS.keys() and not validate_levels(DEFAULTS)
    tight = scope(levels={"cost_threshold": {"yellow": 0.5}, "hour_ratio": {"red": None}})
    assert verdict(item(0.6), tight) == ("yellow", "threshold")
    assert numbers_of({"hour_ratio": {"red": None}}).hour_ratio == (2000, 3000, None)


def flaps(crossings: list[Crossing]) -> list[tuple[Crossing, Crossing]]:
    """Changes that were undone within 10 minutes."""
    undone = [(earlier, later) for earlier, later in pairwise(crossings) if earlier.rises != later.rises]
    return [(earlier, later) for earlier, later in undone if later.at - earlier.at < 600_000]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("make", SERIES, ids=lambda make: str(make.__name__))
def test_nothing_flaps_whatever_the_noise(make: Any, seed: int) -> None:
    assert not flaps(replayed(make(seed)).crossings)


@pytest.mark.parametrize("make", SERIES, ids=lambda make: str(make.__name__))
def test_what_the_defaults_make_of_weeks_of_spend(make: Any) -> None:
    series = make(0)
    crossings = replayed(series).crossings
    result = score(series, crossings)
    assert all(delay is not None and delay <= 300 for delay in result.delays), "a spike is orange or red in 5 minutes"
    assert result.false_alarms == 0
    assert not flaps(crossings)
    if make.__name__ == "growth":
        assert [(c.after, c.why[0].startswith("growth")) for c in crossings if c.rises] == [("yellow", True)]
    elif not series.spikes and make.__name__ != "irregular":
        assert not crossings


def test_amounts_and_times_read_well() -> None:
    assert [dollars(int(usd * USD)) for usd in (0, 1234.5, 0.1, 0.0042, 0.02384)] == [
        "$0.00", "$1,234.50", "$0.10", "$0.0042", "$0.0238",
    ]  # fmt: skip
    assert dollars(1) == "$0.000000000001"
    assert [duration(seconds) for seconds in (5, 60, 3660, 90_000, 86_400 * 9)] == [
        "less than a minute", "1 minute", "1 hour 1 minute", "1 day 1 hour", "9 days",
    ]  # fmt: skip
    assert (times(31, 10), times(310, 10)) == ("3.1 times", "31 times")
    assert LEVELS == ("green", "yellow", "orange", "red")


def test_the_documentation_has_every_number_with_its_defaults() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "alert-levels.md").read_text()
    for name, (_, _, meaning) in MEANINGS.items():
        default = DEFAULTS[name]
        values = [default[level] for level in LEVELS[1:]] if isinstance(default, dict) else [default]
        cells = " | ".join("off" if value is None else json.dumps(value) for value in values)
        assert f"| `{name}` | {meaning} | {cells} |" in text
