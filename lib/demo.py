"""An hour of traffic in a minute, for `setup.py --local --demo`: who sends what when, and sending it.

The shape is that of a real trace, lib/local/demo_trace.csv. One tenant runs away: in the second half its program sends
more and more, until its budget stops it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lambda_function.calendars import Calendar
from lambda_function.level_numbers import LEVELS
from lib.config import Config, Profile, Tenant
from lib.web import WebAnswer
from lib.zones import zone_table

__all__ = ["HOUR", "Sending", "drive", "plan", "runaway", "start_of"]

HOUR = 3600
_TRACE = Path(__file__).parent / "local" / "demo_trace.csv"
_RUNS_AT, _SPENT_BY = 1800, 2520  # seconds of the hour: it begins to run, its budget should be gone
_MOST_RUNNING = 240  # requests for a whole budget; larger ones where that does not suffice
_RETRY_SECONDS = 12  # how often a program knocks that does not understand a refusal
_SHARE_OF_ALARM = 0.4  # of its token alarm's threshold is what ordinary traffic takes on average
_LEAST_INPUT, _MOST_INPUT, _MOST_OUTPUT = 600, 20_000, 1024
_ROOM_AFTER = 7200  # seconds for which the blocked tenant can still be looked at
_SLICE = 15  # seconds of the hour that are sent together
_CALLERS = 8
_TOLD_EVERY = 600


class Sending(NamedTuple):
    """One request: second of the hour, by whom, through which profile, its tokens in and out."""

    second: int
    tenant: str
    profile: str
    input_tokens: int
    output_tokens: int

    @property
    def body(self) -> dict[str, Any]:
        """The Converse request; the stand-in counts a token for four bytes, and answers with as many as [[tokens=]]."""
        text = f"[[tokens={self.output_tokens}]] " + "word" * self.input_tokens
        return {
            "messages": [{"role": "user", "content": [{"text": text}]}],
            "inferenceConfig": {"maxTokens": self.output_tokens},
        }


def runaway(config: Config) -> Tenant | None:
    """The tenant with the smallest budget; None where nobody has one."""
    budgeted = [tenant for tenant in config.tenants.values() if _budget(tenant) is not None]
    return min(budgeted, key=lambda tenant: (_budget(tenant), tenant.name), default=None)


def plan(config: Config) -> list[Sending]:
    """Everything that is sent in the hour, in the order of time."""
    rows = list(_trace())
    sendings = []
    for index, profile in enumerate(config.profiles):
        own = rows[index :: len(config.profiles)]
        factor = _factor(profile, own)
        sendings += [
            Sending(second, profile.tenant, profile.name, max(1, int(given * factor)), max(1, int(made * factor)))
            for second, given, made in own
        ]
    tenant = runaway(config)
    if tenant is not None:
        sendings += _running(config, tenant)
    return sorted(sendings)


def start_of(config: Config, now: float) -> float:
    """When the hour begins: now, or after midnight where the runaway's day would end and free it too soon."""
    tenant = runaway(config)
    if tenant is None:
        return now
    midnight = Calendar.from_zones(tenant.timezone, {tenant.timezone: zone_table(tenant.timezone, now)}).day_end(now)
    return now if now + HOUR + _ROOM_AFTER < midnight else float(midnight + 60)


