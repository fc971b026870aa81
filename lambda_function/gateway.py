"""The request path: authenticate, resolve, price, reserve, call, record, settle, judge, reply."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from lambda_function.alerts import Alerts
from lambda_function.bounds import input_bound, unboundable
from lambda_function.converse import Outcome, converse
from lambda_function.counters import Counters, LimitsUnavailable, Settlement, Ticket
from lambda_function.dynamodb import Table, Unavailable
from lambda_function.ledger import record
from lambda_function.limits import Demand, Policy
from lambda_function.metrics import denied_line, request_line
from lambda_function.money import usd
from lambda_function.pricing import Cost, cost_of, dearest
from lambda_function.refusals import Refused
from lambda_function.request import Refusal, Request, answer, converse_body, request_of
from lambda_function.resolve import Profile
from lambda_function.snapshot import Snapshot, SnapshotReader, SnapshotUnavailable
from lambda_function.standing import budget_left, usage
from lambda_function.usage import Usage, usage_of
from lambda_function.wire import Wire

__all__ = ["Books", "Context", "Gateway", "refused"]

# What record, settle and reply need of the function's time after the model has answered.
_SECONDS_AFTER = 2.0
_STATUS = {"BudgetExceeded": 402, "RateLimited": 429, "TenantSuspended": 403, "ValidationError": 400}
_FREE = Cost(0, 0, 0)


class Books(NamedTuple):
    """What works on the table of one deployment."""

    counters: Counters
    alerts: Alerts
    table: Table


class Context(Protocol):
    """What Lambda tells of an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended."""


class _Call:
    """One request on its way, with what is known of it so far."""

    __slots__ = ("began", "body", "context", "exact", "profile", "row", "snapshot", "tenant", "text")

    snapshot: Snapshot
    profile: Profile
    row: Mapping[str, Any]
    body: dict[str, Any]
    text: str
    exact: bool  # `text` is `body` to the character

    def __init__(self, context: Context, began: float) -> None:
        self.context = context
        self.began = began
        self.tenant = ""

    @property
    def request_id(self) -> str:
        """Lambda's own id: nothing from the caller is ever an idempotency key."""
        return self.context.aws_request_id

    @property
    def profile_name(self) -> str | None:
        """None before the profile is resolved."""
        profile: Profile | None = getattr(self, "profile", None)
        return profile.name if profile else None


