"""What a schema cannot say about tiers and tenants, and their limits in the program's units."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from lib.emails import is_address, is_placeholder
from lib.errors import Problem
from lib.money import pico
from lib.problems import did_you_mean, point, shown
from lib.profile_checks import listed

__all__ = ["policy_json", "tenant_notices", "tenant_problems"]

_BUDGETS = {"monthly_budget_usd": "monthly_budget", "daily_budget_usd": "daily_budget"}
_NOT_LIMITS = {"contact_email", "anomaly_alarm"}
_BARE_ACTIONS: dict[str, Any] = {"throttle": {"throttle": 0.5}, "shorten": {"shorten": 256}}


def tenant_problems(document: Mapping[str, Any], *, local: bool) -> Iterator[Problem]:
    """Everything wrong with `tiers` and `tenants` that their schema lets through."""
    tiers, tenants = _objects(document, "tiers"), _objects(document, "tenants")
    for name, tier in tiers.items():
        here = point("", "tiers", name)
        yield from _limits(tier, here)
        yield from _levels(tier.get("levels"), None, point(here, "levels"))
    known = {"default", *tiers}
    of_profiles = {profile.tenant for profile in listed(document) if profile.tenant}
    for name, tenant in tenants.items():
        here = point("", "tenants", name)
        yield from _limits(tenant, here)
        chosen = tenant.get("tier", "default")
        tier = tiers.get(chosen, {}) if isinstance(chosen, str) else {}
        yield from _levels(tenant.get("levels"), tier.get("levels"), point(here, "levels"))
        if isinstance(chosen, str) and chosen not in known:
            hint = did_you_mean(chosen, known) or "define it in tiers"
            yield Problem(point(here, "tier"), f"found {shown(chosen)}", f"allowed: {', '.join(sorted(known))}; {hint}")
        yield from _zone(tenant.get("timezone"), point(here, "timezone"))
        yield from _contact(tenant.get("contact_email"), point(here, "contact_email"), local=local)
        if name not in of_profiles and (hint := did_you_mean(name, of_profiles - tenants.keys())):
            # Left alone, the limits that were meant for the tenant would silently not apply to it.
            yield Problem(here, "no profile has this TenantID", hint)


def _limits(item: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    for key in _BUDGETS:
        if isinstance(item.get(key), Decimal) and pico(item[key]) is None:
            yield Problem(point(pointer, key), f"found {shown(item[key])}", "allowed: at most 12 decimals")


def _levels(own: object, tier: object, pointer: str) -> Iterator[Problem]:
    """What is wrong with level thresholds `own`, in force together with those of `tier`."""
    if not isinstance(own, dict) or not own:
        return
    # Imported here: few configurations have any.
    from lambda_function.levels import validate_levels

    for sentence in validate_levels(_numbers({**(tier if isinstance(tier, dict) else {}), **own})):
        where, _, rest = sentence.partition(": ")
        found, _, allowed = rest.partition("; ")
        yield Problem(point(pointer, *where.split(".")), found, allowed or "docs/alert-levels.md lists them")


def _zone(zone: object, pointer: str) -> Iterator[Problem]:
    if isinstance(zone, str) and zone not in _zones():
        hint = did_you_mean(zone, _zones()) or "e.g. Europe/Berlin"
        yield Problem(pointer, f"found {shown(zone)}", f"allowed: a zone of the IANA database; {hint}")


@functools.cache
def _zones() -> frozenset[str]:
    # Two names that some systems list are this machine's zone, and no zone.
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def _contact(address: object, pointer: str, *, local: bool) -> Iterator[Problem]:
    if not isinstance(address, str):
        return
    if is_placeholder(address):
        if not local:
            yield Problem(pointer, f"found the placeholder {shown(address)}", "give the tenant's real address, or none")
    elif not is_address(address):
        yield Problem(pointer, f"found {shown(address)}", "allowed: an email address")


def tenant_notices(document: Mapping[str, Any]) -> Iterator[str]:
    """What works, but perhaps not as meant. Asked of a document without problems."""
    tiers, tenants = _objects(document, "tiers"), _objects(document, "tenants")
    of_profiles = sorted({profile.tenant for profile in listed(document) if profile.tenant})
    for name in tenants:
        if name not in of_profiles:
            yield f"Tenant {shown(name)} has settings but no profile: they have no effect."
    for name in of_profiles:
        tenant = tenants.get(name, {})
        actions = {**tiers.get(tenant.get("tier", "default"), {}).get("actions", {}), **tenant.get("actions", {})}
        if any("notify_tenant" in chosen for chosen in actions.values()) and not tenant.get("contact_email"):
            yield f"Tenant {shown(name)} is to be notified but has no contact_email."


def policy_json(tier: Mapping[str, Any], tenant: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A tenant's limits in `Policy.from_json`'s shape: those of its tier, which is `name`, with its own on top.

    A tenant's `null` lifts a limit of its tier; `actions` and `levels` are merged key by key.
    """
    merged: dict[str, Any] = {**tier, **tenant}
    for key in ("actions", "levels"):
        merged[key] = {**tier.get(key, {}), **tenant.get(key, {})}
        if not merged[key]:
            del merged[key]
    if "actions" in merged:
        merged["actions"] = {
            level: [_BARE_ACTIONS.get(action, action) if isinstance(action, str) else action for action in chosen]
            for level, chosen in merged["actions"].items()
        }
    limits = {key: value for key, value in merged.items() if key not in _NOT_LIMITS and value is not None}
    money = {ours: pico(limits.pop(key)) for key, ours in _BUDGETS.items() if key in limits}
    policy: dict[str, Any] = _numbers({**limits, **money, "tier": name, "timezone": tenant.get("timezone", "UTC")})
    return policy


def _objects(document: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The objects under `key`, as far as they are objects."""
    items = document.get(key)
    return {name: item for name, item in items.items() if isinstance(item, dict)} if isinstance(items, dict) else {}


def _numbers(value: Any) -> Any:
    """`value` with floats for Decimals, for shares and ratios; money has become an int before."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value
