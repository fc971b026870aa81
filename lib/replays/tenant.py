"""A tenant whose counter item lives in memory: spend goes in with its instant, changes of level come out.

The judgement, the minute's look and the baseline are the functions that run in AWS. Only what surrounds them is
imitated: the settling write, the roll-up of an hour, the schedule's clock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lambda_function.baseline import Baseline, burst_of
from lambda_function.crossing import Crossing, Mark, minute, rise
from lambda_function.entries import windows
from lambda_function.levels import Judgement, judge
from lambda_function.spend import Scope
from lambda_function.usual import SLOTS, Usual

__all__ = ["Hour", "ReplayedTenant"]

_BASELINE_SECOND = 300  # of each hour, at which the schedule takes the last hour into the baseline
_KEPT = {"f": 14 * 300, "h": 9 * 3600, "q": 240, "k": 240, "d": 3 * 86400, "m": 40 * 86400}
_SPANS = {"f": 300, "h": 3600, "q": 60, "k": 60}


class Hour(NamedTuple):
    """An hour (since the epoch) of the replay: pico-USD spent, and what was usual; None while nothing was known."""

    number: int
    spent: int
    usual: int | None


class ReplayedTenant:
    """Feed it `spend` in order of time, then `finish`.

    `crossings` are the changes of level, `hours` what went by, `fives` pico-USD by number of the 5 minutes.
    """

    def __init__(self, scope: Scope, start: float) -> None:
        self.scope = scope
        self.item: dict[str, Any] = {"pv": 1}
        self.crossings: list[Crossing] = []
        self.hours: list[Hour] = []
        self.fives: dict[int, int] = {}
        self._baseline = Baseline(int(start) // 3600)
        self._costs: dict[int, int] = {}
        self._next = int(start) // 60 * 60 + 60  # when the schedule runs next
        self._next_baseline = int(start) // 3600 * 3600 + 3600 + _BASELINE_SECOND
        self._hour = int(start) // 3600
        self._judged = Judgement("green")

    def spend(self, at: float, amount: int, tokens: int = 0) -> None:
        """One request of `amount` pico-USD that is settled at `at`."""
        self.advance(at)
        item = self.item
        names = windows(int(at), self.scope.calendar.offset(at))
        for name, more in zip(names, (amount, amount, 1, tokens, amount, amount), strict=True):
            item[name] = item.get(name, 0) + more
        hour, five = int(at) // 3600, int(at) // 300
        self.fives[five] = self.fives.get(five, 0) + amount
        self._costs[hour] = self._costs.get(hour, 0) + amount
        if not self._judged.stands(item, at):
            self._judged = judge(item, self.scope, at)
            if self._judged.level != item.get("level", "green"):
                self._cross(rise(item, self._judged, self.scope, at))

    def advance(self, to: float) -> None:
        """Let the schedule run at each of its minutes before `to` at which it has something to do."""
        while self._next <= to:
            if self.item.get("level", "green") == "green":
                # Nothing to bring down: only a new baseline can change anything.
                self._next = max(self._next, self._next_baseline)
                if self._next > to:
                    self._next = int(to) // 60 * 60 + 60
                    return
            if self._next >= self._next_baseline:
                self._learn(self._next)
            self._look(self._next)
            self._next += 60

    def finish(self, end: float) -> None:
        """Let the time go by until `end`."""
        self.advance(end)
        self._close(int(end) // 3600 + 1)

    def _look(self, now: int) -> None:
        found = minute(self.item, self.scope, now)
        if isinstance(found, Crossing):
            self._cross(found)
        elif isinstance(found, Mark):
            self._write(found)

    def _cross(self, crossing: Crossing) -> None:
        self.crossings.append(crossing)
        self._write(crossing)
        self.item["pv"] += 1

    def _write(self, change: Crossing | Mark) -> None:
        self.item.update(change.sets)
        for name in change.removes:
            self.item.pop(name, None)

    def _learn(self, now: int) -> None:
        """What the schedule does once an hour for an active tenant."""
        hour = now // 3600
        self._close(hour)
        costs = {number: cost for number, cost in self._costs.items() if number < hour}
        self._baseline.close(hour, costs, burst_of(self.item, now), self.scope.calendar, self.scope.numbers)
        self.item["usual"] = self._baseline.digest(self.scope.calendar, self.scope.numbers).encode()
        self._costs = {number: cost for number, cost in self._costs.items() if number >= hour - 2}
        self._next_baseline = hour * 3600 + 3600 + _BASELINE_SECOND
        for name in [name for name in self.item if name[1:2] == "_" and name[0] in _SPANS]:
            if int(name[2:]) * _SPANS[name[0]] < now - _KEPT[name[0]]:
                del self.item[name]

    def _close(self, until: int) -> None:
        """Note the hours before `until`, with what was usual at the time."""
        known = self.scope.numbers.history_days * 24
        digest = Usual.decode(self.item["usual"]) if "usual" in self.item else None
        for number in range(self._hour, until):
            usual = None
            if digest and digest.history >= known and 0 <= number - digest.start < SLOTS:
                usual = digest.usual[number - digest.start]
            self.hours.append(Hour(number, self._costs.get(number, 0), usual))
        self._hour = max(self._hour, until)
