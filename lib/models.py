"""models.json: what a token costs, by Region and model, as exact integers.

A cache rate that a row leaves out is not zero. It is estimated, as the source of our prices advises, from the row's own
input rate: a read costs as much as input, a write for 5 minutes 1.25 times, a write for an hour 2 times as much. A tier
or a long-context entry keeps the relation that the base row has between its cache rates and its input; that holds for
every such rate that AWS publishes. A tier without long-context prices of its own keeps its relation to the standard
tier. Estimates are rounded up to a whole pico-USD and named in `estimated`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lib.errors import Problem
from lib.money import pico_per_token
from lib.problems import merged, point, shown
from lib.schema import violations
from lib.strict_json import read

__all__ = ["PRICES", "Models", "price_version", "read_models"]

PRICES = ("input_cost", "output_cost", "cache_read_cost", "cache_write_cost", "cache_write_1h_cost")

_SCHEMA = Path(__file__).with_name("models_schema.json")
_OF_INPUT = {"cache_read_cost": (1, 1), "cache_write_cost": (5, 4), "cache_write_1h_cost": (2, 1)}
_LIMITS = ("max_input_tokens", "max_output_tokens")


class Models:
    """The price rows of a models.json. A Region's own row wins over `default`; there is no other fallback."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._regions: dict[str, dict[str, dict[str, Any]]] = {
            region: {kind: rows for kind, rows in kinds.items() if isinstance(rows, dict)}
            for region, kinds in document.items()
            if region != "_meta" and isinstance(kinds, dict)
        }

    def ids(self, region: str) -> set[str]:
        """The ids of the models that have a price in `region`."""
        return {model_id for place in (region, "default") for model_id in self._text(place)}

    def places(self, model_id: str) -> list[str]:
        """Where else `model_id` stands, e.g. ["us-gov-west-1 text"]."""
        return [
            f"{region} {kind}"
            for region, kinds in self._regions.items()
            for kind, rows in kinds.items()
            if model_id in rows
        ]

    def row(self, model_id: str, region: str) -> dict[str, Any]:
        """The row in the snapshot's shape, int pico-USD per token, of a model among `ids(region)`."""
        own = self._text(region)
        return _converted(own[model_id] if model_id in own else self._text("default")[model_id])

    def _text(self, region: str) -> Mapping[str, Any]:
        return self._regions.get(region, {}).get("text", {})


def read_models(path: Path) -> tuple[Models | None, list[Problem]]:
    """The prices in `path`, and everything that is wrong with the file; None where it is no JSON object.

    With a problem the models can be listed, but `row` may not be asked.
    """
    document, problems = read(path)
    if document is None:
        return None, problems
    problems = merged(problems, violations(document, _SCHEMA))
    if not problems:
        problems = [*_too_fine(document, ""), *_repeated_thresholds(document)]
    return Models(document) if isinstance(document, dict) else None, problems


def price_version(rows: Mapping[str, dict[str, Any]]) -> str:
    """12 hex digits that change exactly when one of `rows` does."""
    canonical = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _converted(row: Mapping[str, Any]) -> dict[str, Any]:
    base = _prices(row)
    tiers = {name: _prices(tier, base) for name, tier in row.get("tiers", {}).items()}
    entries = []
    for entry in sorted(row.get("long_context", []), key=lambda entry: int(entry["above"])):
        long = _prices(entry, base)
        own = {name: _prices(tier, long) for name, tier in entry.get("tiers", {}).items()}
        scaled = {name: _in_proportion(long, tier, base) for name, tier in tiers.items() if name not in own}
        entries.append({"above": int(entry["above"]), **long, "tiers": {**own, **scaled}})
    limits = {name: int(row[name]) for name in _LIMITS if name in row}
    return {**base, "tiers": tiers, "long_context": entries, **limits}


def _prices(row: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All five prices of a row; what it leaves out is estimated, in the relation that `base` has if it is given."""
    prices: dict[str, Any] = {name: pico_per_token(row[name]) for name in PRICES if name in row}
    estimated = [name for name in PRICES if name not in row]
    for name in estimated:
        above, below = (base[name], base["input_cost"]) if base and base["input_cost"] else _OF_INPUT[name]
        prices[name] = _up(prices["input_cost"] * above, below)
    return {**prices, "estimated": estimated}


def _in_proportion(long: Mapping[str, Any], tier: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """A tier's long-context prices: the standard ones, dearer or cheaper as the tier is for short requests."""
    prices = {
        name: _up(long[name] * tier[name], base[name]) if base[name] else max(long[name], tier[name]) for name in PRICES
    }
    return {**prices, "estimated": list(PRICES)}


def _up(above: int, below: int) -> int:
    return -(-above // below)


def _too_fine(value: Any, pointer: str) -> Iterator[Problem]:
    """Prices that are no whole number of pico-USD per token: they could not be charged exactly."""
    if isinstance(value, dict):
        for key, item in value.items():
            here = point(pointer, key)
            if key in PRICES and not isinstance(item, dict):
                if pico_per_token(item) is None:
                    yield Problem(here, f"found {shown(item)}", "allowed: at most 9 decimals, 10^-12 USD a token")
            elif key != "_meta":
                yield from _too_fine(item, here)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _too_fine(item, point(pointer, index))


def _repeated_thresholds(document: Mapping[str, Any]) -> Iterator[Problem]:
    for region, kinds in document.items():
        for model_id, row in (kinds.get("text", {}) if isinstance(kinds, dict) and region != "_meta" else {}).items():
            seen: set[int] = set()
            for index, entry in enumerate(row.get("long_context", [])):
                if entry["above"] in seen:
                    pointer = point("", region, "text", model_id, "long_context", index, "above")
                    yield Problem(pointer, f"found {entry['above']} a second time", "allowed: each threshold once")
                seen.add(entry["above"])
