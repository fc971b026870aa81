"""API keys, one per tenant, and usage plans, one per tier: the edge that throttles and tells tenants apart.

A plan's throttle is best effort, far above the tier's own limits; the wall stands in the function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lib.aws import Aws
from lib.config import Config
from lib.names import OWNER_TAG, TENANT_TAG, UNTIL_TAG, Names, names_of
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "keys"

_HEADROOM = 4  # a plan's rate is this many times the largest limit among its tenants
_LEAST_PER_SECOND = 10.0


def ensure(aws: Aws, config: Config, state: State) -> None:
    """A plan for each tier in use, a key for each tenant, each key on its tenant's plan; what is left over goes.

    A key of a rotation lives until its time is over. Key values never pass through here.
    """
    names = names_of(config, aws.account)
    api_id = state.get("api_id")
    plans = {tier: _ensure_plan(aws, config, names, tier, api_id) for tier in _tiers(config)}
    state.keep("usage_plan_ids", plans)
    keys = list(_keys(aws, names))
    for key in [key for key in keys if _is_over(aws, config, key)]:
        keys.remove(key)
        _delete_key(aws, key)
    lasting = {key["tags"][TENANT_TAG] for key in keys if UNTIL_TAG not in key["tags"]}
    for tenant in sorted(config.tenants.keys() - lasting):
        keys.append(_create_key(aws, names, tenant))
    for tier, plan_id in plans.items():
        _place(aws, config, tier, plan_id, keys, plans)
    state.keep(
        "keys",
        {
            key["id"]: {"tenant": key["tags"][TENANT_TAG], "until": int(key["tags"].get(UNTIL_TAG) or 0) or None}
            for key in keys
        },
    )
    for plan in list(_plans(aws, names)):
        if plan["id"] not in plans.values():
            _remove_plan(aws, plan)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the keys, then the plans."""
    names = names_of(config, aws.account)
    for key in list(_keys(aws, names)):
        _delete_key(aws, key)
    for plan in list(_plans(aws, names)):
        _remove_plan(aws, plan)
    state.forget("keys")
    state.forget("usage_plan_ids")


def remaining(aws: Aws, config: Config) -> list[str]:
    """Keys and plans that carry our tag."""
    names = names_of(config, aws.account)
    return [f"API key {key['name']} ({key['id']})" for key in _keys(aws, names)] + [
        f"usage plan {plan['name']} ({plan['id']})" for plan in _plans(aws, names)
    ]


def _tiers(config: Config) -> list[str]:
    return sorted({tenant.tier for tenant in config.tenants.values()})


def _keys(aws: Aws, names: Names) -> Iterator[dict[str, Any]]:
    for key in aws.pages("apigateway", "get_api_keys", "items", nameQuery=names.key(""), includeValues=False):
        if (key.get("tags") or {}).get(OWNER_TAG) == names.deployment:
            yield key


def _plans(aws: Aws, names: Names) -> Iterator[dict[str, Any]]:
    for plan in aws.pages("apigateway", "get_usage_plans", "items"):
        if (plan.get("tags") or {}).get(OWNER_TAG) == names.deployment:
            yield plan


def _is_over(aws: Aws, config: Config, key: dict[str, Any]) -> bool:
    until = key["tags"].get(UNTIL_TAG)
    return key["tags"].get(TENANT_TAG) not in config.tenants or bool(until and int(until) <= aws.clock())


def _create_key(aws: Aws, names: Names, tenant: str) -> dict[str, Any]:
    tags = {**names.tags, TENANT_TAG: tenant}
    key = aws.write(
        "+", f"creating an API key for {tenant}", "apigateway", "create_api_key",
        name=names.key(tenant), description=f"Key of tenant {tenant}", enabled=True, tags=tags,
    )  # fmt: skip
    return {"id": key["id"], "name": names.key(tenant), "tags": tags}


def _delete_key(aws: Aws, key: dict[str, Any]) -> None:
    tenant = key["tags"].get(TENANT_TAG, "")
    aws.write("-", f"deleting an API key of {tenant}", "apigateway", "delete_api_key", apiKey=key["id"])


