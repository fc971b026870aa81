"""Converse and ConverseStream of the embedded Bedrock, through profiles or models, on record."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.bedrock.models import bedrock_backends
from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.responses import ActionResult

from lib.local import clock
from lib.local.bedrock import find_profile
from lib.local.catalogue import known_models, system_profiles
from lib.local.door import Dropped, Refused
from lib.local.faults import KINDS, Fault, Faults
from lib.local.served import Served, record, record_error
from lib.local.stand_in import Invalid, Reply, answer

__all__ = ["faults", "install"]

faults = Faults()


def install() -> None:
    """Add the operations to moto's endpoint. Idempotent."""
    BedrockRuntimeResponse.converse = converse
    BedrockRuntimeResponse.converse_stream = converse_stream


def converse(self: Any) -> ActionResult:
    """Converse."""
    reply, milliseconds = _served(self)
    message = {"role": "assistant", "content": [{"text": reply.text}]}
    return ActionResult(
        {
            "output": {"message": message},
            "stopReason": reply.stop_reason,
            "usage": _usage(reply),
            "metrics": {"latencyMs": milliseconds},
            **({"serviceTier": {"type": reply.tier}} if reply.tier != "default" else {}),
        }
    )


def converse_stream(self: Any) -> ActionResult:
    """ConverseStream: the usage comes in the last event only."""
    reply, milliseconds = _served(self)
    parts = [reply.text[at : at + 80] for at in range(0, len(reply.text), 80)]
    events: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    events += [{"contentBlockDelta": {"delta": {"text": part}, "contentBlockIndex": 0}} for part in parts]
    events += [
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": reply.stop_reason}},
        {"metadata": {"usage": _usage(reply), "metrics": {"latencyMs": milliseconds}}},
    ]
    return ActionResult({"stream": events})


def _served(self: Any) -> tuple[Reply, int]:
    """Answer, bill and put on record; or fail in the way a test has asked for."""
    identifier = unquote(self.path.partition("/model/")[2].rpartition("/converse")[0])
    backend = bedrock_backends[self.current_account][self.region]
    profile = find_profile(backend, identifier) if ":inference-profile/" not in identifier else None
    model = profile["model"] if profile else _model(self, identifier)
    name = profile["id"] if profile else ""
    fault = faults.take(name)
    if fault and fault.kind != "billed_error" and KINDS[fault.kind]:
        _fail(self, fault, name or model)
    if fault and fault.kind == "slow":
        time.sleep(fault.seconds)
    began = time.perf_counter()
    cache = backend.__dict__.setdefault("local_cache", {})
    try:
        reply = answer(_body(self), cache, clock.now())
    except Invalid as invalid:
        record_error(self.current_account, self.region, clock.now(), name or model, 400)
        raise Refused("ValidationException", str(invalid), 400) from None
    milliseconds = int(1000 * (time.perf_counter() - began)) + reply.output // 10
    tags = backend.tagger.get_tag_dict_for_resource(profile["arn"]) if profile else {}
    record(
        Served(
            self.current_account, self.region, clock.now(), name, model, tags, reply.input, reply.output,
            reply.cache_read, reply.writes["5m"], reply.writes["1h"], reply.tier, milliseconds,
        )
    )  # fmt: skip
    if fault and fault.kind == "reset":
        raise Dropped
    if fault and fault.kind == "billed_error":
        _fail(self, fault, name or model)
    return reply, milliseconds


def _body(self: Any) -> Mapping[str, Any]:
    try:
        body = json.loads(self.body)
    except ValueError:
        raise Invalid("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise Invalid("The request body must be a JSON object.")
    return body


def _model(self: Any, identifier: str) -> str:
    """The model behind an id or ARN that is no application profile."""
    name = identifier.rpartition("/")[2]
    if name in known_models() or name in system_profiles(self.region, self.current_account):
        return name
    if ":application-inference-profile/" in identifier:
        raise Refused("ResourceNotFoundException", "The provided inference profile was not found.", 404)
    raise Refused("ValidationException", "The provided model identifier is invalid.", 400)


def _fail(self: Any, fault: Fault, name: str) -> None:
    error = KINDS[fault.kind]
    assert error is not None
    code, status = error
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
