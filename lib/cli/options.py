"""Options that every command shares, and the one place where problems become sentences and exit codes."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from lib.errors import ProjectError
from lib.output import Output

__all__ = ["Options", "changing_options", "common_options", "told"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_MODELS = Path(__file__).resolve().parent.parent.parent / "models.json"


class Options(NamedTuple):
    """What the person asked for, whatever the command."""

    config: Path
    models: Path
    local: bool
    port: int | None
    profile: str | None
    region: str | None
    debug: bool
    plan: bool = False
    detailed_exitcode: bool = False
    yes: bool = False


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of SPEC section 3 to a click command; it is called with `options: Options` in their place."""
    for option in (
        click.option("--debug", is_flag=True, help="Say each AWS call, and show where a problem arose."),
        click.option("--region", help="AWS Region, instead of aws_region in the configuration."),
        click.option("--profile", help="Profile of the AWS command line to take credentials from."),
        click.option("--port", type=click.IntRange(1, 65535), help="Port of the embedded AWS [default: 4599]."),
        click.option("--local", is_flag=True, help="Use the AWS embedded on this machine instead of a real account."),
        click.option("--models", type=_FILE, default=_MODELS, help="Prices [default: models.json]."),
        click.option("--config", type=_FILE, default=Path("config.json"), help="Configuration [default: config.json]."),
    ):
        command = option(command)

    @functools.wraps(command)
    def gather(**given: Any) -> Any:
        fields = {name: given.pop(name) for name in Options._fields if name in given}
        return command(options=Options(**fields), **given)

    return gather


def changing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --plan, --detailed-exitcode and --yes to a command that changes AWS."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before changing a real AWS account."),
        click.option("--detailed-exitcode", is_flag=True, help="With --plan: exit 2 when there are changes."),
        click.option("--plan", is_flag=True, help="Say what would change, with the same code; change nothing."),
    ):
        command = option(command)
    return command


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """End with exit 1 and one sentence on a ProjectError; anything else is our bug and keeps its traceback."""

    @functools.wraps(command)
    def tell(*, options: Options, **given: Any) -> None:
        output = Output()
        try:
            command(options=options, output=output, **given)
        except ProjectError as error:
            if options.debug:
                traceback.print_exc()
            output.say(f"Error: {error}")
            sys.exit(1)

    return tell
