"""Bedrock's `usage`, brought to one shape: every token counted once, under the kind that it is billed as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Usage", "usage_of"]


class Usage(NamedTuple):
    """Tokens of one reply by kind, in the order of lambda_function.ledger.TOKENS. `input` excludes cached tokens."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def prompt(self) -> int:
        """All tokens that went in: what the thresholds of long-context prices count."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


def usage_of(reported: Mapping[str, Any] | None) -> Usage:
    """The usage of a Converse reply. What is absent, or is no count, is 0.

    docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html: `cacheWriteInputTokens` is the sum of
    `cacheDetails`, which tells writes by TTL. Writes whose TTL is not told are for 5 minutes, the only TTL that models
    without such details have; should the details add up to more than the sum, the details count.
    """
    if not isinstance(reported, Mapping):
        return Usage()
    written = _count(reported.get("cacheWriteInputTokens"))
    five, hour = 0, 0
    for detail in reported.get("cacheDetails") or ():
        tokens = _count(detail.get("inputTokens"))
        if detail.get("ttl") == "1h":
            hour += tokens
        else:
            five += tokens
    return Usage(
        _count(reported.get("inputTokens")),
        _count(reported.get("outputTokens")),
        _count(reported.get("cacheReadInputTokens")),
        five + max(0, written - five - hour),
        hour,
    )


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
