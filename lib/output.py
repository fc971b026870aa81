"""The only file that prints: results to stdout, progress to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from lib.aws import Change

__all__ = ["Output"]

_WIDTH = 28


class Output:
    """What a person sees. A terminal gets a bar that stays on one line; a pipe gets a line per change."""

    def __init__(
        self, results: TextIO | None = None, progress: TextIO | None = None, ask: Callable[[str], str] = input
    ) -> None:
        self._results = results or sys.stdout
        self._progress = progress or sys.stderr
        self._ask = ask
        self._bar_open = False

    @property
    def interactive(self) -> bool:
        """Whether someone sits there to answer a question."""
        return sys.stdin.isatty() and self._progress.isatty()

    def result(self, line: str = "") -> None:
        """A line somebody may pipe into something."""
        self._close_bar()
        print(line, file=self._results, flush=True)

    def say(self, line: str) -> None:
        """A line for the person who waits."""
        self._close_bar()
        print(line, file=self._progress, flush=True)

    def change(self, change: Change) -> None:
        """One change as it happens or as it is planned: `+ creating topic Alarms`."""
        self.say(f"  {change.sign} {change.sentence}")

    def step(self, done: int, of: int, name: str) -> None:
        """How far a walk over the steps has come."""
        if self._progress.isatty():
            filled = _WIDTH * done // of
            print(f"\r\033[K[{'█' * filled}{'·' * (_WIDTH - filled)}] {name}", end="", file=self._progress, flush=True)
            self._bar_open = True
        else:
            print(f"[{done + 1}/{of}] {name}", file=self._progress, flush=True)

    def confirm(self, question: str) -> bool:
        """Whether the person typed yes."""
        self._close_bar()
        return self._ask(f"{question} [y/N] ").strip().lower() in {"y", "yes"}

    def _close_bar(self) -> None:
        if self._bar_open:
            print("\r\033[K", end="", file=self._progress, flush=True)
            self._bar_open = False
