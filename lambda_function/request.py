"""What API Gateway hands us, and what we hand back: events in, proxy answers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lambda_function.json_text import from_json

__all__ = ["Refusal", "Request", "answer", "converse_body", "request_of"]

# Lambda's limit on an event, docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_BODY_BYTES = 6 * 1024 * 1024


class Refusal(Exception):
    """An answer other than the model's. `message` is for the caller: it holds no account id, no ARN, no content."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class Request(NamedTuple):
    """One HTTP request. Header names are lower case; `key_id` names the API key that API Gateway has checked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    key_id: str


def request_of(event: Mapping[str, Any]) -> Request:
    """The request of a REST API's proxy event. Raises Refusal where its body cannot be read or is too large."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    identity = event.get("requestContext", {}).get("identity", {})
    return Request(
        event.get("httpMethod", ""),
        event.get("resource") or event.get("path", ""),
        headers,
        _text(event.get("body") or "", bool(event.get("isBase64Encoded"))),
        identity.get("apiKeyId") or "",
    )


def converse_body(body: str) -> tuple[dict[str, Any], bool]:
    """The Converse request in `body`, and whether `body` is it to the byte: the bare list of messages is one too.

    Raises Refusal (400) where it is empty, not JSON, or neither an object with messages nor a list.
    """
    try:
        parsed = from_json(body)
    except (ValueError, RecursionError):
        if not body.strip():
            raise Refusal(
                400, "ValidationError", "The body is empty; send a Converse request or a list of messages."
            ) from None
        raise Refusal(400, "ValidationError", "The body is not JSON.") from None
    if isinstance(parsed, list):
        return {"messages": parsed}, False
    if not isinstance(parsed, dict) or not isinstance(parsed.get("messages"), list):
        raise Refusal(400, "ValidationError", "The body must be a JSON object with `messages`, or a list of messages.")
    config = parsed.get("inferenceConfig")
    if config is not None and not isinstance(config, dict):
        raise Refusal(400, "ValidationError", "inferenceConfig must be an object.")
    most = (config or {}).get("maxTokens")
    if most is not None and (type(most) is not int or most < 1):
        raise Refusal(400, "ValidationError", "inferenceConfig.maxTokens must be a whole number of at least 1.")
    return parsed, True


def answer(status: int, body: str, request_id: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A proxy integration's answer. `body` is JSON text."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-request-id": request_id, **(headers or {})},
        "body": body,
    }


def _text(body: str, encoded: bool) -> str:
    if encoded:
        import binascii  # bodies arrive as text unless somebody configures binary media types

        try:
            body = binascii.a2b_base64(body, strict_mode=True).decode()
        except binascii.Error:
            raise Refusal(400, "ValidationError", "The body is not the base64 that it says it is.") from None
        except UnicodeDecodeError:
            raise Refusal(400, "ValidationError", "The body is not JSON.") from None
    # A character has up to four bytes.
    if 4 * len(body) > MOST_BODY_BYTES < len(body.encode("utf-8", "surrogatepass")):
        raise Refusal(413, "PayloadTooLarge", f"The body is larger than {MOST_BODY_BYTES} bytes.")
    return body
