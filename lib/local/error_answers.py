"""AWS's errors in the protocol of whoever asks, for requests that never reach moto."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

__all__ = ["ErrorAnswer", "access_denied", "error_answer"]

# Where AccessDenied has another name: docs.aws.amazon.com/sns/latest/api/CommonErrors.html, and so on.
_DENIALS = {
    "sns": "AuthorizationError", "s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied",
    "monitoring": "AccessDenied",
}  # fmt: skip


class ErrorAnswer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def access_denied(service: str, headers: Mapping[str, str], message: str) -> ErrorAnswer:
    """The service, by its signing name, says that the caller may not do this. DynamoDB answers 400, all others 403."""
    code = _DENIALS.get(service, "AccessDeniedException")
    return error_answer(service, headers, code, message, 400 if service == "dynamodb" else 403)


def error_answer(service: str, headers: Mapping[str, str], code: str, message: str, status: int) -> ErrorAnswer:
    """An error that botocore understands. `headers` are those of the request, in lower case."""
    request_id = str(uuid.uuid4())
    common = [("x-amzn-requestid", request_id), ("x-amz-request-id", request_id)]
    content_type = headers.get("content-type", "")
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = b"\xa2" + _cbor("__type") + _cbor(code) + _cbor("message") + _cbor(message)
        return ErrorAnswer(
            status, [*common, ("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
        )
    if service == "s3":
        text = (
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
        )
        return ErrorAnswer(status, [*common, ("content-type", "application/xml")], text.encode())
    if content_type.startswith("application/x-www-form-urlencoded"):
        kind = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return ErrorAnswer(status, [*common, ("content-type", "text/xml")], text.encode())
    said = json.dumps({"__type": code, "message": message}).encode()
    json_type = content_type if content_type.startswith("application/x-amz-json") else "application/json"
    return ErrorAnswer(status, [*common, ("content-type", json_type), ("x-amzn-errortype", code)], said)


def _cbor(text: str) -> bytes:
    """A text string: RFC 8949, major type 3 with a length of two bytes."""
    content = text.encode()[:65_535]
    return b"\x79" + len(content).to_bytes(2, "big") + content
