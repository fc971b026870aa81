"""API Gateway's front door: keys, plans, sizes and time-outs, then the Lambda proxy integration.

Path style `/restapis/{id}/{stage}/_user_request_/...`, and host style `{id}.execute-api.REGION.localhost`.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from moto.apigateway.models import apigateway_backends
from moto.core import DEFAULT_ACCOUNT_ID

from lib.local import clock, functions
from lib.local.door import Refused
from lib.local.function_calls import Refusal, allows_source, find_function
from lib.local.gateway_answers import Reply, Stop, error_reply, lambda_reply

__all__ = ["Call", "handle"]

_HEADER_BYTES = 10_240
_PAYLOAD_BYTES = 10 * 1024 * 1024
_FUNCTION = re.compile(r"functions/(arn:[^/]+)/invocations")
_buckets: dict[tuple[str, str], tuple[float, float]] = {}
_guard = threading.Lock()


class Call(NamedTuple):
    """One HTTP request to an API. `path` is what follows the stage, still encoded; header names as sent."""

    api_id: str
    stage: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: list[tuple[str, str]]
    body: bytes
    line_bytes: int


def handle(call: Call) -> Reply:
    """What the caller gets."""
    request_id = str(uuid.uuid4())
    api, region = _api(call.api_id)
    if api is None or call.stage not in api.stages:
        return Reply(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
    try:
        return _answered(call, api, region, request_id)
    except Stop as stop:
        return error_reply(api, stop, request_id)


def _api(api_id: str) -> tuple[Any, str]:
    for region, backend in list(apigateway_backends[DEFAULT_ACCOUNT_ID].items()):
        if api_id in backend.apis:
            return backend.apis[api_id], region
    return None, ""


def _answered(call: Call, api: Any, region: str, request_id: str) -> Reply:
    sent = call.line_bytes + sum(len(name) + len(value) + 4 for name, value in call.headers)
    if sent > _HEADER_BYTES:
        raise Stop("REQUEST_TOO_LARGE", 413, "Request header fields too large")
    if len(call.body) > _PAYLOAD_BYTES:
        raise Stop("REQUEST_TOO_LARGE", 413, "HTTP content length exceeded 10485760 bytes.")
    resource = next((found for found in api.resources.values() if found.get_path() == call.path), None)
    method = resource.resource_methods.get(call.method) if resource else None
    if method is None:
        raise Stop("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
    key_id = _checked_key(call, region) if method.api_key_required else None
    integration = method.method_integration
    found = _FUNCTION.search(integration.uri or "")
    if integration.integration_type != "AWS_PROXY" or not found:
        raise Stop("API_CONFIGURATION_ERROR", 500, "Internal server error")
    event = _event(call, api, region, request_id, key_id)
    return _integrated(call, region, found[1], event, int(integration.timeout_in_millis or 29_000) / 1000)


def _checked_key(call: Call, region: str) -> str:
    """The id of the caller's key, if it is on a plan of this stage that is not exhausted."""
    value = next((value for name, value in call.headers if name.lower() == "x-api-key"), None)
    backend = apigateway_backends[DEFAULT_ACCOUNT_ID][region]
    key = next((key for key in list(backend.keys.values()) if key.value == value and key.enabled), None)
    for plan_id, members in list(backend.usage_plan_keys.items()):
        plan = backend.usage_plans.get(plan_id)
        if key is None or plan is None or key.id not in members:
            continue
        if any(stage["apiId"] == call.api_id and stage["stage"] == call.stage for stage in plan.api_stages):
            _take_token(plan, key.id)
            return str(key.id)
    raise Stop("INVALID_API_KEY", 403, "Forbidden")


def _take_token(plan: Any, key_id: str) -> None:
    """The plan's token bucket, per key."""
    if not plan.throttle:
        return
    rate, burst = float(plan.throttle.get("rateLimit", 0)), float(plan.throttle.get("burstLimit", 0))
    now = clock.now()
    with _guard:
        tokens, at = _buckets.get((plan.id, key_id), (burst, now))
        tokens = min(burst, tokens + (now - at) * rate)
        _buckets[plan.id, key_id] = (max(0.0, tokens - 1), now)
    if tokens < 1:
        raise Stop("THROTTLED", 429, "Too Many Requests")


def _event(call: Call, api: Any, region: str, request_id: str, key_id: str | None) -> dict[str, Any]:
    """The REST proxy event. Bodies are text, as no binary media type is configured."""
    multi: dict[str, list[str]] = {}
    for name, value in call.headers:
        multi.setdefault(name, []).append(value)
    types = [value for name, value in call.headers if name.lower() == "content-type"]
    binary = bool(types) and types[0].partition(";")[0] in api.binaryMediaTypes
    body = base64.b64encode(call.body).decode() if binary else call.body.decode("utf-8", "replace")
    now = clock.now()
    identity: dict[str, Any] = {"sourceIp": "127.0.0.1", "userAgent": (multi.get("User-Agent") or [""])[0]}
    if key_id is not None:
        identity |= {"apiKeyId": key_id, "apiKey": next(v for n, v in call.headers if n.lower() == "x-api-key")}
    return {
        "resource": call.path,
        "path": call.path,
        "httpMethod": call.method,
        "headers": {name: values[-1] for name, values in multi.items()},
        "multiValueHeaders": multi,
        "queryStringParameters": {name: values[-1] for name, values in call.query.items()} or None,
        "multiValueQueryStringParameters": dict(call.query) or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": DEFAULT_ACCOUNT_ID,
            "apiId": call.api_id,
            "stage": call.stage,
            "requestId": request_id,
            "extendedRequestId": request_id[:16],
            "resourcePath": call.path,
            "path": f"/{call.stage}{call.path}",
            "httpMethod": call.method,
            "protocol": "HTTP/1.1",
            "requestTimeEpoch": int(now * 1000),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "domainName": f"{call.api_id}.execute-api.{region}.amazonaws.com",
            "identity": identity,
        },
        "body": body or None,
        "isBase64Encoded": binary,
    }


def _integrated(call: Call, region: str, function_arn: str, event: Mapping[str, Any], seconds: float) -> Reply:
    source = f"arn:aws:execute-api:{region}:{DEFAULT_ACCOUNT_ID}:{call.api_id}/{call.stage}/{call.method}{call.path}"
    try:
        function = find_function(function_arn)
    except Refusal:
        raise Stop("API_CONFIGURATION_ERROR", 500, "Internal server error") from None
    if not allows_source(function, "apigateway.amazonaws.com", source):
        raise Stop("API_CONFIGURATION_ERROR", 500, "Internal server error")
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(functions.invoke(function, event))
        except Refused as refused:
            outcome.append(refused)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:  # the function goes on, and its answer goes nowhere: as at AWS
        raise Stop("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")
    if isinstance(outcome[0], Refused):
        raise Stop("REQUEST_TOO_LARGE", 413, outcome[0].message)
    if outcome[0].error:
        raise Stop("DEFAULT_5XX", 502, "Internal server error")
    return lambda_reply(json.loads(outcome[0].payload))
