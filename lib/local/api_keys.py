"""API keys at the door of an API: known, enabled, on a plan of the stage, and within the plan's throttle and quota.

Throttles and quotas apply to each key of a plan. State is kept on moto's backend, so that its reset clears it.
docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

import threading
import time
from typing import Any

from lib.local import clock
from lib.local.gateway_answers import Stop

__all__ = ["admit", "used"]

_lock = threading.Lock()
_DAY = 86_400


def admit(backend: Any, api_id: str, stage: str, value: str | None) -> str:
    """The id of the key of this value. Raises Stop where API Gateway turns the caller away."""
    key = next((key for key in list(backend.keys.values()) if key.value == value and key.enabled), None)
    plan = _plan(backend, api_id, stage, key.id) if key else None
    if key is None or plan is None:
        raise Stop("INVALID_API_KEY", 403, "Forbidden")
    with _lock:
        _take_token(backend, plan, key.id)
        _count(backend, plan, key.id)
    return str(key.id)


def used(backend: Any, plan_id: str, key_id: str, period: str) -> int:
    """How many requests a key has made in a period of its plan ("2026-11-23", a day of UTC)."""
    return int(_state(backend)["counts"].get((plan_id, key_id, period), 0))


def _plan(backend: Any, api_id: str, stage: str, key_id: str) -> Any:
    """The plan that has the key as a member and the stage among its stages."""
    for plan_id, members in list(backend.usage_plan_keys.items()):
        plan = backend.usage_plans.get(plan_id)
        stages = [(one["apiId"], one["stage"]) for one in plan.api_stages] if plan and key_id in members else []
        if (api_id, stage) in stages:
            return plan
    return None


def _take_token(backend: Any, plan: Any, key_id: str) -> None:
    """A token bucket: `burstLimit` deep, filled with `rateLimit` a second."""
    if "rateLimit" not in plan.throttle:
        return
    rate, burst = float(plan.throttle["rateLimit"]), float(plan.throttle.get("burstLimit") or 1)
    buckets, now = _state(backend)["buckets"], clock.now()
    tokens, at = buckets.get((plan.id, key_id), (burst, now))
    tokens = min(burst, tokens + max(0.0, now - at) * rate)
    buckets[plan.id, key_id] = (max(0.0, tokens - 1), now)
    if tokens < 1:
        raise Stop("THROTTLED", 429, "Too Many Requests")


def _count(backend: Any, plan: Any, key_id: str) -> None:
    now = clock.now()
    counts = _state(backend)["counts"]
    day = (plan.id, key_id, time.strftime("%Y-%m-%d", time.gmtime(now)))
    if plan.quota.get("limit") is not None:
        period = (plan.id, key_id, _period(str(plan.quota.get("period", "DAY")), now))
        if counts.get(period, 0) >= int(plan.quota["limit"]):
            raise Stop("QUOTA_EXCEEDED", 429, "Limit Exceeded")
        if period != day:
            counts[period] = counts.get(period, 0) + 1
    counts[day] = counts.get(day, 0) + 1


def _period(kind: str, now: float) -> str:
    """The name of the period of UTC that `now` is in; a week begins on Sunday."""
    if kind == "WEEK":
        return f"week {int((now // _DAY + 4) // 7)}"  # the epoch was a Thursday
    return time.strftime("%Y-%m" if kind == "MONTH" else "%Y-%m-%d", time.gmtime(now))


def _state(backend: Any) -> dict[str, dict[Any, Any]]:
    state: dict[str, dict[Any, Any]] = backend.__dict__.setdefault("local_usage", {"buckets": {}, "counts": {}})
    return state
