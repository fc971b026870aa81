"""Windows in a tenant's zone, with the standard library's zoneinfo as the judge."""

from __future__ import annotations

import json
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_function.calendars import UTC, Calendar, civil, days_from_civil
from lib.zones import zone_table

NOW = int(datetime(2026, 11, 23, tzinfo=UTC_ZONE).timestamp())
# Both sides of the date line, half and quarter hours, changes at midnight, half-hour and two-hour summer time, summer
# time that is a step back (Casablanca), none at all.
ZONES = [
    "UTC", "Pacific/Kiritimati", "Pacific/Apia", "Pacific/Pago_Pago", "Pacific/Chatham", "Asia/Kolkata",
    "Asia/Kathmandu", "Australia/Adelaide", "Australia/Lord_Howe", "America/St_Johns", "America/New_York",
    "America/Santiago", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Europe/Berlin",
    "Europe/Dublin", "Atlantic/Azores", "Antarctica/Troll",
]  # fmt: skip
INSTANTS = st.integers(NOW - 400 * 86400, NOW + 3650 * 86400)


@cache
def calendar(zone: str) -> Calendar:
    return Calendar.from_zones(zone, json.loads(json.dumps({zone: zone_table(zone, NOW)})))


def local(zone: str, at: int) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(zone))


def instant(zone: str, year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=ZoneInfo(zone)).timestamp())


@given(st.sampled_from(ZONES), INSTANTS)
def test_a_zone_is_what_zoneinfo_says(zone: str, at: int) -> None:
    here, there = calendar(zone), local(zone, at)
    offset = there.utcoffset()
    assert offset is not None and here.offset(at) == offset.total_seconds()
    assert here.date(at) == (there.year, there.month, there.day)
    assert here.hour_of_week(at) == there.weekday() * 24 + there.hour
    assert here.iso(at) == there.isoformat()


@given(st.sampled_from(sorted(available_timezones())), st.lists(INSTANTS, min_size=20, max_size=20))
def test_every_zone_has_a_table(zone: str, instants: list[int]) -> None:
    here = calendar(zone)
    for at in instants:
        assert timedelta(seconds=here.offset(at)) == local(zone, at).utcoffset()


@given(st.sampled_from(ZONES), INSTANTS)
def test_a_window_is_one_unbroken_date(zone: str, at: int) -> None:
    here = calendar(zone)
    day = local(zone, at).date()
    start, end = here.day_start(at), here.day_end(at)
    assert start <= at < end
    assert local(zone, start).date() == day and local(zone, start - 1).date() < day
    assert local(zone, end).date() > day and all(local(zone, t).date() <= day for t in range(at, end, 900))
    assert 22 * 3600 <= end - start <= 26 * 3600

    month = day.replace(day=1)
    start, end = here.month_start(at), here.month_end(at)
    assert start <= at < end
    assert local(zone, start).date() == month and local(zone, start - 1).date() < month
    assert local(zone, end).date() == (month + timedelta(days=32)).replace(day=1)
    assert local(zone, end - 1).date() < local(zone, end).date()


@given(st.integers(-800_000, 3_000_000).filter(lambda days: -719_162 <= days <= 2_932_896))
@example(days_from_civil(2000, 2, 29))
@example(days_from_civil(2100, 3, 1) - 1)
def test_civil_days_are_the_standard_librarys(days: int) -> None:
    there = date(1970, 1, 1) + timedelta(days=days)
    assert civil(days) == (there.year, there.month, there.day)
    assert days_from_civil(*civil(days)) == days


@pytest.mark.parametrize(
    ("zone", "at", "day_hours", "day_end"),
    [
        ("Europe/Berlin", (2026, 3, 29, 12), 23, "2026-03-30T00:00:00+02:00"),
        ("Europe/Berlin", (2026, 10, 25, 12), 25, "2026-10-26T00:00:00+01:00"),
        ("America/New_York", (2027, 3, 14, 1), 23, "2027-03-15T00:00:00-04:00"),
        ("Australia/Lord_Howe", (2026, 10, 4, 12), 23.5, "2026-10-05T00:00:00+11:00"),
        ("America/Santiago", (2027, 9, 4, 12), 24, "2027-09-05T01:00:00-03:00"),  # midnight itself is skipped
        ("Africa/Cairo", (2026, 4, 23, 12), 24, "2026-04-24T01:00:00+03:00"),
        ("Asia/Kolkata", (2026, 11, 23, 0), 24, "2026-11-24T00:00:00+05:30"),
        ("Pacific/Kiritimati", (2026, 12, 31, 23), 24, "2027-01-01T00:00:00+14:00"),
        ("Pacific/Pago_Pago", (2028, 2, 28, 12), 24, "2028-02-29T00:00:00-11:00"),
    ],
)
def test_days_that_are_not_like_others(
    zone: str, at: tuple[int, int, int, int], day_hours: float, day_end: str
) -> None:
    here, moment = calendar(zone), instant(zone, *at)
    assert here.iso(here.day_end(moment)) == day_end
    assert here.day_end(moment) - here.day_start(moment) == day_hours * 3600


def test_a_leap_february_has_29_days() -> None:
    february = calendar("Asia/Kathmandu")
    at = instant("Asia/Kathmandu", 2028, 2, 10)
    assert february.month_end(at) - february.month_start(at) == 29 * 86400
    assert february.iso(february.month_end(at)) == "2028-03-01T00:00:00+05:45"


def test_a_date_that_was_skipped_has_no_window() -> None:
    samoa = Calendar("Pacific/Apia", **zone_table("Pacific/Apia", instant("UTC", 2012, 6, 1)))
    at = instant("Pacific/Apia", 2011, 12, 29, 12)
    assert samoa.iso(samoa.day_end(at)) == "2011-12-31T00:00:00+14:00"
    assert samoa.iso(samoa.day_start(samoa.day_end(at))) == "2011-12-31T00:00:00+14:00"
    assert samoa.iso(samoa.month_end(at)) == "2012-01-01T00:00:00+14:00"


def test_a_midnight_that_comes_twice_ends_the_day_at_the_first() -> None:
    # St. John's changed at one minute past midnight until 2011: the date goes 6th, 7th for a minute, 6th again, 7th.
    st_johns = Calendar("America/St_Johns", **zone_table("America/St_Johns", instant("UTC", 2011, 1, 1)))
    evening = instant("America/St_Johns", 2010, 11, 6, 22)
    assert st_johns.iso(st_johns.day_end(evening)) == "2010-11-07T00:00:00-02:30"
    again = st_johns.day_end(evening) + 120
    assert st_johns.date(again) == (2010, 11, 6)
    assert st_johns.iso(st_johns.day_end(again)) == "2010-11-07T00:00:00-03:30"


def test_utc_needs_no_table() -> None:
    assert Calendar.from_zones("UTC", {}) is UTC
    with pytest.raises(KeyError):
        Calendar.from_zones("Europe/Berlin", {})


def test_a_table_stays_the_same_for_a_year() -> None:
    assert zone_table("Europe/Berlin", NOW) == zone_table("Europe/Berlin", NOW - 300 * 86400)
    table = zone_table("Europe/Berlin", NOW)
    instants = [at for at, _ in table["transitions"]]
    assert instants[0] < NOW - 396 * 86400 and instants[-1] > NOW + 3600 * 86400 and instants == sorted(instants)
