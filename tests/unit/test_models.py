"""models.json: every price is the source's, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model_source import base_model, copy_source, is_system_profile, routed_models
from lib.models import PRICES, Models, price_version, read_models
from lib.money import pico, pico_per_token
from lib.prices import models_text, table

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT.parent / "shared" / "data" / "bedrock_prices.json"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
THEIRS = dict(zip(PRICES, ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), strict=True))

with_source = pytest.mark.skipif(not SOURCE.exists(), reason="the price list is not part of the repository")


def shipped() -> Any:
    return json.loads((ROOT / "models.json").read_text(), parse_float=Decimal)


def source() -> Any:
    return json.loads(SOURCE.read_text(), parse_float=Decimal)


@pytest.fixture
def models(tmp_path: Path) -> Callable[[Any], Models]:
    def read(document: Any) -> Models:
        path = tmp_path / "models.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        found, problems = read_models(path)
        assert (found is not None, problems) == (True, [])
        assert found is not None
        return found

    return read


def published(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Each price stands in both or in neither, and is the same amount: per 1,000 here, per 1,000,000 there."""
    for our_name, their_name in THEIRS.items():
        if theirs.get(their_name) is None:
            assert our_name not in ours
        else:
            assert Fraction(ours[our_name]) * 1000 == Fraction(theirs[their_name])


@with_source
def test_every_row_is_the_sources_exactly() -> None:
    rows = {
        (item["region"] or "default", item["model_id"]): item
        for name, item in sorted(source()["models"].items(), key=lambda pair: pair[0] == pair[1]["model_id"])
        if (item["mode"], item["endpoint"]) == ("chat", "bedrock-runtime")
        and item["input"] is not None
        and item["output"] is not None
    }
    ours = {
        (region, model_id): row
        for region, kinds in shipped().items()
        if not region.startswith(("$", "_"))
        for model_id, row in kinds.get("text", {}).items()
    }
    assert set(ours) - set(rows) == {("default", HAIKU)}
    assert set(rows) <= set(ours)
    assert len(rows) > 400
    for place, theirs in rows.items():
        row = ours[place]
        published(row, theirs)
        assert set(row.get("tiers", {})) == set(theirs.get("tiers") or {})
        for name, tier in row.get("tiers", {}).items():
            published(tier, theirs["tiers"][name])
        long = {f"above_{entry['above'] // 1000}k": entry for entry in row.get("long_context", [])}
        assert set(long) == set(theirs.get("long_context") or {})
        for name, entry in long.items():
            published(entry, theirs["long_context"][name])
        for limit in ("max_input_tokens", "max_output_tokens"):
            assert row.get(limit) == theirs.get(limit)


@with_source
def test_the_shipped_file_is_what_the_generator_writes() -> None:
    assert models_text(table(source())) == (ROOT / "models.json").read_text()


def test_the_shipped_file_says_where_it_is_from_and_has_no_binary_noise() -> None:
    text = (ROOT / "models.json").read_text()
    meta = json.loads(text)["_meta"]
    assert meta["date"] == "2026-11-23"
    assert "litellm" in meta["source"]
    assert "MIT" in meta["licence"]
    assert "Copyright (c) 2023 Berri AI" in (ROOT / "NOTICE").read_text()
    prices = [n for row in shipped()["default"]["text"].values() for n in row.values() if isinstance(n, Decimal)]
    assert max(len(price.as_tuple().digits) for price in prices) <= 6


def test_the_shipped_file_is_clean_and_its_rows_convert_exactly() -> None:
    found, problems = read_models(ROOT / "models.json")
    assert problems == []
    assert found is not None
    for region, kinds in shipped().items():
        for model_id, row in kinds.get("text", {}).items() if region[0] not in "$_" else ():
            converted = found.row(model_id, region)
            for name in PRICES:
                assert type(converted[name]) is int
                assert (name in row) == (name not in converted["estimated"])
                if name in row:
                    assert converted[name] == Fraction(row[name]) * 10**9


def test_the_model_of_older_configurations() -> None:
    found, _ = read_models(ROOT / "models.json")
    assert found is not None
    row = found.row(HAIKU, "eu-south-2")
    assert (row["input_cost"], row["output_cost"]) == (250_000, 1_250_000)
    assert (row["max_input_tokens"], row["max_output_tokens"]) == (200_000, 4096)


