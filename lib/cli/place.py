"""Which AWS a command talks to. This is the only place that knows the difference."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.exceptions import BotoCoreError

from lib.answers import remedy
from lib.aws import Aws
from lib.cli.options import Options
from lib.config import Config, load
from lib.errors import AwsError, LocalError, ProjectError, StateError
from lib.output import Output
from lib.state import State

__all__ = ["DEFAULT_PORT", "Place", "confirm", "open_place"]

DEFAULT_PORT = 4599


class Place(NamedTuple):
    """An account and Region to work on: real, or embedded in `folder` on this machine."""

    aws: Aws
    config: Config
    state: State
    folder: Path
    local: bool


def open_place(options: Options, output: Output, *, start: bool = False) -> Place:
    """Read the configuration, then reach AWS; `start` lets --local start an embedded one.

    Raises ConfigError before anything is started or called, StateError when the configuration was deployed to
    another account or Region.
    """
    config = load(options.config, options.models, local=options.local, region=options.region)
    for notice in config.notices:
        output.say(f"Note: {notice}")
    folder = options.config.resolve().parent / ".local"
    state_path = folder / "config.json" if options.local else options.config.resolve()
    state = State(state_path, frozen=options.plan, seed=None if options.local else config.deployed)
    endpoint: str | None
    clock = time.time
    if options.local:
        endpoint = _embedded(options, output, folder, state, start=start)
        clock = _clock_of(endpoint)
        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=config.region)  # noqa: S106
    else:
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        session = _session(options, config.region)
    aws = Aws(
        session,
        endpoint_url=endpoint,
        planning=options.plan,
        paced=not options.local,
        announce=output.change,
        tell=output.say,
        clock=clock,
        trace=output.say if options.debug else None,
    )
    _check(aws, config, state, options)
    return Place(aws, config, state, folder, options.local)


def confirm(place: Place, options: Options, output: Output, question: str) -> None:
    """Ask before a real account is changed. Raises ProjectError on no, or where nobody can answer."""
    if place.local or options.plan or options.yes:
        return
    if not output.interactive:
        raise ProjectError(
            f"This would change AWS account {place.aws.account} in {place.aws.region} and nobody is there to agree.",
            "Give --yes to go ahead, --plan to see what would change, or --local to try it on this machine.",
        )
    if not output.confirm(question):
        raise ProjectError("Nothing was changed.")


def _embedded(options: Options, output: Output, folder: Path, state: State, *, start: bool) -> str:
    from lib.local import launch

    if start:
        return launch.ensure(options.port or DEFAULT_PORT, folder)
    recorded = state.get("endpoint_url")
    endpoint = f"http://127.0.0.1:{options.port}" if options.port else recorded
    if not endpoint:
        raise LocalError(f"No embedded AWS is recorded in {folder / 'config.json'}.", "Run: python setup.py --local")
    if not launch.answers(endpoint):
        raise LocalError(f"The embedded AWS at {endpoint} does not answer.", "Run: python setup.py --local")
    return str(endpoint)


def _clock_of(endpoint: str) -> Callable[[], float]:
    """The embedded AWS's clock, which may have been moved: what is over there is over for us."""
    from lib.local.remote import offset_at

    offset = offset_at(endpoint)
    return lambda: time.time() + offset


def _session(options: Options, region: str) -> boto3.Session:
    try:
        return boto3.Session(profile_name=options.profile, region_name=region)
    except BotoCoreError as error:
        raise AwsError(f"No AWS session: {error}.", remedy(type(error).__name__)) from error


def _check(aws: Aws, config: Config, state: State, options: Options) -> None:
    """A configuration deployed elsewhere must not be half-applied here."""
    for name, actual in (("account", aws.account), ("region", aws.region)):
        deployed = state.get(name)
        if deployed and deployed != actual:
            raise StateError(
                f"{options.config} was deployed to {name} {deployed}; credentials and options lead to {actual}.",
                "Use the other credentials, or another configuration file for another deployment.",
            )
    deployed = state.get("deployment")
    if deployed and deployed != config.function_name:
        raise StateError(
            f"{options.config} was deployed as {deployed}, and lambda_function_name now says {config.function_name}.",
            f"Take {deployed} down first with unsetup.py and the old name; a deployment is named by its function.",
        )
