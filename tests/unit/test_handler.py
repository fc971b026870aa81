"""The request path, stage by stage, between a recorded wire and recorded counters."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, cast

import pytest

from lambda_function.counters import LimitsUnavailable, Settlement, Ticket
from lambda_function.dynamodb import Unavailable
from lambda_function.gateway import Books, Gateway
from lambda_function.ledger import hour, hourly_key
from lambda_function.limits import Demand, Policy, hold, terms
from lambda_function.refusals import Refused
from lambda_function.snapshot import Snapshot, SnapshotReader
from lambda_function.wire import Reply, WireError, WireTimeout
from tests.table_double import TableDouble

REGION, NOW = "us-east-1", 1_795_000_000.0
ARN = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/abcdefghijkl"
PRICES = {"input_cost": 250_000, "output_cost": 1_250_000, "cache_read_cost": 25_000, "cache_write_cost": 300_000,
          "cache_write_1h_cost": 500_000, "tiers": {}, "long_context": []}  # fmt: skip
DOCUMENT = {
    "format": 1, "version": "1", "region": REGION, "table": "ledger", "hold_seconds": 89, "price_version": "p1",
    "keys": {"k1": {"tenant": "A", "until": None}, "old": {"tenant": "A", "until": int(NOW) - 1}},
    "tenants": {"A": {"policy": {"monthly_budget": 10**12}}}, "zones": {},
    "models": {"m": {**PRICES, "max_input_tokens": 1000, "max_output_tokens": 500}},
    "profiles": [{"name": "one", "id": "abcdefghijkl", "arn": ARN, "tenant": "A", "model": "m", "version": "v1",
                  "tags": {"TenantID": "A"}}],
}  # fmt: skip
ASKED = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
ANSWERED = {"output": {"message": {}}, "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30}}


class Context:
    """A Lambda context with 29 seconds left."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """As long as ever."""
        return 29_000


class Bedrock:
    """A wire on which S3 gives the snapshot and Bedrock what it is told to."""

    def __init__(self, document: Any, answer: Reply | WireError) -> None:
        self.document = document
        self.answer = answer
        self.calls: list[tuple[str, bytes, float]] = []

    def call(self, service: str, method: str, path: str, body: bytes = b"", **rest: Any) -> Reply:
        if service == "s3":
            return Reply(200, {"etag": "e"}, json.dumps(self.document).encode())
        self.calls.append((path, body, rest["timeout"]))
        if isinstance(self.answer, WireError):
            raise self.answer
        return self.answer


class Recorder:
    """Counters that admit everything, or refuse it, and remember."""

    def __init__(self, refusing: Exception | None = None, exceeded: bool = False) -> None:
        self.refusing = refusing
        self.exceeded = exceeded
        self.records: list[dict[str, Any]] = []
        self.demands: list[Demand] = []

    def reserve(
        self, tenant: str, request_id: str, profile_id: str, policy: Policy, calendar: Any, demand: Demand
    ) -> Ticket:
        if self.refusing:
            raise self.refusing
        self.demands.append(demand)
        in_force = terms({}, policy)
        held = hold(in_force, demand)
        return Ticket(tenant, request_id, int(NOW), held.amount, held.tokens, held.max_tokens, b"", {}, in_force)

    def finish(self, ticket: Ticket, record: dict[str, Any]) -> Settlement:
        self.records.append(record)
        return Settlement({"level": "yellow", "m_202611": record["cost"]}, self.exceeded, True)

    def peek(self, tenant: str) -> dict[str, Any]:
        return {"m_202611": 5, "level": "green"}


class Judge:
    """Alerts that always say yellow."""

    def settled(self, tenant: str, item: dict[str, Any], snapshot: Snapshot) -> str:
        return "yellow"


Served = tuple[dict[str, Any], Any, Bedrock, Recorder, list[dict[str, Any]]]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    def run(
        body: Any = ASKED, *, answer: Any = None, recorder: Recorder | None = None, key: str = "k1",
        document: Any = None, headers: dict[str, str] | None = None, path: str = "/invoke",
        table: TableDouble | None = None,
    ) -> Served:  # fmt: skip
        reply = answer or Reply(200, {}, json.dumps(ANSWERED).encode())
        wire, counters, lines = Bedrock(document or DOCUMENT, reply), recorder or Recorder(), [""]
        reader = SnapshotReader(cast(Any, wire), "b", "k", clock=lambda: NOW)
        books = Books(cast(Any, counters), cast(Any, Judge()), table or TableDouble())
        doubles: Any = {"books_of": lambda snapshot: books, "write": lines.append}
        gateway = Gateway(cast(Any, wire), reader, clock=lambda: NOW, **doubles)
        text = body if isinstance(body, str) else json.dumps(body)
        event = {"httpMethod": "POST", "resource": path, "headers": headers or {}, "body": text,
                 "requestContext": {"identity": {"apiKeyId": key}}}  # fmt: skip
        answered = gateway.serve(event, Context())
        return answered, json.loads(answered["body"]), wire, counters, [json.loads(line) for line in lines[1:]]

    yield run


def test_an_answer_is_bedrocks_own_with_its_exact_price(serve: Callable[..., Served]) -> None:
    answered, body, _, counters, (line,) = serve()
    cost = 10 * 250_000 + 20 * 1_250_000
    assert (answered["statusCode"], body) == (200, ANSWERED)
    assert Fraction(answered["headers"]["x-cost-usd"]) == Fraction(cost, 10**12)
    assert answered["headers"]["x-inference-profile"] == "one"
    assert answered["headers"]["x-alert-level"] == "yellow"
    assert Fraction(answered["headers"]["x-budget-remaining-usd"]) == 1 - Fraction(cost, 10**12)
    assert answered["headers"]["x-budget-reset"] == "2026-12-01T00:00:00+00:00"
    (record,) = counters.records
    assert (record["cost"], record["in"], record["out"], record["status"]) == (cost, 10, 20, "ok")
    assert record["prices"] == "p1"
    assert line["InputTokensCost"] + line["OutputTokensCost"] == pytest.approx(cost / 1e12, abs=0)
    assert (line["InferenceProfile"], line["TenantID"], line["InvocationSuccess"]) == ("one", "A", 1)


def test_the_call_goes_to_the_profile_with_max_tokens_and_ends_in_time(serve: Callable[..., Served]) -> None:
    _, _, wire, _, _ = serve()
    ((path, body, timeout),) = wire.calls
    assert path == f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse"
    assert json.loads(body)["inferenceConfig"]["maxTokens"] == 500  # the model's, as nobody named one
    assert timeout == 27.0


def test_a_body_that_needs_no_change_is_passed_on_to_the_byte(serve: Callable[..., Served]) -> None:
    text = '{ "messages": [], "inferenceConfig": {"maxTokens": 7}, "newerThanUs": {"x": 1.0} }'
    _, _, wire, _, _ = serve(text)
    assert wire.calls[0][1] == text.encode()


def test_unknown_fields_pass_and_are_held_at_the_models_context(serve: Callable[..., Served]) -> None:
    _, _, wire, counters, _ = serve({**ASKED, "newerThanUs": 1})
    assert json.loads(wire.calls[0][1])["newerThanUs"] == 1
    assert counters.demands[0].input_tokens == 1000


@pytest.mark.parametrize("status", [400, 403, 404, 429, 503])
def test_what_surely_did_not_run_costs_nothing(serve: Callable[..., Served], status: int) -> None:
    refused = Reply(status, {"x-amzn-errortype": "SomeException:http://"}, b'{"message":"no"}')
    answered, body, _, counters, (line,) = serve(answer=refused)
    assert (answered["statusCode"], body["error"]) == (status, {"code": "SomeException", "message": "no"})
    assert (counters.records[0]["cost"], counters.records[0]["status"]) == (0, "SomeException")
    assert "est" not in counters.records[0]
    assert line["InvocationFailure"] == 1


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Reply(408, {"x-amzn-errortype": "ModelTimeoutException"}, b"{}"), 408, "ModelTimeoutException"),
        (Reply(424, {"x-amzn-errortype": "ModelErrorException"}, b"{}"), 424, "ModelErrorException"),
        (Reply(500, {}, b"<html>"), 500, "InternalServerException"),
        (Reply(200, {}, b"not json"), 502, "InternalServerException"),
        (Reply(200, {}, b"{}"), 502, "InternalServerException"),
        (WireTimeout("late", sent=True), 504, "ModelTimeout"),
        (WireError("reset", sent=True), 503, "ServiceUnavailableException"),
    ],
)
def test_what_may_have_run_costs_all_that_was_held(
    serve: Callable[..., Served], answer: Any, status: int, code: str
) -> None:
    answered, body, _, counters, _ = serve(answer=answer)
    assert (answered["statusCode"], body["error"]["code"]) == (status, code)
    (demand,), (record,) = counters.demands, counters.records
    assert record["est"] is True
    assert record["cost"] == demand.input_cost + 500 * demand.output_price


def test_what_was_never_sent_costs_nothing(serve: Callable[..., Served]) -> None:
    answered, _, _, counters, _ = serve(answer=WireError("refused", sent=False))
    assert answered["statusCode"] == 503
    assert counters.records[0]["cost"] == 0


def test_messages_of_bedrock_lose_arns(serve: Callable[..., Served]) -> None:
    refused = Reply(400, {"x-amzn-errortype": "ValidationException"}, json.dumps({"message": f"bad {ARN}"}).encode())
    assert "arn:" not in serve(answer=refused)[0]["body"]


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"key": "nobody"}, 403, "Forbidden"),
        ({"key": "old"}, 403, "Forbidden"),
        ({"key": ""}, 403, "Forbidden"),
        ({"body": ""}, 400, "ValidationError"),
        ({"headers": {"inference-profile-id": "x"}}, 404, "ProfileNotFound"),
        ({"document": {**DOCUMENT, "models": {}}}, 503, "PriceMissing"),
        ({"document": {**DOCUMENT, "format": 2}}, 503, "ServiceUnavailable"),
        ({"body": {**ASKED, "guardrailConfig": {"guardrailIdentifier": "g"}}}, 400, "ValidationError"),
        ({"recorder": Recorder(LimitsUnavailable("gone"))}, 503, "LimitsUnavailable"),
        ({"recorder": Recorder(Refused("RateLimited", "slow", retry_after=7))}, 429, "RateLimited"),
        ({"recorder": Recorder(Refused("BudgetExceeded", "no", reset=0, remaining=5))}, 402, "BudgetExceeded"),
        ({"recorder": Recorder(Refused("TenantSuspended", "no"))}, 403, "TenantSuspended"),
    ],
)
def test_refusals_call_no_model(serve: Callable[..., Served], given: dict[str, Any], status: int, code: str) -> None:
    answered, body, wire, _, lines = serve(**given)
    assert (answered["statusCode"], body["error"]["code"]) == (status, code)
    assert body["requestId"] == answered["headers"]["x-request-id"]
    assert wire.calls == []
    assert all(line["InvocationDenied"] == 1 for line in lines)


def test_refusals_tell_when_to_come_back(serve: Callable[..., Served]) -> None:
    limited = serve(recorder=Recorder(Refused("RateLimited", "slow", retry_after=7)))[0]
    spent = serve(recorder=Recorder(Refused("BudgetExceeded", "no", reset=1_796_083_200, remaining=5)))[0]
    assert limited["headers"]["retry-after"] == "7"
    assert spent["headers"]["x-budget-remaining-usd"] == "0.000000000005"
    assert spent["headers"]["x-budget-reset"] == "2026-12-01T00:00:00+00:00"


def test_a_reply_dearer_than_its_reservation_raises_the_operators_metric(serve: Callable[..., Served]) -> None:
    (line,) = serve(recorder=Recorder(exceeded=True))[4]
    assert line["ReservationExceeded"] == 1
    assert [[]] in [directive["Dimensions"] for directive in line["_aws"]["CloudWatchMetrics"]]


def test_usage_is_the_tenants_own(serve: Callable[..., Served]) -> None:
    body = serve(path="/usage")[1]
    assert (body["tenant"], body["budgets"]["month"]["spent_usd"]) == ("A", "0.000000000005")
    (profile,) = body["profiles"]
    nothing = {"spent_usd": "0", "requests": 0}
    assert (profile["name"], profile["month"], profile["day"]) == ("one", nothing, nothing)


def test_usage_tells_what_each_profile_spent(serve: Callable[..., Served]) -> None:
    table = TableDouble()
    yesterday = NOW - 86400
    own = "abcdefghijkl"
    for at, profile, cost in (
        (NOW - 40 * 86400, own, 100),
        (yesterday, own, 3),
        (NOW, own, 4),
        (NOW - 60, own, 5),
        (yesterday, "old", 7),
    ):
        pk, sk = hourly_key("A", hour(at), profile, f"v{at:.0f}")
        table.put({"pk": pk, "sk": sk, "cost": cost, "requests": 1, "model": "m0"})
    one, old = serve(path="/usage", table=table)[1]["profiles"]
    assert one["month"] == {"spent_usd": "0.000000000012", "requests": 3}
    assert one["day"] == {"spent_usd": "0.000000000009", "requests": 2}
    assert (old["name"], old["id"], old["model"], old["month"]["requests"]) == (None, "old", "m0", 1)


def test_usage_out_of_reach_is_503(serve: Callable[..., Served]) -> None:
    def away(operation: str, phase: str) -> None:
        raise Unavailable("away", sent=False)

    table = TableDouble()
    table.interrupt = away
    answered, body = serve(path="/usage", table=table)[:2]
    assert (answered["statusCode"], body["error"]["code"]) == (503, "LimitsUnavailable")


def test_a_request_keeps_its_prices_whatever_the_next_snapshot_says() -> None:
    first = Snapshot(DOCUMENT)
    assert first.models["m"]["input_cost"] == 250_000
    assert first.policy("A").monthly_budget == 10**12
