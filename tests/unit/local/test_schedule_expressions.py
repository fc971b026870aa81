"""EventBridge's rate, cron and at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lib.local.schedule_expressions import ScheduleExpression


def epoch(text: str) -> float:
    return datetime.fromisoformat(text + "+00:00").timestamp()


def fired(expression: str, first: str, last: str, zone: str = "UTC") -> list[str]:
    """The minutes of a time span (UTC) at which the expression is due; a rate counts from a minute before it."""
    schedule, found = ScheduleExpression(expression, zone), []
    for at in range(int(epoch(first)), int(epoch(last)) + 1, 60):
        if schedule.due(at - 60, at, epoch(first) - 60):
            found.append(datetime.fromtimestamp(at, UTC).strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "first", "last", "expected"),
    [
        ("cron(0/20 10 * * ? *)", "2026-11-23T10:00", "2026-11-23T11:30", ["23 10:00", "23 10:20", "23 10:40"]),
        ("cron(5,35 * ? * MON-FRI *)", "2026-11-21T00:00", "2026-11-23T01:00", ["23 00:05", "23 00:35"]),
        ("cron(0 0 L * ? *)", "2026-11-29T00:00", "2026-11-30T12:00", ["30 00:00"]),
        ("cron(0 0 ? * 2#4 *)", "2026-11-22T00:00", "2026-11-24T12:00", ["23 00:00"]),
        ("cron(0 0 ? * 6L 2026)", "2026-11-26T00:00", "2026-11-28T00:00", ["27 00:00"]),
        ("cron(0 0 15W * ? *)", "2026-11-13T00:00", "2026-11-17T00:00", ["16 00:00"]),
        ("cron(0 0 ? * 7 2027)", "2026-11-27T00:00", "2026-11-29T00:00", []),
        ("rate(5 minutes)", "2026-11-23T00:00", "2026-11-23T00:15", ["23 00:04", "23 00:09", "23 00:14"]),
        ("at(2026-11-23T00:03:00)", "2026-11-23T00:00", "2026-11-23T00:15", ["23 00:03"]),
    ],
)  # fmt: skip
def test_due(expression: str, first: str, last: str, expected: list[str]) -> None:
    assert fired(expression, first, last) == expected


def test_a_zone_moves_cron() -> None:
    assert fired("cron(30 9 * * ? *)", "2026-11-23T08:00", "2026-11-23T10:00", "Europe/Berlin") == ["23 08:30"]


def test_after_a_leap_of_the_clock_it_is_due_once() -> None:
    start = epoch("2026-11-23T00:00")
    for expression in ("rate(1 minute)", "cron(* * * * ? *)"):
        assert ScheduleExpression(expression).due(start, start + 3600, start)


@pytest.mark.parametrize(
    "bad",
    ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(5 weeks)", "cron(* * * * *)", "cron(* * * * * *)",
     "cron(60 * * * ? *)", "cron(0 0 ? * ? *)", "cron(0 0 32 * ? *)", "cron(a * * * ? *)", "cron(0 0 L-3 * ? *)",
     "cron(0/0 * * * ? *)", "5 minutes", "at(yesterday)", "cron(30-10 * * * ? *)"],
)  # fmt: skip
def test_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScheduleExpression(bad)
