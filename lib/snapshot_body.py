"""The resolved configuration that setup writes for the running functions, as a pure function of what it knows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from lib.config import Config, Profile
from lib.lifetimes import HOLD_SECONDS
from lib.names import REHEARSAL
from lib.zones import zone_table

__all__ = ["Place", "profile_arn", "profile_version", "render"]

_FORMAT = 1


class Place(NamedTuple):
    """Where the deployment lives."""

    account: str
    region: str
    partition: str
    deployment: str
    table: str


def render(config: Config, place: Place, ids: Mapping[str, Any], now: float) -> bytes:
    """The JSON object, the same bytes for the same input within a calendar year.

    `ids` are those of the state: `topic_arn`, `tenant_topic_arns`, `keys`, `profile_ids`. `version` is a digest of
    everything else.
    """
    zones = sorted({tenant.timezone for tenant in config.tenants.values()})
    body: dict[str, Any] = {
        "format": _FORMAT,
        "region": place.region,
        "partition": place.partition,
        "account": place.account,
        "deployment": place.deployment,
        "table": place.table,
        "hold_seconds": HOLD_SECONDS,
        "topics": {"admin": ids.get("topic_arn"), "tenants": ids.get("tenant_topic_arns", {})},
        "keys": ids.get("keys", {}),
        "monthly_budget": config.monthly_budget,
        "tenants": {
            name: {"policy": tenant.policy.to_json(), "key_hint": ""} for name, tenant in config.tenants.items()
        },
        "zones": {zone: zone_table(zone, now) for zone in zones},
        "price_version": config.price_version,
        "models": config.prices,
        "profiles": [_profile(profile, place, ids["profile_ids"][profile.name]) for profile in config.profiles],
    }
    _add_rehearsal(body, ids.get("rehearsal"))
    return _json({**body, "version": hashlib.sha256(_json(body)).hexdigest()[:12]})


def _add_rehearsal(body: dict[str, Any], rehearsal: Mapping[str, Any] | None) -> None:
    """While setup rehearses: the reserved tenant, its budget, and a profile that it borrows. It notifies nobody."""
    if rehearsal:
        policy = {
            "tier": REHEARSAL,
            "timezone": "UTC",
            "monthly_budget": rehearsal["budget"],
            "actions": {"yellow": [], "orange": [], "red": []},
        }
        borrowed = next(row for row in body["profiles"] if row["name"] == rehearsal["profile"])
        body["tenants"] = {**body["tenants"], REHEARSAL: {"policy": policy, "key_hint": ""}}
        own = {**borrowed, "name": REHEARSAL, "tenant": REHEARSAL, "tags": {"TenantID": REHEARSAL}}
        body["profiles"] = [*body["profiles"], own]
        body["zones"].setdefault("UTC", {"first": 0, "transitions": []})


def profile_version(profile: Profile) -> str:
    """12 hex digits that change exactly when a profile's name, tags or model do."""
    content = [profile.name, profile.tag_map, profile.model_id]
    return hashlib.sha256(_json(content)).hexdigest()[:12]


def profile_arn(place: Place, profile_id: str) -> str:
    """The ARN under which Bedrock is called."""
    return f"arn:{place.partition}:bedrock:{place.region}:{place.account}:application-inference-profile/{profile_id}"


def _profile(profile: Profile, place: Place, profile_id: str) -> dict[str, Any]:
    return {
        "name": profile.name,
        "id": profile_id,
        "arn": profile_arn(place, profile_id),
        "tenant": profile.tenant,
        "tags": profile.tag_map,
        "model": profile.model_id,
        "version": profile_version(profile),
        "thresholds": {
            "cost": profile.cost_alarm_threshold,
            "tokens": profile.token_alarm_threshold,
            "requests": profile.request_alarm_threshold,
        },
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
