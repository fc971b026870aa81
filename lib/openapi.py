"""The HTTP API as one OpenAPI document, which API Gateway imports in a single call."""

from __future__ import annotations

from typing import Any

__all__ = ["INTEGRATION_SECONDS", "ROUTES", "document", "gateway_responses"]

# API Gateway's default maximum for a Regional API; raised only by quota, so our functions live no longer than this.
INTEGRATION_SECONDS = 29
ROUTES = (("/invoke", "POST"), ("/usage", "GET"))

# Answers of the gateway itself, in the same shape as the function's: response type -> (status, code, Retry-After).
_RESPONSES: dict[str, tuple[str | None, str, str | None]] = {
    "DEFAULT_4XX": (None, "ValidationError", None),
    "DEFAULT_5XX": (None, "InternalError", None),
    "ACCESS_DENIED": ("403", "Forbidden", None),
    "INVALID_API_KEY": ("403", "Forbidden", None),
    "MISSING_AUTHENTICATION_TOKEN": ("404", "NotFound", None),
    "RESOURCE_NOT_FOUND": ("404", "NotFound", None),
    "REQUEST_TOO_LARGE": ("413", "PayloadTooLarge", None),
    "THROTTLED": ("429", "RateLimited", "1"),
    "QUOTA_EXCEEDED": ("429", "RateLimited", "3600"),
    "INTEGRATION_TIMEOUT": ("504", "ModelTimeout", None),
    "INTEGRATION_FAILURE": ("504", "ModelTimeout", None),
    "API_CONFIGURATION_ERROR": ("500", "InternalError", None),
}


def gateway_responses() -> dict[str, dict[str, Any]]:
    """Response type -> the gateway response in the OpenAPI extension's spelling."""
    return {kind: _response(*answer) for kind, answer in _RESPONSES.items()}


def document(name: str, description: str, function_arn: str, region: str, partition: str) -> dict[str, Any]:
    """The OpenAPI 3.0 document: two routes, both behind an API key, both answered by the function."""
    uri = f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    paths: dict[str, Any] = {}
    for path, method in ROUTES:
        paths.setdefault(path, {})[method.lower()] = {
            "responses": {"200": {"description": "The model's answer, or the tenant's usage."}},
            "security": [{"api_key": []}],
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": uri,
                "passthroughBehavior": "when_no_match",
                "timeoutInMillis": INTEGRATION_SECONDS * 1000,
            },
        }
    return {
        "openapi": "3.0.1",
        "info": {"title": name, "description": description, "version": "1.0"},
        "paths": paths,
        "components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        "x-amazon-apigateway-api-key-source": "HEADER",
        "x-amazon-apigateway-gateway-responses": gateway_responses(),
    }


def _response(status: str | None, code: str, retry_after: str | None) -> dict[str, Any]:
    body = f'{{"error":{{"code":"{code}","message":$context.error.messageString}},"requestId":"$context.requestId"}}'
    parameters = {"gatewayresponse.header.x-request-id": "context.requestId"}
    if retry_after is not None:
        parameters["gatewayresponse.header.Retry-After"] = f"'{retry_after}'"
    response: dict[str, Any] = {"responseParameters": parameters, "responseTemplates": {"application/json": body}}
    if status is not None:
        response["statusCode"] = status
    return response
