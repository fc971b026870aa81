"""The model's stand-in: it says what it is, obeys maxTokens, and counts tokens by a rule that anyone can check.

A text has one token per four UTF-8 bytes, rounded up, so never more tokens than bytes; a message adds three, the
request three. An image counts 1,000 tokens, any other block as the text of its JSON. What stands before a cache point
is written to the cache the first time, and read from it, with its time prolonged, until its time is over. An answer
has 20 to 120 tokens, chosen by a digest of the request, or as many as the marker [[tokens=N]] in the last message asks
for; each of them is four bytes long.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

__all__ = ["Invalid", "Reply", "answer", "input_tokens", "last_text", "tokens_of"]

_SAID = "This is the stand-in of the embedded AWS, not a model. It answers every request in this way. "
_WANTED = re.compile(r"\[\[tokens=(\d{1,7})\]\]")
_TTLS = {"5m": 300, "1h": 3600}
_MESSAGE, _REQUEST, _IMAGE = 3, 3, 1000
# What a model without a known limit writes at most, when the request names none.
_MOST_OUTPUT = 4096


class Invalid(Exception):
    """Bedrock would answer ValidationException with this message."""


class Reply(NamedTuple):
    """The text, why it ends, and the usage by kind; `writes` are cache writes by TTL, "5m" and "1h"."""

    text: str
    stop_reason: str
    input: int
    output: int
    cache_read: int
    writes: dict[str, int]


def answer(body: Mapping[str, Any], cache: MutableMapping[str, float], now: float, most: int | None = None) -> Reply:
    """What Converse answers to `body`, whose shape is checked already.

    `cache` maps digests of cached prefixes to the end of their time; `most` is the model's limit of output tokens.
    Raises Invalid where the conversation is not one, or asks for more than the model's limit.
    """
    _check_conversation(body["messages"])
    limit = body.get("inferenceConfig", {}).get("maxTokens") or most or _MOST_OUTPUT
    if most is not None and limit > most:
        raise Invalid(
            f"The maximum tokens you requested exceeds the model limit of {most}. "
            "Try again with a maximum tokens value that is lower than the model limit."
        )
    plain, read, writes = _counted(body, cache, now)
    wanted = _wanted(body)
    output = min(limit, wanted)
    text = (_SAID * (4 * output // len(_SAID) + 1))[: 4 * output]
    return Reply(text, "max_tokens" if wanted > limit else "end_turn", plain, output, read, writes)


def input_tokens(body: Mapping[str, Any]) -> int:
    """All input tokens of a request, cached or not."""
    blocks = sum(_block_tokens(block) for block in _blocks(body) if "cachePoint" not in block)
    return _REQUEST + _MESSAGE * len(body["messages"]) + blocks


def tokens_of(text: str) -> int:
    """Tokens of a text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def last_text(body: Mapping[str, Any]) -> str:
    """The text of the last message, where markers for tests stand."""
    return " ".join(str(block["text"]) for block in body["messages"][-1]["content"] if "text" in block)


def _check_conversation(messages: list[dict[str, Any]]) -> None:
    if not messages:
        raise Invalid("A conversation must start with a user message. Try again with a conversation that starts so.")
    for index, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[index % 2]:
            raise Invalid(
                "A conversation must alternate between user and assistant roles, starting with a user message."
            )
        if not message["content"]:
            raise Invalid("The content field of a message may not be empty. Add content and try again.")


def _counted(body: Mapping[str, Any], cache: MutableMapping[str, float], now: float) -> tuple[int, int, dict[str, int]]:
    """(plain input, cache read, cache writes by TTL): every input token in exactly one of them."""
    read, writes = 0, dict.fromkeys(_TTLS, 0)
    pending = _REQUEST + _MESSAGE * len(body["messages"])
    digest = hashlib.sha256()
    for block in _blocks(body):
        if "cachePoint" not in block:
            digest.update(json.dumps(block, sort_keys=True).encode())
            pending += _block_tokens(block)
            continue
        ttl, key = block["cachePoint"].get("ttl") or "5m", digest.hexdigest()
        if cache.get(key, 0) > now:
            read += pending
        else:
            writes[ttl] += pending
        cache[key] = now + _TTLS[ttl]
        pending = 0
    return pending, read, writes


def _blocks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Tools, system and messages, in the order in which Bedrock caches them."""
    yield from body.get("toolConfig", {}).get("tools", [])
    yield from body.get("system", [])
    for message in body["messages"]:
        yield from message["content"]


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return tokens_of(str(block["text"]))
    if "image" in block:
        return _IMAGE
    return tokens_of(json.dumps(block))


def _wanted(body: Mapping[str, Any]) -> int:
    found = _WANTED.search(last_text(body))
    if found:
        return max(1, int(found[1]))
    digest = hashlib.sha256(json.dumps(body["messages"], sort_keys=True).encode()).digest()
    return 20 + digest[0] * 100 // 255
