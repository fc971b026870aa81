"""When a level changes and what that changes in the counter item. Pure: announce.py and level_pass.py write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lambda_function.level_numbers import LEVELS
from lambda_function.levels import Judgement, calm, judge, pinned
from lambda_function.spend import Scope, Spend

__all__ = ["AUTO", "Crossing", "Mark", "minute", "rise"]

AUTO = "auto"
# A level that is reached again within so many calm times of having been left is a relapse.
_RELAPSE = 4
_OVER = "the time for which the level was set by hand is over"


class Crossing(NamedTuple):
    """A change of level: `at` in epoch milliseconds, `why` sentences, `numbers` as figures.py has them.

    The thousandths of `at` are the item's version, so that no two changes of a tenant have the same. `sets` and
    `removes` are the attributes of the counter item that change with it.
    """

    before: str
    after: str
    at: int
    by: str
    why: tuple[str, ...]
    numbers: Mapping[str, Any]
    sets: Mapping[str, Any]
    removes: tuple[str, ...]

    @property
    def rises(self) -> bool:
        """Whether it became graver."""
        return LEVELS.index(self.after) > LEVELS.index(self.before)


class Mark(NamedTuple):
    """A note in the counter item without a change of level: since when it is calm, or that a pin is over."""

    sets: Mapping[str, Any]
    removes: tuple[str, ...]


def rise(item: Mapping[str, Any], judgement: Judgement, scope: Scope, now: float) -> Crossing:
    """The crossing to a graver level that `judgement` demands of `item`.

    Who was calm only for a short time must be calm for twice as long next time, up to `longest_calm_minutes`.
    """
    usual = scope.numbers.calm_minutes * 60
    last = item.get("calm", usual)
    sets: dict[str, Any] = {}
    removes = ["calm_at", "fell_at", "level_until"]
    if "fell_at" in item and now - item["fell_at"] < _RELAPSE * last:
        sets["calm"] = max(usual, min(2 * last, scope.numbers.longest_calm_minutes * 60))
    else:
        removes.append("calm")
    return _crossing(item, judgement, _sentences(judgement), scope, now, sets, removes)


def minute(item: Mapping[str, Any], scope: Scope, now: float) -> Crossing | Mark | None:
    """What a look at `item` each minute comes to, whether its tenant sends requests or not."""
    if pinned(item, now):
        return None
    if "level_until" in item:
        return _unpinned(item, scope, now)
    risen = judge(item, scope, now)
    present = item.get("level", "green")
    if risen.level != present:
        return rise(item, risen, scope, now)
    if present == "green":
        return None
    still = calm(item, scope, now)
    if still.level == present:
        return Mark({}, ("calm_at",)) if "calm_at" in item else None
    if "calm_at" not in item:
        return Mark({"calm_at": int(now)}, ())
    needed = item.get("calm", scope.numbers.calm_minutes * 60)
    if now - item["calm_at"] < needed:
        return None
    why = (f"calm for {needed // 60} minutes", *_sentences(still))
    return _crossing(item, still, why, scope, now, {"fell_at": int(now)}, ["calm_at"])


def _unpinned(item: Mapping[str, Any], scope: Scope, now: float) -> Crossing | Mark:
    """The level that was set by hand ends: the judgement starts from green."""
    judged = judge({**item, "level": "green"}, scope, now)
    if judged.level == item.get("level", "green"):
        return Mark({}, ("level_until", "calm_at", "calm", "fell_at"))
    removes = ["level_until", "calm_at", "calm", "fell_at"]
    return _crossing(item, judged, (_OVER, *_sentences(judged)), scope, now, {}, removes)


def _sentences(judgement: Judgement) -> tuple[str, ...]:
    from lambda_function.wording import reason_of  # only a change of level needs words

    # A graver rule of the same kind says what the milder one does.
    kinds: dict[tuple[str, Any], str] = {}
    for rule in judgement.reasons:
        kinds.setdefault((rule.kind, rule.facts[0]), reason_of(rule))
    return tuple(kinds.values())


def _crossing(
    item: Mapping[str, Any], judgement: Judgement, why: tuple[str, ...], scope: Scope, now: float,
    sets: dict[str, Any], removes: list[str],
) -> Crossing:  # fmt: skip
    from lambda_function.figures import figures

    numbers = figures(Spend(item, scope.dates(int(now)), now), scope)
    sets = {"level": judgement.level, "level_at": int(now), "level_by": AUTO, "level_why": why[0], **sets}
    at = int(now) * 1000 + item.get("pv", 0) % 1000
    before = item.get("level", "green")
    return Crossing(before, judgement.level, at, AUTO, why, numbers, sets, tuple(removes))
