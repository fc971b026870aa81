"""What API Gateway says itself, through the API's own gateway responses, and what it makes of a function's answer.

docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Reply", "Stop", "error_reply", "lambda_reply"]

# x-amzn-errortype of each kind of answer
_ERROR_TYPES = {
    "INVALID_API_KEY": "ForbiddenException",
    "MISSING_AUTHENTICATION_TOKEN": "MissingAuthenticationTokenException",
    "THROTTLED": "TooManyRequestsException",
    "QUOTA_EXCEEDED": "LimitExceededException",
    "REQUEST_TOO_LARGE": "RequestTooLargeException",
}


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


def error_reply(configured: Mapping[str, Any], stop: Stop, request_id: str) -> Reply:
    """The gateway response of this type among the API's own, else that of its default, else AWS's."""
    default = "DEFAULT_5XX" if stop.status >= 500 else "DEFAULT_4XX"
    answer = configured.get(stop.kind) or configured.get(default)
    kind = _ERROR_TYPES.get(stop.kind, "InternalServerErrorException" if stop.status >= 500 else "BadRequestException")
    headers = [("content-type", "application/json"), ("x-amzn-requestid", request_id), ("x-amzn-errortype", kind)]
    if answer is None:
        return Reply(stop.status, headers, json.dumps({"message": stop.message}).encode())
    context = {
        "context.requestId": request_id,
        "context.extendedRequestId": request_id,
        "context.error.message": stop.message,
        "context.error.messageString": json.dumps(stop.message),
        "context.error.responseType": stop.kind,
    }
    body = (answer.response_templates or {}).get("application/json", '{"message":$context.error.messageString}')
    for name in sorted(context, key=len, reverse=True):
        body = body.replace(f"${name}", context[name])
    for target, source in (answer.response_parameters or {}).items():
        value = source[1:-1] if source.startswith("'") else context.get(source, "")
        headers.append((target.rpartition("gatewayresponse.header.")[2], value))
    # the status of a default is optional, and where it is missing each type keeps its own
    return Reply(int(answer.status_code) if answer.status_code else stop.status, headers, body.encode())


def lambda_reply(payload: bytes) -> Reply:
    """A proxy integration's answer. Raises Stop where it is malformed: 502, as API Gateway has it."""
    try:
        result = json.loads(payload)
        status = int(result["statusCode"])
        body = "" if result.get("body") is None else result["body"]
        headers = [(name, _header(value)) for name, value in _mapping(result, "headers").items()]
        for name, values in _mapping(result, "multiValueHeaders").items():
            headers = [one for one in headers if one[0].lower() != name.lower()]
            headers += [(name, _header(value)) for value in values]
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        raise Stop("DEFAULT_5XX", 502, "Internal server error") from None
    if not 100 <= status <= 599:
        raise Stop("DEFAULT_5XX", 502, "Internal server error")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return Reply(status, headers, content)


def _mapping(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = {} if result.get(name) is None else result[name]
    return found


def _header(value: Any) -> str:
    """Numbers and booleans pass, structures do not."""
    if isinstance(value, (dict, list)):
        raise TypeError("a header is not a structure")
    return str(value).lower() if isinstance(value, bool) else str(value)
