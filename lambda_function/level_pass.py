"""The minute's look at alert levels: learn habits, bring levels down after a calm time, tell what nobody told.

Requests judge themselves (lambda_function/alerts.py). This looks at the tenants that were active lately and at those on
the watch list, that is above green: the ones that fell silent, whose pinned level ends, whose finder died.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from lambda_function.alerts import scope_in_force
from lambda_function.announce import Herald, NotPublished, news_of, write_crossing
from lambda_function.announcement import News, digest
from lambda_function.baseline_pass import due, refresh
from lambda_function.crossing import Crossing, Mark, minute
from lambda_function.deployment import count_everybody
from lambda_function.dynamodb import ConditionFailed, Table, Unavailable
from lambda_function.ledger import DEPLOYMENT, WATCH_LIST, counter_key
from lambda_function.metrics import level_line
from lambda_function.wire import Wire

if TYPE_CHECKING:
    from lambda_function.minute import Minute
    from lambda_function.snapshot import Snapshot
    from lambda_function.spend import Scope

__all__ = ["LevelPass"]

_IN_THE_ACT = 30  # seconds that whoever wrote news is left to tell it
_QUIET = 900  # seconds after the last mail when what was held back is told
_LONGEST_DIGEST = 40  # lines


class LevelPass:
    """One part of the schedule's minute."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __call__(self, minute: Minute) -> dict[str, int]:
        """What was done, by name; writes a line for each tenant above green. Raises Unavailable after all had a try."""
        table, snapshot, now = minute.table, minute.snapshot, minute.now
        watched = table.get(WATCH_LIST) or {}
        herald = Herald(table, self._wire, snapshot.document["topics"])
        looks = _Looks(table, herald, now, set(watched.get("tenants", ())))
        items = _with_watched(minute, looks.watched)
        levels: dict[str, str] = {}
        problems: list[Unavailable] = []

        def attempt(tenant: str, work: Callable[[], str]) -> None:
            try:
                levels[tenant] = work()
            except Unavailable as problem:
                problems.append(problem)

        for tenant, item in sorted(items.items()):
            if not tenant.startswith("_") and tenant in snapshot.document["tenants"] and minute.in_time():
                attempt(tenant, partial(looks.of_tenant, tenant, item, snapshot, active=tenant in minute.items))
        attempt(DEPLOYMENT, partial(looks.of_everybody, minute))
        for tenant, level in levels.items():
            if level != "green":
                minute.write(level_line(now, tenant, level))
        for tenant in sorted(watched.get("digests", ())):
            looks.tell_held(tenant, levels.get(tenant, "green"))
        if problems:
            raise problems[0]
        return {"levels": looks.changed, "baselines": looks.learned, "told": looks.told}


def _with_watched(minute: Minute, watched: set[str]) -> dict[str, dict[str, Any]]:
    """The counter items of the tenants that were active lately and of those on the watch list."""
    unread = sorted(watched - minute.items.keys() - {DEPLOYMENT})
    read = minute.table.batch_get(map(counter_key, unread)) if unread else ()
    return {**minute.items, **{item["pk"].partition("#")[2]: item for item in read}}