def test_an_older_file_loads_unchanged(models: Callable[[Any], Models]) -> None:
    older = '{"us-east-1": {"text": {"' + HAIKU + '": {"input_cost": 0.00025, "output_cost": 0.00125}}}}'
    row = models(older).row(HAIKU, "us-east-1")
    assert [row[name] for name in PRICES] == [250_000, 1_250_000, 250_000, 312_500, 500_000]
    assert row["estimated"] == ["cache_read_cost", "cache_write_cost", "cache_write_1h_cost"]
    assert models(older).ids("eu-west-1") == set()


def test_a_regions_own_row_wins_over_default(models: Callable[[Any], Models]) -> None:
    cheap, dear = {"input_cost": 1, "output_cost": 1}, {"input_cost": 2, "output_cost": 2}
    found = models({"default": {"text": {"a.b": cheap, "a.c": cheap}}, "eu-west-1": {"text": {"a.b": dear}}})
    assert found.row("a.b", "eu-west-1")["input_cost"] == 2 * 10**9
    assert found.row("a.b", "us-east-1")["input_cost"] == 10**9
    assert found.row("a.c", "eu-west-1")["input_cost"] == 10**9
    assert found.ids("eu-west-1") == {"a.b", "a.c"}
    with pytest.raises(KeyError):
        found.row("us.a.b", "us-east-1")


def test_rates_that_a_tier_or_a_long_context_leaves_out_are_estimated(models: Callable[[Any], Models]) -> None:
    row = models(
        {
            "default": {
                "text": {
                    "a.b": {
                        "input_cost": 0.004,
                        "output_cost": 0.008,
                        "cache_read_cost": 0.001,
                        "tiers": {"flex": {"input_cost": 0.002, "output_cost": 0.004}},
                        "long_context": [
                            {"above": 9, "input_cost": 0.016, "output_cost": 0.03},
                            {"above": 5, "input_cost": 0.008, "output_cost": 0.01, "cache_read_cost": 0},
                        ],
                    }
                }
            }
        }
    ).row("a.b", "us-east-1")
    flex, (first, second) = row["tiers"]["flex"], row["long_context"]
    assert (flex["cache_read_cost"], flex["cache_write_cost"], flex["cache_write_1h_cost"]) == (
        500_000,
        2_500_000,
        4_000_000,
    )
    assert (first["above"], second["above"]) == (5, 9)
    assert first["cache_read_cost"] == 0, "a zero that is written down is a price"
    assert "cache_read_cost" not in first["estimated"]
    assert second["cache_read_cost"] == 4_000_000
    assert second["tiers"]["flex"]["input_cost"] == 8_000_000, "flex is half price here too, as far as anyone knows"
    assert second["tiers"]["flex"]["estimated"] == list(PRICES)


@with_source
def test_published_tiers_keep_the_relation_that_estimates_assume() -> None:
    kept = [
        Fraction(item[name]) * Fraction(tier["input"]) / Fraction(item["input"]) == Fraction(tier[name])
        for item in source()["models"].values()
        if (item["mode"], item["endpoint"]) == ("chat", "bedrock-runtime")
        for tier in (item.get("tiers") or {}).values()
        for name in ("cache_read", "cache_write_5m")
        if item[name] is not None and name in tier
    ]
    assert len(kept) > 50
    assert all(kept)


prices = st.integers(0, 10**11).map(lambda units: Decimal(units).scaleb(-9))


@given(prices.filter(bool), prices, st.none() | prices)
def test_estimates_are_never_below_the_rule_nor_a_pico_above(
    given_in: Decimal, out: Decimal, read: Decimal | None
) -> None:
    item = {"input_cost": given_in, "output_cost": out} | ({} if read is None else {"cache_read_cost": read})
    row = Models({"default": {"text": {"a.b": item}}}).row("a.b", "us-east-1")
    exact = Fraction(given_in) * 10**9
    assert row["cache_read_cost"] == (exact if read is None else Fraction(read) * 10**9)
    assert row["cache_write_cost"] == ceil(exact * Fraction(5, 4))
    assert row["cache_write_1h_cost"] == exact * 2


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=14))
def test_money_is_exact_or_refused(usd: Decimal) -> None:
    for scaled, factor in ((pico(usd), 10**12), (pico_per_token(usd), 10**9)):
        exact = Fraction(usd) * factor
        assert scaled == (exact if exact.denominator == 1 else None)


ROW = {"input_cost": 1, "output_cost": 1}


