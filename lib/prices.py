"""Refresh models.json from a price list: `python -m lib.prices bedrock_prices.json > models.json`.

The list is LiteLLM's price map reduced to Amazon Bedrock: USD per 1,000,000 tokens, null where AWS publishes no rate.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["models_text", "table"]

_PRICES = {
    "input": "input_cost",
    "output": "output_cost",
    "cache_read": "cache_read_cost",
    "cache_write_5m": "cache_write_cost",
    "cache_write_1h": "cache_write_1h_cost",
}
_LIMITS = ("max_input_tokens", "max_output_tokens")
_KINDS = {"chat": "text", "embedding": "embeddings", "image_generation": "image", "image_edit": "image"}
_MODEL_ID = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[a-z0-9-]+)*")
_ABOVE = re.compile(r"above_(\d+)k")
# The model that our contract and older configurations name. The list has dropped it; price and limits are AWS's.
# aws.amazon.com/bedrock/pricing, docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-claude.html
_HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
_ADDED = {
    _HAIKU: {
        "input_cost": Decimal("0.00025"),
        "output_cost": Decimal("0.00125"),
        "max_input_tokens": 200_000,
        "max_output_tokens": 4096,
    }
}


def table(source: Mapping[str, Any]) -> dict[str, Any]:
    """models.json as a document, from a price list parsed with `parse_float=Decimal`.

    Taken are the models that Bedrock's runtime serves, under their Region where the row is for one, else under
    `default`. A row without an input or output price is left out: not published is not free.
    """
    regions: dict[str, dict[str, dict[str, Any]]] = {"default": {"text": dict(_ADDED)}}
    for region, kind, model_id, row in sorted(_rows(source["models"]), key=lambda found: found[0] != "default"):
        regions.setdefault(region, {}).setdefault(kind, {})[model_id] = row
    return {
        "$schema": "./lib/models_schema.json",
        "_meta": _meta(source["_meta"]),
        **{region: _sorted(kinds) for region, kinds in regions.items()},
    }


def models_text(document: Mapping[str, Any]) -> str:
    """`document` as JSON, a model a line, so that a changed price is a changed line."""
    return _indented(document, 0) + "\n"


def _rows(models: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(region, kind, model id, row). An alias in the list never replaces the row listed under the id itself."""
    for name, item in sorted(models.items(), key=lambda pair: (pair[0] == pair[1]["model_id"], pair[0])):
        kind = _KINDS.get(item["mode"])
        if kind is None or item["endpoint"] != "bedrock-runtime":
            continue
        row = _image(item) if kind == "image" else _tokens(item, kind)
        if row is not None and (kind != "image" or _MODEL_ID.fullmatch(name)):
            yield item["region"] or "default", kind, item["model_id"], row


def _tokens(item: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    if item["input"] is None or item["output"] is None:
        return None
    row = _priced(item)
    if kind == "text":
        if tiers := item.get("tiers"):
            row["tiers"] = {name: _priced(prices) for name, prices in tiers.items()}
        if long := item.get("long_context"):
            row["long_context"] = [{"above": _threshold(name), **_priced(prices)} for name, prices in long.items()]
    row.update({name: item[name] for name in _LIMITS if item.get(name) and (kind == "text" or name != _LIMITS[1])})
    return row


def _image(item: Mapping[str, Any]) -> dict[str, Any] | None:
    rates = item.get("other_rates") or {}
    names = ("input_cost_per_image", "output_cost_per_image")
    return {name: rates[name] for name in names if name in rates} if "output_cost_per_image" in rates else None


def _priced(item: Mapping[str, Any]) -> dict[str, Any]:
    """USD per 1,000 tokens from USD per 1,000,000, exactly."""
    return {ours: Decimal(item[theirs]).scaleb(-3) for theirs, ours in _PRICES.items() if item.get(theirs) is not None}


def _threshold(name: str) -> int:
    """ "above_200k" -> 200000."""
    match = _ABOVE.fullmatch(name)
    if match is None:
        raise ValueError(f"{name} is not a long-context threshold this program knows")
    return int(match[1]) * 1000


def _meta(meta: Mapping[str, Any]) -> dict[str, str]:
    return {
        "unit": "USD per 1,000 tokens, per image where the key says so",
        "date": meta["generated_at"],
        "source": f"made by `python -m lib.prices` from {meta['generated_from']}",
        "sha256": meta["sha256"],
        "licence": "The prices are MIT-licensed data of LiteLLM, Copyright (c) 2023 Berri AI; see NOTICE.",
        "advice": "A bootstrap table: compare with the AWS price list and your bill. A rate that is not here was not "
        "published; lib/models.py says how it is estimated.",
        "added": f"{_HAIKU} is not in the source; older configurations use it.",
    }


def _sorted(kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {kind: dict(sorted(kinds[kind].items())) for kind in ("text", "embeddings", "image") if kind in kinds}


def _indented(value: Any, depth: int) -> str:
    """Objects down to a model on lines of their own, a model on one line."""
    if not isinstance(value, dict) or depth == 3:
        return _inline(value)
    space = "  " * (depth + 1)
    lines = (f"{space}{json.dumps(key)}: {_indented(item, depth + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, Decimal):
        whole, _, decimals = format(value, "f").partition(".")
        decimals = decimals.rstrip("0")
        return f"{whole}.{decimals}" if decimals else whole
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    _source = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"), parse_float=Decimal)
    sys.stdout.write(models_text(table(_source)))
