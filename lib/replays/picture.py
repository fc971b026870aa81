"""A picture of a replay: spend, what was usual, and the level, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree import ElementTree as Xml
from zoneinfo import ZoneInfo

from lambda_function.crossing import Crossing
from lambda_function.level_numbers import LEVELS
from lib.replays.tenant import ReplayedTenant

__all__ = ["picture"]

_WIDTH, _HEIGHT = 1200, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 24, 64, 112
_BAND = 22  # height of the level band below the axis
_COLOURS = {"green": "#4c9f70", "yellow": "#e8c547", "orange": "#e8883a", "red": "#cf3f3f"}
_INK, _FAINT, _SPEND, _USUAL = "#24292f", "#d7dce1", "#3b6ea8", "#6b7280"
_SHORT = 2 * 86400  # seconds; a shorter replay is drawn in steps of 5 minutes
_STEPS = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200)
_MOST_TICKS = 12
_MAX_POINTS = 1400


class _Point(NamedTuple):
    at: float
    spent: float  # USD in the step
    usual: float | None


def picture(tenant: ReplayedTenant, title: str, zone: str) -> str:
    """The SVG document. Times are local to `zone`."""
    start, end, step = _extent(tenant)
    points = _points(tenant, step)
    most = max((max(point.spent, point.usual or 0) for point in points), default=0) or 1e-9
    top, ticks = _nice(most)
    frame = _Frame(start, end, top)
    root = Xml.Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "width": str(_WIDTH),
        "height": str(_HEIGHT), "font-family": "system-ui, sans-serif", "font-size": "13", "fill": _INK, "role": "img",
    })  # fmt: skip
    Xml.SubElement(root, "title").text = title
    Xml.SubElement(root, "rect", {"width": str(_WIDTH), "height": str(_HEIGHT), "fill": "#ffffff"})
    _text(root, _LEFT, 24, title, size="16", weight="600")
    for value in ticks:
        y = frame.y(value)
        _line(root, _LEFT, y, _WIDTH - _RIGHT, y, _FAINT)
        _text(root, _LEFT - 8, y + 4, _money(value, ticks), anchor="end")
    _text(root, _LEFT, 52, "USD in 5 minutes" if step == 300 else "USD an hour", colour=_USUAL)
    _time_axis(root, frame, zone)
    _area(root, frame, points, step)
    _usual_line(root, frame, points, step)
    _band(root, frame, tenant.crossings)
    _legend(root)
    return Xml.tostring(root, encoding="unicode") + "\n"


class _Frame:
    """From instants and dollars to places."""

    def __init__(self, start: float, end: float, top: float) -> None:
        self.start, self.end, self.top = start, max(end, start + 300), top

    def x(self, at: float) -> float:
        inside = min(max(at, self.start), self.end)
        return round(_LEFT + (inside - self.start) / (self.end - self.start) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, usd: float) -> float:
        return round(_HEIGHT - _BOTTOM - usd / self.top * (_HEIGHT - _BOTTOM - _TOP), 1)


def _extent(tenant: ReplayedTenant) -> tuple[float, float, int]:
    first, last = min(tenant.fives) * 300, (max(tenant.fives) + 1) * 300
    changes = [crossing.at / 1000 for crossing in tenant.crossings]
    end = max(last, *(changes or [last])) + (last - first) * 0.01
    return first, end, 300 if end - first <= _SHORT else 3600


def _points(tenant: ReplayedTenant, step: int) -> list[_Point]:
    usual = {hour.number: hour.usual for hour in tenant.hours}
    per, last = step / 3600, max(tenant.fives) * 300 // step
    sums: dict[int, int] = {}
    for number, amount in tenant.fives.items():
        sums[number * 300 // step] = sums.get(number * 300 // step, 0) + amount
    points = []
    for number in range(min(sums), last + 1):
        known = usual.get(number * step // 3600)
        points.append(_Point(number * step, sums.get(number, 0) / 1e12, None if known is None else known * per / 1e12))
    return points


def _area(root: Xml.Element, frame: _Frame, points: Sequence[_Point], step: int) -> None:
    """Spend as steps, filled; where there are more steps than the picture has pixels, the largest of each pixel."""
    every = max(1, len(points) // _MAX_POINTS)
    path = [f"M{frame.x(points[0].at)} {frame.y(0)}"]
    for place in range(0, len(points), every):
        group = points[place : place + every]
        y = frame.y(max(point.spent for point in group))
        path.append(f"L{frame.x(group[0].at)} {y}L{frame.x(group[-1].at + step)} {y}")
    path.append(f"L{frame.x(points[-1].at + step)} {frame.y(0)}Z")
    shape = {"d": "".join(path), "fill": _SPEND, "fill-opacity": "0.25", "stroke": _SPEND, "stroke-width": "1"}
    Xml.SubElement(root, "path", shape)


def _usual_line(root: Xml.Element, frame: _Frame, points: Sequence[_Point], step: int) -> None:
    path, pen = [], "M"
    for point in points:
        if point.usual is None:
            pen = "M"
            continue
        y = frame.y(point.usual)
        path.append(f"{pen}{frame.x(point.at)} {y}L{frame.x(point.at + step)} {y}")
        pen = "L"
    if path:
        shape = {"d": "".join(path), "fill": "none", "stroke": _INK, "stroke-width": "1.2", "stroke-dasharray": "4 3"}
        Xml.SubElement(root, "path", shape)


def _band(root: Xml.Element, frame: _Frame, crossings: Sequence[Crossing]) -> None:
    """The level over time, as a band below the axis; a thin line marks each rise to orange or red."""
    y = _HEIGHT - _BOTTOM + 34
    edges = [(frame.start, "green"), *((crossing.at / 1000, crossing.after) for crossing in crossings)]
    spans = [(level, at, until) for (at, level), (until, _) in zip(edges, [*edges[1:], (frame.end, "")], strict=True)]
    for level, at, until in sorted(spans, key=lambda span: LEVELS.index(span[0])):
        # The gravest comes last and is never too narrow to be seen.
        left, right = frame.x(at), frame.x(until)
        width = max(right - left, 0.0 if level == "green" else 3.0)
        box = {"x": str(left), "y": str(y), "width": f"{width:.1f}", "height": str(_BAND), "fill": _COLOURS[level]}
        Xml.SubElement(Xml.SubElement(root, "rect", box), "title").text = f"{level} from {_iso(at)}"
    for crossing in crossings:
        if crossing.rises and LEVELS.index(crossing.after) >= 2:
            x = frame.x(crossing.at / 1000)
            _line(root, x, _TOP, x, y, _COLOURS[crossing.after], dash="2 3")
    _text(root, _LEFT - 8, y + 15, "level", anchor="end")


def _time_axis(root: Xml.Element, frame: _Frame, zone: str) -> None:
    span = frame.end - frame.start
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), _STEPS[-1])
    where = ZoneInfo(zone)
    y = _HEIGHT - _BOTTOM
    for at in _ticks(frame, step, where):
        x = frame.x(at)
        local = datetime.fromtimestamp(at, where)
        _line(root, x, y, x, y + 5, _INK)
        anchor = "start" if x < _LEFT + 30 else "end" if x > _WIDTH - _RIGHT - 30 else "middle"
        _text(root, x, y + 20, f"{local:%a %d %b}" if step >= 86400 else f"{local:%H:%M}", anchor=anchor)
    _line(root, _LEFT, y, _WIDTH - _RIGHT, y, _INK)
    days = dict.fromkeys(f"{datetime.fromtimestamp(at, where):%d %b %Y}" for at in (frame.start, frame.end))
    _text(root, _WIDTH - _RIGHT, 24, f"{' to '.join(days)}, {zone}", anchor="end", colour=_USUAL)


def _ticks(frame: _Frame, step: int, where: ZoneInfo) -> Iterator[float]:
    """Instants at which the local clock shows a multiple of the step; weeks begin on Mondays."""
    offset = datetime.fromtimestamp(frame.start, where).utcoffset()
    shift = offset.total_seconds() if offset else 0
    base = 4 * 86400 if step % 604800 == 0 else 0  # 5 January 1970 was a Monday
    at = -(-(frame.start + shift - base) // step) * step + base - shift
    while at <= frame.end:
        yield at
        at += step


def _legend(root: Xml.Element) -> None:
    y = _HEIGHT - 18
    x = float(_LEFT)
    box = {"x": str(x), "y": str(y - 11), "width": "18", "height": "12", "fill": _SPEND, "fill-opacity": "0.35"}
    Xml.SubElement(root, "rect", box)
    _text(root, x + 25, y, "spent")
    _line(root, x + 85, y - 5, x + 107, y - 5, _INK, dash="4 3")
    _text(root, x + 114, y, "usual at this hour of this weekday")
    x += 360
    for level in LEVELS:
        box = {"x": str(x), "y": str(y - 11), "width": "18", "height": "12", "fill": _COLOURS[level]}
        Xml.SubElement(root, "rect", box)
        _text(root, x + 25, y, level)
        x += 90


def _nice(most: float) -> tuple[float, list[float]]:
    """The top of the axis and its ticks: four or five of 1, 2, 2.5 or 5 times a power of ten."""
    magnitude = 10.0
    while magnitude > most / 4:
        magnitude /= 10
    while magnitude * 10 <= most / 4:
        magnitude *= 10
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor * 5 >= most)
    count = int(-(-most // step))
    return step * count, [step * number for number in range(count + 1)]


def _money(value: float, ticks: Sequence[float]) -> str:
    step, places = ticks[1], 0
    while places < 9 and abs(step * 10**places - round(step * 10**places)) > 1e-6:
        places += 1
    return f"${value:,.{places}f}"


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%MZ}"


def _line(root: Xml.Element, x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> None:
    shape = {"x1": str(x1), "y1": str(y1), "x2": str(x2), "y2": str(y2), "stroke": colour}
    Xml.SubElement(root, "line", {**shape, "stroke-dasharray": dash} if dash else shape)


def _text(
    root: Xml.Element, x: float, y: float, text: str, *, anchor: str = "start", size: str = "", weight: str = "",
    colour: str = "",
) -> None:  # fmt: skip
    extra = {"font-size": size, "font-weight": weight, "fill": colour}
    shape = {"x": str(x), "y": str(y), "text-anchor": anchor, **{key: value for key, value in extra.items() if value}}
    Xml.SubElement(root, "text", shape).text = text
