"""A report as one self-contained HTML file: numbers in a table, charts drawn by Plotly inside the file."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from lambda_function.money import usd
from lib.reports.amounts import rounded, signed
from lib.reports.groups import Group, Report
from lib.reports.text import notes

__all__ = ["as_page"]

_PICO = 10**12
_MOST = 12  # groups a chart shows by name; the rest is added up as "others"
_COLOURS = (
    "#3b6fb6", "#d9822b", "#4f9d69", "#b04a5a", "#7a5ba6", "#8c6d4f",
    "#c977a8", "#5f7f8f", "#a8a13a", "#3aa6a6", "#6b6bd6", "#a05a2c", "#999999",
)  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --line: #d6dbe2; --soft: #5b6675; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf1; --paper: #14181f; --line: #353d49; --soft: #9aa5b4; } }
body { margin: 0 auto; max-width: 1200px; padding: 1rem; font: 16px/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .25rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th.name, td.name { text-align: left; } tfoot td { font-weight: 600; } p.note { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem; }
.wide { grid-column: 1 / -1; }
"""
_SCRIPT = """
const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.querySelectorAll('.js-plotly-plot').forEach(plot => Plotly.relayout(plot, {
  'font.color': dark.matches ? '#e8ecf1' : '#1c2430'}));
dark.addEventListener('change', paint); paint();
"""


def as_page(report: Report) -> str:
    """The HTML document. It loads nothing from anywhere."""
    title = f"Bedrock cost of {report.period} by {', '.join(report.by)}"
    charts = [("Spend per day", _spend(report), True), ("Share of the cost", _share(report), False)]
    if any(group.budget for group in report.groups) or report.total.forecast is not None:
        charts.append(("Cost, forecast and budget", _budgets(report), False))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            f"<p>{usd(report.total.cost)} USD in {report.total.requests:,} requests. Days are UTC.</p>",
            *(f'<p class="note">{html.escape(note)}</p>' for note in notes(report)),
            '<div class="charts">',
            *(_section(heading, figure, wide) for heading, figure, wide in charts),
            "</div>",
            "<h2>Numbers</h2>",
            _table(report),
            f"<script>{_SCRIPT}</script></body></html>",
        ]
    )


def _section(heading: str, figure: go.Figure, wide: bool) -> str:
    figure.update_layout(
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=_COLOURS,
        legend={"orientation": "h", "y": -0.15},
        height=380,
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,.25)", automargin=True)
    figure.update_yaxes(gridcolor="rgba(128,128,128,.25)", automargin=True)
    plot = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True})
    return f'<section class="{"wide" if wide else ""}"><h2>{heading}</h2>{plot}</section>'


def _name(group: Group) -> str:
    return " · ".join(part or "(none)" for part in group.key)


def _largest(report: Report) -> tuple[list[Group], list[Group]]:
    """The groups a chart names, and the others."""
    return list(report.groups[:_MOST]), list(report.groups[_MOST:])


def _usd(amounts: Iterable[int]) -> list[float]:
    """For the length of a bar; the exact amount stands in the table."""
    return [amount / _PICO for amount in amounts]


def _spend(report: Report) -> go.Figure:
    days = list(report.period.days())
    named, others = _largest(report)
    bars: list[Any] = [
        go.Bar(name=_name(group), x=days, y=_usd(group.daily.get(day, 0) for day in days)) for group in named
    ]
    if others:
        total = _usd(sum(group.daily.get(day, 0) for group in others) for day in days)
        bars.append(go.Bar(name=f"{len(others)} others", x=days, y=total))
    figure = go.Figure(bars)
    figure.update_layout(barmode="stack", yaxis_title="USD")
    return figure


def _share(report: Report) -> go.Figure:
    named, others = _largest(report)
    labels = [_name(group) for group in named] + ([f"{len(others)} others"] if others else [])
    values = _usd([*(group.cost for group in named), *([sum(group.cost for group in others)] if others else [])])
    figure = go.Figure(go.Pie(labels=labels, values=values, hole=0.5, sort=False, textinfo="percent"))
    figure.update_traces(marker={"colors": _COLOURS})
    return figure


def _budgets(report: Report) -> go.Figure:
    named, _ = _largest(report)
    named.reverse()  # a horizontal bar chart starts at the bottom
    names = [_name(group) for group in named]
    figure = go.Figure(go.Bar(name="cost", y=names, x=_usd(group.cost for group in named), orientation="h"))
    rest = [max(0, (group.forecast or group.cost) - group.cost) for group in named]
    figure.add_trace(go.Bar(name="forecast", y=names, x=_usd(rest), orientation="h", opacity=0.45))
    figure.add_trace(
        go.Scatter(
            name="budget", y=[_name(group) for group in named if group.budget], mode="markers",
            x=_usd(group.budget for group in named if group.budget),
            marker={"symbol": "line-ns", "size": 22, "line": {"width": 3, "color": "#b04a5a"}},
        )
    )  # fmt: skip
    figure.update_layout(barmode="stack", xaxis_title="USD")
    return figure


def _table(report: Report) -> str:
    heads = ["requests", "input", "output", "cache", "USD", "share", "change", "budget", "forecast"]
    head = "".join(f'<th scope="col" class="name">{html.escape(tag)}</th>' for tag in report.by)
    head += "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{_names(group.key)}{_numbers(group)}</tr>" for group in report.groups)
    total = f'<td class="name" colspan="{len(report.by)}">total</td>{_numbers(report.total)}'
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        f"<tfoot><tr>{total}</tr></tfoot></table></div>"
    )


def _names(key: tuple[str, ...]) -> str:
    return "".join(f'<td class="name">{html.escape(part or "(none)")}</td>' for part in key)


def _numbers(group: Group) -> str:
    cache = group.tokens["cr"] + group.tokens["cw5"] + group.tokens["cw1"]
    cells = [
        f"{group.requests:,}", f"{group.tokens['in']:,}", f"{group.tokens['out']:,}", f"{cache:,}",
        usd(group.cost), f"{group.share:.1%}", signed(group.change),
        "" if group.budget is None else rounded(group.budget),
        "" if group.forecast is None else rounded(group.forecast),
    ]  # fmt: skip
    return "".join(f"<td>{cell}</td>" for cell in cells)
