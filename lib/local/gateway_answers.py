"""What API Gateway says itself, through the API's own gateway responses, and what it makes of a proxy answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Reply", "Stop", "error_reply", "lambda_reply"]


class Reply(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Stop(Exception):
    """The gateway answers by itself: response type, its default status, its message."""

    def __init__(self, kind: str, status: int, message: str) -> None:
        super().__init__(message)
        self.kind, self.status, self.message = kind, status, message


def error_reply(api: Any, stop: Stop, request_id: str) -> Reply:
    """The configured gateway response of this type, or of its default, or AWS's own."""
    default = "DEFAULT_5XX" if stop.status >= 500 else "DEFAULT_4XX"
    specific = api.gateway_responses.get(stop.kind)
    configured = specific or api.gateway_responses.get(default)
    headers = [("content-type", "application/json"), ("x-amzn-requestid", request_id), ("x-amzn-errortype", stop.kind)]
    if configured is None:
        return Reply(stop.status, headers, json.dumps({"message": stop.message}).encode())
    context = {
        "context.requestId": request_id,
        "context.error.message": stop.message,
        "context.error.messageString": json.dumps(stop.message),
        "context.error.responseType": stop.kind,
    }
    body = (configured.response_templates or {}).get("application/json", '{"message":$context.error.messageString}')
    for name in sorted(context, key=len, reverse=True):
        body = body.replace(f"${name}", context[name])
    for target, source in (configured.response_parameters or {}).items():
        value = source[1:-1] if source.startswith("'") else context.get(source, "")
        headers.append((target.rpartition("gatewayresponse.header.")[2], value))
    status = int(configured.status_code) if specific and configured.status_code else stop.status
    return Reply(status, headers, body.encode())


def lambda_reply(result: Any) -> Reply:
    """A proxy integration's answer; 502 where it is malformed, as API Gateway has it."""
    if not isinstance(result, Mapping) or type(result.get("statusCode")) not in (int, str):
        raise Stop("DEFAULT_5XX", 502, "Internal server error")
    body = result.get("body") or ""
    if not isinstance(body, str):
        raise Stop("DEFAULT_5XX", 502, "Internal server error")
    headers = [(name, str(value)) for name, value in (result.get("headers") or {}).items()]
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    return Reply(int(result["statusCode"]), headers, content)
