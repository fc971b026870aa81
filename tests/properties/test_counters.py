"""No interleaving, crash or lost reply takes a counter above a limit, settles twice or loses anything."""

from __future__ import annotations

from hypothesis import settings

from lambda_function.dynamodb import Table
from tests.properties.counters_machine import CountersMachine
from tests.table_double import TableDouble


class InMemory(CountersMachine):
    def make_table(self) -> Table:
        return TableDouble()


TestCounters = InMemory.TestCase
TestCounters.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
