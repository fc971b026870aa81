"""One tenant, one container, and a network between it and the table."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from lambda_function.calendars import UTC, Calendar
from lambda_function.counters import Counters, Ticket
from lambda_function.entries import windows
from lambda_function.ledger import counter_key, record
from lambda_function.limits import Demand, Policy
from lambda_function.refusals import Refused
from tests.table_double import TableDouble
from tests.unreliable_table import UnreliableTable

__all__ = ["DEMAND", "FREE", "KEY", "LIMITED", "OWN", "START", "Scene"]

START = 1_795_437_296.0
KEY = counter_key("T")
OWN = windows(int(START), 0)
DEMAND = Demand(100, 1000, 10, max_tokens=100)  # holds 2,000 pico-USD and 200 tokens
FREE = Policy()
LIMITED = Policy(monthly_budget=10**6)


class Scene:
    """One tenant and one container; `store` is the table's content, `table` the network before it."""

    def __init__(self) -> None:
        self.store = TableDouble()
        self.table = UnreliableTable(self.store)
        self.now = START
        self.counters = self.container()

    def container(self) -> Counters:
        return Counters(self.table, 89, clock=lambda: self.now)

    def reserve(self, policy: Policy = FREE, demand: Demand = DEMAND, calendar: Calendar = UTC) -> Ticket:
        return self.counters.reserve("T", str(uuid.uuid4()), "abcdefghijkl", policy, calendar, demand)

    def refused(self, policy: Policy = FREE, demand: Demand = DEMAND) -> Refused:
        with pytest.raises(Refused) as caught:
            self.reserve(policy, demand)
        return caught.value

    def record(self, ticket: Ticket, cost: int, **more: Any) -> dict[str, Any]:
        return record(
            "T", ticket.request_id, ticket.start, profile_id="abcdefghijkl", version="v", model="m", cost=cost,
            prices="p", status="ok", latency=1, tokens=(50, 20), **more,
        )  # fmt: skip

    def set(self, **attributes: Any) -> None:
        """What an operator or the levels change, counted up as they must."""
        item = self.store.items.setdefault(KEY, {"pk": KEY[0], "sk": KEY[1]})
        if isinstance(attributes.get("policy"), Policy):
            attributes["policy"] = json.dumps(attributes["policy"].to_json())
        item.update(attributes, pv=item.get("pv", 0) + 1)

    @property
    def item(self) -> dict[str, Any]:
        return self.store.items[KEY]