def _throttle(config: Config, tier: str) -> dict[str, Any] | None:
    """None where a tenant of the tier has no rate limit: then the edge has none either."""
    limits = [tenant.policy.requests_per_minute for tenant in config.tenants.values() if tenant.tier == tier]
    if not limits or None in limits:
        return None
    largest = max(limit for limit in limits if limit is not None)
    rate = max(_LEAST_PER_SECOND, _HEADROOM * largest / 60)
    return {"rateLimit": rate, "burstLimit": max(int(rate * 2), _HEADROOM * largest)}


def _ensure_plan(aws: Aws, config: Config, names: Names, tier: str, api_id: str) -> str:
    wanted_throttle = _throttle(config, tier)
    name = names.plan(tier)
    plan = next((plan for plan in _plans(aws, names) if plan["name"] == name), None)
    if plan is None:
        stage = {"apiId": api_id, "stage": names.stage}
        extra = {"throttle": wanted_throttle} if wanted_throttle else {}
        plan = aws.write(
            "+", f"creating usage plan {name}", "apigateway", "create_usage_plan",
            name=name, description=f"Tenants of tier {tier}", apiStages=[stage], tags=names.tags, **extra,
        )  # fmt: skip
        return str(plan["id"])
    patches = _stage_patches(plan, f"{api_id}:{names.stage}") + _throttle_patches(plan, wanted_throttle)
    if patches:
        aws.write(
            "~", f"updating usage plan {name}", "apigateway", "update_usage_plan",
            usagePlanId=plan["id"], patchOperations=patches,
        )  # fmt: skip
    return str(plan["id"])


def _stage_patches(plan: dict[str, Any], wanted: str) -> list[dict[str, str]]:
    actual = {f"{stage['apiId']}:{stage['stage']}" for stage in plan.get("apiStages") or []}
    patches = [{"op": "remove", "path": "/apiStages", "value": stale} for stale in sorted(actual - {wanted})]
    if wanted not in actual:
        patches.append({"op": "add", "path": "/apiStages", "value": wanted})
    return patches


def _throttle_patches(plan: dict[str, Any], wanted: dict[str, Any] | None) -> list[dict[str, str]]:
    actual = plan.get("throttle") or None
    if wanted is None:
        return [{"op": "remove", "path": "/throttle"}] if actual else []
    return [
        {"op": "replace", "path": f"/throttle/{key}", "value": str(value)}
        for key, value in wanted.items()
        if actual is None or float(actual.get(key, -1)) != float(value)
    ]


def _place(
    aws: Aws, config: Config, tier: str, plan_id: str, keys: list[dict[str, Any]], plans: dict[str, str]
) -> None:
    """Put each key on its tenant's plan. A key is on one plan per stage, so it leaves its former plan first."""
    members = {item["id"] for item in aws.pages("apigateway", "get_usage_plan_keys", "items", usagePlanId=plan_id)}
    for key in keys:
        tenant = key["tags"][TENANT_TAG]
        if config.tenants[tenant].tier != tier or key["id"] in members:
            continue
        for other_tier, other in plans.items():
            if other == plan_id:
                continue
            if aws.read("apigateway", "get_usage_plan_key", usagePlanId=other, keyId=key["id"]) is not None:
                aws.write(
                    "~", f"taking the key of {tenant} off plan {other_tier}", "apigateway", "delete_usage_plan_key",
                    usagePlanId=other, keyId=key["id"],
                )  # fmt: skip
        aws.write(
            "+", f"putting the key of {tenant} on plan {tier}", "apigateway", "create_usage_plan_key",
            usagePlanId=plan_id, keyId=key["id"], keyType="API_KEY",
        )  # fmt: skip


def _remove_plan(aws: Aws, plan: dict[str, Any]) -> None:
    """AWS deletes a plan only when no stage hangs on it."""
    stages = [f"{stage['apiId']}:{stage['stage']}" for stage in plan.get("apiStages") or []]
    if stages:
        aws.write(
            "~", f"detaching usage plan {plan['name']}", "apigateway", "update_usage_plan", usagePlanId=plan["id"],
            patchOperations=[{"op": "remove", "path": "/apiStages", "value": stage} for stage in stages],
        )  # fmt: skip
    aws.write("-", f"deleting usage plan {plan['name']}", "apigateway", "delete_usage_plan", usagePlanId=plan["id"])