def drive(
    sendings: Sequence[Sending],
    start: float,
    send: Callable[[Sending], WebAnswer],
    move: Callable[[float], None],
    say: Callable[[str], None],
    *,
    seconds: float = 60,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[tuple[str, int]]:
    """Send them in about `seconds`, while `move` sets the clock through the hour; counts answers by (tenant, status).

    A slow machine takes longer: the clock moves on when a slice of the hour has been answered.
    """
    told = _Told(say, start)
    began = monotonic()
    with ThreadPoolExecutor(_CALLERS) as callers:
        for second in range(0, HOUR, _SLICE):
            move(start + second)
            chosen = [sending for sending in sendings if second <= sending.second < second + _SLICE]
            for sending, answer in zip(chosen, callers.map(send, chosen), strict=True):
                told.hear(sending, answer)
            if (second + _SLICE) % _TOLD_EVERY == 0:
                told.sum_up(second + _SLICE)
            sleep(max(0.0, began + seconds * (second + _SLICE) / HOUR - monotonic()))
    move(start + HOUR)
    return told.answers


class _Told:
    """What happens, as sentences."""

    def __init__(self, say: Callable[[str], None], start: float) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._say = say
        self._start = start
        self._highest: dict[str, str] = {}
        self._refused: set[tuple[str, str]] = set()
        self._before: Counter[tuple[str, int]] = Counter()

    def hear(self, sending: Sending, answer: WebAnswer) -> None:
        """Note an answer; say it if it is news."""
        tenant = sending.tenant
        self.answers[tenant, answer.status] += 1
        level = answer.headers.get("x-alert-level", "green")
        # Answers of the same moment come in any order, so a level is told when it is the highest so far.
        if LEVELS.index(level) > LEVELS.index(self._highest.get(tenant, "green")):
            self._highest[tenant] = level
            self._say(f"  {self._time(sending.second)} {tenant} is {level} now.")
        error = answer.body.get("error", {}) if answer.status >= 400 and isinstance(answer.body, dict) else {}
        code = str(error.get("code", ""))
        if code and (tenant, code) not in self._refused:
            self._refused.add((tenant, code))
            self._say(
                f"  {self._time(sending.second)} {tenant} is refused with {answer.status} {code}: {error['message']}"
            )

    def sum_up(self, second: int) -> None:
        """Who was answered and refused since the last time."""
        fresh = self.answers - self._before
        self._before = self.answers.copy()
        parts = []
        for tenant in sorted({tenant for tenant, _ in fresh}):
            served = fresh[tenant, 200]
            refused = sum(count for (name, status), count in fresh.items() if name == tenant and status != 200)
            parts.append(f"{tenant} {served} answered" + (f", {refused} refused" if refused else ""))
        self._say(f"  {self._time(second)} last 10 minutes: {'; '.join(parts)}.")

    def _time(self, second: int) -> str:
        return f"{datetime.fromtimestamp(self._start + second, UTC):%H:%M} UTC"


def _trace() -> Iterator[tuple[int, int, int]]:
    """(second of the hour, tokens in, tokens out) of each request."""
    for line in _TRACE.read_text().splitlines():
        if line[0].isdigit():
            second, given, made = map(int, line.split(","))
            yield second, given, made


def _factor(profile: Profile, rows: Sequence[tuple[int, int, int]]) -> float:
    """By how much ordinary requests are made smaller, so that they stay below the profile's alarm most of the time."""
    a_minute = sum(given + made for _, given, made in rows) / (HOUR / 60)
    return min(1.0, _SHARE_OF_ALARM * profile.token_alarm_threshold / a_minute) if a_minute else 1.0


def _budget(tenant: Tenant) -> int | None:
    """Pico-USD that it may spend in a day at most."""
    return min(filter(None, (tenant.policy.daily_budget, tenant.policy.monthly_budget)), default=None)


def _running(config: Config, tenant: Tenant) -> Iterator[Sending]:
    """Requests that rise from one every few seconds until the budget must be spent, then retries to the hour's end."""
    profile = max(
        (profile for profile in config.profiles if profile.tenant == tenant.name),
        key=lambda profile: int(config.prices[profile.model_id]["output_cost"]),
    )
    price, budget = config.prices[profile.model_id], _budget(tenant) or 0
    made = min(filter(None, (tenant.policy.max_output_tokens, price.get("max_output_tokens"), _MOST_OUTPUT)))
    wanted = budget / _MOST_RUNNING - made * int(price["output_cost"])
    given = min(_MOST_INPUT, max(_LEAST_INPUT, int(wanted / int(price["input_cost"]))))
    count = min(_MOST_RUNNING, int(budget / (given * int(price["input_cost"]) + made * int(price["output_cost"]))) + 1)
    for index in range(count):
        # The share of requests sent grows with the square of time: their rate rises evenly.
        second = _RUNS_AT + int((_SPENT_BY - _RUNS_AT) * (index / count) ** 0.5)
        yield Sending(second, tenant.name, profile.name, given, made)
    for second in range(_SPENT_BY, HOUR, _RETRY_SECONDS):
        yield Sending(second, tenant.name, profile.name, given, made)
