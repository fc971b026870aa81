"""The picture of docs/architecture.md, held by reading the imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted([*ROOT.glob("lambda_function/*.py"), *ROOT.glob("lib/**/*.py"), *ROOT.glob("*.py")])
TALKING = {
    "wire", "connection", "trust", "dynamodb", "snapshot", "converse", "counters", "settlement", "alerts", "announce",
    "handler", "gateway", "schedule", "sweep", "rollups", "backlog", "level_pass", "baseline_pass", "deployment",
    "surroundings",
}  # fmt: skip
PURE = {
    "resolve", "pricing", "usage", "request", "metrics", "levels", "limits", "calendars", "ledger", "entries", "bounds",
    "refusals", "reservation", "standing", "money", "attributes", "replies", "roots", "sigv4", "level_numbers",
    "level_checks", "spend", "signals", "usual", "baseline", "growth", "wording", "figures", "crossing", "announcement",
}  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_arrows_point_downward(path: Path) -> None:
    modules = set(imported(path))
    place = path.relative_to(ROOT).parts
    if place[0] == "lambda_function":
        outside = {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names) - {"lambda_function"}
        assert not outside, "the inner ring imports only the standard library and itself"
    elif place[:2] == ("lib", "resources"):
        upward = {m for m in modules if m.startswith(("lib.cli", "lib.local", "lib.steps", "lib.resources."))}
        assert not upward, "a resource imports no other resource and nothing above it"
    elif place[:2] == ("lib", "local"):
        assert not {m for m in modules if m.startswith(("lib.cli", "lib.resources", "lib.steps"))}
    elif place[0] == "lib" and place[1] != "cli":
        assert not {m for m in modules if m.startswith(("lib.cli", "lib.local"))}


@pytest.mark.parametrize("path", sorted(ROOT.glob("lambda_function/*.py")), ids=names)
def test_the_judgement_does_not_talk(path: Path) -> None:
    if path.stem in PURE:
        modules = {m.split(".")[1] for m in imported(path) if m.startswith("lambda_function.")}
        assert not modules & TALKING
        assert not {"socket", "os", "time", "random", "sys"} & {m.split(".")[0] for m in imported(path)}


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_nothing_is_named_after_nothing(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "manager", "base", "common", "misc"}
