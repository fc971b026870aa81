"""Faults on purpose: the n-th call of an operation is throttled, fails, or is lost before or after it took effect.

Set through POST /_local/control_faults: [{"service": "sns", "operation": "CreateTopic", "call": 1, "fault":
"throttle"}]. `call` counts the calls that match since the rules were set, from 1; without it every call fails.
`service` and `operation` may be "*".
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from lib.local import door
from lib.local.door import Dropped, Refused, Visit

__all__ = ["ControlFaults", "control_faults", "install"]

# fault -> whether the call takes effect
FAULTS = {"throttle": False, "500": False, "drop-before": False, "500-after": True, "drop-after": True}
# The words of the first draft of this interface.
ALIASES = {"drop-after-apply": "drop-after"}
MOST_REMEMBERED = 20_000


class _Rule:
    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.service, self.operation = str(rule.get("service", "*")), str(rule.get("operation", "*"))
        self.fault = ALIASES.get(str(rule.get("fault")), str(rule.get("fault")))
        if self.fault not in FAULTS:
            raise ValueError(f"no such fault: {self.fault}; there are {', '.join(FAULTS)}")
        self.call = None if rule.get("call") is None else int(rule["call"])
        self.seen = 0

    def hits(self, visit: Visit) -> bool:
        """Count the visit if the rule is about it, and say whether it is the one to fail."""
        if self.service not in ("*", visit.service) or self.operation not in ("*", visit.operation):
            return False
        self.seen += 1
        return self.call is None or self.seen == self.call


class ControlFaults:
    """The rules in force, and the calls seen since they were set (service and operation)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._pending = threading.local()
        self.calls: deque[tuple[str, str]] = deque(maxlen=MOST_REMEMBERED)

    def set(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace all rules and forget all calls. Raises ValueError for a fault that does not exist."""
        parsed = [_Rule(rule) for rule in rules]
        with self._lock:
            self._rules = parsed
            self.calls.clear()

    def guard(self, visit: Visit, applied: bool) -> None:
        """Raises Refused or Dropped where a rule says so."""
        if applied:
            fault = self._pending.__dict__.pop("fault", None)
            if fault:
                self._strike(fault, visit)
            return
        with self._lock:
            self.calls.append((visit.service, visit.operation))
            faults = [rule.fault for rule in self._rules if rule.hits(visit)]
        self._pending.__dict__.pop("fault", None)
        if faults and FAULTS[faults[0]]:
            self._pending.fault = faults[0]
        elif faults:
            self._strike(faults[0], visit)

    @staticmethod
    def _strike(fault: str, visit: Visit) -> None:
        if fault.startswith("drop"):
            raise Dropped
        if fault == "throttle":
            raise Refused.throttled(visit.service)
        raise Refused("InternalFailure", "The request failed because of an internal error.", 500)


control_faults = ControlFaults()


def install() -> None:
    """Stand at the door. Idempotent."""
    if control_faults.guard not in door.guards:
        door.guards.append(control_faults.guard)
