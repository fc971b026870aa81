"""Finance's view of a year: 50 tenants, 3 profiles each, every day of it in the ledger's roll-ups."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from lib.items import plain, typed
from lib.reports.groups import Report, report_of
from lib.reports.page import as_page
from lib.reports.period import Period, month_of
from lib.reports.rows import read_rows
from lib.reports.text import as_csv, as_json, as_table
from tests.e2e.browser import browser, log, needs_browser

pytestmark = pytest.mark.e2e

TENANTS, PROFILES = 50, 3
YEAR = Period(date(2025, 11, 1), date(2026, 10, 31))


class Ledger:
    """The table behind boto3's shapes: Query by partition and sort key, BatchGetItem; and how often it was asked."""

    def __init__(self) -> None:
        self.partitions: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.spent: Counter[str] = Counter()
        self.calls = 0
        chosen = random.Random(5)
        for tenant in range(TENANTS):
            for number in range(PROFILES):
                self._profile(chosen, f"Tenant {tenant:02}", number, f"p{tenant:05}{number:06}")

    def _profile(self, chosen: random.Random, name: str, number: int, profile: str) -> None:
        tags = {"TenantID": name, "ApplicationID": f"App {number}"}
        version = {"pk": f"P#{profile}", "sk": "v1", "name": f"{name} {number}", "tenant": name, "tags": tags}
        self.partitions[f"P#{profile}"].append(typed(version))
        for day in YEAR.days():
            cost = chosen.randrange(10**9, 10**12) * (2 if day.weekday() < 5 else 1)
            self.spent[name] += cost
            key = {"pk": f"D#{day:%Y%m}", "sk": f"{day:%d}#{name}#{profile}#v1"}
            row = {**key, "requests": 220, "in": 42_000, "out": 7_800, "cost": cost, "model": "anthropic.x"}
            self.partitions[key["pk"]].append(typed(row))

    def pages(self, service: str, operation: str, key: str, /, **asked: Any) -> Iterator[Any]:
        """Query."""
        assert (service, operation) == ("dynamodb", "query")
        self.calls += 1
        values = plain(asked["ExpressionAttributeValues"])
        for item in self.partitions.get(values[":pk"], []):
            if values.get(":first", "") <= item["sk"]["S"] <= values.get(":last", "\U0010ffff"):
                yield item

    def read(self, service: str, operation: str, /, **asked: Any) -> dict[str, Any]:
        """BatchGetItem."""
        assert (service, operation) == ("dynamodb", "batch_get_item")
        self.calls += 1
        ((table, wanted),) = asked["RequestItems"].items()
        found = [item for key in map(plain, wanted["Keys"]) for item in self.partitions[key["pk"]]]
        return {"Responses": {table: found}}


@cache
def ledger() -> Ledger:
    """One year, made once."""
    return Ledger()


def report(period: Period, *by: str) -> Report:
    """The report over a period, as report.py makes it."""
    rows = read_rows(cast(Any, ledger()), "table", period)
    return report_of(rows, [], period, by or ("TenantID",), {}, date(2026, 11, 23))


def test_a_line_per_tenant_and_totals_exact() -> None:
    whole = report(YEAR)
    lines = list(csv.DictReader(io.StringIO(as_csv(whole))))
    expected = {name: Fraction(cost, 10**12) for name, cost in ledger().spent.items()}
    assert {line["TenantID"]: Fraction(line["cost_usd"]) for line in lines} == expected
    assert sum(line.startswith("Tenant ") for line in as_table(whole, 120)) == TENANTS
    by_application = json.loads(as_json(report(YEAR, "ApplicationID")))
    assert Fraction(by_application["total"]["cost_usd"]) == sum(expected.values())
    assert len(by_application["groups"]) == PROFILES


def test_a_month_of_a_million_requests_is_a_few_queries() -> None:
    before, began = ledger().calls, time.process_time()
    month = report(month_of(date(2026, 10, 1)))
    assert month.total.requests == 220 * TENANTS * PROFILES * 31 > 1_000_000
    assert ledger().calls - before <= 1 + 2  # a query of the month, its profile versions in batches of a hundred
    assert time.process_time() - began < 5


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1024, 1600])
def test_the_page_holds_at_three_widths(width: int, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text(as_page(report(month_of(date(2026, 10, 1)))), encoding="utf-8")
    with browser(width, 900) as driver:
        driver.get(target.as_uri())
        assert "Bedrock cost of 2026-10" in driver.title
        assert len(driver.find_elements("css selector", ".js-plotly-plot svg.main-svg")) >= 2
        assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        assert len(driver.find_elements("css selector", "tbody tr")) == TENANTS
        assert [entry for entry in log(driver, "browser") if entry["level"] == "SEVERE"] == []
