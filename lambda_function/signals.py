"""What speaks for an alert level: rules over what a tenant spent lately, each a few integers compared with a line.

A rule holds when every amount in it has reached its line. All amounts grow with the spend, so how much more may be
spent before any rule can hold is known from one look; until then lambda_function/levels.py need not look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lambda_function.level_numbers import Numbers, Pairs, Three
from lambda_function.spend import Scope, Spend
from lambda_function.usual import SLOTS

__all__ = ["Rule", "rules"]

_DAY = 86400
_LASTING = ("budget", "growth")  # these do not come and go


class Rule:
    """One reason for `level` (1 yellow to 3 red). It holds if in all `conditions` amount >= line.

    `kind` is budget, burn, spike, growth, rate or threshold, `facts` its numbers for people. `counted` says what the
    amounts are: f pico-USD, q requests of three minutes, k tokens of three minutes. Below `calm` thousandths of its
    lines a level that it led to is left. One more pico-USD brings an amount nearer to its line by at most `weight`.
    """

    __slots__ = ("calm", "conditions", "counted", "facts", "kind", "level", "weight")

    def __init__(
        self,
        level: int,
        kind: str,
        conditions: tuple[tuple[int, int], ...],
        facts: tuple[Any, ...],
        calm: int,
        counted: str = "f",
        weight: int = 1,
    ) -> None:
        self.level = level
        self.kind = kind
        self.conditions = conditions
        self.facts = facts
        self.calm = calm
        self.counted = counted
        self.weight = weight

    def holds(self, strict: int = 1000) -> bool:
        """Whether it speaks for its level now; what comes and goes must reach `strict` thousandths of its lines."""
        if self.kind in _LASTING:
            strict = 1000
        return all(amount * 1000 >= line * strict for amount, line in self.conditions)

    @property
    def lingers(self) -> bool:
        """Whether it still speaks for a level that was reached before."""
        # The present minute has only begun: of three minutes one is enough.
        enough = all if self.counted == "f" else any
        return enough(amount * 1000 >= line * self.calm for amount, line in self.conditions)


def rules(spend: Spend, scope: Scope, above: int) -> Iterator[Rule]:
    """Every rule for a level above `above` that could hold, whether it does or not."""
    habits = _habits(spend, scope)
    yield from _budgets(spend, scope, habits, above)
    if habits is None:
        yield from _thresholds(spend, scope, above)
    else:
        yield from _spikes(spend, scope, habits, above)
    yield from _rates(spend, scope, above, known=habits is not None)
    usual = spend.usual
    if usual is not None and above < 1 and spend.at < usual.told_until * 3600:
        yield Rule(1, "growth", (), (usual.growth, usual.rise, usual.week), 1000)


class _Habits:
    """What is usual in this very hour; `high` is the most of the hours around."""

    __slots__ = ("high", "spread", "usual")

    def __init__(self, usual: int, high: int, spread: int) -> None:
        self.usual = usual
        self.high = high
        self.spread = spread


def _habits(spend: Spend, scope: Scope) -> _Habits | None:
    """None while the history is too short to have habits, or has nothing in it."""
    usual = spend.usual
    if usual is None or usual.history < scope.numbers.history_days * 24 or not usual.peak:
        return None
    slot = spend.at // 3600 - usual.start
    if 0 <= slot < SLOTS:
        return _Habits(usual.usual[slot], usual.high[slot], usual.spread[slot])
    # The tenant was silent for hours and the schedule has not looked yet: only what is rare at any hour is odd.
    return _Habits(usual.peak, usual.peak, 0)


def _budgets(spend: Spend, scope: Scope, habits: _Habits | None, above: int) -> Iterator[Rule]:
    policy, numbers, at = scope.policy, scope.numbers, spend.at
    dates = scope.dates(at)
    if policy.monthly_budget:
        end, length = dates.month_end, dates.month_end - dates.month_start
        window = _Window("month", policy.monthly_budget, spend.month, length, end - at)
        yield from _share(spend, numbers, habits, window, _month_rest(spend, window.left), above)
        yield from _burn(spend, numbers, habits, window, numbers.month_burn, numbers.month_windows, above)
    if policy.daily_budget:
        end, length = dates.day_end, dates.day_end - dates.day_start
        window = _Window("day", policy.daily_budget, spend.day, length, end - at)
        yield from _share(spend, numbers, habits, window, _day_rest(spend, habits, window.left), above)
        yield from _burn(spend, numbers, habits, window, numbers.day_burn, numbers.day_windows, above)


class _Window:
    """A budget and its calendar window: pico-USD and seconds. `facts` are these, in the order of the parameters."""

    __slots__ = ("facts", "left", "length", "limit", "used")

    def __init__(self, name: str, limit: int, used: int, length: int, left: int) -> None:
        self.facts = (name, limit, used, length, left)
        self.limit = limit
        self.used = used
        self.length = length
        self.left = left


def _share(
    spend: Spend, numbers: Numbers, habits: _Habits | None, window: _Window, rest: int | None, above: int
) -> Iterator[Rule]:
    """So much of a budget is used that it will not last: `rest` is usually still spent until the window ends."""
    growing = bool(habits and spend.usual and spend.usual.growth)
    for level in range(above + 1, 4):
        # Growth that uses a budget up is no jump: it is yellow, and orange when the wall is all but reached.
        jump = ((spend.hour, 2 * habits.high),) if growing and habits and level > 1 else ()
        lines = [(numbers.budget_share[level - 1], jump)]
        if jump and level == 2:
            lines.append((numbers.budget_share[2], ()))
        for share, more in lines:
            if share is None:
                continue
            line = window.limit * share // 1000
            if rest is not None:
                # A forecast is not exact to the last percent; a budget that is used up needs none.
                line = max(line, min(window.limit * (1000 + numbers.overrun_share) // 1000 - rest, window.limit))
            # Where `rest` is the pace of the last hour, what is spent now counts for every hour that is left.
            weight = 2 + window.left // 3600 if habits is None else 1
            facts = (*window.facts, rest, growing)
            yield Rule(level, "budget", ((window.used, line), *more), facts, 950, weight=weight)


def _month_rest(spend: Spend, left: int) -> int | None:
    """What will still be spent in `left` seconds at the pace of the last week, or of the last day; None if unknown."""
    usual = spend.usual
    if usual is None or usual.history < 24:
        return None
    if usual.history >= 168:
        return usual.week * left // (7 * _DAY)
    return usual.day * left // _DAY


def _day_rest(spend: Spend, habits: _Habits | None, left: int) -> int | None:
    """What is usually still spent until the day ends; without habits, at the pace of the last hour."""
    usual = spend.usual
    if habits is None or usual is None:
        return spend.hour * left // 3600
    slot, seconds = divmod(spend.at - usual.start * 3600, 3600)
    if not 0 <= slot < SLOTS:
        return None
    if usual.start * 3600 < spend.at - (_DAY - left):
        return habits.usual * left // 3600  # the digest is still of the day before
    return max(0, usual.rest - sum(usual.usual[:slot]) - habits.usual * seconds // 3600)


def _burn(
    spend: Spend, numbers: Numbers, habits: _Habits | None, window: _Window, rates: Three, pairs: Pairs, above: int
) -> Iterator[Rule]:
    """The budget burns so many times faster than it may, over a long and a short window, and will not last."""
    left = max(0, window.limit - window.used)
    for level in range(above + 1, 4):
        rate = rates[level - 1]
        long, short = pairs[level - 1]
        if rate is None or long * 60 >= window.left:
            continue
        allowed = window.limit * rate // 1000
        slow, fast = spend.over(long), spend.over(short)
        conditions = [
            (slow, max(allowed * long * 60 // window.length, left * long * 60 // window.left)),
            (fast, allowed * short * 60 // window.length),
        ]
        if habits is not None:
            conditions.append((spend.hour, habits.high * numbers.unusual_ratio // 1000))
        yield Rule(
            level, "burn", tuple(conditions), (*window.facts, long, slow, short, fast), numbers.calm_share, weight=2
        )


def _spikes(spend: Spend, scope: Scope, habits: _Habits, above: int) -> Iterator[Rule]:
    """More than is usual at this hour of this weekday, in 5 minutes or in an hour that is not over yet."""
    numbers, usual = scope.numbers, spend.usual
    assert usual is not None
    for level in range(above + 1, 4):
        n = level - 1
        smallest = scope.thresholds.cost * (numbers.smallest_share[n] or 0) // 1000
        ratio = numbers.five_ratio[n]
        if ratio is not None:
            above_peak = max(0, usual.burst - usual.peak // 12) * (numbers.five_excess[n] or 0) // 1000
            line = max(habits.high * ratio // 12000, usual.burst + above_peak, smallest)
            yield Rule(level, "spike", ((spend.five, line),), (5, spend.five, habits.usual // 12), numbers.calm_share)
        ratio = numbers.hour_ratio[n]
        if ratio is not None:
            line = max(
                habits.high * ratio // 1000,
                habits.high + habits.spread * (numbers.hour_deviations[n] or 0) // 1000,
                habits.high + usual.odd * (numbers.hour_excess[n] or 0) // 1000,
                usual.peak * (numbers.hour_peaks[n] or 0) // 1000,
                smallest * 12,
            )
            conditions = ((spend.hour, line), (spend.five, line // 24))
            yield Rule(level, "spike", conditions, (60, spend.hour, habits.usual), numbers.calm_share)


def _thresholds(spend: Spend, scope: Scope, above: int) -> Iterator[Rule]:
    """No history says what is usual: multiples of the operator's alarm threshold, and of what was seen so far."""
    cost, numbers = scope.thresholds.cost, scope.numbers
    burst = spend.usual.burst if spend.usual else 0
    for level in range(above + 1, 4):
        times, bursts = numbers.cost_threshold[level - 1], numbers.cost_bursts[level - 1]
        if times is not None and cost:
            line = max(cost * times // 1000, burst * (bursts or 0) // 1000)
            yield Rule(level, "threshold", ((spend.five, line),), ("cost", spend.five, cost), numbers.calm_share)


def _rates(spend: Spend, scope: Scope, above: int, *, known: bool) -> Iterator[Rule]:
    """Requests or tokens near their limit, or far above the alarm threshold, for three minutes together."""
    policy, numbers, thresholds = scope.policy, scope.numbers, scope.thresholds
    for name, window, limit, threshold, times in (
        ("requests", "q", policy.requests_per_minute, thresholds.requests, numbers.request_threshold),
        ("tokens", "k", policy.tokens_per_minute, thresholds.tokens, numbers.token_threshold),
    ):
        counts = None
        for level in range(above + 1, 4):
            share, multiple = numbers.rate_share[level - 1], times[level - 1]
            if limit and share is not None:
                counts = counts or spend.minutes(window)
                line = max(1, limit * share // 1000)
                conditions = tuple((count, line) for count in counts)
                yield Rule(level, "rate", conditions, (name, max(counts), limit), numbers.calm_share, window)
            if threshold and multiple is not None and not known:
                counts = counts or spend.minutes(window)
                line = max(1, threshold * multiple // 1000)
                conditions = tuple((count, line) for count in counts)
                yield Rule(level, "threshold", conditions, (name, max(counts), threshold), numbers.calm_share, window)
