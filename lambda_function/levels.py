"""Alert levels: from a tenant's counters, limits, habits, calendar and present level to a level with its reasons.

Pure. `judge` looks for reasons to rise and runs after each request, on the counter item that the settling write hands
back; `calm` looks for reasons to stay and runs each minute, only for tenants above green. The lines for staying are
lower than those for rising, and staying below them must last, so that nothing flaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_function.level_numbers import LEVELS, numbers_of
from lambda_function.limits import Policy
from lambda_function.signals import Rule, rules
from lambda_function.spend import Scope, Spend, Thresholds

__all__ = ["LEVELS", "Judgement", "calm", "judge", "pinned", "scope_of", "validate_levels"]

_ENDLESS = 1 << 100
# For so many seconds after a level was left only what is clearly more than noise leads back to it.
_SETTLING = 600
_STRICT = 1500


class Judgement:
    """A level and the rules that speak for it, the gravest first; none if it is the present level.

    The rest is how long nothing can change: while the item's version is `version`, before the epoch second `until`,
    and while the 5-minute buckets `before` and `five` together hold less than `most` pico-USD, the minute fewer than
    `most_requests` and `most_tokens`.
    """

    __slots__ = ("before", "five", "level", "most", "most_requests", "most_tokens", "reasons", "until", "version")

    def __init__(
        self,
        level: str,
        reasons: tuple[Rule, ...] = (),
        *,
        version: int | None = None,
        until: int = 0,
        five: str = "",
        before: str = "",
        most: int = _ENDLESS,
        most_requests: int = _ENDLESS,
        most_tokens: int = _ENDLESS,
    ) -> None:
        self.level = level
        self.reasons = reasons
        self.version = version
        self.until = until
        self.five = five
        self.before = before
        self.most = most
        self.most_requests = most_requests
        self.most_tokens = most_tokens

    def stands(self, item: Mapping[str, Any], now: float) -> bool:
        """Whether `item`, an answer of `now`, can only be judged as before. Costs about a microsecond."""
        if now >= self.until or item.get("pv") != self.version:
            return False
        if item.get(self.five, 0) + item.get(self.before, 0) >= self.most:
            return False
        if self.most_requests is _ENDLESS and self.most_tokens is _ENDLESS:
            return True
        minute = int(now) // 60
        return bool(item.get(f"q_{minute}", 0) < self.most_requests and item.get(f"k_{minute}", 0) < self.most_tokens)


def scope_of(policy: Policy, calendar: Any, thresholds: Thresholds) -> Scope:
    """What a tenant is judged by; made once for a policy."""
    return Scope(policy, numbers_of(policy.levels), thresholds, calendar)


def pinned(item: Mapping[str, Any], now: float) -> bool:
    """Whether the level was set by hand and that still holds."""
    until = item.get("level_until")
    return until is not None and bool(now < until)


def judge(item: Mapping[str, Any], scope: Scope, now: float) -> Judgement:
    """The level at which `item`, a counter item as it is at `now`, belongs: the present one or a higher one."""
    level = item.get("level", "green")
    present = LEVELS.index(level)
    number = int(now) // 300
    version, until = item.get("pv"), number * 300 + 300
    if pinned(item, now):
        return Judgement(level, version=version, until=min(until, item["level_until"]))
    spend = Spend(item, scope.dates(int(now)), now, fresh=True)
    found = tuple(rules(spend, scope, present))
    settling = item.get("fell_at", 0) + _SETTLING
    strict = _STRICT if now < settling else 1000
    reasons = tuple(sorted((rule for rule in found if rule.holds(strict)), key=lambda rule: -rule.level))
    if reasons:
        return Judgement(LEVELS[reasons[0].level], reasons)
    room = min(map(_room, found), default=_ENDLESS)
    before, five = f"f_{number - 1}", f"f_{number}"
    most = item.get(before, 0) + item.get(five, 0) + room if room < _ENDLESS else _ENDLESS
    if now < settling:
        until = min(until, settling)
    return Judgement(
        level, version=version, until=until, five=five, before=before, most=most,
        most_requests=_least(found, "q"), most_tokens=_least(found, "k"),
    )  # fmt: skip


def calm(item: Mapping[str, Any], scope: Scope, now: float) -> Judgement:
    """The level that `item` still gives reason for: the present one or a lower one, with the reasons for that."""
    present = LEVELS.index(item.get("level", "green"))
    spend = Spend(item, scope.dates(int(now)), now)
    found = [rule for rule in rules(spend, scope, 0) if rule.level <= present and rule.lingers]
    found.sort(key=lambda rule: -rule.level)
    return Judgement(LEVELS[found[0].level if found else 0], tuple(found))


def validate_levels(levels: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a tier's `levels`, a sentence each; empty if nothing is."""
    # Imported here: requests have no use for it, and loading it at a cold start costs.
    from lambda_function.level_checks import problems_of

    return problems_of(levels)


def _room(rule: Rule) -> int:
    """Pico-USD that may be spent before `rule` can hold."""
    if rule.counted != "f":
        return _ENDLESS
    return max(line - amount for amount, line in rule.conditions) // rule.weight


def _least(found: tuple[Rule, ...], counted: str) -> int:
    return min((rule.conditions[0][1] for rule in found if rule.counted == counted), default=_ENDLESS)