@pytest.mark.parametrize(
    ("document", "pointer", "words"),
    [
        ({"default": {"text": {"a.b": {"input_cost": 1}}}}, "/default/text/a.b/output_cost", ("missing",)),
        ({"default": {"text": {"a.b": {**ROW, "input_cost": -1}}}}, "/default/text/a.b/input_cost", ("found -1",)),
        (
            {"default": {"text": {"a.b": {**ROW, "input_cost": "1"}}}},
            "/default/text/a.b/input_cost",
            ("USD per 1,000",),
        ),
        ({"default": {"text": {"a.b": {**ROW, "input_cost": None}}}}, "/default/text/a.b/input_cost", ("null",)),
        ({"default": {"text": {"a.b": {**ROW, "input_cost": 1e-10}}}}, "/default/text/a.b/input_cost", ("9 decimals",)),
        (
            {"default": {"text": {"a.b": {**ROW, "cache_raed_cost": 1}}}},
            "/default/text/a.b/cache_raed_cost",
            ('did you mean "cache_read_cost"',),
        ),
        (
            {"default": {"text": {"a.b": {**ROW, "tiers": {"flex": {"input_cost": 1}}}}}},
            "/default/text/a.b/tiers/flex/output_cost",
            ("missing",),
        ),
        (
            {"default": {"text": {"a.b": {**ROW, "long_context": [{"above": 5, **ROW}, {"above": 5, **ROW}]}}}},
            "/default/text/a.b/long_context/1/above",
            ("a second time",),
        ),
        ({"default": {"embeddings": {"a.b": {"output_cost": 1}}}}, "/default/embeddings/a.b/input_cost", ("missing",)),
        ({"default": {"image": {"a.b": {"price": 1}}}}, "/default/image/a.b/price", ("unknown",)),
        ({"defualt": {"text": {}}}, "/defualt", ('did you mean "default"',)),
        ({"default": {"txet": {}}}, "/default/txet", ('did you mean "text"',)),
        ([], "", ("an object",)),
    ],
)
def test_one_bad_row_is_one_problem_with_its_place(
    tmp_path: Path, document: Any, pointer: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps(document))
    (problem,) = read_models(path)[1]
    assert problem.pointer == pointer
    assert all(word in str(problem) for word in words), str(problem)


def test_the_price_version_changes_exactly_when_a_price_in_use_does() -> None:
    row = Models({"default": {"text": {"a.b": ROW}}}).row("a.b", "us-east-1")
    version = price_version({"a.b": row})
    assert len(version) == 12
    assert int(version, 16) >= 0
    assert price_version({"a.b": dict(reversed(row.items()))}) == version
    assert price_version({"a.b": {**row, "output_cost": 2}}) != version


@pytest.mark.parametrize(
    ("model_id", "partition", "source_arn", "routes"),
    [
        (
            HAIKU,
            "aws",
            f"arn:aws:bedrock:r-1::foundation-model/{HAIKU}",
            (f"arn:aws:bedrock:r-1::foundation-model/{HAIKU}",),
        ),
        (
            "us-gov.a.b",
            "aws-us-gov",
            "arn:aws-us-gov:bedrock:r-1:42:inference-profile/us-gov.a.b",
            ("arn:aws-us-gov:bedrock:*::foundation-model/a.b",),
        ),
        (
            "apac.amazon.nova-lite-v1:0",
            "aws",
            "arn:aws:bedrock:r-1:42:inference-profile/apac.amazon.nova-lite-v1:0",
            ("arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",),
        ),
        (
            "global.a.b",
            "aws",
            "arn:aws:bedrock:r-1:42:inference-profile/global.a.b",
            ("arn:aws:bedrock:::foundation-model/a.b", "arn:aws:bedrock:*::foundation-model/a.b"),
        ),
        ("zai.glm-5.3", "aws-cn", "arn:aws-cn:bedrock:r-1::foundation-model/zai.glm-5.3", None),
    ],
)
def test_copy_sources_and_routes(
    model_id: str, partition: str, source_arn: str, routes: tuple[str, ...] | None
) -> None:
    assert copy_source(model_id, "r-1", "42", partition) == source_arn
    assert routed_models(model_id, "r-1", partition) == (routes or (source_arn,))


@with_source
def test_every_id_of_the_price_list_is_told_apart() -> None:
    for item in source()["models"].values():
        if item["endpoint"] == "bedrock-runtime" and item["mode"] == "chat":
            assert is_system_profile(item["model_id"]) == (item["scope"] != "in_region")
            assert base_model(item["model_id"]) == item["base_model_id"]
