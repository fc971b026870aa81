"""The judgement after each request, on the item that the settling write hands back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lambda_function.dynamodb import ConditionFailed, Table, Unavailable
from lambda_function.levels import Judgement, judge, scope_of
from lambda_function.limits import Policy
from lambda_function.spend import Scope, Thresholds
from lambda_function.wire import Wire

if TYPE_CHECKING:
    from lambda_function.snapshot import Snapshot

__all__ = ["Alerts", "scope_in_force"]

# Seconds that a request spares for telling: a caller waits for its answer.
_AT_ONCE = 0.5
_TRIES = 4  # a crossing is judged anew when the tenant's terms changed meanwhile
_REMEMBERED = 500  # tenants whose last judgement a container keeps


class Alerts:
    """One object a container. `settled` costs a microsecond while nothing can have changed."""

    def __init__(self, table: Table, wire: Wire, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._wire = wire
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def settled(self, tenant: str, item: Mapping[str, Any], snapshot: Snapshot) -> str:
        """The level after a request that left the counter item as `item`. Nothing is raised: the schedule looks too."""
        now = self._clock()
        known = self._known.get(tenant)
        if known is not None and known.judged.stands(item, now):
            return known.judged.level
        if tenant.startswith("_") or not item:
            return "green"
        if known is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            known = self._known[tenant] = _Known()
        return self._judge(tenant, known, item, snapshot, now)

    def _judge(self, tenant: str, known: _Known, item: Mapping[str, Any], snapshot: Snapshot, now: float) -> str:
        for _ in range(_TRIES):
            scope = known.scope_for(tenant, item, snapshot)
            known.judged = judge(item, scope, now)
            level: str = item.get("level", "green")
            if known.judged.level == level:
                return level
            try:
                return self._cross(tenant, item, known.judged, scope, snapshot, now)
            except ConditionFailed as refused:
                item = refused.item or {}
            except Unavailable:
                return level
        return str(item.get("level", "green"))

    def _cross(
        self, tenant: str, item: Mapping[str, Any], judged: Judgement, scope: Scope, snapshot: Snapshot, now: float
    ) -> str:
        # Imported here: most containers never see a change of level.
        from lambda_function.announce import Herald, NotPublished, news_of, write_crossing
        from lambda_function.crossing import rise

        crossing = rise(item, judged, scope, now)
        news = news_of(tenant, crossing)
        write_crossing(self._table, tenant, item, crossing, news)
        if self._clock() - now < _AT_ONCE:
            herald = Herald(self._table, self._wire, snapshot.document["topics"], patience=_AT_ONCE)
            # What fails here stays in the item as news, and the schedule tells it.
            with suppress(Unavailable, NotPublished):
                herald.tell(news, scope.policy, scope.calendar, now)
        return crossing.after


class _Known:
    """What a container remembers of a tenant: by what it is judged, and the last judgement."""

    __slots__ = ("_scope", "_snapshot", "_text", "judged")

    def __init__(self) -> None:
        self.judged = Judgement("green")
        self._snapshot: Snapshot | None = None
        self._text: str | None = None
        self._scope: Scope | None = None

    def scope_for(self, tenant: str, item: Mapping[str, Any], snapshot: Snapshot) -> Scope:
        text = item.get("policy")
        if self._scope is None or snapshot is not self._snapshot or text != self._text:
            self._scope = scope_in_force(tenant, item, snapshot)
            self._snapshot, self._text = snapshot, text
        return self._scope


def scope_in_force(tenant: str, item: Mapping[str, Any], snapshot: Snapshot) -> Scope:
    """By what a tenant is judged: the policy in its counter item, else the snapshot's. KeyError for a stranger."""
    text = item.get("policy")
    policy = Policy.from_json(json.loads(text)) if text is not None else snapshot.policy(tenant)
    found = [profile.thresholds for profile in snapshot.resolver.profiles_of(tenant)]
    totals = {name: sum(one.get(name, 0) for one in found) for name in ("cost", "tokens", "requests")}
    return scope_of(policy, snapshot.calendar(tenant), Thresholds(**totals))
