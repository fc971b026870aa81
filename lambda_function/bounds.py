"""The most input tokens that a Converse request can have, before any model has counted them.

A tokenizer with byte fallback never makes more tokens of a text than the text has UTF-8 bytes, because each token
covers at least one. Some tokenizers bring the text to Unicode's form NFKC first, which may be longer; the longer of
both counts. What a model's template puts around the text is covered by the constants below, chosen well above what
vendors publish; a reply that costs more than was reserved all the same is charged in full and raises the metric
ReservationExceeded. Everything else (images, documents, video, audio, blocks and fields newer than us) is bounded by
the model's context.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Bound", "input_bound", "unboundable"]

# The template of the whole request. OpenAI's open-weight models have the longest known preamble, about 100 tokens.
_REQUEST = 256
# Role and turn markers. Llama 3 has the longest known ones, about 10 tokens a message.
_MESSAGE = 32
_BLOCK = 16
# The instructions that a model gets with tools: Anthropic publishes 159 to 804 tokens by model and tool choice
# (platform.claude.com/docs/en/agents-and-tools/tool-use/overview, "Pricing"). A schema to answer in brings its own.
_TOOLS = 2048
_SCHEMA = 2048
_TOOL = 64
# Markup around one parameter of a call, where JSON has quotes and a colon.
_PARAMETER = 16
# Larger than the context of any model on Bedrock, for models whose max_input_tokens models.json does not tell.
_LARGEST = 10_000_000

_NO_TOKENS = {
    "modelId", "inferenceConfig", "requestMetadata", "serviceTier", "performanceConfig",
    "additionalModelResponseFieldPaths",
}  # fmt: skip
_SAMPLING = {
    "topk", "topp", "temperature", "seed", "stop", "stopsequences", "frequencypenalty", "presencepenalty",
    "repetitionpenalty", "reasoningeffort", "effort", "maxreasoningeffort", "type", "thinking", "reasoningconfig",
    "inferenceconfig", "outputconfig", "display",
}  # fmt: skip
# Fields of a model's own that bill apart from tokens, choose another price, or ask for several answers at once.
_APART = {
    "n", "numgenerations", "numresults", "numreturnsequences", "bestof", "candidatecount", "tools", "websearch",
    "websearchoptions", "mcpservers", "container", "plugins", "anthropicbeta", "servicetier", "speed", "inferencegeo",
    "performanceconfig", "latency", "guardrailconfig", "amazonbedrockguardrailconfig", "background",
    "contextmanagement",
}  # fmt: skip
_HIDDEN_LIMITS = ("token", "maxlen", "maxgenlen", "maxnew", "budget")


class Bound(NamedTuple):
    """`tokens` is the most input tokens. `proven` tells a bound by the text from the model's context taken instead.

    `caches` says that some of the input may be written to a cache, and be billed at that rate.
    """

    tokens: int
    proven: bool
    caches: bool


def input_bound(body: Mapping[str, Any], max_input_tokens: int | None) -> Bound:
    """The bound of a Converse request; `max_input_tokens` is the model's, from models.json."""
    count = _Count()
    for name, value in body.items():
        if name == "messages":
            count.messages(value)
        elif name == "system":
            count.blocks(value)
        elif name == "toolConfig":
            count.tool_config(value)
        elif name == "outputConfig":
            count.output_config(value)
        elif name == "additionalModelRequestFields":
            count.additional_fields(value)
        elif name not in _NO_TOKENS:
            count.unknown()
    context = max_input_tokens or _LARGEST
    return Bound(min(count.tokens, context) if count.proven else context, count.proven, count.caches)


def unboundable(body: Mapping[str, Any]) -> str | None:
    """JSON pointer of a field whose cost no reservation can bound; a tenant with a budget may not send it.

    These bill apart from tokens (guardrails, server tools), at another price (latency), or limit tokens where we do not
    look (`max_tokens` among the additional fields).
    """
    for name in ("guardrailConfig", "promptVariables"):
        if body.get(name):
            return f"/{name}"
    performance = body.get("performanceConfig")
    if performance and performance != {"latency": "standard"}:
        return "/performanceConfig"
    tools = body.get("toolConfig")
    listed = tools.get("tools") if isinstance(tools, dict) else None
    for index, tool in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tool, dict) and "systemTool" in tool:
            return f"/toolConfig/tools/{index}/systemTool"
    for pointer, name in _fields(body.get("additionalModelRequestFields")):
        if name in _APART or any(part in name for part in _HIDDEN_LIMITS):
            return f"/additionalModelRequestFields{pointer}"
    return None


