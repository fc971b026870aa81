"""python -m lib.local --port 4599 --dir .local: the embedded AWS in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from lib.local.server import run


@click.command()
@click.option("--port", type=int, default=4599, show_default=True)
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(".local"))
def main(port: int, folder: Path) -> None:
    """Serve an AWS on 127.0.0.1 until a signal."""
    run(port, folder)


main()
