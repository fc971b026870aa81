"""The event that a REST API's Lambda proxy integration hands a function.

docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from moto.core import DEFAULT_ACCOUNT_ID

from lib.local import clock

__all__ = ["ApiCall", "proxy_event"]


class ApiCall(NamedTuple):
    """One HTTP request to an API. `path` is what follows the stage, still encoded; header names as they were sent.

    `line_bytes` is the size of the request line.
    """

    api_id: str
    stage: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: list[tuple[str, str]]
    body: bytes
    line_bytes: int

    def header(self, name: str) -> str | None:
        """The first of this name, in lower case."""
        return next((value for other, value in self.headers if other.lower() == name), None)


def proxy_event(
    call: ApiCall, resource: str, parameters: Mapping[str, str], region: str, request_id: str, key_id: str | None,
    binary_types: tuple[str, ...], stage_variables: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """`resource` is the path as configured; `key_id` the caller's API key, None where none is needed."""
    multi: dict[str, list[str]] = {}
    for name, value in [*call.headers, *_added(call, request_id)]:
        multi.setdefault(name, []).append(value)
    content_type = (call.header("content-type") or "").partition(";")[0].strip()
    binary = "*/*" in binary_types or content_type in binary_types
    body = base64.b64encode(call.body).decode() if binary else call.body.decode("utf-8", "replace")
    return {
        "resource": resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": {name: values[-1] for name, values in multi.items()},
        "multiValueHeaders": multi,
        "queryStringParameters": {name: values[-1] for name, values in call.query.items()} or None,
        "multiValueQueryStringParameters": dict(call.query) or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": dict(stage_variables) or None,
        "requestContext": _context(call, resource, region, request_id, key_id),
        "body": body or None,
        "isBase64Encoded": binary and bool(body),
    }


def _added(call: ApiCall, request_id: str) -> list[tuple[str, str]]:
    """Headers that API Gateway adds."""
    return [
        ("X-Amzn-Trace-Id", f"Root=1-{int(clock.now()):08x}-{request_id.replace('-', '')[:24]}"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]


def _context(call: ApiCall, resource: str, region: str, request_id: str, key_id: str | None) -> dict[str, Any]:
    now = clock.now()
    identity: dict[str, Any] = dict.fromkeys(
        ("accountId", "caller", "user", "userArn", "accessKey", "cognitoIdentityId", "cognitoIdentityPoolId")
    )
    identity |= {"sourceIp": "127.0.0.1", "userAgent": call.header("user-agent")}
    if key_id is not None:
        identity |= {"apiKeyId": key_id, "apiKey": call.header("x-api-key")}
    return {
        "accountId": DEFAULT_ACCOUNT_ID,
        "apiId": call.api_id,
        "stage": call.stage,
        "requestId": request_id,
        "extendedRequestId": request_id.replace("-", "")[:16],
        "resourceId": "local",
        "resourcePath": resource,
        "path": f"/{call.stage}{call.path}",
        "httpMethod": call.method,
        "protocol": "HTTP/1.1",
        "requestTimeEpoch": int(now * 1000),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "domainName": f"{call.api_id}.execute-api.{region}.amazonaws.com",
        "domainPrefix": call.api_id,
        "identity": identity,
    }
