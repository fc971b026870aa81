"""unsetup.py: remove everything setup made, and prove it."""

from __future__ import annotations

import sys

import click

from lib.cli.options import Options, changing_options, common_options, told
from lib.cli.place import confirm, open_place
from lib.errors import ProjectError
from lib.output import Output
from lib.steps import remaining, remove_all

__all__ = ["main"]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@changing_options
@common_options
@told
def main(options: Options, output: Output) -> None:
    """Remove everything setup made, in reverse order, then look for what is still there and expect nothing."""
    place = open_place(options, output)
    aws, config, state = place.aws, place.config, place.state
    confirm(
        place, options, output,
        f"Remove {config.function_name} from account {aws.account}, {aws.region}, its ledger of all costs included?",
    )  # fmt: skip
    remove_all(aws, config, state, output.step)
    if options.plan:
        output.result(f"Would delete {len(aws.changes)}." if aws.changes else "Nothing to remove.")
        sys.exit(2 if options.detailed_exitcode and aws.changes else 0)
    left = remaining(aws, config)
    if left:
        for line in left:
            output.result(f"  {line}")
        raise ProjectError(f"{len(left)} of our resources are still there.", "Run unsetup.py again.")
    output.result("Nothing is left: no resource with our name or ownership tag was found.")
    if place.local:
        from lib.local import launch

        launch.stop(place.folder)
        output.result("The embedded AWS has stopped.")
