"""The model's stand-in: it says what it is, obeys maxTokens, and counts tokens by a rule that anyone can check.

A text has one token per four UTF-8 bytes, rounded up, so never more tokens than bytes; a message adds three, the
request three. An image counts 1,000 tokens, any other media as its bytes. Text before a cache point is written to the
cache the first time and read from it until its time is over. An answer has 20 to 120 tokens, chosen by a digest of
the request, or as many as the marker [[tokens=N]] in the last message asks for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

__all__ = ["Invalid", "Reply", "answer"]

_SAID = "This is the stand-in of the embedded AWS, not a model. It answers every request in this way. "
_WANTED = re.compile(r"\[\[tokens=(\d+)\]\]")
_TTLS = {"5m": 300, "1h": 3600}
_MESSAGE, _REQUEST, _IMAGE = 3, 3, 1000
_TIERS = ("default", "flex", "priority", "reserved")


class Invalid(Exception):
    """Bedrock would answer ValidationException with this message."""


class Reply(NamedTuple):
    """The text, why it ends, and the usage by kind; `writes` are cache writes by TTL."""

    text: str
    stop_reason: str
    input: int
    output: int
    cache_read: int
    writes: dict[str, int]
    tier: str


def answer(body: Mapping[str, Any], cache: MutableMapping[str, float], now: float) -> Reply:
    """What Converse answers to `body`. `cache` maps digests of cached prefixes to the end of their time."""
    _check(body)
    limit = body.get("inferenceConfig", {}).get("maxTokens", 4096)
    plain, read, writes = _counted(body, cache, now)
    wanted = _wanted(body)
    output = min(limit, wanted)
    characters = 4 * output
    text = (_SAID * (characters // len(_SAID) + 1))[:characters]
    tier = (body.get("serviceTier") or {}).get("type", "default")
    return Reply(text, "max_tokens" if wanted > limit else "end_turn", plain, output, read, writes, tier)


def tokens_of(text: str) -> int:
    """Tokens of a text."""
    return -(-len(text.encode()) // 4)


def _check(body: Mapping[str, Any]) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Invalid("A conversation must start with a user message. Try again with a conversation that starts so.")
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role != ("user", "assistant")[index % 2]:
            raise Invalid("A conversation must alternate between user and assistant roles, starting with user.")
        content = message.get("content")
        if not isinstance(content, list) or not content or not all(isinstance(block, dict) for block in content):
            raise Invalid("The content field of a message must be a list of content blocks and may not be empty.")
    config = body.get("inferenceConfig") or {}
    limit = config.get("maxTokens", 1) if isinstance(config, dict) else 0
    if type(limit) is not int or limit < 1:
        raise Invalid("Value at 'inferenceConfig.maxTokens' must be greater than or equal to 1")
    if (body.get("serviceTier") or {}).get("type", "default") not in _TIERS:
        raise Invalid("The provided service tier is not supported.")


def _counted(body: Mapping[str, Any], cache: MutableMapping[str, float], now: float) -> tuple[int, int, dict[str, int]]:
    """(plain input, cache read, cache writes by TTL): every input token in exactly one of them."""
    read, writes = 0, dict.fromkeys(_TTLS, 0)
    pending = _REQUEST + _MESSAGE * len(body["messages"])
    digest = hashlib.sha256()
    for block in _blocks(body):
        if "cachePoint" not in block:
            digest.update(json.dumps(block, sort_keys=True, default=str).encode())
            pending += _block_tokens(block)
            continue
        ttl = block["cachePoint"].get("ttl", "5m")
        key = digest.hexdigest()
        if cache.get(key, 0) > now:
            read += pending
        else:
            writes[ttl] += pending
        cache[key] = now + _TTLS[ttl]
        pending = 0
    return pending, read, writes


def _blocks(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Tools, system and messages in the order in which Bedrock caches them."""
    yield from (body.get("toolConfig") or {}).get("tools", [])
    yield from body.get("system") or []
    for message in body["messages"]:
        yield from message["content"]


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return tokens_of(str(block["text"]))
    if "image" in block:
        return _IMAGE
    return tokens_of(json.dumps(block, default=str))


def _wanted(body: Mapping[str, Any]) -> int:
    last = body["messages"][-1]["content"]
    found = _WANTED.search(" ".join(str(block.get("text", "")) for block in last))
    if found:
        return max(1, int(found[1]))
    digest = hashlib.sha256(json.dumps(body["messages"], sort_keys=True, default=str).encode()).digest()
    return 20 + digest[0] * 100 // 255
