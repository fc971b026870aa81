"""Cost equals an independent calculation with fractions, for every model we ship and for tables nobody ships."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_function.pricing import cost_of, dearest
from lambda_function.usage import Usage
from lib.models import read_models

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = ("input_cost", "output_cost", "cache_read_cost", "cache_write_cost", "cache_write_1h_cost")
DOCUMENT = json.loads((ROOT / "models.json").read_text(), parse_float=Fraction)
SHIPPED = [
    (region, model)
    for region, kinds in DOCUMENT.items()
    if isinstance(kinds, dict)
    for model in kinds.get("text") or {}
]

_read, _ = read_models(ROOT / "models.json")
assert _read is not None
MODELS = _read

tokens = st.integers(0, 2_000_000)
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)
rates = st.integers(0, 10**9)
plain_rows = st.fixed_dictionaries(dict.fromkeys(KINDS, rates))
rows = st.builds(
    lambda base, tiers, long: {**base, "tiers": tiers, "long_context": sorted(long, key=lambda one: one["above"])},
    plain_rows,
    st.dictionaries(st.sampled_from(["flex", "priority"]), plain_rows, max_size=2),
    st.lists(
        st.builds(
            lambda above, prices, tiers: {"above": above, **prices, "tiers": tiers},
            st.integers(0, 1_000_000),
            plain_rows,
            st.dictionaries(st.sampled_from(["flex", "priority"]), plain_rows, max_size=2),
        ),
        max_size=3,
        unique_by=lambda one: one["above"],
    ),
)


def expected(row: dict[str, Any], usage: Usage, tier: str) -> Fraction:
    """USD, from the row alone."""
    prices = row
    for long in row["long_context"]:
        if usage.prompt > long["above"]:
            prices = long
    prices = prices["tiers"].get(tier, prices)
    return sum(
        (Fraction(count) * Fraction(prices[kind], 10**12) for count, kind in zip(usage, KINDS, strict=True)),
        Fraction(0),
    )


@given(rows, usages, st.sampled_from(["default", "flex", "priority"]))
def test_cost_is_exact(row: dict[str, Any], usage: Usage, tier: str) -> None:
    assert Fraction(cost_of(row, usage, tier).total, 10**12) == expected(row, usage, tier)


@given(plain_rows, usages, usages)
def test_cost_is_additive_where_no_threshold_lies_between(row: dict[str, int], one: Usage, other: Usage) -> None:
    both = Usage(*(a + b for a, b in zip(one, other, strict=True)))
    assert cost_of(row, both).total == cost_of(row, one).total + cost_of(row, other).total


@given(rows, usages, st.sampled_from([None, "flex", "priority"]), st.booleans(), st.data())
def test_the_dearest_rates_bound_every_bill(
    row: dict[str, Any], usage: Usage, asked: str | None, caches: bool, data: st.DataObject
) -> None:
    if not caches:
        usage = Usage(usage.input, usage.output)
    # A cache read is never dearer than the input it replaces, in any price list.
    for prices in [
        row,
        *row["tiers"].values(),
        *row["long_context"],
        *(t for one in row["long_context"] for t in one["tiers"].values()),
    ]:
        prices["cache_read_cost"] = min(prices["cache_read_cost"], prices["input_cost"])
    billed_at = data.draw(st.sampled_from(["default", asked or "default"]))
    worst = dearest(row, usage.prompt, asked, caches)
    assert cost_of(row, usage, billed_at).total <= usage.prompt * worst.input + usage.output * worst.output


@settings(max_examples=25)
@given(usage=usages, chosen=st.lists(st.sampled_from(SHIPPED), min_size=20, max_size=40))
def test_shipped_models_cost_what_models_json_says(usage: Usage, chosen: list[tuple[str, str]]) -> None:
    for region, model in chosen:
        shipped(region, model, usage)


def test_every_shipped_model_has_an_exact_price() -> None:
    for region, model in SHIPPED:
        shipped(region, model, Usage(1_000, 1_000))


def shipped(region: str, model: str, usage: Usage) -> None:
    """Compare one model with the file itself, where no long-context price applies."""
    given_row = DOCUMENT[region]["text"][model]
    if usage.prompt > min((one["above"] for one in given_row.get("long_context", [])), default=10**9):
        usage = Usage(100, usage.output)
    cost = cost_of(MODELS.row(model, region), Usage(usage.input, usage.output))
    usd = (usage.input * given_row["input_cost"] + usage.output * given_row["output_cost"]) / 1000
    assert Fraction(cost.total, 10**12) == usd
