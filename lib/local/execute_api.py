"""API Gateway's front door: sizes, routes, keys and plans, then the Lambda proxy integration and its time-out."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.utilities.utils import get_partition

from lib.local.api_deployments import Deployed, Route, deployed
from lib.local.api_keys import admit
from lib.local.door import Refused
from lib.local.function_calls import Refusal, allows_source, find_function
from lib.local.functions import Invocation
from lib.local.gateway_answers import Reply, Stop, error_reply, lambda_reply
from lib.local.proxy_event import ApiCall, proxy_event

__all__ = ["MOST_AT_ONCE", "handle"]

# docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_HEADER_BYTES = 10_240  # request line and headers
_PAYLOAD_BYTES = 10 * 1024 * 1024
# Calls to functions hold a thread of the server while the functions need others to call back: these must be left.
MOST_AT_ONCE = 128
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


def handle(call: ApiCall) -> Reply:
    """What the caller gets."""
    request_id = str(uuid.uuid4())
    api, region = _api(call.api_id)
    served = deployed(api, call.stage) if api is not None else None
    if served is None:
        return error_reply({}, Stop("ACCESS_DENIED", 403, "Forbidden"), request_id)
    try:
        reply = _answered(call, api, served, region, request_id)
    except Stop as stop:
        return error_reply(served.gateway_responses, stop, request_id)
    named = {name.lower() for name, _ in reply.headers}
    own = [("x-amzn-requestid", request_id), ("x-amz-apigw-id", request_id.replace("-", "")[:16])]
    return reply._replace(headers=[*reply.headers, *(one for one in own if one[0] not in named)])


def _api(api_id: str) -> tuple[Any, str]:
    """moto's API of this id, and its Region."""
    for region, backend in list(apigateway_backends[DEFAULT_ACCOUNT_ID].items()):
        if api_id in backend.apis:
            return backend.apis[api_id], region
    return None, ""


def _answered(call: ApiCall, api: Any, served: Deployed, region: str, request_id: str) -> Reply:
    sent = call.line_bytes + sum(len(name) + len(value) + 4 for name, value in call.headers)
    if sent > _HEADER_BYTES:
        raise Stop("REQUEST_TOO_LARGE", 413, "Request header fields too large")
    if len(call.body) > _PAYLOAD_BYTES:
        raise Stop("REQUEST_TOO_LARGE", 413, "HTTP content length exceeded 10485760 bytes.")
    found = served.find(call.method, call.path)
    if found is None:
        raise Stop("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
    route, parameters = found
    backend = apigateway_backends[DEFAULT_ACCOUNT_ID][region]
    value = call.header("x-api-key")
    key_id = admit(backend, call.api_id, call.stage, value) if route.needs_key else None
    event = proxy_event(
        call, route.resource, parameters, region, request_id, key_id, served.binary_types,
        api.stages[call.stage].variables or {},
    )  # fmt: skip
    if not _places.acquire(blocking=False):
        raise Stop("THROTTLED", 429, "Too Many Requests")
    try:
        return _integrated(call, route, region, json.dumps(event).encode())
    finally:
        _places.release()


def _integrated(call: ApiCall, route: Route, region: str, event: bytes) -> Reply:
    """The function's answer, or what the gateway says where there is none in time."""
    until = time.monotonic() + route.seconds
    source = (
        f"arn:{get_partition(region)}:execute-api:{region}:{DEFAULT_ACCOUNT_ID}:"
        f"{call.api_id}/{call.stage}/{call.method}{route.resource}"
    )
    try:
        function = find_function(route.function or "")
    except Refusal:
        raise Stop("API_CONFIGURATION_ERROR", 500, "Internal server error") from None
    if not allows_source(function, "apigateway.amazonaws.com", source):
        raise Stop("API_CONFIGURATION_ERROR", 500, "Internal server error")
    try:
        invocation = Invocation(function, event)
    except Refused as refused:
        if refused.status == 413:
            raise Stop("REQUEST_TOO_LARGE", 413, refused.message) from None
        raise Stop("DEFAULT_5XX", 500, "Internal server error") from None
    outcome = invocation.outcome(until)
    if outcome is None:
        # The function goes on, and its answer goes nowhere: as at AWS.
        threading.Thread(target=invocation.outcome, name="unanswered call", daemon=True).start()
        raise Stop("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")
    if outcome.error:
        raise Stop("DEFAULT_5XX", 502, "Internal server error")
    return lambda_reply(outcome.payload)
