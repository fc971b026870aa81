"""What a request costs, exactly: whole pico-USD per token, from the rows of the snapshot's `models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lambda_function.usage import Usage

__all__ = ["Cost", "Rates", "cost_of", "dearest"]

Row = Mapping[str, Any]
_DEFAULT = "default"


class Cost(NamedTuple):
    """Pico-USD by kind. `estimated` says that a rate behind it is not published for this model or service tier."""

    input: int
    output: int
    cache: int
    estimated: bool = False

    @property
    def total(self) -> int:
        """All of it."""
        return self.input + self.output + self.cache


class Rates(NamedTuple):
    """The dearest pico-USD per token that a request may be billed at."""

    input: int
    output: int


def cost_of(row: Row, usage: Usage, tier: str = _DEFAULT) -> Cost:
    """The cost of `usage` at the service tier that the reply reports.

    A long-context price applies to the whole request once its prompt is longer than the threshold. A tier without
    prices of its own is billed as the default one and marked estimated.
    """
    prices, known = _tier(_length(row, usage.prompt), tier)
    writes = usage.cache_write_5m * prices["cache_write_cost"] + usage.cache_write_1h * prices["cache_write_1h_cost"]
    unpublished = prices.get("estimated", ())
    estimated = not known or bool(
        unpublished
        and (
            ("input_cost" in unpublished and usage.input)
            or ("output_cost" in unpublished and usage.output)
            or ("cache_read_cost" in unpublished and usage.cache_read)
            or ("cache_write_cost" in unpublished and usage.cache_write_5m)
            or ("cache_write_1h_cost" in unpublished and usage.cache_write_1h)
        )
    )
    return Cost(
        usage.input * prices["input_cost"],
        usage.output * prices["output_cost"],
        usage.cache_read * prices["cache_read_cost"] + writes,
        estimated,
    )


def dearest(row: Row, most_input: int, asked_tier: str | None, caches: bool) -> Rates:
    """The dearest rates that a request of at most `most_input` tokens may be billed at.

    Bedrock serves a request at the tier that it asks for or at the default one. Input may be billed as a cache write
    where the request `caches`.
    """
    if not asked_tier and not caches and not row.get("long_context"):
        return Rates(row["input_cost"], row["output_cost"])  # nearly all requests
    tiers = {_DEFAULT, asked_tier or _DEFAULT}
    kinds = ("input_cost", "cache_write_cost", "cache_write_1h_cost") if caches else ("input_cost",)
    reachable = [row, *(long for long in row.get("long_context", ()) if most_input > long["above"])]
    found = [_tier(prices, tier)[0] for prices in reachable for tier in tiers]
    if asked_tier and not _tier(row, asked_tier)[1]:
        found += [prices for part in reachable for prices in part.get("tiers", {}).values()]
    return Rates(
        max(prices[kind] for prices in found for kind in kinds), max(prices["output_cost"] for prices in found)
    )


def _length(row: Row, prompt: int) -> Row:
    """The row's prices for a prompt of this length; `long_context` stands in rising order."""
    for long in reversed(row.get("long_context", ())):
        if prompt > long["above"]:
            found: Row = long
            return found
    return row


def _tier(prices: Row, tier: str) -> tuple[Row, bool]:
    """The prices of a service tier, and whether they are its own."""
    if tier == _DEFAULT:
        return prices, True
    own = prices.get("tiers", {}).get(tier)
    return (prices, False) if own is None else (own, True)