class Gateway:
    """Serves requests. `books_of` makes what works on a snapshot's table, `write` takes the metrics line."""

    def __init__(
        self,
        wire: Wire,
        reader: SnapshotReader,
        *,
        books_of: Callable[[Snapshot], Books],
        clock: Callable[[], float] = time.time,
        write: Callable[[str], Any] = sys.stdout.write,
    ) -> None:
        self._wire = wire
        self._reader = reader
        self._clock = clock
        self._write = write
        self._books_of = books_of
        self._books: tuple[tuple[str, int], Books] | None = None

    def serve(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The answer to one proxy event."""
        call = _Call(context, self._clock())
        try:
            request = request_of(event)
            self._authenticate(call, request)
            if request.path == "/usage":
                return self._usage(call)
            self._prepare(call, request)
            return self._invoke(call)
        except Refusal as refusal:
            if call.tenant:
                about = {"request_id": call.request_id, "status": refusal.code}
                self._write(denied_line(self._clock(), call.tenant, call.profile_name, about))
            return refused(refusal, call.request_id)

    def _authenticate(self, call: _Call, request: Request) -> None:
        """The key alone decides who the tenant is. API Gateway has checked that it exists."""
        try:
            call.snapshot = self._reader.current()
            key = call.snapshot.key(request.key_id)
            if key is None and request.key_id:
                call.snapshot = self._reader.newest()
                key = call.snapshot.key(request.key_id)
        except SnapshotUnavailable:
            raise Refusal(503, "ServiceUnavailable", "The configuration cannot be read at this moment.") from None
        if key is None or (key.until is not None and self._clock() >= key.until):
            raise Refusal(403, "Forbidden", "The API key is not valid.")
        call.tenant = key.tenant

    def _prepare(self, call: _Call, request: Request) -> None:
        """Body, profile and price. Nothing costs anything yet."""
        call.body, call.exact = converse_body(request.body)
        call.text = request.body
        try:
            call.profile = call.snapshot.resolver.resolve(call.tenant, request.headers)
        except Refusal as refusal:
            # It may be newer than what this container has read.
            newest = self._reader.newest() if refusal.status == 404 else call.snapshot
            if newest is call.snapshot:
                raise
            call.snapshot = newest
            call.profile = newest.resolver.resolve(call.tenant, request.headers)
        row = call.snapshot.models.get(call.profile.model)
        if row is None:
            raise Refusal(503, "PriceMissing", "The price of this profile's model is not known.")
        call.row = row
        field = unboundable(call.body) if call.snapshot.policy(call.tenant).budgeted else None
        if field is not None:
            raise Refusal(
                400, "ValidationError", f"{field} cannot be used by a tenant with a budget: its cost has no bound."
            )

    def _invoke(self, call: _Call) -> dict[str, Any]:
        counters, alerts, _ = self._books_for(call.snapshot)
        ticket = self._reserved(call, counters)
        sent = _sent(call, ticket.max_tokens)
        timeout = call.context.get_remaining_time_in_millis() / 1000 - _SECONDS_AFTER
        started = self._clock()
        outcome = converse(self._wire, call.profile.arn, sent, timeout)
        latency = int(1000 * (self._clock() - started))
        used, cost, item = _accounted(call, ticket, outcome, latency)
        settlement = counters.finish(ticket, item)
        level = alerts.settled(call.tenant, settlement.item, call.snapshot)
        now = self._clock()
        about = {"request_id": call.request_id, "model": call.profile.model, "status": outcome.code}
        line = request_line(
            now, tenant=call.tenant, profile=call.profile.name, usage=used, cost=cost, latency=latency,
            succeeded=outcome.status == 200, level=level, exceeded=settlement.exceeded, about=about,
        )  # fmt: skip
        self._write(line)
        headers = _headers(call, ticket, settlement, cost, level, now)
        if outcome.status == 200:
            return answer(200, outcome.text, call.request_id, headers)
        return refused(Refusal(outcome.status, outcome.code, outcome.message, headers), call.request_id)

    def _reserved(self, call: _Call, counters: Counters) -> Ticket:
        """A ticket for the request's worst case. Raises Refusal where a limit forbids it."""
        row, config = call.row, call.body.get("inferenceConfig") or {}
        bound = input_bound(call.body, row.get("max_input_tokens"))
        rates = dearest(row, bound.tokens, _asked_tier(call.body), bound.caches)
        demand = Demand(
            bound.tokens,
            bound.tokens * rates.input,
            rates.output,
            config.get("maxTokens"),
            row.get("max_output_tokens"),
            bound.proven,
        )
        snapshot, tenant = call.snapshot, call.tenant
        try:
            return counters.reserve(
                tenant, call.request_id, call.profile.id, snapshot.policy(tenant), snapshot.calendar(tenant), demand
            )
        except Refused as refused:
            raise Refusal(_STATUS[refused.code], refused.code, refused.message, _limit_headers(call, refused)) from None
        except LimitsUnavailable as problem:
            raise Refusal(503, "LimitsUnavailable", str(problem)) from None

    def _books_for(self, snapshot: Snapshot) -> Books:
        kept = (snapshot.table, snapshot.hold_seconds)
        if self._books is None or self._books[0] != kept:
            self._books = (kept, self._books_of(snapshot))
        return self._books[1]

    def _usage(self, call: _Call) -> dict[str, Any]:
        """GET /usage: the tenant's own numbers."""
        from lambda_function.profile_spend import profile_spend  # most containers are never asked

        snapshot, tenant, now = call.snapshot, call.tenant, self._clock()
        calendar, books = snapshot.calendar(tenant), self._books_for(snapshot)
        try:
            item = books.counters.peek(tenant)
            profiles = profile_spend(books.table, tenant, snapshot.resolver.profiles_of(tenant), calendar, now)
        except (LimitsUnavailable, Unavailable):
            raise Refusal(503, "LimitsUnavailable", "The counters cannot be reached.") from None
        text = (item or {}).get("policy")
        policy = Policy.from_json(json.loads(text)) if text else snapshot.policy(tenant)
        body = {**usage(tenant, item, policy, calendar, now), "profiles": profiles}
        return answer(200, json.dumps(body), call.request_id)


def _sent(call: _Call, max_tokens: int) -> bytes:
    """The body to send: the caller's own bytes, unless maxTokens has to be set."""
    config = call.body.get("inferenceConfig") or {}
    text = call.text
    if not call.exact or config.get("maxTokens") != max_tokens:
        body = {**call.body, "inferenceConfig": {**config, "maxTokens": max_tokens}}
        text = json.dumps(body, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _asked_tier(body: Mapping[str, Any]) -> str | None:
    asked = body.get("serviceTier")
    tier = asked.get("type") if isinstance(asked, dict) else None
    return tier if isinstance(tier, str) else None


def _accounted(call: _Call, ticket: Ticket, outcome: Outcome, latency: int) -> tuple[Usage, Cost, dict[str, Any]]:
    """Usage, cost and record of an outcome: exact, nothing, or the full reservation where nobody knows."""
    tier, estimated, used, cost = "", False, Usage(), _FREE
    if outcome.reply is not None:
        tier = _asked_tier(outcome.reply) or ""
        used = usage_of(outcome.reply["usage"])
        cost = cost_of(call.row, used, tier or "default")
    elif outcome.ran:
        estimated, cost = True, Cost(ticket.amount, 0, 0, True)
    item = record(
        call.tenant, call.request_id, ticket.start, profile_id=call.profile.id, version=call.profile.version,
        model=call.profile.model, cost=cost.total, prices=call.snapshot.price_version, status=outcome.code,
        latency=latency, tokens=used, tier="" if tier == "default" else tier, estimated=estimated,
    )  # fmt: skip
    return used, cost, item


def _headers(call: _Call, ticket: Ticket, settlement: Settlement, cost: Cost, level: str, now: float) -> dict[str, str]:
    headers = {
        "x-inference-profile": call.profile.name,
        "x-cost-usd": usd(cost.total),
        "x-alert-level": level,
    }
    calendar = call.snapshot.calendar(call.tenant)
    left = budget_left(ticket.terms.policy, settlement.item, calendar, now)
    if left is not None:
        headers["x-budget-remaining-usd"] = usd(left[0])
        headers["x-budget-reset"] = calendar.iso(left[1])
    return headers


def _limit_headers(call: _Call, refused: Refused) -> dict[str, str]:
    headers = {"x-inference-profile": call.profile.name}
    if refused.retry_after is not None:
        headers["retry-after"] = str(refused.retry_after)
    if refused.remaining is not None:
        headers["x-budget-remaining-usd"] = usd(refused.remaining)
    if refused.reset is not None:
        headers["x-budget-reset"] = call.snapshot.calendar(call.tenant).iso(refused.reset)
    return headers


def refused(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The proxy answer of a refusal, in the shape that all errors have."""
    body = {"error": {"code": refusal.code, "message": refusal.message}, "requestId": request_id}
    return answer(refusal.status, json.dumps(body), request_id, refusal.headers)
