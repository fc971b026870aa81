"""The bound of a request's input: above anything a template could make of text, else the model's context."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.bounds import input_bound, unboundable

CONTEXT = 200_000
TEXT = {"messages": [{"role": "user", "content": [{"text": "How much?"}]}]}
TOOL = {"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": {"type": "object"}}}}


def with_block(block: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": "x"}, block]}]}


def with_fields(fields: Any) -> dict[str, Any]:
    return {**TEXT, "additionalModelRequestFields": fields}


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
texts = st.text(max_size=40).map(lambda text: {"text": text})
calls = st.builds(lambda value: {"toolUse": {"toolUseId": "t", "name": "look", "input": value}}, documents)
results = st.builds(
    lambda value, text: {"toolResult": {"toolUseId": "t", "content": [{"json": value}, text], "status": "success"}},
    documents,
    texts,
)
requests = st.builds(
    lambda messages, system, schema: {
        "messages": [{"role": "user", "content": content} for content in messages],
        "system": system,
        "toolConfig": {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": schema}}}]},
    },
    st.lists(st.lists(texts | calls | results, max_size=4), max_size=4),
    st.lists(texts, max_size=2),
    documents,
)


def printed(part: Any, key: str = "") -> int:
    """Tokens of a template that prints every JSON value escaped, a line a member, a token a byte and an indentation."""
    if key == "text" and isinstance(part, str):
        return max(len(part.encode()), len(unicodedata.normalize("NFKC", part).encode()))
    if key in {"json", "input"}:
        return len(json.dumps(part, indent=0))
    if isinstance(part, dict):
        return sum(len(name) // 2 + printed(value, name) for name, value in part.items())
    if isinstance(part, list):
        return sum(8 + printed(value) for value in part)
    return len(str(part))


@given(requests)
def test_the_bound_is_above_a_talkative_template(body: dict[str, Any]) -> None:
    bound = input_bound(body, 10**9)
    assert bound.proven and not bound.caches
    assert printed(body) <= bound.tokens


@pytest.mark.parametrize("text", ["a" * 5000, "é" * 5000, "語" * 5000, "😀" * 5000, "\ufdfa" * 500, "\ud800" * 100])
def test_text_counts_by_its_bytes_in_either_form(text: str) -> None:
    tokens = input_bound({"messages": [{"role": "user", "content": [{"text": text}]}]}, 10**9).tokens
    most = max(len(form.encode("utf-8", "surrogatepass")) for form in (text, unicodedata.normalize("NFKC", text)))
    assert most <= tokens <= most + 400


def test_the_model_takes_no_more_than_its_context() -> None:
    assert input_bound(with_block({"text": "a" * 300_000}), CONTEXT) == (CONTEXT, True, False)
    assert input_bound(with_block({"text": "a" * 300_000}), None).tokens > 300_000


@pytest.mark.parametrize(
    "body",
    [
        with_block({"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
        with_block({"document": {"format": "pdf", "name": "d", "source": {"bytes": "AAAA"}}}),
        with_block({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k"}}}}),
        with_block({"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}),
        with_block({"guardContent": {"text": {"text": "x"}}}),
        with_block({"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}}),
        with_block({"reasoningContent": {"reasoningText": {"text": "x", "signature": "long"}}}),
        with_block({"reasoningContent": {"redactedContent": "AAAA"}}),
        with_block({"toolUse": {"toolUseId": "t", "name": "n", "input": {}, "type": "server_tool_use"}}),
        with_block({"toolResult": {"toolUseId": "t", "content": [{"image": {}}]}}),
        with_block({"toolResult": {"toolUseId": "t", "content": "text"}}),
        with_block({"hologram": {}}),
        with_block({"text": "x", "hologram": {}}),
        with_block({"text": 7}),
        with_block("text"),
        {"messages": [{"role": "user", "content": "text"}]},
        {"messages": [{"role": "user", "content": [], "name": "x"}]},
        {"messages": {"role": "user"}},
        {**TEXT, "system": "text"},
        {**TEXT, "newField": {}},
        {**TEXT, "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}},
        {**TEXT, "toolConfig": {"tools": [TOOL], "newField": 1}},
        {**TEXT, "outputConfig": {"newField": 1}},
        with_fields({"new_field": 1}),
        with_fields([]) | {"promptVariables": {}},
    ],
)
def test_what_is_not_text_is_bounded_by_the_context(body: dict[str, Any]) -> None:
    assert input_bound(body, CONTEXT) == (CONTEXT, False, True)


@pytest.mark.parametrize(
    ("body", "caches"),
    [
        (TEXT, False),
        ({**TEXT, "inferenceConfig": {"maxTokens": 9}, "requestMetadata": {"a": "b"}}, False),
        ({**TEXT, "serviceTier": {"type": "flex"}}, False),
        ({**TEXT, "toolConfig": {"tools": [TOOL], "toolChoice": {"auto": {}}}}, False),
        ({**TEXT, "toolConfig": {"tools": [TOOL, {"cachePoint": {"type": "default"}}]}}, True),
        ({**TEXT, "system": [{"text": "x"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]}, True),
        (with_block({"cachePoint": {"type": "default"}}), True),
        (with_block({"reasoningContent": {"reasoningText": {"text": "x"}}}), False),
        ({**TEXT, "outputConfig": {"effort": "low", "textFormat": {"type": "json_schema"}}}, False),
        (with_fields({"top_k": 5, "inferenceConfig": {"topK": 3}, "thinking": {"type": "adaptive"}}), False),
    ],
)  # fmt: skip
def test_text_and_tools_are_bounded_by_their_own_size(body: dict[str, Any], caches: bool) -> None:
    bound = input_bound(body, CONTEXT)
    assert bound.proven and bound.caches is caches and bound.tokens < 6000


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**TEXT, "guardrailConfig": {"guardrailIdentifier": "g"}}, "/guardrailConfig"),
        ({**TEXT, "promptVariables": {"a": {"text": "b"}}}, "/promptVariables"),
        ({**TEXT, "performanceConfig": {"latency": "optimized"}}, "/performanceConfig"),
        ({**TEXT, "toolConfig": {"tools": [TOOL, {"systemTool": {"name": "x"}}]}}, "/toolConfig/tools/1/systemTool"),
        (with_fields({"max_tokens": 9}), "/additionalModelRequestFields/max_tokens"),
        (with_fields({"max_gen_len": 9}), "/additionalModelRequestFields/max_gen_len"),
        (with_fields({"maxTokenCount": 9}), "/additionalModelRequestFields/maxTokenCount"),
        (
            with_fields({"thinking": {"type": "enabled", "budget_tokens": 9}}),
            "/additionalModelRequestFields/thinking/budget_tokens",
        ),
        (
            with_fields({"a/b": [{"inferenceConfig": {"maxNewTokens": 9}}]}),
            "/additionalModelRequestFields/a~1b/0/inferenceConfig/maxNewTokens",
        ),
        (with_fields({"anthropic_beta": ["context-1m-2025-08-07"]}), "/additionalModelRequestFields/anthropic_beta"),
        (with_fields({"tools": [{"type": "web_search_20250305"}]}), "/additionalModelRequestFields/tools"),
        (with_fields({"n": 4}), "/additionalModelRequestFields/n"),
        (with_fields({"speed": "fast"}), "/additionalModelRequestFields/speed"),
    ],
)
def test_what_no_reservation_can_bound_is_named(body: dict[str, Any], pointer: str) -> None:
    assert unboundable(body) == pointer


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        {**TEXT, "performanceConfig": {"latency": "standard"}},
        {**TEXT, "toolConfig": {"tools": [TOOL]}, "inferenceConfig": {"maxTokens": 9}},
        {**TEXT, "toolConfig": "broken"},
        with_fields({"top_k": 5, "thinking": {"type": "adaptive"}, "reasoning_effort": "low"}),
        with_fields(None),
    ],
)
def test_what_can_be_bounded_is_let_through(body: dict[str, Any]) -> None:
    assert unboundable(body) is None
