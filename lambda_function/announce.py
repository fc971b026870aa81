"""Telling of a change of level, once, whoever saw it and whatever crashed.

A crossing and the news of it are one write on the counter item, on the condition that nothing else about the tenant's
terms changed: of many callers that see the same line crossed, one wins. The news stays in the item until it was told,
so that the schedule tells it where its finder died. Who tells it first claims its entry in the history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lambda_function.announcement import News, Text, announcement, audience, measures, moment, sns_message
from lambda_function.dynamodb import ConditionFailed, Table
from lambda_function.ledger import WATCH_LIST, counter_key
from lambda_function.wire import Wire, WireError

if TYPE_CHECKING:
    from lambda_function.calendars import Calendar
    from lambda_function.crossing import Crossing
    from lambda_function.limits import Policy

__all__ = ["Herald", "NotPublished", "news_of", "write_crossing"]

_HISTORY_TTL = 400 * 86400  # 13 months and a little, in every calendar
_CLAIM = 120  # seconds after which a claim counts as abandoned
_QUIET = 900  # seconds between two mails of one tenant and level
_GIVE_UP = 6 * 3600  # seconds after which news that cannot be published are only history


class NotPublished(Exception):
    """SNS did not take a message; the news stays where it is."""


def write_crossing(table: Table, tenant: str, item: Mapping[str, Any], crossing: Crossing, news: str) -> dict[str, Any]:
    """Change the level in the counter item, with `news` of it; the item afterwards.

    Raises ConditionFailed, with the item as it is, if its terms changed since `item` was read, and Unavailable.
    """
    values = {f":{name}": value for name, value in crossing.sets.items()}
    fields = ", ".join(f"{'#level' if name == 'level' else name} = :{name}" for name in crossing.sets)
    removes = f" REMOVE {', '.join(crossing.removes)}" if crossing.removes else ""
    condition = "attribute_not_exists(pv)"
    if "pv" in item:
        condition, values[":pv"] = "pv = :pv", item["pv"]
    return table.update(
        counter_key(tenant), f"SET {fields}{removes} ADD pv :one, news :news", condition=condition,
        names={"#level": "level"}, values={**values, ":one": 1, ":news": {news}}, returns="ALL_NEW",
    )  # fmt: skip


def news_of(tenant: str, crossing: Crossing, contributors: tuple[tuple[str, int, int | None], ...] = ()) -> str:
    """The news of a crossing, as the counter item keeps them."""
    return News(
        tenant, crossing.before, crossing.after, crossing.at, crossing.by, crossing.why, crossing.numbers, contributors
    ).to_text()


class Herald:
    """Tells news. `topics` are those of the snapshot: the operator's ARN and the tenants'; `patience` is for SNS."""

    def __init__(self, table: Table, wire: Wire, topics: Mapping[str, Any], patience: float = 3.0) -> None:
        self._table = table
        self._wire = wire
        self._topics = topics
        self._patience = patience

    def tell(self, text: str, policy: Policy, calendar: Calendar, now: float) -> bool:
        """History, watch list and mails of one piece of news; False if somebody else is at it or has done it.

        Raises Unavailable and NotPublished: then it can be told again, two minutes later at the earliest.
        """
        news = News.from_text(text)
        key = (f"T#{news.tenant}", f"level#{news.at}")
        try:
            self._table.put(
                _entry(key, news, policy, now),
                condition="attribute_not_exists(told) AND (attribute_not_exists(claim) OR claim <= :stale)",
                values={":stale": int(now) - _CLAIM},
            )
        except ConditionFailed as refused:
            if "told" in (refused.item or {}):
                self._forget(news.tenant, text)
            return False
        if news.after != "green":
            self._table.update(WATCH_LIST, "ADD tenants :t", values={":t": {news.tenant}}, idempotent=True)
        told = audience(news, policy)
        if told:
            try:
                self._mail(news, policy, calendar, told)
            except NotPublished:
                if now - news.at / 1000 < _GIVE_UP:
                    raise
        self._table.update(key, "SET told = :now", values={":now": int(now)}, idempotent=True)
        self._forget(news.tenant, text)
        return True

    def publish(self, topic: str | None, text: Text) -> None:
        """One message to a topic; nothing without one. Raises NotPublished."""
        if not topic:
            return
        from urllib.parse import urlencode  # only announcements need it, and it costs a cold start 2 ms

        form = {
            "Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, "Subject": text.subject,
            "Message": sns_message(text), "MessageStructure": "json",
        }  # fmt: skip
        try:
            reply = self._wire.call("sns", "POST", "/", urlencode(form).encode(), timeout=self._patience)
        except WireError as problem:
            if problem.sent:
                return  # it may have gone out; twice would be worse than perhaps not
            raise NotPublished(str(problem)) from problem
        if reply.status != 200:
            raise NotPublished(f"SNS answered {reply.status}")

    def topic(self, tenant: str | None) -> str | None:
        """The ARN of a tenant's topic, or of the operator's; None if there is none."""
        found: str | None = self._topics.get("tenants", {}).get(tenant) if tenant else self._topics.get("admin")
        return found

    def _mail(self, news: News, policy: Policy, calendar: Calendar, told: list[str]) -> None:
        """Mail to those who are `told`, unless one about this level went out a moment ago: then hold it back.

        `sent_<level>` is the change (epoch milliseconds) that was mailed last. A try that SNS did not take is repeated
        as a whole: twice to one is better than not at all to the other.
        """
        key, sent = (f"T#{news.tenant}", "mail"), f"sent_{news.after}"
        try:
            item = self._table.update(
                key, f"SET {sent} = :at", returns="ALL_NEW",
                condition=f"attribute_not_exists({sent}) OR {sent} <= :quiet OR {sent} = :at",  # or an earlier try
                values={":at": news.at, ":quiet": news.at - _QUIET * 1000},
            )  # fmt: skip
        except ConditionFailed:
            entry = json.dumps([news.at, f"{moment(calendar, news.at // 1000)}: {news.before} to {news.after}, "
                                f"{news.why[0]}", told])  # fmt: skip
            self._table.update(key, "ADD held :e", values={":e": {entry}}, idempotent=True)
            self._table.update(WATCH_LIST, "ADD digests :t", values={":t": {news.tenant}}, idempotent=True)
            return
        held = sorted(json.loads(entry) for entry in item.get("held", ()))
        for who, operator in (("the operator", True), ("the tenant", False)):
            if who in told:
                lines = [line for _, line, whom in held if who in whom]
                text = announcement(news, policy, calendar, lines, operator=operator)
                self.publish(self.topic(None if operator else news.tenant), text)
        if held:
            self._table.update(key, "DELETE held :e", values={":e": set(item["held"])}, idempotent=True)

    def _forget(self, tenant: str, text: str) -> None:
        self._table.update(counter_key(tenant), "DELETE news :n", values={":n": {text}}, idempotent=True)


def _entry(key: tuple[str, str], news: News, policy: Policy, now: float) -> dict[str, Any]:
    """The item of the history; `who` is auto or the person who set the level."""
    return {
        "pk": key[0], "sk": key[1], "from": news.before, "to": news.after, "who": news.by, "why": "; ".join(news.why),
        "numbers": dict(news.numbers), "actions": [*audience(news, policy), *measures(policy, news.after)],
        "claim": int(now), "ttl": news.at // 1000 + _HISTORY_TTL,
    }  # fmt: skip