class _Looks:
    """The looks of one minute, and what came of them."""

    def __init__(self, table: Table, herald: Herald, now: float, watched: set[str]) -> None:
        self.watched = watched
        self.changed = self.learned = self.told = 0
        self._table = table
        self._herald = herald
        self._now = now

    def of_tenant(self, tenant: str, item: Mapping[str, Any], snapshot: Snapshot, *, active: bool) -> str:
        """Look at a tenant; if it was `active` lately, learn its habits before. The level afterwards."""
        scope = scope_in_force(tenant, item, snapshot)
        return self._look(tenant, self._learn(tenant, item, scope) if active else item, scope)

    def of_everybody(self, minute: Minute) -> str:
        """Look at all tenants together; the deployment's level afterwards."""
        item, scope, contributors = count_everybody(
            self._table, minute.snapshot, minute.items, minute.backlog.until, self._now
        )
        return self._look(DEPLOYMENT, self._learn(DEPLOYMENT, item, scope), scope, contributors)

    def _learn(self, tenant: str, item: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
        """`item` with a digest of this hour's habits. Raises Unavailable."""
        if not due(tenant, item, self._now):
            return item
        self.learned += 1
        return refresh(self._table, tenant, item, scope.calendar, scope.numbers, self._now)

    def _look(
        self,
        tenant: str,
        item: Mapping[str, Any],
        scope: Scope,
        contributors: tuple[tuple[str, int, int | None], ...] = (),
    ) -> str:
        """Judge `item`, act on it, tell what is untold; the level afterwards. Raises Unavailable."""
        change = minute(item, scope, self._now)
        untold = set(item.get("news", ()))
        news = [text for text in sorted(untold) if self._abandoned(text)]
        level = str(item.get("level", "green"))
        try:
            if isinstance(change, Crossing):
                fresh = news_of(tenant, change, contributors)
                write_crossing(self._table, tenant, item, change, fresh)
                self.changed += 1
                news.append(fresh)
                untold.add(fresh)
                level = change.after
            elif change is not None:
                self._mark(tenant, item, change)
        except ConditionFailed as refused:
            level = str((refused.item or {}).get("level", "green"))  # a request was faster; next minute again
        for text in news:
            with suppress(NotPublished):
                if self._herald.tell(text, scope.policy, scope.calendar, self._now):
                    untold.remove(text)
                    self.told += 1
        self._watch(tenant, wanted=level != "green" or bool(untold))
        return level

    def tell_held(self, tenant: str, level: str) -> None:
        """Mail what was held back, once the time to be quiet is over. Raises Unavailable."""
        key = (f"T#{tenant}", "mail")
        item = self._table.get(key) or {}
        held, at = item.get("held"), int(self._now * 1000)
        if held:
            latest = max(value for name, value in item.items() if name.startswith("sent_"))
            if self._now - latest / 1000 < _QUIET:
                return
            try:
                self._table.update(
                    key, "SET sent_digest = :at", values={":at": at, ":quiet": at - _QUIET * 1000},
                    condition="attribute_not_exists(sent_digest) OR sent_digest <= :quiet",
                )  # fmt: skip
                self._publish_held(tenant, level, held)
            except (ConditionFailed, NotPublished):
                return
            self._table.update(key, "DELETE held :e", values={":e": set(held)}, idempotent=True)
        self._table.update(WATCH_LIST, "DELETE digests :t", values={":t": {tenant}}, idempotent=True)

    def _publish_held(self, tenant: str, level: str, held: set[str]) -> None:
        entries = sorted(json.loads(entry) for entry in held)[-_LONGEST_DIGEST:]
        name = "All tenants together" if tenant == DEPLOYMENT else tenant
        for who, topic in (("the operator", None), ("the tenant", tenant)):
            lines = [line for _, line, whom in entries if who in whom]
            if lines:
                self._herald.publish(self._herald.topic(topic), digest(name, level, lines))

    def _abandoned(self, text: str) -> bool:
        return self._now - News.from_text(text).at / 1000 >= _IN_THE_ACT

    def _mark(self, tenant: str, item: Mapping[str, Any], mark: Mark) -> None:
        parts = []
        if mark.sets:
            parts.append("SET " + ", ".join(f"{name} = :{name}" for name in mark.sets))
        if mark.removes:
            parts.append(f"REMOVE {', '.join(mark.removes)}")
        values = {f":{name}": value for name, value in mark.sets.items()}
        condition = "attribute_not_exists(pv)"
        if "pv" in item:
            condition, values[":pv"] = "pv = :pv", item["pv"]
        self._table.update(counter_key(tenant), " ".join(parts), condition=condition, values=values, idempotent=True)

    def _watch(self, tenant: str, *, wanted: bool) -> None:
        """Keep the watch list true: everybody above green, and whose news are not told yet."""
        if wanted != (tenant in self.watched):
            verb = "ADD" if wanted else "DELETE"
            self._table.update(WATCH_LIST, f"{verb} tenants :t", values={":t": {tenant}}, idempotent=True)
