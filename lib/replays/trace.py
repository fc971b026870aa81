"""Traces of spend: any CSV with a time and an amount, in USD or in tokens of a model."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lib.errors import ProjectError

__all__ = ["Event", "Trace", "read_trace"]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "datetime", "date", "at", "ts", "start"),
    "usd": ("usd", "amount", "cost", "spend", "amountusd", "costusd", "value"),
    "input": ("contexttokens", "inputtokens", "prompttokens", "input", "in", "tokens", "totaltokens"),
    "output": ("generatedtokens", "outputtokens", "completiontokens", "output", "out"),
}
_PICO = 10**12
_LONGEST_STEP = 300  # seconds; rows that are regularly further apart are sums, not requests
_PIECE = 60
_SHOWN = 5


class Event(NamedTuple):
    """One request: epoch seconds, pico-USD, tokens."""

    at: float
    amount: int
    tokens: int


class Trace(NamedTuple):
    """Events in order of time, and what had to be assumed about them, as sentences."""

    events: list[Event]
    notices: tuple[str, ...] = ()


def read_trace(path: Path, prices: Mapping[str, Any] | None) -> Trace:
    """The trace in a CSV file. `prices` are those of a model (pico-USD per token) where amounts are tokens.

    The columns are found by their names; without a header they are time and USD, or time, input and output tokens.
    Times are epoch seconds or ISO 8601, UTC unless they say otherwise. Raises ProjectError.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProjectError(f"{path} cannot be read: {error}.", "Give a CSV file with a time and an amount.") from error
    columns, first = _columns(rows, path)
    if "usd" not in columns and prices is None:
        raise ProjectError(f"{path} has tokens, not money.", "Say whose with --model, e.g. one of models.json.")
    events, problems = [], []
    for number, row in enumerate(rows[first:], first + 1):
        try:
            events.append(_event(row, columns, prices))
        except (ValueError, IndexError, InvalidOperation, OverflowError):
            problems.append(f"row {number}: {','.join(row)[:60]}")
    if problems or not events:
        what = "; ".join(problems[:_SHOWN]) or "there is no row"
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ProjectError(f"{path} is not a trace: {what}{more}.", "Each row needs a time and an amount >= 0.")
    events.sort()
    return _spread(events)


def _columns(rows: Sequence[Sequence[str]], path: Path) -> tuple[dict[str, int], int]:
    """Where time and amount stand, and the first row with data."""
    if not rows:
        raise ProjectError(f"{path} is empty.", "Give a CSV file with a time and an amount.")
    try:
        _instant(rows[0][0])
    except ValueError:
        pass
    else:
        names = ("time", "usd") if len(rows[0]) == 2 else ("time", "input", "output")
        return {name: place for place, name in enumerate(names)}, 0
    header = ["".join(letter for letter in cell.lower() if letter.isalnum()) for cell in rows[0]]
    found = {
        kind: next(header.index(name) for name in names if name in header)
        for kind, names in _NAMES.items()
        if any(name in header for name in names)
    }
    if "time" not in found or not found.keys() & {"usd", "input"}:
        raise ProjectError(
            f"{path} has the columns {', '.join(rows[0])}.",
            "Name one `time`, and one `usd` or, with --model, `input_tokens` (and `output_tokens`).",
        )
    return found, 1


def _event(row: Sequence[str], columns: Mapping[str, int], prices: Mapping[str, Any] | None) -> Event:
    at = _instant(row[columns["time"]])
    counts = [int(row[columns[kind]] or 0) if kind in columns else 0 for kind in ("input", "output")]
    if min(counts) < 0:
        raise ValueError("negative tokens")
    if prices is not None and "input" in columns:
        amount = counts[0] * prices["input_cost"] + counts[1] * prices["output_cost"]
    else:
        amount = int(Decimal(row[columns["usd"]].strip().lstrip("$")) * _PICO)
    if amount < 0:
        raise ValueError("negative amount")
    return Event(at, amount, sum(counts))


def _instant(text: str) -> float:
    """Epoch seconds of a time; milliseconds since the epoch are recognised by their size."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not 0 < number < 1e14:
            raise ValueError("no time")
        return number / 1000 if number > 1e11 else number
    whole, point, rest = text.partition(".")
    if point:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _spread(events: list[Event]) -> Trace:
    """Sums at regular steps of more than 5 minutes become a request a minute, spread evenly over the step."""
    instants = sorted({event.at for event in events})
    gaps = sorted(later - earlier for earlier, later in pairwise(instants))
    step = gaps[len(gaps) // 2] if len(gaps) >= 3 else 0
    if step <= _LONGEST_STEP or sum(gap % step == 0 for gap in gaps) < 0.9 * len(gaps):
        return Trace(events)
    notice = (
        f"Rows are {step / 60:g} minutes apart: each amount is spread evenly over the {step / 60:g} minutes after it, "
        "so nothing can be said about what is faster than that."
    )
    return Trace([piece for event in events for piece in _pieces(event, step)], (notice,))


def _pieces(event: Event, step: float) -> Iterator[Event]:
    count = max(1, int(step) // _PIECE)
    amount, more = divmod(event.amount, count)
    tokens = event.tokens // count
    for number in range(count):
        yield Event(event.at + number * _PIECE, amount + (number < more), tokens)
