"""The ledger beside what AWS itself counted: per profile, in tokens and dollars, with what explains a difference.

Four sources, none derived from another: the request records, the daily roll-ups made from them, the metrics that the
function emitted (namespace BedrockInvocationTracing) and Bedrock's own metrics (namespace AWS/Bedrock). Cost Explorer
is the fifth where the profile tag is active for billing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from lambda_function.money import usd
from lib.aws import Aws
from lib.config import Config
from lib.names import names_of
from lib.reports.period import Period
from lib.reports.rows import KINDS, read_rows
from lib.reports.sources import BEDROCK_METRICS, billed_costs, metric_sums, record_sums
from lib.state import State

__all__ = ["Line", "Reconciliation", "reconciliation"]


class Line(NamedTuple):
    """One profile. Counts have the keys requests, in, out, cr, cw; money is pico-USD; `billed` None where unknown."""

    profile: str
    ledger: dict[str, int]
    bedrock: dict[str, int]
    gateway_requests: int
    rolled_up: int
    cost: int
    billed: int | None
    rehearsed: int
    rehearsed_cost: int
    fresh: int
    estimated: int
    duplicates: int
    price_versions: tuple[str, ...]

    @property
    def tokens_off(self) -> int:
        """Tokens in the ledger less tokens that Bedrock counted."""
        return sum(self.ledger[kind] - self.bedrock[kind] for kind in BEDROCK_METRICS if kind != "requests")

    @property
    def unsummed(self) -> int:
        """Pico-USD in the records less those in the roll-ups, which leave the rehearsal out."""
        return self.cost - self.rehearsed_cost - self.rolled_up

    @property
    def rolled_off(self) -> int:
        """Pico-USD by which roll-ups and records differ, but for what may not be summed up yet."""
        return 0 if 0 <= self.unsummed <= self.fresh else -self.unsummed

    @property
    def percent_off(self) -> float:
        """The larger of the differences in tokens and in dollars, in percent of AWS's own number."""
        counted = sum(self.bedrock[kind] for kind in BEDROCK_METRICS if kind != "requests")
        absolute = sum(abs(self.ledger[kind] - self.bedrock[kind]) for kind in BEDROCK_METRICS if kind != "requests")
        by_tokens = 100 * absolute / counted if counted else (100.0 if absolute else 0.0)
        if self.ledger["requests"] != self.bedrock["requests"]:
            by_tokens = max(by_tokens, 100 / max(1, self.bedrock["requests"]))
        rolled = 100 * abs(self.rolled_off) / self.cost if self.cost else (100.0 if self.rolled_off else 0.0)
        if self.billed is None:
            return max(by_tokens, rolled)
        by_cost = 100 * abs(self.cost - self.billed) / self.billed if self.billed else (100.0 if self.cost else 0.0)
        return max(by_tokens, rolled, by_cost)

    def reasons(self) -> Iterator[str]:
        """What explains the difference, the gravest first."""
        around = self.bedrock["requests"] - max(self.gateway_requests, self.ledger["requests"])
        if around > 0:
            yield f"{around} call(s) went round the gateway: money nobody metered"
        missing = min(self.gateway_requests, self.bedrock["requests"]) - self.ledger["requests"]
        if missing > 0:
            yield f"{missing} request(s) that the gateway answered are missing from the ledger, or not yet settled"
        surplus = self.ledger["requests"] - max(self.bedrock["requests"], self.gateway_requests)
        if self.duplicates:
            yield f"{self.duplicates} record(s) stand twice in the ledger"
        elif surplus > 0:
            yield f"{surplus} record(s) more than Bedrock counted calls: recorded twice, or Bedrock's metrics are late"
        if self.estimated:
            yield f"{self.estimated} request(s) of unknown outcome stand at their full reservation"
        if self.rolled_off:
            yield f"roll-ups and records differ by {usd(self.rolled_off)} USD"
        elif self.unsummed:
            yield f"{usd(self.unsummed)} USD of the last minutes are not in the roll-ups yet"
        if self.rehearsed:
            yield f"{self.rehearsed} request(s) for {usd(self.rehearsed_cost)} USD were setup's rehearsal: in no report"
        if self.billed not in (None, self.cost) and not self.tokens_off:
            yield _price_reason(self.price_versions)


