"""Faults of the model that a test asks for.

POST /_local/faults {"kind", "count"?, "profile"?, "seconds"?, "billed"?}, or a marker in the last message of a
request: [[fault=throttle]], [[fault=slow 2.5]], [[fault=internal billed]].
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["ERRORS", "Fault", "Faults", "fault_of_text"]

# kind -> (error code, HTTP status)
ERRORS: Mapping[str, tuple[str, int]] = {
    "throttle": ("ThrottlingException", 429),
    "unavailable": ("ServiceUnavailableException", 503),
    "internal": ("InternalServerException", 500),
    "model_error": ("ModelErrorException", 424),
    "model_timeout": ("ModelTimeoutException", 408),
    "not_ready": ("ModelNotReadyException", 429),
    "denied": ("AccessDeniedException", 403),
    "billed_error": ("InternalServerException", 500),  # "internal", always billed
}
# Answers after `seconds`; serves, bills and breaks the connection before the answer; breaks it before serving.
_OTHERS = ("slow", "reset", "refuse")
_MARKER = re.compile(r"\[\[fault=([a-z_]+)( [0-9.]+)?( billed)?\]\]")


class Fault(NamedTuple):
    """One fault, for the next `times` calls of `profile` ("" for any).

    `seconds` pass before the model begins. `billed` says that the model runs and is on record all the same.
    """

    kind: str
    times: int = 1
    profile: str = ""
    seconds: float = 0.0
    billed: bool = False

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Fault:
        """From the JSON of a test. Raises KeyError, TypeError or ValueError for what is no fault."""
        kind = wanted["kind"]
        if kind not in ERRORS and kind not in _OTHERS:
            raise ValueError(f"kind must be one of {', '.join([*ERRORS, *_OTHERS])}")
        billed = kind in ("billed_error", "reset") or bool(wanted.get("billed", False))
        return cls(
            kind, int(wanted.get("count", 1)), str(wanted.get("profile", "")), float(wanted.get("seconds", 0)), billed
        )


class Faults:
    """The faults that are still to happen, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """One more."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> int:
        """How many calls are still to fail."""
        with self._lock:
            return sum(fault.times for fault in self._waiting)

    def take(self, profile: str) -> Fault | None:
        """The fault of this call, if any."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.profile in ("", profile):
                    if fault.times > 1:
                        self._waiting[index] = fault._replace(times=fault.times - 1)
                    else:
                        del self._waiting[index]
                    return fault
        return None


def fault_of_text(text: str) -> Fault | None:
    """The fault that a marker in a message asks for."""
    found = _MARKER.search(text)
    if found is None:
        return None
    try:
        return Fault.of({"kind": found[1], "seconds": found[2] or 0, "billed": found[3]})
    except ValueError:
        return None
