"""A tenant's standing: its counter item, and the changes an operator makes to it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lambda_function.announcement import News
from lambda_function.calendars import Calendar
from lambda_function.figures import figures
from lambda_function.ledger import WATCH_LIST, counter_key
from lambda_function.level_numbers import LEVELS
from lambda_function.levels import scope_of
from lambda_function.limits import Policy
from lambda_function.spend import Spend, Thresholds
from lib.aws import Aws
from lib.items import get_item, get_items, query, typed
from lib.zones import zone_table

__all__ = ["LEVELS", "counters_of", "history_of", "resume", "set_level", "suspend"]

_HISTORY_SECONDS = 400 * 86_400  # 13 months


def counters_of(aws: Aws, table: str, tenants: list[str]) -> dict[str, dict[str, Any]]:
    """The counter items of `tenants`, by tenant; one without any has not been set up or called yet."""
    items = get_items(aws, table, map(counter_key, tenants))
    return {item["pk"][2:]: item for item in items}


def history_of(aws: Aws, table: str, tenant: str, most: int) -> Iterator[dict[str, Any]]:
    """The latest changes of level, newest first."""
    for number, item in enumerate(query(aws, table, f"T#{tenant}", "level#", "level#~", newest_first=True)):
        if number == most:
            return
        yield item


def suspend(aws: Aws, table: str, tenant: str, reason: str) -> None:
    """Refuse the tenant's requests from the next one on; what is in flight is settled."""
    if _counter(aws, table, tenant).get("suspended") != reason:
        values = {":reason": reason, ":one": 1}
        _update(aws, table, tenant, f"suspending {tenant}", "SET suspended = :reason ADD pv :one", values)


def resume(aws: Aws, table: str, tenant: str) -> None:
    """Let the tenant in again."""
    if "suspended" in _counter(aws, table, tenant):
        _update(aws, table, tenant, f"resuming {tenant}", "REMOVE suspended ADD pv :one", {":one": 1})


def set_level(aws: Aws, table: str, tenant: str, level: str, *, who: str, reason: str, until: int | None) -> None:
    """Put the tenant on `level` by hand, until the epoch second `until`, or until told otherwise.

    Written to the history before it takes effect, so that no change is without its reason.
    """
    now = aws.clock()
    item = _counter(aws, table, tenant)
    at, before = int(now * 1000), item.get("level", "green")
    entry: dict[str, Any] = {
        "pk": f"T#{tenant}", "sk": f"level#{at}", "from": before, "to": level,
        "who": who, "why": reason, "ttl": int(now) + _HISTORY_SECONDS,
    }  # fmt: skip
    aws.write(
        "+", f"noting the change of {tenant} to {level}", "dynamodb", "put_item", TableName=table, Item=typed(entry)
    )
    values: dict[str, Any] = {":level": level, ":at": int(now), ":who": who, ":why": reason, ":one": 1}
    expression = "SET #level = :level, level_at = :at, level_by = :who, level_why = :why"
    removed = "calm_at, calm, fell_at"
    if until is None:
        removed += ", level_until"
    else:
        expression, values[":until"] = expression + ", level_until = :until", until
    expression += f" REMOVE {removed} ADD pv :one"
    if level != before:
        expression, values[":news"] = expression + ", news :news", {_news(tenant, item, level, who, reason, at)}
    _update(
        aws, table, tenant, f"setting {tenant} to {level}", expression, values,
        ExpressionAttributeNames={"#level": "level"},
    )  # fmt: skip
    # On the list whatever the level: within a minute the schedule tells the change, and takes off it who is green.
    aws.write(
        "~", f"watching {tenant}", "dynamodb", "update_item", TableName=table,
        Key=typed({"pk": WATCH_LIST[0], "sk": WATCH_LIST[1]}), UpdateExpression="ADD tenants :tenant",
        ExpressionAttributeValues=typed({":tenant": {tenant}}),
    )  # fmt: skip


def _news(tenant: str, item: dict[str, Any], level: str, who: str, reason: str, at: int) -> str:
    """What the schedule is to announce, with the numbers of this moment."""
    text = item.get("policy")
    policy = Policy.from_json(json.loads(text)) if text else Policy()
    zone = policy.timezone
    scope = scope_of(policy, Calendar.from_zones(zone, {zone: zone_table(zone, at / 1000)}), Thresholds())
    spend = Spend(item, scope.dates(at // 1000), at / 1000)
    return News(tenant, item.get("level", "green"), level, at, who, (reason,), figures(spend, scope)).to_text()


def _counter(aws: Aws, table: str, tenant: str) -> dict[str, Any]:
    return get_item(aws, table, *counter_key(tenant)) or {}


def _update(
    aws: Aws, table: str, tenant: str, sentence: str, expression: str, values: dict[str, Any], **names: Any
) -> None:
    pk, sk = counter_key(tenant)
    aws.write(
        "~", sentence, "dynamodb", "update_item", TableName=table, Key=typed({"pk": pk, "sk": sk}),
        UpdateExpression=expression, ExpressionAttributeValues=typed(values), **names,
    )  # fmt: skip
