"""Converse, ConverseStream and CountTokens of the embedded Bedrock, through profiles or models, on record."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from moto.bedrock.models import bedrock_backends
from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.responses import ActionResult, BaseResponse

from lib.local import clock, inference_profiles
from lib.local.catalogue import is_model, output_limit, system_profile
from lib.local.door import Dropped, Refused
from lib.local.faults import ERRORS, Fault, Faults, fault_of_text
from lib.local.invocation_log import invocation_log
from lib.local.role_keys import identity_of_key
from lib.local.served import Served, record, record_error
from lib.local.shape_rules import check
from lib.local.stand_in import Invalid, Reply, answer, input_tokens, last_text

__all__ = ["faults", "install"]

faults = Faults()
_DELTA = 80  # characters in one event of a stream


class _Target(NamedTuple):
    """What is called: `profile` "" where no application profile is; `model` is the id that is priced."""

    profile: str
    model: str
    tags: Mapping[str, str]


def install() -> None:
    """Add the operations to moto's endpoint. Idempotent."""
    for operation in (converse, converse_stream, count_tokens, invoke_model):
        setattr(BedrockRuntimeResponse, operation.__name__, operation)
    BedrockRuntimeResponse._enrich_response = staticmethod(_with_request_id)


def converse(self: Any) -> ActionResult:
    """Converse."""
    reply, tier, milliseconds = _serve(self, "Converse")
    answered = {
        "output": {"message": {"role": "assistant", "content": [{"text": reply.text}]}},
        "stopReason": reply.stop_reason,
        "usage": _usage(reply),
        "metrics": {"latencyMs": milliseconds},
    }
    return ActionResult(answered | tier)


def converse_stream(self: Any) -> ActionResult:
    """ConverseStream: the usage comes in the last event only."""
    reply, tier, milliseconds = _serve(self, "ConverseStream")
    parts = [reply.text[at : at + _DELTA] for at in range(0, len(reply.text), _DELTA)]
    events: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    events += [{"contentBlockDelta": {"delta": {"text": part}, "contentBlockIndex": 0}} for part in parts]
    events += [
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": reply.stop_reason}},
        {"metadata": {"usage": _usage(reply), "metrics": {"latencyMs": milliseconds}, **tier}},
    ]
    return ActionResult({"stream": events})


def count_tokens(self: Any) -> ActionResult:
    """CountTokens of a Converse request: free of charge, and not on record."""
    _target(self, "/count-tokens")
    wanted = _body(self, "CountTokens").get("input") or {}
    if "converse" not in wanted:
        raise Refused("ValidationException", "The embedded Bedrock counts the tokens of Converse requests only.", 400)
    return ActionResult({"inputTokens": input_tokens({"messages": [], **wanted["converse"]})})


def invoke_model(self: Any) -> ActionResult:
    """Refuses InvokeModel: bodies of a model's own are not understood here, and moto's empty answer would mislead."""
    raise Refused("ValidationException", "The embedded Bedrock has Converse and ConverseStream, not InvokeModel.", 400)


