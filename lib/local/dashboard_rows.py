"""The `metrics` array of a dashboard widget: rows, their shorthand, and the metrics and expressions they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Row", "RowError", "expand_rows"]


class RowError(Exception):
    """A row that AWS would refuse. `part` is the index within the row, None for the whole row."""

    def __init__(self, row: int, part: int | None, message: str) -> None:
        super().__init__(message)
        self.row, self.part = row, part


class Row(NamedTuple):
    """One row with its shorthand resolved. An expression row has no namespace, name and dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    options: dict[str, Any]


def expand_rows(rows: Sequence[Any]) -> tuple[list[Row], list[RowError]]:
    """All rows in full, and what is wrong with the others.

    "." stands for the same element of the metric row before, "..." at the beginning for as many of its elements as
    make this row as long as that one.
    """
    found: list[Row] = []
    errors: list[RowError] = []
    before: list[str] = []
    for index, raw in enumerate(rows):
        try:
            texts, options = _split(index, raw)
            if texts:
                before = texts = _resolve(index, texts, before)
                pairs = tuple(zip(texts[2::2], texts[3::2], strict=True))
                found.append(Row(texts[0], texts[1], pairs, options))
            else:
                found.append(Row("", "", (), options))
        except RowError as error:
            errors.append(error)
    return found, errors


def _split(index: int, raw: Any) -> tuple[list[str], dict[str, Any]]:
    """The strings of a row and its rendering properties (or expression)."""
    if not isinstance(raw, list) or not raw:
        raise RowError(index, None, "Should be a non-empty array")
    options = raw[-1] if isinstance(raw[-1], dict) else {}
    texts = raw[:-1] if isinstance(raw[-1], dict) else raw
    for part, text in enumerate(texts):
        if not isinstance(text, str):
            raise RowError(index, part, "Invalid metric field type, only 'String' type is allowed")
        if not text:
            raise RowError(index, part, "Should NOT be shorter than 1 characters")
    if "expression" in options and texts:
        raise RowError(index, None, "An expression must be the only element of its row")
    if "expression" not in options and not texts:
        raise RowError(index, None, "Should name a metric or have an expression")
    return list(texts), options


def _resolve(index: int, texts: list[str], before: list[str]) -> list[str]:
    if texts[0] == "...":
        kept = len(before) - (len(texts) - 1)
        if not before or kept < 0:
            raise RowError(index, 0, "There is no metric before this row that '...' could repeat")
        texts = before[:kept] + texts[1:]
    if "..." in texts:
        raise RowError(index, texts.index("..."), "'...' is allowed as the first element only")
    resolved = []
    for part, text in enumerate(texts):
        if text == "." and part >= len(before):
            raise RowError(index, part, "There is no element before this row that '.' could repeat")
        resolved.append(before[part] if text == "." else text)
    if len(resolved) < 2:
        raise RowError(index, None, "Should NOT have fewer than 2 items")
    if len(resolved) % 2:
        raise RowError(index, None, "Should have a value for each dimension")
    if len(resolved) > 2 + 2 * 30:
        raise RowError(index, None, "Should NOT have more than 30 dimensions")
    names = resolved[2::2]
    if len(set(names)) < len(names):
        raise RowError(index, None, "Should NOT name a dimension twice")
    return resolved