def _fields(value: Any) -> Iterator[tuple[str, str]]:
    """Pointer and name, in small letters and digits only, of every field at any depth below `value`."""
    rest = [("", value)]
    while rest:
        pointer, part = rest.pop()
        if isinstance(part, dict):
            for key, item in part.items():
                here = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                yield here, "".join(filter(str.isalnum, key.lower()))
                rest.append((here, item))
        elif isinstance(part, list):
            rest.extend((f"{pointer}/{index}", item) for index, item in enumerate(part))


class _Count:
    """The bound while it grows over a request's parts, which may have any shape: callers send what they like."""

    __slots__ = ("caches", "proven", "tokens")

    def __init__(self) -> None:
        self.tokens = _REQUEST
        self.proven = True
        self.caches = False

    def unknown(self) -> None:
        """A part that nothing is known about: it may be as large as the context, and be cached."""
        self.proven = False
        self.caches = True

    def text(self, value: Any) -> None:
        if isinstance(value, str):
            self.tokens += _text_tokens(value) + _BLOCK
        else:
            self.unknown()

    def json(self, value: Any, per_field: int = 0) -> None:
        """A value that a template prints as JSON, escaped, perhaps over many lines whose indentation is one token."""
        text = json.dumps(value)
        self.tokens += len(text) + 2 * (text.count("{") + text.count("[")) + per_field * text.count('":') + _BLOCK

    def messages(self, value: Any) -> None:
        if not isinstance(value, list):
            self.unknown()
        for message in _list(value):
            self.tokens += _MESSAGE
            if isinstance(message, dict) and message.keys() <= {"role", "content"}:
                self.blocks(message.get("content"))
            else:
                self.unknown()

    def blocks(self, value: Any) -> None:
        if not isinstance(value, list):
            self.unknown()
        for block in _list(value):
            if isinstance(block, dict) and len(block) == 1:
                ((kind, content),) = block.items()
                self.block(kind, content)
            else:
                self.unknown()

    def block(self, kind: str, content: Any) -> None:
        if kind == "text":
            self.text(content)
        elif kind == "cachePoint":
            self.caches = True
        elif kind == "json":
            self.json(content)
        elif kind == "toolUse" and isinstance(content, dict) and "type" not in content:
            self.tokens += _TOOL
            self.json(content, _PARAMETER)
        elif kind == "toolResult" and isinstance(content, dict) and "type" not in content:
            self.tokens += _TOOL
            self.json({name: part for name, part in content.items() if name != "content"})
            self.blocks(content.get("content"))
        elif (
            kind == "reasoningContent"
            and isinstance(content, dict)
            and content.keys() == {"reasoningText"}
            and isinstance(content["reasoningText"], dict)
            # A signature stands for thoughts that were longer than the text tells.
            and content["reasoningText"].keys() == {"text"}
        ):
            self.text(content["reasoningText"]["text"])
        else:
            self.unknown()

    def tool_config(self, value: Any) -> None:
        self.tokens += _TOOLS
        if not isinstance(value, dict) or not value.keys() <= {"tools", "toolChoice"}:
            return self.unknown()
        self.json(value.get("toolChoice"))
        for tool in _list(value.get("tools")):
            self.tokens += _TOOL
            if isinstance(tool, dict) and tool.keys() == {"toolSpec"}:
                self.json(tool)
            elif isinstance(tool, dict) and tool.keys() == {"cachePoint"}:
                self.caches = True
            else:
                self.unknown()
        return None

    def output_config(self, value: Any) -> None:
        if not isinstance(value, dict) or not value.keys() <= {"textFormat", "effort"}:
            return self.unknown()
        if "textFormat" in value:
            self.tokens += _SCHEMA
            self.json(value["textFormat"], _PARAMETER)
        return None

    def additional_fields(self, value: Any) -> None:
        if all(name in _SAMPLING for _, name in _fields(value)):
            self.json(value)
        else:
            self.unknown()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text_tokens(text: str) -> int:
    if text.isascii():
        return len(text)
    import unicodedata  # not needed by most requests

    # A lone surrogate, which JSON can spell, counts like the three bytes it would have.
    plain = len(text.encode("utf-8", "surrogatepass"))
    return max(plain, len(unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")))
