"""CPU of the whole handler as a share of one bare boto3 `client.converse`.

    python -m tests.bench.handler

Both talk to the same fake endpoint over HTTP from the same process. `handler without counters` is authenticate,
resolve among 1,000 profiles, price, call, EMF line and reply; `handler` does the three DynamoDB writes too.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lambda_function.calendars import Calendar
from lambda_function.counters import Counters, Settlement, Ticket
from lambda_function.dynamodb import Table
from lambda_function.handler import Gateway
from lambda_function.limits import Demand, Policy, hold, terms
from lambda_function.snapshot import SnapshotReader
from lambda_function.wire import Credentials, Wire
from tests.bench.endpoint import endpoint
from tests.bench.interleaved import cpu_per_call
from tests.bench.stage import BODY, Invocation, counter_item, environment, event, profile_arn, snapshot, tenant_of

__all__ = ["BARE", "WHOLE", "WIRE", "WITHOUT_COUNTERS", "measure"]

BARE, WIRE, WITHOUT_COUNTERS, WHOLE = "boto3 client.converse", "wire.call", "handler without counters", "handler"
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


@contextmanager
def _gateways(url: str) -> Iterator[tuple[Wire, Gateway, Gateway]]:
    """A wire, and a gateway without and with counters, each with connections of its own."""
    values = environment(url)
    credentials = Credentials(values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], values["AWS_SESSION_TOKEN"])
    with ExitStack() as stack:
        # Lambda's stdout is a pipe that takes each line by itself.
        sink = stack.enter_context(Path(os.devnull).open("w", buffering=1))

        def gateway(counting: bool) -> Gateway:
            wire = stack.enter_context(_wire(url, credentials))
            reader = SnapshotReader(wire, values["CONFIG_BUCKET"], values["CONFIG_KEY"])
            return Gateway(
                wire,
                reader,
                counters_of=lambda seen: (
                    Counters(Table(wire, seen.table), seen.hold_seconds) if counting else _Admitting()
                ),
                write=sink.write,
            )

        yield stack.enter_context(_wire(url, credentials)), gateway(False), gateway(True)


@contextmanager
def _wire(url: str, credentials: Credentials) -> Iterator[Wire]:
    wire = Wire("us-east-1", lambda: credentials, url)
    yield wire
    wire.close()


def measure(blocks: int = 15, each: int = 40) -> dict[str, float]:
    """Microseconds of CPU per call, by the names above."""
    objects = {"/bucket/deployment/resolved.json": json.dumps(snapshot(_PROFILES))}
    with endpoint(counter_item(tenant_of(_NUMBER)), objects) as url, _gateways(url) as (wire, without, whole):
        asked, arn, raw = event(_NUMBER), profile_arn(_NUMBER), json.dumps(BODY).encode()
        path = f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse"
        client = _client(url)

        def serve(gateway: Gateway) -> None:
            answer = gateway.serve(asked, Invocation())
            assert answer["statusCode"] == 200, answer

        return cpu_per_call(
            {
                BARE: lambda: client.converse(modelId=arn, **BODY),
                WIRE: lambda: wire.call("bedrock-runtime", "POST", path, raw, timeout=27.0),
                WITHOUT_COUNTERS: lambda: serve(without),
                WHOLE: lambda: serve(whole),
            },
            blocks=blocks,
            each=each,
        )


def _client(url: str) -> Any:
    import boto3

    values = environment(url)
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=values["AWS_SESSION_TOKEN"],
    )


if __name__ == "__main__":
    found = measure()
    for name, cost in found.items():
        print(f"{name:26} {cost:8.0f} us  {cost / found[BARE]:.3f} of bare boto3")
