"""What AWS would bill for a call, worked out with fractions from models.json and nothing else of this project.

A second opinion is worth something only if it does not come from the first: neither lambda_function nor lib/models is
imported here. The rules are those of models.json: prices per 1,000 tokens; a Region's own row before `default`; long
context by all input tokens; a rate that is not published follows from input (read 1, write 1.25, write for 1 h 2), in
a tier or a long-context entry from what the base row has, rounded up to a whole 10^-12 USD a token.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.local.served import Served

__all__ = ["SHIPPED", "cost_of"]

SHIPPED = Path(__file__).parents[2] / "models.json"
PICO = 10**12
UNPUBLISHED = {"cache_read_cost": Fraction(1), "cache_write_cost": Fraction(5, 4), "cache_write_1h_cost": Fraction(2)}


@lru_cache(maxsize=4)
def _models(path: Path) -> Any:
    return json.loads(path.read_text(), parse_float=Decimal)


def cost_of(served: Served, models: Path = SHIPPED) -> Fraction:
    """USD, exact. Raises KeyError where the model has no price."""
    document = _models(models)
    rows = document.get(served.region, {}).get("text", {})
    base = rows.get(served.model) or document["default"]["text"][served.model]
    whole = served.input + served.cache_read + served.cache_write + served.cache_write_1h
    row, standard = base, base
    for entry in sorted(base.get("long_context", []), key=lambda entry: int(entry["above"])):
        if whole > entry["above"]:
            row = standard = entry
    tier = served.tier if served.tier not in ("", "default", "standard") else ""
    if tier:
        row = standard.get("tiers", {}).get(tier) or _scaled(base, standard, tier)
    counts = {
        "input_cost": served.input,
        "output_cost": served.output,
        "cache_read_cost": served.cache_read,
        "cache_write_cost": served.cache_write,
        "cache_write_1h_cost": served.cache_write_1h,
    }
    return sum((tokens * _rate(name, row, base) for name, tokens in counts.items() if tokens), Fraction(0))


def _scaled(base: Mapping[str, Any], standard: Mapping[str, Any], tier: str) -> Mapping[str, Any]:
    """A tier without prices of its own for this context: its relation to the standard tier holds."""
    tiered = base.get("tiers", {}).get(tier)
    if tiered is None:
        return standard
    return {
        name: Decimal(str(standard[name])) * Decimal(str(tiered[name])) / Decimal(str(base[name]))
        for name in tiered
        if name in standard and base.get(name)
    }


def _rate(name: str, row: Mapping[str, Any], base: Mapping[str, Any]) -> Fraction:
    """USD a token."""
    if name in row:
        return Fraction(row[name]) / 1000
    share = Fraction(base[name]) / Fraction(base["input_cost"]) if name in base else UNPUBLISHED[name]
    estimate = Fraction(row["input_cost"]) / 1000 * share
    return Fraction(math.ceil(estimate * PICO), PICO)
