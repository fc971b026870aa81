"""setup.py: bring AWS to what config.json says."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click

from lib.cli.options import Options, changing_options, common_options, told
from lib.cli.place import Place, confirm, open_place
from lib.output import Output
from lib.rehearsal import Call, Reply, forget, rehearse
from lib.report_lines import calling_line, fetched_key, key_value, tenant_lines
from lib.state import State
from lib.steps import set_up
from lib.web import post_json

__all__ = ["main"]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--create-user-roles", is_flag=True, help="Create the least-privilege roles the functions run with.")
@click.option("--no-rehearsal", is_flag=True, help="Do not prove, after changes, that a budget of one cent bites.")
@click.option("--demo", is_flag=True, help="With --local: also send an hour of traffic in a minute.")
@changing_options
@common_options
@told
def main(options: Options, output: Output, create_user_roles: bool, no_rehearsal: bool, demo: bool) -> None:
    """Bring AWS to what config.json says: create, update what differs, remove what it no longer has.

    Running it again changes nothing; a run that died is finished by the next.
    """
    if demo and (not options.local or options.plan):
        raise click.UsageError("--demo sends requests: it goes with --local, and not with --plan.")
    place = open_place(options, output, start=True)
    if create_user_roles:
        place = place._replace(config=dataclasses.replace(place.config, create_roles=True))
    aws, config, state = place.aws, place.config, place.state
    confirm(place, options, output, f"Set up {config.function_name} in account {aws.account}, {aws.region}?")
    state.keep("account", aws.account)
    state.keep("region", aws.region)
    state.keep("deployment", config.function_name)
    state.keep("endpoint_url", aws.endpoint_url)
    if state.get("rehearsal"):
        forget(aws, config, state)
    set_up(aws, config, state, output.step)
    if options.plan:
        output.result(_counted(place))
        sys.exit(2 if options.detailed_exitcode and aws.changes else 0)
    output.say(_counted(place))
    if aws.changes and not no_rehearsal:
        output.say("Proving that limits bite, on tenant _rehearsal with a budget of one cent.")
        output.say(rehearse(aws, config, state, _caller(state)))
    if demo:
        from lib.cli.demo import show_demo

        show_demo(place, output)
    _show(place, output)


def _caller(state: State) -> Call:
    """Calls the deployed API as the rehearsal does: a tenant's program with a key."""
    url = f"{state.get('api_url')}/invoke"

    def call(key: str, request: dict[str, Any]) -> Reply:
        answer = post_json(url, request, {"x-api-key": key})
        error = answer.body.get("error", {}) if isinstance(answer.body, dict) else {}
        return Reply(answer.status, str(error.get("code", "")))

    return call


def _counted(place: Place) -> str:
    if not place.aws.changes:
        return "Nothing to change."
    signs = [change.sign for change in place.aws.changes]
    verb = "Would create" if place.aws.planning else "Created"
    return f"{verb} {signs.count('+')}, update{'' if place.aws.planning else 'd'} {signs.count('~')}, " + (
        f"delete{'' if place.aws.planning else 'd'} {signs.count('-')}."
    )


def _show(place: Place, output: Output) -> None:
    state = place.state
    output.result(f"API id:  {state.get('api_id')}")
    output.result(f"API URL: {state.get('api_url')}")
    for line in tenant_lines(place.config, state):
        output.result(line)
    refused = state.group("cost_tags")
    if refused.get("unseen"):
        output.say(
            f"Note: billing has not seen the tags {', '.join(refused['unseen'])} yet; up to 24 h after their first use "
            "run setup.py again to activate them as cost-allocation tags."
        )
    elif refused.get("refused"):
        output.say(
            f"Note: cost-allocation tags could not be activated ({refused['refused']}); in the payer account activate "
            "them under Billing, Cost allocation tags."
        )
    output.result("Try it:")
    first = place.config.profiles[0].tenant
    key = key_value(place.aws, state, first) if place.local else fetched_key(place.config, first)
    output.result(calling_line(place.config, state, first, key))
    if place.local:
        output.result(f"Console: {state.get('endpoint_url')}/_console")
