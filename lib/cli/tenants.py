"""tenants.py: day-to-day work on a tenant."""

from __future__ import annotations

import getpass
import re

import click

from lib.cli.options import Options, changing_options, common_options, told
from lib.cli.place import Place, confirm, open_place
from lib.errors import ProjectError
from lib.names import names_of
from lib.output import Output
from lib.report_lines import calling_line, key_value
from lib.rotation import rotate_key
from lib.standing import LEVELS, resume, set_level, suspend
from lib.tenant_views import list_view, show_view, unconfirmed_addresses

__all__ = ["main"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_UNITS = {"m": 60, "h": 3600, "d": 86_400}


class _Duration(click.ParamType[int]):
    """`30m`, `2h`, `1d` in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds, or a usage error."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)([mhd])", str(value))
        if not found:
            self.fail(f"{value!r} is not a time; write 30m, 2h or 1d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


_format = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")


@click.group(context_settings=_SETTINGS)
def main() -> None:
    """Day-to-day work on tenants: who there is, what they spend, their keys, levels and suspensions."""


@main.command("list", context_settings=_SETTINGS)
@_format
@common_options
@told
def list_tenants(options: Options, output: Output, form: str) -> None:
    """Every tenant with tier, level, month to date of its budget and last request."""
    place = open_place(options, output)
    for line in list_view(place.aws, place.config, place.state, form):
        output.result(line)
    for address in unconfirmed_addresses(place.aws, place.state):
        output.say(f"Note: {address} has not confirmed its subscription; alarms and levels do not reach it.")


@main.command(context_settings=_SETTINGS)
@click.argument("tenant")
@_format
@common_options
@told
def show(options: Options, output: Output, tenant: str, form: str) -> None:
    """One tenant: profiles, limits, counters, history of levels, how to call. It holds no secret."""
    place = _place_with(options, output, tenant)
    for line in show_view(place.aws, place.config, place.state, tenant, form):
        output.result(line)
    if form == "table":
        output.result("")
        output.result("How to call, with the key in place of $KEY (python tenants.py key prints it):")
        output.result(f"  {calling_line(place.config, place.state, tenant, '$KEY')}")


@main.command(context_settings=_SETTINGS)
@click.argument("tenant")
@common_options
@told
def key(options: Options, output: Output, tenant: str) -> None:
    """Print the tenant's API key alone on stdout."""
    place = _place_with(options, output, tenant)
    output.result(key_value(place.aws, place.state, tenant))


@main.command("rotate-key", context_settings=_SETTINGS)
@click.argument("tenant")
@click.option("--grace", type=_Duration(), default="24h", help="How long the old key still works [default: 24h].")
@changing_options
@common_options
@told
def rotate(options: Options, output: Output, tenant: str, grace: int) -> None:
    """Make a new key and print it alone on stdout; the old one works until the grace time is over."""
    place = _place_with(options, output, tenant)
    confirm(place, options, output, f"Make a new key for {tenant} and end the old one in {grace // 60} minutes?")
    rotate_key(place.aws, place.config, place.state, tenant, grace)
    if not options.plan:
        output.result(key_value(place.aws, place.state, tenant))


@main.command("suspend", context_settings=_SETTINGS)
@click.argument("tenant")
@click.option("--reason", default="suspended by the operator", help="Kept with the tenant; the tenant does not see it.")
@changing_options
@common_options
@told
def suspend_tenant(options: Options, output: Output, tenant: str, reason: str) -> None:
    """Refuse the tenant's requests from the next one on."""
    place = _place_with(options, output, tenant)
    confirm(place, options, output, f"Suspend {tenant}?")
    suspend(place.aws, _table(place), tenant, reason)


@main.command("resume", context_settings=_SETTINGS)
@click.argument("tenant")
@changing_options
@common_options
@told
def resume_tenant(options: Options, output: Output, tenant: str) -> None:
    """Let a suspended tenant in again."""
    place = _place_with(options, output, tenant)
    confirm(place, options, output, f"Resume {tenant}?")
    resume(place.aws, _table(place), tenant)


@main.command(context_settings=_SETTINGS)
@click.argument("tenant")
@click.argument("level", type=click.Choice([*LEVELS, "auto"]))
@click.option("--for", "duration", type=_Duration(), help="Then judge automatically again [default: 2h].")
@click.option("--reason", default="set by the operator", help="Kept in the tenant's history.")
@changing_options
@common_options
@told
def level(options: Options, output: Output, tenant: str, level: str, duration: int | None, reason: str) -> None:
    """Set the tenant's alert level by hand; `auto` gives it back to the judgement at once."""
    place = _place_with(options, output, tenant)
    confirm(place, options, output, f"Set {tenant} to {level}?")
    until = None if level == "auto" else int(place.aws.clock()) + (duration or 2 * 3600)
    set_level(
        place.aws, _table(place), tenant, "green" if level == "auto" else level,
        who=getpass.getuser(), reason=reason, until=until,
    )  # fmt: skip


def _place_with(options: Options, output: Output, tenant: str) -> Place:
    place = open_place(options, output)
    if tenant not in place.config.tenants:
        known = ", ".join(place.config.tenants)
        raise ProjectError(f"There is no tenant {tenant!r}.", f"The configuration has: {known}.")
    return place


def _table(place: Place) -> str:
    return names_of(place.config, place.aws.account).table