def _serve(self: Any, operation: str) -> tuple[Reply, dict[str, Any], int]:
    """Answer, bill and put on record; or fail in the way a test has asked for.

    (reply, the service tier as the answer tells it, milliseconds)
    """
    account, region = self.current_account, self.region
    target = _target(self, "/converse-stream" if operation == "ConverseStream" else "/converse")
    name = target.profile or target.model
    began = time.perf_counter()
    try:
        body = _body(self, operation)
        fault = fault_of_text(last_text(body)) if body["messages"] else None
        fault = fault or faults.take(target.profile)
        if fault is not None:
            _before(self, fault, name)
        cache = bedrock_backends[account][region].__dict__.setdefault("local_cache", {}).setdefault(target.model, {})
        reply = answer(body, cache, clock.now(), output_limit(target.model, region))
    except Invalid as invalid:
        record_error(account, region, clock.now(), name, 400)
        raise Refused("ValidationException", str(invalid), 400) from None
    milliseconds = int(1000 * (time.perf_counter() - began)) + reply.output // 10
    tier = body.get("serviceTier")
    self.response_headers["x-amzn-requestid"] = request_id = str(uuid.uuid4())
    served = Served(
        account, region, clock.now(), target.profile, target.model, target.tags, reply.input, reply.output,
        reply.cache_read, reply.writes["5m"], reply.writes["1h"], (tier or {"type": "default"})["type"], milliseconds,
    )  # fmt: skip
    record(served)
    identity = identity_of_key(account, self.access_key)
    invocation_log.add(served, request_id, operation, identity, body.get("requestMetadata") or {})
    if fault is not None and fault.billed:
        if fault.kind in ERRORS:
            _fail(self, fault, name)
        raise Dropped
    return reply, {"serviceTier": tier} if tier else {}, milliseconds


def _with_request_id(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
    """moto gives every answer a new request id; what was served keeps the one that is on record."""
    given = headers.get("x-amzn-requestid")
    enriched: tuple[dict[str, str], Any] = BaseResponse._enrich_response(headers, body)
    if given is not None:
        enriched[0]["x-amzn-requestid"] = given
    return enriched


def _target(self: Any, after: str) -> _Target:
    """What the path names. Raises Refused as Bedrock does where that is nothing."""
    identifier = unquote(self.path.partition("/model/")[2].rpartition(after)[0])
    backend = bedrock_backends[self.current_account][self.region]
    profile = inference_profiles.find(backend, identifier)
    if profile is not None:
        return _Target(profile.id, profile.model, inference_profiles.tags_of(backend, profile))
    name = identifier.rpartition("/")[2]
    system = system_profile(name, self.region, self.current_account)
    if system is not None and identifier in (name, system["inferenceProfileArn"]):
        return _Target("", name, {})
    if is_model(name) and (identifier == name or identifier.endswith(f":{self.region}::foundation-model/{name}")):
        return _Target("", name, {})
    if "inference-profile/" in identifier:
        raise Refused("ResourceNotFoundException", "The provided inference profile was not found.", 404)
    raise Refused("ValidationException", "The provided model identifier is invalid.", 400)


def _body(self: Any, operation: str) -> dict[str, Any]:
    """The request's body, held against the API's own rules. Raises Invalid."""
    try:
        body = json.loads(self.body)
    except ValueError:
        raise Invalid("The request body is not JSON.") from None
    try:
        check("bedrock-runtime", operation, {"modelId": "a.b", **body} if isinstance(body, dict) else body)
    except Refused as refused:
        raise Invalid(refused.message) from None
    found: dict[str, Any] = {name: value for name, value in body.items() if value is not None}
    if operation != "CountTokens" and "messages" not in found:
        found["messages"] = []
    return found


def _before(self: Any, fault: Fault, name: str) -> None:
    if fault.seconds:
        time.sleep(fault.seconds)
    if fault.kind in ERRORS and not fault.billed:
        _fail(self, fault, name)
    if fault.kind == "refuse":
        raise Dropped


def _fail(self: Any, fault: Fault, name: str) -> None:
    code, status = ERRORS[fault.kind]
    record_error(self.current_account, self.region, clock.now(), name, status)
    raise Refused(code, f"A test asked for this {code}.", status)


def _usage(reply: Reply) -> dict[str, Any]:
    written = sum(reply.writes.values())
    usage: dict[str, Any] = {
        "inputTokens": reply.input,
        "outputTokens": reply.output,
        "totalTokens": reply.input + reply.output + reply.cache_read + written,
    }
    if reply.cache_read or written:
        details = [{"ttl": ttl, "inputTokens": count} for ttl, count in reply.writes.items() if count]
        usage |= {"cacheReadInputTokens": reply.cache_read, "cacheWriteInputTokens": written, "cacheDetails": details}
    return usage
