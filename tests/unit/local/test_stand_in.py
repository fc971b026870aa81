"""The stand-in of the model: what it counts, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.local.stand_in import Invalid, answer, input_tokens, tokens_of

POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}


def body(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks) or [{"text": "Hello"}]}], **more}


@given(st.text())
def test_a_text_never_has_more_tokens_than_bytes(text: str) -> None:
    assert tokens_of(text) <= len(text.encode())
    assert tokens_of(text) * 4 >= len(text.encode())


def test_it_says_what_it_is_and_answers_the_same_to_the_same() -> None:
    first, second = (answer(body(), {}, 0) for _ in range(2))
    assert first == second
    assert "stand-in" in first.text
    assert len(first.text) == 4 * first.output
    assert 20 <= first.output <= 120
    assert (first.stop_reason, first.input) == ("end_turn", 3 + 3 + 2)


@pytest.mark.parametrize(
    ("limit", "wanted", "most", "output", "reason"),
    [
        (5, 9, None, 5, "max_tokens"),
        (9, 9, None, 9, "end_turn"),
        (None, 9, None, 9, "end_turn"),
        (None, 5000, None, 4096, "max_tokens"),
        (None, 900, 800, 800, "max_tokens"),
        (1, 1, 800, 1, "end_turn"),
    ],
)
def test_max_tokens(limit: int | None, wanted: int, most: int | None, output: int, reason: str) -> None:
    asked = body({"text": f"[[tokens={wanted}]]"}, **({"inferenceConfig": {"maxTokens": limit}} if limit else {}))
    reply = answer(asked, {}, 0, most)
    assert (reply.output, reply.stop_reason) == (output, reason)


def test_more_than_the_model_can_write_is_refused() -> None:
    with pytest.raises(Invalid, match="model limit of 800"):
        answer(body(inferenceConfig={"maxTokens": 801}), {}, 0, 800)


def test_a_prefix_is_written_once_and_read_until_its_time_is_over() -> None:
    cache: dict[str, float] = {}
    asked = body({"text": "x" * 400}, POINT, {"text": "y" * 40})
    replies = [answer(asked, cache, now) for now in (0, 299, 299 + 299, 299 + 299 + 301)]
    assert [(reply.cache_read, reply.writes["5m"]) for reply in replies] == [(0, 106), (106, 0), (106, 0), (0, 106)]
    assert {reply.input for reply in replies} == {10}


def test_every_input_token_is_counted_once() -> None:
    asked = body(
        {"text": "a" * 40}, HOUR, {"text": "b" * 80}, POINT, {"text": "c" * 4}, system=[{"text": "s" * 8}, POINT]
    )
    reply = answer(asked, {}, 0)
    assert reply.writes == {"5m": 3 + 3 + 2 + 20, "1h": 10}
    assert reply.input + sum(reply.writes.values()) == input_tokens(asked)


def test_another_prefix_is_not_read() -> None:
    cache: dict[str, float] = {}
    answer(body({"text": "a"}, POINT), cache, 0)
    assert answer(body({"text": "b"}, POINT), cache, 0).cache_read == 0


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "must start with a user message"),
        ([{"role": "assistant", "content": [{"text": "x"}]}], "alternate"),
        ([{"role": "user", "content": [{"text": "x"}]}] * 2, "alternate"),
        ([{"role": "user", "content": []}], "may not be empty"),
    ],
)
def test_what_is_no_conversation(messages: list[Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        answer({"messages": messages}, {}, 0)
