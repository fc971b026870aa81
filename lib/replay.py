"""Try the alert levels on a trace of spend, before turning them on: python -m lib.replay TRACE.csv --tier NAME

The trace goes through the very code that judges in AWS (lambda_function/levels.py), with the clock of the trace.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from lambda_function.calendars import UTC, Calendar
from lambda_function.levels import LEVELS, scope_of
from lambda_function.limits import Policy
from lambda_function.money import usd
from lambda_function.spend import Thresholds
from lambda_function.wording import dollars, duration
from lib.config import load
from lib.errors import ProjectError
from lib.models import read_models
from lib.output import Output
from lib.replays.picture import picture
from lib.replays.tenant import ReplayedTenant
from lib.replays.trace import Trace, read_trace
from lib.strict_json import read
from lib.tenant_checks import policy_json
from lib.zones import zone_table

__all__ = ["main"]

_MODELS = Path(__file__).resolve().parent.parent / "models.json"
_FILE = click.Path(dir_okay=False, path_type=Path)
_THRESHOLDS = {"cost_alarm_threshold": 1, "token_alarm_threshold": 2000, "request_alarm_threshold": 10}
_AFTER = 6 * 3600  # seconds that go by after the trace, so that levels come down


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("trace", type=_FILE)
@click.option("--tier", default="default", help="Tier of the configuration whose limits and levels apply.")
@click.option("--model", help="Model whose prices turn tokens into money.")
@click.option("--timezone", default="UTC", help="IANA zone of the calendar and of the hours of the week.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--svg", type=_FILE, help="Draw spend, what was usual, and the level into this file.")
@click.option("--config", type=_FILE, default=Path("config.json"), help="Configuration [default: config.json].")
@click.option("--models", type=_FILE, default=_MODELS, help="Prices [default: models.json].")
def main(
    trace: Path, tier: str, model: str | None, timezone: str, form: str, svg: Path | None, config: Path, models: Path
) -> None:
    """Replay a CSV of time and amount (USD, or tokens with --model) and print each change of level with its reason."""
    output = Output()
    try:
        if not config.exists():
            output.say(f"Note: there is no {config}; the defaults apply, without any budget.")
        policy, thresholds, region = _settings(config, models, tier, timezone)
        found = read_trace(trace, _prices(models, model, region) if model else None)
        for notice in found.notices:
            output.say(f"Note: {notice}")
        tenant = _replayed(found, policy, thresholds)
        lines = _json(trace, tier, found, tenant) if form == "json" else _table(found, tenant)
        for line in lines:
            output.result(line)
        if svg:
            svg.write_text(picture(tenant, f"{trace.name}, tier {tier}", timezone), encoding="utf-8")
            output.say(f"Wrote {svg}.")
    except ProjectError as error:
        output.say(f"Error: {error}")
        sys.exit(1)


def _settings(config: Path, models: Path, tier: str, timezone: str) -> tuple[Policy, Thresholds, str]:
    """The tier's policy, the alarm thresholds of a profile, and the Region. Raises ProjectError."""
    document: Mapping[str, Any] = {"aws_region": "us-east-1"}
    if config.exists():
        load(config, models, local=True)  # says everything that is wrong with it
        document, _ = read(config)
    tiers = {"default": {}, **document.get("tiers", {})}
    if tier not in tiers:
        raise ProjectError(f"There is no tier {tier!r} in {config}.", f"It has: {', '.join(sorted(tiers))}.")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ProjectError(f"There is no zone {timezone!r}.", "Give one like Europe/Berlin.") from error
    policy = Policy.from_json(policy_json(tiers[tier], {"timezone": timezone}, tier))
    cost, tokens, requests = (document.get(name, default) for name, default in _THRESHOLDS.items())
    return policy, Thresholds(int(cost * 10**12), int(tokens), int(requests)), document["aws_region"]


def _prices(models: Path, model: str, region: str) -> Mapping[str, Any]:
    known, problems = read_models(models)
    if known is None or problems:
        raise ProjectError(f"{models} has problems: {'; '.join(map(str, problems[:3]))}.", "Correct it first.")
    if model not in known.ids(region):
        raise ProjectError(f"{models} has no price of {model!r} in {region}.", "Give a model id that it lists.")
    return known.row(model, region)


def _replayed(trace: Trace, policy: Policy, thresholds: Thresholds) -> ReplayedTenant:
    first, last = trace.events[0].at, trace.events[-1].at
    zone = policy.timezone
    calendar = UTC if zone == "UTC" else Calendar.from_zones(zone, {zone: zone_table(zone, first)})
    tenant = ReplayedTenant(scope_of(policy, calendar, thresholds), first)
    for event in trace.events:
        tenant.spend(*event)
    tenant.finish(last + _AFTER)
    return tenant


def _table(trace: Trace, tenant: ReplayedTenant) -> Iterator[str]:
    events, calendar = trace.events, tenant.scope.calendar
    first, last = events[0].at, events[-1].at
    yield (
        f"{len(events):,} requests, {dollars(sum(event.amount for event in events))}, "
        f"{calendar.iso(first)[:16].replace('T', ' ')} to {calendar.iso(last)[:16].replace('T', ' ')} {calendar.zone}"
    )
    if last - first < tenant.scope.numbers.history_days * 86400:
        days = tenant.scope.numbers.history_days
        yield f"The trace lasts {duration(int(last - first))}: before {days} days of history nothing counts as usual."
    yield ""
    for crossing in tenant.crossings:
        when = calendar.iso(crossing.at // 1000)[:16].replace("T", " ")
        yield f"{when}  {crossing.before:>6} -> {crossing.after:<6}  {crossing.why[0]}"
        for reason in crossing.why[1:]:
            yield f"{'':36}{reason}"
    if not tenant.crossings:
        yield "The level stays green throughout."
    yield ""
    yield "  ".join(f"{level} {share:.1%}" for level, share in _shares(tenant, first, last).items())


def _json(path: Path, tier: str, trace: Trace, tenant: ReplayedTenant) -> Iterator[str]:
    events, calendar = trace.events, tenant.scope.calendar
    changes = [
        {
            "at": calendar.iso(crossing.at // 1000), "from": crossing.before, "to": crossing.after,
            "why": list(crossing.why), "numbers": dict(crossing.numbers),
        }
        for crossing in tenant.crossings
    ]  # fmt: skip
    yield json.dumps(
        {
            "trace": str(path), "tier": tier, "timezone": calendar.zone, "notices": list(trace.notices),
            "from": calendar.iso(events[0].at), "to": calendar.iso(events[-1].at), "requests": len(events),
            "usd": usd(sum(event.amount for event in events)), "changes": changes,
            "shares": {level: round(share, 6) for level, share in
                       _shares(tenant, events[0].at, events[-1].at).items()},
        },
        indent=2,
    )  # fmt: skip


def _shares(tenant: ReplayedTenant, first: float, last: float) -> dict[str, float]:
    """Which part of the trace's time each level lasted."""
    seconds = dict.fromkeys(LEVELS, 0.0)
    level, since = "green", first
    for crossing in tenant.crossings:
        at = min(crossing.at / 1000, last)
        seconds[level] += at - since
        level, since = crossing.after, at
    seconds[level] += last - since
    return {level: spent / max(last - first, 1) for level, spent in seconds.items()}


if __name__ == "__main__":
    main(prog_name="python -m lib.replay")
