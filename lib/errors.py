"""What can go wrong that is not our bug.

    ProjectError            one sentence, one remedy, exit 1
    ├── ConfigError         config.json or models.json; carries every problem found
    ├── StateError          the `deployed` block cannot be read or written
    ├── AwsError            AWS refused; says what we were doing
    │   ├── AccessDenied    403: never mistaken for "missing"
    │   └── NotReady        something did not become true in time
    ├── Kept                teardown left a thing of ours because somebody else's things are in it
    └── LocalError          the embedded AWS could not be started or reached

Built-in exceptions that reach the command line are our bugs and keep their traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "AccessDenied",
    "AwsError",
    "ConfigError",
    "Kept",
    "LocalError",
    "NotReady",
    "Problem",
    "ProjectError",
    "StateError",
]


class ProjectError(Exception):
    """The user's or AWS's doing. `message` is one sentence; `hint` is what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Problem(NamedTuple):
    """One thing wrong in a configuration file.

    `pointer` is an RFC 6901 JSON pointer ("" for the whole file), `found` what stands there (never a secret),
    `allowed` what may stand there and what to do.
    """

    pointer: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.found}; {self.allowed}"


class ConfigError(ProjectError):
    """All problems of a configuration file at once."""

    def __init__(self, path: object, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{path} has {count}:{lines}\nNothing was created or changed.")


class StateError(ProjectError):
    """The `deployed` block cannot be read, written, or belongs elsewhere."""


class AwsError(ProjectError):
    """AWS refused. `code` is AWS's error code."""

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class AccessDenied(AwsError):
    """The caller may not do this. A missing permission never passes for a missing resource."""


class NotReady(AwsError):
    """AWS accepted a change but it did not take effect in time."""


class Kept(ProjectError):
    """A thing of ours was left in place for the sake of what others put into it; all else was removed."""


class LocalError(ProjectError):
    """The embedded AWS could not be started, reached or stopped."""
