"""Bedrock's usage in one shape, whatever a model leaves out or adds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.usage import Usage, usage_of

counts = st.integers(0, 10**7)
FIVE_MINUTES = [{"ttl": "5m", "inputTokens": 4}]
AN_HOUR = [{"ttl": "1h", "inputTokens": 5}]


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}, Usage(3, 5)),
        ({"inputTokens": 3, "outputTokens": 5, "cacheReadInputTokens": 7}, Usage(3, 5, 7)),
        ({"inputTokens": 3, "cacheWriteInputTokens": 9}, Usage(3, 0, 0, 9)),
        (
            {"cacheWriteInputTokens": 9, "cacheDetails": [*FIVE_MINUTES, *AN_HOUR]},
            Usage(0, 0, 0, 4, 5),
        ),
        ({"cacheWriteInputTokens": 9, "cacheDetails": AN_HOUR}, Usage(0, 0, 0, 4, 5)),
        ({"cacheWriteInputTokens": 1, "cacheDetails": AN_HOUR}, Usage(0, 0, 0, 0, 5)),
        ({"inputTokens": -1, "outputTokens": None, "cacheReadInputTokens": "7"}, Usage()),
        ({"inputTokens": True}, Usage()),
        (None, Usage()),
        ([], Usage()),
    ],
)  # fmt: skip
def test_usage(reported: Any, expected: Usage) -> None:
    assert usage_of(reported) == expected


@given(counts, counts, counts, st.lists(st.tuples(st.sampled_from(["5m", "1h"]), counts), max_size=4))
def test_every_token_is_counted_exactly_once(plain: int, output: int, read: int, writes: list[tuple[str, int]]) -> None:
    written = sum(tokens for _, tokens in writes)
    details = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in writes]
    found = usage_of(
        {
            "inputTokens": plain,
            "outputTokens": output,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": written,
            "cacheDetails": details,
            "totalTokens": plain + output + read + written,
        }
    )
    assert sum(found) == plain + output + read + written
    assert found.prompt == plain + read + written