class Reconciliation(NamedTuple):
    """All profiles of a period, and why Cost Explorer could not be asked, if so."""

    period: Period
    lines: tuple[Line, ...]
    billing: str

    def exceeds(self, tolerance: float) -> bool:
        """Whether any profile is off by more than `tolerance` percent."""
        return any(line.percent_off > tolerance for line in self.lines)

    def as_table(self) -> Iterator[str]:
        """Lines for a person."""
        yield f"Reconciliation of {self.period}, UTC days: ledger against AWS"
        for line in self.lines:
            yield ""
            yield f"{line.profile}: {line.percent_off:.4f} % off"
            for kind in BEDROCK_METRICS:
                ours, theirs = line.ledger[kind], line.bedrock[kind]
                name = {"requests": "requests", "cw": "cache write"}.get(kind) or KINDS[kind]
                yield f"  {name:12} ledger {ours:>14,}  Bedrock {theirs:>14,}  difference {ours - theirs:+,}"
            billed = "not known" if line.billed is None else usd(line.billed)
            off_usd = "" if line.billed is None else f"  difference {usd(line.cost - line.billed)}"
            yield f"  {'USD':12} ledger {usd(line.cost)}  Cost Explorer {billed}{off_usd}"
            for reason in line.reasons():
                yield f"  ! {reason}"
        if self.billing:
            yield ""
            yield f"Cost Explorer was not compared: {self.billing}"

    def as_json(self) -> Iterator[str]:
        """The same for a program."""
        profiles = [
            {
                "profile": line.profile,
                "ledger": line.ledger,
                "bedrock": line.bedrock,
                "gateway_requests": line.gateway_requests,
                "ledger_usd": usd(line.cost),
                "rolled_up_usd": usd(line.rolled_up),
                "cost_explorer_usd": None if line.billed is None else usd(line.billed),
                "percent_off": f"{line.percent_off:.6f}",
                "reasons": list(line.reasons()),
            }
            for line in self.lines
        ]
        yield json.dumps({"period": str(self.period), "billing": self.billing, "profiles": profiles}, indent=2)


def reconciliation(aws: Aws, config: Config, state: State, period: Period) -> Reconciliation:
    """Compare every profile of the configuration, and every profile id that the ledger still knows."""
    table = names_of(config, aws.account).table
    names = {profile_id: name for name, profile_id in state.group("profile_ids").items()}
    rolled: Counter[str] = Counter()
    for row in read_rows(aws, table, period):
        rolled[row.profile_id] += row.cost
        names.setdefault(row.profile_id, row.name)
    records = record_sums(aws, table, period)
    ids = sorted(names, key=lambda profile_id: names[profile_id])
    counted = metric_sums(aws, period, ids, names)
    billed, why_not = billed_costs(aws, period)
    lines = []
    for profile_id in ids:
        sums = records.get(profile_id, {})
        lines.append(
            Line(
                profile=names[profile_id],
                ledger={kind: sums.get(kind, 0) for kind in BEDROCK_METRICS},
                bedrock={kind: counted[profile_id, metric] for kind, metric in BEDROCK_METRICS.items()},
                gateway_requests=counted[profile_id, "gateway"],
                rolled_up=rolled[profile_id],
                cost=sums.get("cost", 0),
                billed=None if billed is None else billed.get(names[profile_id], 0),
                rehearsed=sums.get("rehearsed", 0),
                rehearsed_cost=sums.get("rehearsed_cost", 0),
                fresh=sums.get("fresh", 0),
                estimated=sums.get("est", 0),
                duplicates=sums.get("duplicates", 0),
                price_versions=tuple(sorted(sums.get("prices", ()))),
            )
        )
    return Reconciliation(period, tuple(lines), why_not)


def _price_reason(versions: tuple[str, ...]) -> str:
    if len(versions) > 1:
        return f"tokens agree and dollars do not: {len(versions)} price tables were in use ({', '.join(versions)})"
    return "tokens agree and dollars do not: a price in models.json is not what AWS bills"
