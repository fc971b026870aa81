"""What API Gateway refuses about usage plans and moto takes, and GetUsage."""

from __future__ import annotations

import json
import time
from calendar import timegm
from typing import Any

from moto.apigateway import urls
from moto.apigateway.models import APIGatewayBackend, UsagePlan
from moto.apigateway.responses import APIGatewayResponse

from lib.local.api_keys import used
from lib.local.door import Refused

__all__ = ["install"]

_DAY = 86_400
_moto_create_usage_plan_key = APIGatewayBackend.create_usage_plan_key
_moto_delete_usage_plan = APIGatewayBackend.delete_usage_plan
_moto_delete_api_key = APIGatewayBackend.delete_api_key
_moto_apply = UsagePlan.apply_patch_operations


def install() -> None:
    """Put the additions in place. Idempotent."""
    APIGatewayBackend.create_usage_plan_key = _create_usage_plan_key
    APIGatewayBackend.delete_usage_plan = _delete_usage_plan
    APIGatewayBackend.delete_api_key = _delete_api_key
    APIGatewayResponse.get_usage = _get_usage
    urls.url_paths["{0}/usageplans/(?P<usage_plan_id>[^/]+)/usage$"] = APIGatewayResponse.dispatch
    UsagePlan.apply_patch_operations = _apply


def _create_usage_plan_key(self: Any, usage_plan_id: str, payload: dict[str, Any]) -> Any:
    """A key is on one plan per stage."""
    plan, key_id = self.get_usage_plan(usage_plan_id), payload["keyId"]
    stages = {(stage["apiId"], stage["stage"]) for stage in plan.api_stages}
    for other_id, members in self.usage_plan_keys.items():
        if key_id not in members or other_id not in self.usage_plans:
            continue
        others = {(stage["apiId"], stage["stage"]) for stage in self.usage_plans[other_id].api_stages}
        if other_id == usage_plan_id or stages & others:
            raise Refused(
                "ConflictException",
                f"Usage Plan {usage_plan_id} cannot be added because API Key {key_id} is already on a usage plan of "
                "one of its stages",
                409,
            )
    return _moto_create_usage_plan_key(self, usage_plan_id, payload)


def _delete_usage_plan(self: Any, usage_plan_id: str) -> None:
    plan = self.get_usage_plan(usage_plan_id)
    if plan.api_stages:
        stages = ", ".join(f"{stage['apiId']}:{stage['stage']}" for stage in plan.api_stages)
        raise Refused(
            "BadRequestException",
            f"Cannot delete Usage Plan {usage_plan_id} because it is associated with the stages {stages}",
            400,
        )
    self.usage_plan_keys.pop(usage_plan_id, None)
    _moto_delete_usage_plan(self, usage_plan_id)


def _delete_api_key(self: Any, api_key_id: str) -> None:
    """A key leaves its plans when it goes."""
    _moto_delete_api_key(self, api_key_id)
    for members in self.usage_plan_keys.values():
        members.pop(api_key_id, None)


def _apply(self: Any, patch_operations: list[dict[str, Any]]) -> None:
    """moto cannot read a rate with a decimal point."""
    rates = [one for one in patch_operations if one["path"] == "/throttle/rateLimit" and one["op"] != "remove"]
    _moto_apply(self, [one for one in patch_operations if one not in rates])
    for one in rates:
        self.throttle["rateLimit"] = float(one["value"])


def _get_usage(self: Any) -> str:
    """GetUsage: for each key a list of [used, remaining], one for each day asked for."""
    plan_id = self.path.split("/")[2]
    start, end = (self.querystring[name][0] for name in ("startDate", "endDate"))
    plan = self.backend.get_usage_plan(plan_id)
    first, last = (timegm(time.strptime(day, "%Y-%m-%d")) for day in (start, end))
    days = [time.strftime("%Y-%m-%d", time.gmtime(at)) for at in range(first, last + 1, _DAY)]
    limit = int(plan.quota.get("limit") or 0)
    values = {}
    for key_id in self.backend.usage_plan_keys.get(plan_id, {}):
        counts = [used(self.backend, plan_id, key_id, day) for day in days]
        values[key_id] = [[count, max(0, limit - count)] for count in counts]
    return json.dumps({"usagePlanId": plan_id, "startDate": start, "endDate": end, "values": values})
