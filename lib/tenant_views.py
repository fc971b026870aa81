"""What `tenants.py list` and `show` tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.limits import Policy
from lambda_function.standing import usage
from lib.aws import Aws
from lib.config import Config, Tenant
from lib.names import names_of
from lib.standing import counters_of, history_of
from lib.state import State
from lib.zones import zone_table

__all__ = ["list_view", "show_view", "unconfirmed_addresses"]

_MOST_CHANGES = 20


def list_view(aws: Aws, config: Config, state: State, form: str) -> Iterator[str]:
    """Every tenant, one line each, or a JSON list."""
    table = names_of(config, aws.account).table
    counters = counters_of(aws, table, list(config.tenants))
    facts = [_facts(aws, tenant, counters.get(tenant.name)) for tenant in config.tenants.values()]
    if form == "json":
        yield json.dumps(facts, indent=2)
        return
    heads = ["tenant", "tier", "level", "month to date", "budget", "last request"]
    rows = [
        [
            fact["tenant"], fact["tier"], "suspended" if fact["suspended"] else fact["level"],
            fact["budgets"]["month"]["spent_usd"], fact["budgets"]["month"]["limit_usd"] or "-",
            fact["last_request"] or "never",
        ]
        for fact in facts
    ]  # fmt: skip
    yield from _table(heads, rows)


def show_view(aws: Aws, config: Config, state: State, tenant: str, form: str) -> Iterator[str]:
    """One tenant: profiles, limits, counters, history of levels."""
    table = names_of(config, aws.account).table
    item = counters_of(aws, table, [tenant]).get(tenant)
    facts = _facts(aws, config.tenants[tenant], item)
    ids = state.group("profile_ids")
    facts["profiles"] = [
        {"name": profile.name, "id": ids.get(profile.name), "model": profile.model_id, "tags": profile.tag_map}
        for profile in config.profiles
        if profile.tenant == tenant
    ]
    facts["api_url"] = state.get("api_url")
    facts["history"] = [_change(entry) for entry in history_of(aws, table, tenant, _MOST_CHANGES)]
    if form == "json":
        yield json.dumps(facts, indent=2, default=str)
        return
    yield from _told(facts)


def unconfirmed_addresses(aws: Aws, state: State) -> Iterator[str]:
    """Addresses whose owner has not confirmed the subscription yet."""
    for arn in [state.get("topic_arn"), *state.group("tenant_topic_arns").values()]:
        for subscription in aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn):
            if subscription["SubscriptionArn"] == "PendingConfirmation":
                yield subscription["Endpoint"]


def _facts(aws: Aws, tenant: Tenant, item: Mapping[str, Any] | None) -> dict[str, Any]:
    now = aws.clock()
    policy = Policy.from_json(json.loads(item["policy"])) if item and "policy" in item else tenant.policy
    calendar = Calendar.from_zones(policy.timezone, {policy.timezone: zone_table(policy.timezone, now)})
    last = max((int(name[2:]) * 300 for name in item or () if name.startswith("f_")), default=None)
    return {
        **usage(tenant.name, item, policy, calendar, now),
        "tier": tenant.tier,
        "timezone": policy.timezone,
        "contact_email": tenant.contact_email,
        "level_why": (item or {}).get("level_why"),
        # Counters keep 5-minute buckets, and that is as exactly as this is known.
        "last_request": None if last is None else f"{datetime.fromtimestamp(last, UTC):%Y-%m-%d %H:%M} UTC",
    }


def _change(entry: Mapping[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(int(entry["sk"].partition("#")[2]) / 1000, UTC)
    rest = {name: value for name, value in entry.items() if name not in {"pk", "sk", "ttl", "claim", "told"}}
    return {"at": f"{at:%Y-%m-%d %H:%M:%S} UTC", **rest}


def _told(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{facts['tenant']}: level {facts['level']}, tier {facts['tier']}, zone {facts['timezone']}"
    if facts["suspended"]:
        yield f"  suspended: {facts['suspended']}"
    if facts["level_why"]:
        yield f"  why: {facts['level_why']}"
    yield ""
    for name, window in facts["budgets"].items():
        limit = window["limit_usd"] or "no budget"
        yield f"  this {name}: {window['spent_usd']} USD spent, {window['reserved_usd']} reserved, of {limit}"
        if window["limit_usd"]:
            yield f"    {window['remaining_usd']} USD left until {window['reset']}"
    for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests"):
        limit = facts[name]["limit"]
        yield f"  {name.replace('_', ' ')}: {facts[name]['used']} of {'no limit' if limit is None else limit}"
    yield ""
    yield from _table(
        ["profile", "id", "model"], [[row["name"], str(row["id"]), row["model"]] for row in facts["profiles"]]
    )
    if facts["history"]:
        yield ""
        yield "Latest changes of level:"
        for change in facts["history"]:
            yield f"  {change['at']}  {change['from']} -> {change['to']}  by {change['who']}: {_joined(change['why'])}"


def _joined(why: Any) -> str:
    return "; ".join(map(str, why)) if isinstance(why, (list, tuple)) else str(why)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, ["─" * width for width in widths], *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
