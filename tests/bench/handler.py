"""CPU of the whole handler as a share of one bare boto3 `client.converse`.

    python -m tests.bench.handler

Both talk to the same fake endpoint over HTTP from the same process. `handler without counters` is authenticate,
resolve among 1,000 profiles, price, call, EMF line and reply; then come the writes: reserve and settle, and the record.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from lambda_function.alerts import Alerts
from lambda_function.calendars import Calendar
from lambda_function.counters import Counters, Settlement, Ticket
from lambda_function.dynamodb import Table
from lambda_function.gateway import Books, Gateway
from lambda_function.ledger import TOKENS
from lambda_function.limits import Demand, Policy, hold, terms
from lambda_function.snapshot import Snapshot, SnapshotReader
from lambda_function.wire import Wire
from tests.bench.endpoint import endpoint
from tests.bench.interleaved import cpu_per_call, one_processor
from tests.bench.stage import BODY, Invocation, counter_item, environment, event, profile_arn, snapshot, tenant_of

__all__ = ["BARE", "WHOLE", "WIRE", "WITHOUT_COUNTERS", "WITHOUT_RECORD", "measure"]

BARE, WIRE, WITHOUT_COUNTERS = "boto3 client.converse", "wire.call", "handler without counters"
WITHOUT_RECORD, WHOLE = "handler with reserve and settle", "handler with record too"
_PROFILES = 1000
_NUMBER = 507  # the profile that is called


class _Admitting(Counters):
    """Counters that compute what a request holds and write nothing."""

    def __init__(self) -> None:  # no table
        pass

    def reserve(
        self, tenant: str, request_id: str, profile_id: str, policy: Policy, calendar: Calendar, demand: Demand
    ) -> Ticket:
        in_force = terms({}, policy)
        held = hold(in_force, demand)
        return Ticket(
            tenant, request_id, int(time.time()), held.amount, held.tokens, held.max_tokens, b"", {}, in_force
        )

    def finish(self, ticket: Ticket, record: Mapping[str, Any]) -> Settlement:
        return Settlement(ticket.item, record["cost"] > ticket.amount, settled=True)


class _Unrecorded(Counters):
    """Counters that reserve and settle, and keep no record."""

    def finish(self, ticket: Ticket, record: Mapping[str, Any]) -> Settlement:
        return self.settle(ticket, record["cost"], sum(record.get(name, 0) for name in TOKENS))


@contextmanager
def _gateways(url: str) -> Iterator[tuple[Wire, dict[str, Gateway]]]:
    """A wire, and gateways by the names above, each with connections of its own."""
    with ExitStack() as stack:
        # Lambda's stdout is a pipe that takes each line by itself.
        sink = stack.enter_context(Path(os.devnull).open("w", buffering=1))

        def wire() -> Wire:
            return stack.enter_context(closing(Wire("us-east-1", endpoint_url=url)))

        def gateway(counters: Callable[[Table, int], Counters]) -> Gateway:
            own = wire()
            reader = SnapshotReader(own, os.environ["CONFIG_BUCKET"], os.environ["CONFIG_KEY"])

            def books_of(seen: Snapshot) -> Books:
                table = Table(own, seen.table)
                return Books(counters(table, seen.hold_seconds), Alerts(table, own), table)

            return Gateway(own, reader, books_of=books_of, write=sink.write)

        yield (
            wire(),
            {
                WITHOUT_COUNTERS: gateway(lambda table, seconds: _Admitting()),
                WITHOUT_RECORD: gateway(_Unrecorded),
                WHOLE: gateway(Counters),
            },
        )


@contextmanager
def _environment(url: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment(url))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure(blocks: int = 15, each: int = 40) -> dict[str, float]:
    """Microseconds of CPU per call, by the names above."""
    objects = {"/bucket/deployment/resolved.json": json.dumps(snapshot(_PROFILES))}
    with (
        one_processor(),
        endpoint(counter_item(tenant_of(_NUMBER)), objects) as url,
        _environment(url),
        _gateways(url) as (wire, gateways),
    ):
        asked, arn, raw = event(_NUMBER), profile_arn(_NUMBER), json.dumps(BODY).encode()
        path = f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse"
        client = boto3.client("bedrock-runtime")

        def serve(gateway: Gateway) -> None:
            answer = gateway.serve(asked, Invocation())
            assert answer["statusCode"] == 200, answer

        calls: dict[str, Callable[[], object]] = {
            BARE: lambda: client.converse(modelId=arn, **BODY),
            WIRE: lambda: wire.call("bedrock-runtime", "POST", path, raw, timeout=27.0),
        }
        for name, gateway in gateways.items():
            calls[name] = partial(serve, gateway)
        found = cpu_per_call(calls, blocks=blocks, each=each)
        client.close()
    return found


if __name__ == "__main__":
    found = measure()
    for name, cost in found.items():
        print(f"{name:32} {cost:8.0f} us  {cost / found[BARE]:.3f} of bare boto3")
