"""The stack as one ordered tuple: setup walks it, unsetup walks it backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lib.aws import Aws, Uncertain
from lib.config import Config
from lib.errors import Kept
from lib.names import names_of
from lib.resources import (
    alarms,
    api,
    bucket,
    cost_tags,
    dashboard,
    function,
    keys,
    ledger,
    limits,
    profiles,
    retired,
    role,
    schedule,
    snapshot,
    table,
    topic,
)
from lib.state import State
from lib.tagged import tagged

__all__ = ["STEPS", "Step", "remaining", "remove_all", "set_up"]

_ATTEMPTS = 5


class Step(Protocol):
    """One noun of the stack, a module of lib/resources. It never imports another; what it needs it reads from state."""

    NAME: str

    def ensure(self, aws: Aws, config: Config, state: State) -> None:
        """Bring AWS to what config says: create, update what differs of what we own, leave the rest."""

    def remove(self, aws: Aws, config: Config, state: State) -> None:
        """Remove what ensure made, found by state, name or ownership tag."""

    def remaining(self, aws: Aws, config: Config) -> list[str]:
        """What is still there with our name or ownership tag, looked up without state; one line each."""


STEPS: tuple[Step, ...] = (
    bucket,
    table,
    topic,
    profiles,
    ledger,
    limits,
    role,
    function,
    api,
    keys,
    snapshot,
    schedule,
    alarms,
    dashboard,
    cost_tags,
    retired,
)
# What can be known to fail before anything is made.
_CHECKS = (role.check, profiles.check)


def set_up(aws: Aws, config: Config, state: State, progress: Callable[[int, int, str], None]) -> None:
    """Check, then walk the steps. Raises the first ProjectError; what is done by then is on disk in `state`."""
    for check in _CHECKS:
        check(aws, config, state)
    for index, step in enumerate(STEPS):
        progress(index, len(STEPS), step.NAME)
        _persist(step.ensure, aws, config, state)


def remove_all(aws: Aws, config: Config, state: State, progress: Callable[[int, int, str], None]) -> None:
    """Walk the steps backwards; the `deployed` block goes last.

    Where others' things keep one of ours from being removed, the rest is removed all the same, then Kept is raised.
    """
    kept: list[Kept] = []
    for index, step in enumerate(reversed(STEPS)):
        progress(index, len(STEPS), step.NAME)
        try:
            _persist(step.remove, aws, config, state)
        except Kept as reason:
            kept.append(reason)
    if kept:
        raise Kept(" ".join(reason.message for reason in kept), kept[0].hint)
    if not aws.planning:
        state.clear()


def remaining(aws: Aws, config: Config) -> list[str]:
    """Everything with our name or ownership tag that still exists."""
    found = [line for step in STEPS for line in step.remaining(aws, config)]
    # What a step did not name has another name than ours, but our tag.
    others = [arn for arn in tagged(aws, names_of(config, aws.account)) if not any(_named(arn, line) for line in found)]
    return found + others


def _named(arn: str, line: str) -> bool:
    """Whether a line of a step's is about this ARN: it ends with the name, or has the id in brackets."""
    words = line.replace("(", " ").replace(")", " ").split()
    return any(arn.removesuffix(":*").endswith((f":{word}", f"/{word}")) for word in words)


def _persist(act: Callable[[Aws, Config, State], None], aws: Aws, config: Config, state: State) -> None:
    """A step whose call had an unknown outcome is walked again: it looks before it writes."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return act(aws, config, state)
        except Uncertain:
            if attempt == _ATTEMPTS:
                raise
            aws.sleep(2.0 * attempt)
    raise AssertionError("unreachable")
