"""The resolved configuration in the bucket: what running functions read."""

from __future__ import annotations

from lib.aws import Aws
from lib.config import Config
from lib.names import Names, names_of
from lib.snapshot_body import Place, render
from lib.snapshot_object import stored
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "snapshot"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Write the object where it differs from what the configuration and the ids say."""
    names = names_of(config, aws.account)
    bucket = state.get("bucket")
    state.keep("config_key", names.config_key)
    wanted = render(config, _place(aws, names), state.snapshot(), aws.clock())
    current = stored(aws, bucket, names.config_key)
    if current != wanted:
        aws.write(
            "~" if current is not None else "+", "writing the resolved configuration", "s3", "put_object",
            Bucket=bucket, Key=names.config_key, Body=wanted, ContentType="application/json",
        )  # fmt: skip


def remove(aws: Aws, config: Config, state: State) -> None:
    """Nothing: the object goes with the bucket, and with its older versions."""
    state.forget("config_key")


def remaining(aws: Aws, config: Config) -> list[str]:
    """Nothing of its own: the bucket names it."""
    return []


def _place(aws: Aws, names: Names) -> Place:
    return Place(aws.account, aws.region, aws.partition, names.deployment, names.table)
