"""The stack as one ordered tuple: setup walks it, unsetup walks it backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lib.aws import Aws, Uncertain
from lib.config import Config
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

__all__ = ["STEPS", "Step", "remaining", "remove_all", "set_up"]

_ATTEMPTS = 3


class Step(Protocol):
    """One noun of the stack, a module of lib/resources. It never imports another; what it needs it reads from state."""

    NAME: str

    @staticmethod
    def ensure(aws: Aws, config: Config, state: State) -> None:
        """Bring AWS to what config says: create, update what differs of what we own, leave the rest."""

    @staticmethod
    def remove(aws: Aws, config: Config, state: State) -> None:
        """Remove what ensure made, found by state, name or ownership tag."""

    @staticmethod
    def remaining(aws: Aws, config: Config) -> list[str]:
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
    retired,
    alarms,
    dashboard,
    cost_tags,
)


def set_up(aws: Aws, config: Config, state: State, progress: Callable[[int, int, str], None]) -> None:
    """Walk the steps. Raises the first ProjectError; what is done by then is on disk in `state`."""
    for index, step in enumerate(STEPS):
        progress(index, len(STEPS), step.NAME)
        _persist(step.ensure, aws, config, state)


def remove_all(aws: Aws, config: Config, state: State, progress: Callable[[int, int, str], None]) -> None:
    """Walk the steps backwards; the `deployed` block goes last."""
    for index, step in enumerate(reversed(STEPS)):
        progress(index, len(STEPS), step.NAME)
        _persist(step.remove, aws, config, state)
    if not aws.planning:
        state.clear()


def remaining(aws: Aws, config: Config) -> list[str]:
    """Everything with our name or ownership tag that still exists."""
    return [line for step in STEPS for line in step.remaining(aws, config)]


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
