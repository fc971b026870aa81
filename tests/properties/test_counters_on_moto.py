"""The counters through the real table over HTTP: the same model, many callers at once, and the double beside it."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import boto3
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from moto.server import ThreadedMotoServer

from lambda_function.calendars import UTC
from lambda_function.counters import Counters
from lambda_function.dynamodb import ConditionFailed, Key, Table
from lambda_function.entries import windows
from lambda_function.ledger import counter_key, record
from lambda_function.limits import Demand, Policy
from lambda_function.refusals import Refused
from lambda_function.statements import Statement
from lambda_function.wire import Credentials, Wire
from lib.local import atomic_writes
from tests.properties.counters_machine import CountersMachine
from tests.table_double import TableDouble

NOW = 1_795_437_296.0
OWN = windows(int(NOW), 0)
CALLERS = 24


@pytest.fixture(scope="module")
def make_table() -> Iterator[Callable[[], Table]]:
    """Makes empty tables, each call over a connection of its own thread."""
    atomic_writes.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url, count = f"http://{host}:{port}", itertools.count()
    client = boto3.client("dynamodb", "us-east-1", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b")
    with closing(Wire("us-east-1", lambda: Credentials("a", "b", None), url)) as wire:

        def made() -> Table:
            name = f"table-{next(count)}"
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
            )
            return Table(wire, name)

        yield made
    client.close()
    server.stop()


class Twin(TableDouble):
    """The double and the real table at once: every answer must be the same."""

    def __init__(self, real: Table) -> None:
        super().__init__()
        self.real = real

    def update(self, key: Key, expression: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._same(super().update, self.real.update, key, expression, **more)
        return answer

    def execute(self, statement: Statement, key: Key, values: Any, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._same(super().execute, self.real.execute, statement, key, values, **more)
        return answer

    def put(self, item: Mapping[str, Any], **more: Any) -> None:
        self._same(super().put, self.real.put, item, **more)

    def _same(self, double: Callable[..., Any], real: Callable[..., Any], *args: Any, **more: Any) -> Any:
        outcomes: list[tuple[str, Any]] = []
        for call in (double, real):
            try:
                outcomes.append(("done", call(*args, **more)))
            except ConditionFailed as refused:
                outcomes.append(("refused", refused.item))
        assert outcomes[0] == outcomes[1]
        kind, answer = outcomes[0]
        if kind == "refused":
            raise ConditionFailed(answer)
        return answer


def test_the_model_holds_on_dynamodb_and_the_double_is_no_different(make_table: Callable[[], Table]) -> None:
    class OnMoto(CountersMachine):
        def make_table(self) -> Table:
            return Twin(make_table())

    run_state_machine_as_test(OnMoto, settings=settings(max_examples=12, stateful_step_count=40, deadline=None))


def in_threads(table: Table, count: int, act: Callable[[Counters, int], None]) -> Counter[str]:
    """Every caller is a container of its own. Codes of what was refused, and how many were not."""
    outcomes: Counter[str] = Counter()
    barrier = threading.Barrier(CALLERS)

    def caller(number: int) -> None:
        counters = Counters(table, 89, clock=lambda: NOW)
        barrier.wait()
        for turn in range(number, count, CALLERS):
            try:
                act(counters, turn)
                outcomes["admitted"] += 1
            except Refused as refused:
                outcomes[refused.code] += 1

    with ThreadPoolExecutor(CALLERS) as pool:
        for future in [pool.submit(caller, number) for number in range(CALLERS)]:
            future.result()
    return outcomes


def item_of(table: Table) -> dict[str, Any]:
    found = table.get(counter_key("T"))
    assert found is not None
    return found


def reserve(counters: Counters, policy: Policy, demand: Demand) -> Any:
    return counters.reserve("T", str(uuid.uuid4()), "abcdefghijkl", policy, UTC, demand)


@pytest.mark.parametrize("over_budget", ["reject", "clamp"])
def test_callers_at_the_edge_of_a_budget_never_cross_it(make_table: Callable[[], Table], over_budget: str) -> None:
    table, policy = make_table(), Policy(monthly_budget=100_000, max_concurrent_requests=500, over_budget=over_budget)
    spent: list[int] = []

    def act(counters: Counters, turn: int) -> None:
        ticket = reserve(counters, policy, Demand(10, 1000 + turn, 7, max_tokens=300 + turn))
        cost = ticket.amount * (turn % 4 + 1) // 4
        assert item_of(table)[OWN.month] <= 100_000
        assert counters.settle(ticket, cost, 5).settled
        spent.append(cost)

    outcomes = in_threads(table, 6 * CALLERS, act)
    assert outcomes["admitted"] == len(spent) and outcomes["admitted"] + outcomes["BudgetExceeded"] == 6 * CALLERS
    assert item_of(table)[OWN.month] == sum(spent) <= 100_000
    assert "inflight" not in item_of(table)
    # What is left can still be used, down to less than one small request.
    small = Demand(1, 100, 1, max_tokens=64)
    counters = Counters(table, 89, clock=lambda: NOW)
    with suppress(Refused):
        while True:
            counters.settle(reserve(counters, policy, small), 164, 1)
    assert 100_000 - 164 < item_of(table)[OWN.month] <= 100_000


def test_exactly_so_many_requests_pass_in_a_minute(make_table: Callable[[], Table]) -> None:
    table, policy = make_table(), Policy(requests_per_minute=20, max_concurrent_requests=500)
    outcomes = in_threads(
        table, 100, lambda counters, turn: counters.cancel(reserve(counters, policy, Demand(1, 1, 1, 1))) and None
    )
    assert outcomes == {"admitted": 20, "RateLimited": 80}


def test_no_more_run_at_once_than_may(make_table: Callable[[], Table]) -> None:
    table, policy = make_table(), Policy(max_concurrent_requests=5)
    outcomes = in_threads(table, 48, lambda counters, turn: reserve(counters, policy, Demand(1, 1, 1, 1)) and None)
    assert outcomes == {"admitted": 5, "RateLimited": 43} and len(item_of(table)["inflight"]) == 5


def test_one_ticket_settled_by_many_counts_once(make_table: Callable[[], Table]) -> None:
    table = make_table()
    ticket = reserve(Counters(table, 89, clock=lambda: NOW), Policy(), Demand(10, 1000, 7, max_tokens=100))
    paid = record(
        "T", ticket.request_id, ticket.start, profile_id="p", version="v", model="m", cost=600, prices="x",
        status="ok", latency=1, tokens=(5, 5),
    )  # fmt: skip
    settled: list[bool] = []
    in_threads(table, CALLERS, lambda counters, turn: settled.append(counters.finish(ticket, paid).settled))
    assert Counter(settled) == {True: 1, False: CALLERS - 1}
    assert {name: item_of(table)[name] for name in (OWN.month, OWN.hour, OWN.tokens)} == {
        OWN.month: 600, OWN.hour: 600, OWN.tokens: 10,
    }  # fmt: skip
