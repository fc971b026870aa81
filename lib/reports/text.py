"""A report as a table for a terminal, as CSV for a spreadsheet, as JSON for a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from lambda_function.money import usd
from lib.reports.amounts import rounded, signed
from lib.reports.groups import Group, Report
from lib.reports.rows import KINDS

__all__ = ["as_csv", "as_json", "as_table", "notes"]

_ELLIPSIS = "…"


def as_table(report: Report, width: int) -> Iterator[str]:
    """Lines fitted to `width` characters: amounts stay whole, the columns that matter least go, names are shortened."""
    heads = [*report.by, "requests", "input", "output", "cache", "USD", "share", "change", "budget", "forecast"]
    body = [_cells(group) for group in report.groups]
    total = ["total", *[""] * (len(report.by) - 1), *_cells(report.total)[len(report.by) :]]
    if not any(group.budget for group in report.groups):
        heads, body, total = _without("budget", heads, body, total)
    if report.total.forecast is None:
        heads, body, total = _without("forecast", heads, body, total)
    for optional in ("cache", "output", "input", "change", "share"):
        if sum(_widths([heads, *body, total], len(report.by), width)) + 2 * (len(heads) - 1) <= width:
            break
        heads, body, total = _without(optional, heads, body, total)
    widths = _widths([heads, *body, total], len(report.by), width)
    yield f"Cost of {report.period} in USD, UTC days"
    yield ""
    yield _line(heads, widths, len(report.by))
    yield _line(["─" * size for size in widths], widths, len(report.by))
    for cells in body:
        yield _line(cells, widths, len(report.by))
    yield _line(["─" * size for size in widths], widths, len(report.by))
    yield _line(total, widths, len(report.by))
    yield from notes(report)


def notes(report: Report) -> Iterator[str]:
    """What a reader should know of the numbers above."""
    if report.total.estimated:
        yield f"{report.total.estimated} of {report.total.requests} requests are estimated at their full reservation."
    if report.total.forecast is not None:
        yield (
            "Forecast: spent so far, plus for each day left the mean of the same weekday over the last 28 days "
            "(with less than a week of history, the mean of the days there are)."
        )


def as_csv(report: Report) -> str:
    """One line per group, exact amounts, a header row; no total, so that a column adds up to it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180
    tokens = [f"{name.replace(' ', '_')}_tokens" for name in KINDS.values()]
    writer.writerow(
        [*report.by, "period_start", "period_end", "requests", "failures", "estimated", *tokens,
         "cost_usd", "share", "previous_cost_usd", "change_usd", "budget_usd", "forecast_usd"]
    )  # fmt: skip
    for group in report.groups:
        writer.writerow(
            [*map(_safe, group.key), report.period.first, report.period.last, group.requests, group.failures,
             group.estimated, *group.tokens.values(), usd(group.cost), f"{group.share:.6f}", usd(group.before),
             usd(group.change), _optional(group.budget), _optional(group.forecast)]
        )  # fmt: skip
    return buffer.getvalue()


def as_json(report: Report) -> str:
    """The same with exact decimals as strings, and the total."""
    return json.dumps(
        {
            "period": {"from": str(report.period.first), "to": str(report.period.last)},
            "by": list(report.by),
            "currency": "USD",
            "groups": [
                {"tags": dict(zip(report.by, group.key, strict=True)), **_object(group)} for group in report.groups
            ],
            "total": _object(report.total),
        },
        indent=2,
    )


def _object(group: Group) -> dict[str, object]:
    return {
        "requests": group.requests,
        "failures": group.failures,
        "estimated": group.estimated,
        "tokens": {name.replace(" ", "_"): group.tokens[kind] for kind, name in KINDS.items()},
        "cost_usd": usd(group.cost),
        "share": f"{group.share:.6f}",
        "previous_cost_usd": usd(group.before),
        "change_usd": usd(group.change),
        "budget_usd": None if group.budget is None else usd(group.budget),
        "forecast_usd": None if group.forecast is None else usd(group.forecast),
    }


def _optional(amount: int | None) -> str:
    return "" if amount is None else usd(amount)


def _safe(text: str) -> str:
    """A tag value that a spreadsheet would take for a formula is quoted as text."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text


def _cells(group: Group) -> list[str]:
    cache = group.tokens["cr"] + group.tokens["cw5"] + group.tokens["cw1"]
    return [
        *(part or "(none)" for part in group.key),
        f"{group.requests:,}",
        f"{group.tokens['in']:,}",
        f"{group.tokens['out']:,}",
        f"{cache:,}",
        rounded(group.cost),
        f"{group.share:.1%}",
        signed(group.change),
        "" if group.budget is None else rounded(group.budget),
        "" if group.forecast is None else rounded(group.forecast),
    ]


def _without(
    name: str, heads: list[str], body: list[list[str]], total: list[str]
) -> tuple[list[str], list[list[str]], list[str]]:
    at = heads.index(name)
    return (
        heads[:at] + heads[at + 1 :],
        [cells[:at] + cells[at + 1 :] for cells in body],
        total[:at] + total[at + 1 :],
    )


def _widths(rows: Sequence[Sequence[str]], names: int, width: int) -> list[int]:
    """Each column as wide as its content; the names share what numbers leave, at least 8 characters each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    free = width - sum(widths[names:]) - 2 * (len(widths) - 1)
    most = max(8, free // names)
    return [min(size, most) for size in widths[:names]] + widths[names:]


def _line(cells: Sequence[str], widths: Sequence[int], names: int) -> str:
    fitted = [
        cell if len(cell) <= size else cell[: size - 1] + _ELLIPSIS for cell, size in zip(cells, widths, strict=True)
    ]
    return "  ".join(
        cell.ljust(size) if index < names else cell.rjust(size)
        for index, (cell, size) in enumerate(zip(fitted, widths, strict=True))
    ).rstrip()
