"""What the parts of the scheduled function's run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambda_function.backlog import Backlog
from lambda_function.dynamodb import Table
from lambda_function.snapshot import Snapshot

__all__ = ["Minute"]


class Minute(NamedTuple):
    """One run: the instant it is about, and the counter items of the tenants that were active lately."""

    table: Table
    snapshot: Snapshot
    now: float
    in_time: Callable[[], bool]
    write: Callable[[str], Any]  # takes a metrics line
    backlog: Backlog
    active: Mapping[str, str]  # tenant -> UTC hour of its last reserve
    items: Mapping[str, dict[str, Any]]  # tenant -> counter item
