"""Sums of the ledger: recomputed, never added to, final once an hour can no longer change."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambda_function.backlog import Backlog, active_tenants, roll_up
from lambda_function.entries import windows
from lambda_function.ledger import TOKENS, counter_key, hour, record
from lambda_function.rollups import roll_day, roll_hour
from tests.table_double import TableDouble

HOUR = 3600
START = 1_795_435_200  # 2026-11-23T12:00:00Z


def put(table: TableDouble, at: float, cost: int = 5, tenant: str = "T", **changes: Any) -> dict[str, Any]:
    """A record at the instant `at`, of a tenant that reserved then."""
    values: dict[str, Any] = {
        "profile_id": "pa", "version": "v1", "model": "m", "prices": "x", "status": "ok", "latency": 1,
        "tokens": (3, 2),
    }  # fmt: skip
    item = record(tenant, str(uuid.uuid4()), at, cost=cost, **{**values, **changes})
    table.put(item)
    pk, sk = counter_key(tenant)
    table.put({"pk": pk, "sk": sk, "active": hour(at)})
    return item


def sums(table: TableDouble, kind: str) -> dict[str, dict[str, Any]]:
    return {key[1]: item for key, item in table.items.items() if key[0].startswith(kind)}


def pass_at(table: TableDouble, now: float, backlog: Backlog | None = None, calls: int = 10**6) -> Backlog:
    backlog = backlog or Backlog.read(table, now)
    left = iter([True] * calls)
    return roll_up(table, backlog, active_tenants(table, backlog.until, now), now, lambda: next(left, False))


records = st.lists(
    st.tuples(
        st.integers(0, 3 * HOUR - 1), st.sampled_from(["pa", "pb"]), st.sampled_from(["v1", "v2"]),
        st.sampled_from(["ok", "ThrottlingException"]), st.integers(0, 10**15), st.booleans(),
        st.tuples(*[st.integers(0, 10**6)] * 5),
    ),
    max_size=12,
)  # fmt: skip


@given(records)
def test_hours_and_days_are_the_sums_of_the_records(rows: list[Any]) -> None:
    table = TableDouble()
    for second, profile, version, status, cost, estimated, tokens in rows:
        put(
            table, START + second, cost, profile_id=profile, version=version, status=status, estimated=estimated,
            tokens=tokens,
        )  # fmt: skip
    for _ in range(2):
        for number in range(3):
            roll_hour(table, "T", hour(START + number * HOUR), START)
        roll_day(table, "T", "20261123", START)
    for size, kind in ((10, "H#"), (8, "D#")):
        expected: dict[tuple[str, str, str], dict[str, int]] = {}
        for second, profile, version, status, cost, estimated, tokens in rows:
            total = expected.setdefault((hour(START + second)[:size][-2:], profile, version), {})
            one = {"requests": 1, "failures": status != "ok", "estimated": estimated, "cost": cost}
            for name, value in {**one, **dict(zip(TOKENS, tokens, strict=True))}.items():
                total[name] = total.get(name, 0) + value
        found = {
            (parts[0][-2:], parts[-2], parts[-1]): item
            for item in sums(table, kind).values()
            for parts in [item["sk"].split("#")]
        }
        assert {key: {name: item.get(name, 0) for name in expected[key]} for key, item in found.items()} == expected


def test_nothing_is_written_when_nothing_changed() -> None:
    table = TableDouble()
    put(table, START)
    assert roll_hour(table, "T", "2026112312", START + 1) and roll_day(table, "T", "20261123", START + 1)
    before = len(table.writes)
    assert not roll_hour(table, "T", "2026112312", START + 2) and not roll_day(table, "T", "20261123", START + 2)
    assert len(table.writes) == before


def test_a_record_that_changes_its_version_leaves_no_ghost() -> None:
    table = TableDouble()
    item = put(table, START, 100, version="v9", estimated=True)
    roll_hour(table, "T", "2026112312", START + 1)
    roll_day(table, "T", "20261123", START + 1)
    table.put({**item, "version": "v1", "cost": 7})
    roll_hour(table, "T", "2026112312", START + 2)
    roll_day(table, "T", "20261123", START + 2)
    for kind in ("H#", "D#"):
        assert {item["sk"][-2:]: (item["requests"], item["cost"]) for item in sums(table, kind).values()} == {
            "v9": (0, 0),
            "v1": (1, 7),
        }


def test_an_older_reading_never_replaces_a_newer_one() -> None:
    table = TableDouble()
    put(table, START, 1)
    stale = TableDouble()
    stale.items = dict(table.items)
    put(table, START, 2)
    roll_hour(table, "T", "2026112312", START + 60)
    old_sources = {key: item for key, item in table.items.items() if not key[0].startswith("R#") or key in stale.items}
    slow = TableDouble()
    slow.items = old_sources
    roll_hour(slow, "T", "2026112312", START + 30)
    assert next(iter(sums(slow, "H#").values()))["cost"] == 3


def test_an_hour_is_summed_while_it_is_open_and_once_more_when_it_closes() -> None:
    table = TableDouble()
    put(table, START + 10, 1)
    pass_at(table, START + 60)
    assert sums(table, "H#")["2026112312#pa#v1"]["cost"] == 1 and sums(table, "D#")["23#T#pa#v1"]["cost"] == 1
    put(table, START + 3599, 2)
    backlog = pass_at(table, START + HOUR + 60)
    assert sums(table, "D#")["23#T#pa#v1"]["cost"] == 3 and backlog.until == START
    # A sweep's estimate and its correction come after the hour's end, but before it closes.
    put(table, START + 3599, 4)
    backlog = pass_at(table, START + HOUR + 1200)
    assert sums(table, "D#")["23#T#pa#v1"]["cost"] == 7 and backlog.until == START + HOUR


def test_a_schedule_that_stood_still_for_days_forgets_no_hour() -> None:
    table = TableDouble()
    pass_at(table, START)
    for tenant in ("A", "B"):
        for number in (0, 1, 30, 71):
            put(table, START + number * HOUR + 5, 10, tenant)
    backlog = pass_at(table, START + 80 * HOUR)
    assert backlog.until == START + 79 * HOUR
    assert sorted((sk[:5], item["cost"]) for sk, item in sums(table, "D#").items()) == [
        ("23#A#", 20), ("23#B#", 20), ("24#A#", 10), ("24#B#", 10), ("26#A#", 10), ("26#B#", 10),
    ]  # fmt: skip


def test_a_pass_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    table = TableDouble()
    pass_at(table, START)
    for tenant in "ABCDE":
        put(table, START + 5, 10, tenant)
        put(table, START + 2 * HOUR, 10, tenant)
    now, passes = START + 5 * HOUR, 0
    while Backlog.read(table, now).until < START + 4 * HOUR:
        pass_at(table, now, calls=2)
        passes += 1
    assert passes > 5
    assert {sk[:4]: item["cost"] for sk, item in sums(table, "D#").items()} == dict.fromkeys(
        ["23#A", "23#B", "23#C", "23#D", "23#E"], 20
    )


def test_reserved_tenants_stay_out_of_reports() -> None:
    table = TableDouble()
    put(table, START, 10, "_rehearsal")
    pass_at(table, START + 60)
    pass_at(table, START + 3 * HOUR)
    assert not sums(table, "H#") and not sums(table, "D#")


def test_with_many_tenants_each_has_its_turn() -> None:
    table = TableDouble()
    for number in range(520):
        put(table, START, 1, f"T{number}")
    counts = []
    for minute in (1, 2):
        pass_at(table, START + minute * 60)
        counts.append(len(sums(table, "D#")))
    assert 100 < counts[0] < 400 and counts[1] == 520


def test_active_tenants_are_those_of_the_hours_asked_for() -> None:
    table = TableDouble()
    for tenant, at in (("old", START - 2 * HOUR), ("last", START - HOUR), ("now", START), ("ahead", START + HOUR)):
        put(table, at, 1, tenant)
    assert active_tenants(table, START - HOUR, START + 60) == {"last": "2026112311", "now": "2026112312"}
    assert "ahead" in active_tenants(table, START, START + HOUR - 60)
    assert windows(START, 0).hour == "h_498732"
