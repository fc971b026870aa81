"""Faults of the model that a test asks for: POST /_local/faults {"kind", "count"?, "profile"?, "seconds"?}."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["KINDS", "Fault", "Faults"]

# kind -> (error code, HTTP status); None for faults that are no error answer
KINDS: Mapping[str, tuple[str, int] | None] = {
    "throttle": ("ThrottlingException", 429),
    "unavailable": ("ServiceUnavailableException", 503),
    "internal": ("InternalServerException", 500),
    "model_error": ("ModelErrorException", 424),
    "model_timeout": ("ModelTimeoutException", 408),
    "not_ready": ("ModelNotReadyException", 429),
    "denied": ("AccessDeniedException", 403),
    "slow": None,  # answers after `seconds`
    "reset": None,  # serves, bills, and breaks the connection before the answer
    "billed_error": ("InternalServerException", 500),  # serves and bills, then answers 500
}


class Fault(NamedTuple):
    """One fault, for the next `times` calls of `profile` ("" for any)."""

    kind: str
    times: int
    profile: str
    seconds: float


class Faults:
    """The faults that are still to happen, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, wanted: Mapping[str, Any]) -> None:
        """Raises ValueError for a kind that does not exist."""
        if wanted["kind"] not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        fault = Fault(
            wanted["kind"], int(wanted.get("count", 1)), str(wanted.get("profile", "")), float(wanted.get("seconds", 0))
        )
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._waiting.clear()

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
