"""The call to Bedrock, and what is known of its outcome."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from lambda_function.json_text import from_json
from lambda_function.wire import Wire, WireError, WireTimeout

__all__ = ["Outcome", "converse"]

# Bedrock answers these before it runs a model, or without having run one. A 500 may come after.
_NOT_RUN = frozenset({400, 403, 404, 429, 503})
# What we say for errors whose own message names accounts or ARNs.
_MESSAGES = {
    "AccessDeniedException": "The model or the inference profile cannot be used now.",
    "ResourceNotFoundException": "The model or the inference profile does not exist any more.",
}


class Outcome(NamedTuple):
    """One Converse call. `text` is Bedrock's own body, untouched, where `status` is 200; `reply` is it, parsed.

    `ran` is False where the model surely did not run, and nothing is billed; where it is True and `status` is not 200,
    nobody knows what was billed.
    """

    status: int
    code: str
    message: str
    ran: bool
    text: str = ""
    reply: dict[str, Any] | None = None


def converse(wire: Wire, arn: str, body: bytes, timeout: float) -> Outcome:
    """Call Converse at the profile's `arn`, never retried: whatever may have run may have been billed.

    docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    """
    path = f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse"
    try:
        reply = wire.call("bedrock-runtime", "POST", path, body, timeout=timeout)
    except WireTimeout as problem:
        return Outcome(504, "ModelTimeout", "The model did not answer in time.", problem.sent)
    except WireError as problem:
        return Outcome(503, "ServiceUnavailableException", "The model cannot be reached at this moment.", problem.sent)
    if reply.status == 200:
        text, parsed = _parsed(reply.body)
        if parsed is not None:
            return Outcome(200, "ok", "", True, text, parsed)
        return Outcome(502, "InternalServerException", "The model's answer cannot be read.", True)
    code = reply.headers.get("x-amzn-errortype", "").partition(":")[0] or "InternalServerException"
    return Outcome(reply.status, code, _message(code, reply.body), reply.status not in _NOT_RUN)


def _parsed(body: bytes) -> tuple[str, dict[str, Any] | None]:
    try:
        text = body.decode()
        value = from_json(text)
    except ValueError:
        return "", None
    return text, value if isinstance(value, dict) and isinstance(value.get("usage"), dict) else None


def _message(code: str, body: bytes) -> str:
    if code in _MESSAGES:
        return _MESSAGES[code]
    try:
        value = json.loads(body)
        text = str(value.get("message") or value.get("Message") or "")
    except (ValueError, AttributeError):
        text = ""
    if not text or "arn:" in text:
        return f"Bedrock answered {code}."
    return text[:500]
