"""Tenants as the console shows them, read where the data is: asking the API would be counted as its traffic."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lambda_function import metrics
from lambda_function.ledger import counter_key
from lambda_function.limits import Policy
from lambda_function.snapshot import Snapshot
from lambda_function.standing import usage
from lib.items import plain, typed

__all__ = ["shown_tenants"]

_MOST_A_CALL = 100  # keys that BatchGetItem takes
_REFUSED_SECONDS = 900


def shown_tenants(
    client: Callable[[str], Any], table: str, resolved: Mapping[str, Any], now: float
) -> Iterator[dict[str, Any]]:
    """Name, profiles, usage as GET /usage tells it, why it has its level, and requests refused in 15 minutes.

    `client` makes a boto3 client of a service; `resolved` is the configuration that the functions read.
    """
    snapshot = Snapshot(resolved)
    tenants = [tenant for tenant in sorted(resolved["tenants"]) if not tenant.startswith("_")]
    items = _items(client("dynamodb"), table, tenants)
    refused = _refused(client("cloudwatch"), now)
    for tenant in tenants:
        item = items.get(tenant)
        text = (item or {}).get("policy")
        policy = Policy.from_json(json.loads(text)) if text else snapshot.policy(tenant)
        yield {
            "name": tenant,
            "tier": policy.tier,
            "profiles": [profile["name"] for profile in resolved["profiles"] if profile["tenant"] == tenant],
            "usage": usage(tenant, item, policy, snapshot.calendar(tenant), now),
            "why": (item or {}).get("level_why"),
            "refused": refused[tenant],
        }


def _items(dynamodb: Any, table: str, tenants: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for start in range(0, len(tenants), _MOST_A_CALL):
        keys = [counter_key(tenant) for tenant in tenants[start : start + _MOST_A_CALL]]
        wanted = {table: {"Keys": [typed({"pk": pk, "sk": sk}) for pk, sk in keys]}}
        for item in dynamodb.batch_get_item(RequestItems=wanted)["Responses"].get(table, []):
            read = plain(item)
            found[str(read["pk"]).partition("#")[2]] = read
    return found


def _refused(cloudwatch: Any, now: float) -> Counter[str]:
    search = (
        f"SEARCH('{{{metrics.NAMESPACE},{metrics.TENANT_DIMENSION}}} MetricName=\"{metrics.INVOCATION_DENIED}\"', "
        "'Sum', 60)"
    )
    query = {
        "Id": "denied",
        "Expression": search,
        "Period": 60,
        "Label": f"${{PROP('Dim.{metrics.TENANT_DIMENSION}')}}",
    }
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query],
        StartTime=datetime.fromtimestamp(now - _REFUSED_SECONDS, UTC),
        EndTime=datetime.fromtimestamp(now + 60, UTC),
    )
    return Counter({result["Label"]: int(sum(result["Values"])) for result in answer["MetricDataResults"]})
