"""Whatever stands in the file: either a configuration, or problems with a place. Never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.config import Config, load
from lib.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED: dict[str, Any] = json.loads((ROOT / "config.json").read_text())
ROW = {"input_cost": 0.001, "output_cost": 0.002}
MODELS: dict[str, Any] = {
    "default": {
        "text": {
            SHIPPED["default_model_id"]: {**ROW, "tiers": {"flex": ROW}, "long_context": [{"above": 5, **ROW}]},
            **{profile["model_id"]: ROW for profile in SHIPPED["profiles"] if "model_id" in profile},
        }
    }
}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "Acme", "TenantID", "default", "Europe/Berlin", "arn:", "a@b.c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document, its own included."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in members for found in places(item, (*path, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def outcome(folder: Path, document: Any, models: Any) -> Config | ConfigError:
    (folder / "config.json").write_text(json.dumps(document))
    (folder / "models.json").write_text(json.dumps(models))
    try:
        return load(folder / "config.json", folder / "models.json", local=True)
    except ConfigError as error:
        return error


@pytest.mark.parametrize("file", ["config.json", "models.json"])
@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere_is_a_configuration_or_a_problem_with_a_place(
    tmp_path: Path, file: str, data: st.DataObject
) -> None:
    original = SHIPPED if file == "config.json" else MODELS
    path = data.draw(st.sampled_from(places(original)))
    changed = replaced(original, path, data.draw(anything))
    found = outcome(tmp_path, *((changed, MODELS) if original is SHIPPED else (SHIPPED, changed)))
    if isinstance(found, ConfigError):
        assert found.problems
        assert all(problem.found and problem.allowed for problem in found.problems)
    else:
        assert {profile.model_id for profile in found.profiles} == set(found.prices)


@given(order=st.permutations(range(4)))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_profiles_changes_neither_tenants_nor_prices(tmp_path: Path, order: list[int]) -> None:
    shuffled = {**SHIPPED, "profiles": [SHIPPED["profiles"][index] for index in order]}
    config, same = outcome(tmp_path, shuffled, MODELS), outcome(tmp_path, SHIPPED, MODELS)
    assert isinstance(config, Config)
    assert isinstance(same, Config)
    assert (list(config.tenants), config.price_version) == (list(same.tenants), same.price_version)
    assert set(config.profiles) == set(same.profiles)
