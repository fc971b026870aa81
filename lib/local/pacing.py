"""AWS's published rates of control-plane calls, enforced when switched on (POST /_local/pacing {"on": true}).

Off by default, so that a local set-up is quick. Rates: AWS.md and
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from lib.local import clock, door
from lib.local.door import Refused, Visit

__all__ = ["RATES", "Pacing", "Rate", "install", "pacing"]


class Rate(NamedTuple):
    """So many calls in so many seconds; as many may come at once as are allowed in that time."""

    calls: int
    seconds: float


# Creating and deleting usage plans has no published rate; it is taken to be as slow as updating one.
RATES: dict[tuple[str, str], Rate] = {
    ("apigateway", "CreateApiKey"): Rate(5, 1),
    ("apigateway", "CreateDeployment"): Rate(1, 5),
    ("apigateway", "CreateResource"): Rate(5, 1),
    ("apigateway", "CreateRestApi"): Rate(1, 3),
    ("apigateway", "CreateUsagePlan"): Rate(1, 20),
    ("apigateway", "DeleteApiKey"): Rate(5, 1),
    ("apigateway", "DeleteResource"): Rate(5, 1),
    ("apigateway", "DeleteRestApi"): Rate(1, 30),
    ("apigateway", "DeleteUsagePlan"): Rate(1, 20),
    ("apigateway", "ImportRestApi"): Rate(1, 3),
    ("apigateway", "PutRestApi"): Rate(1, 1),
    ("apigateway", "UpdateUsagePlan"): Rate(1, 20),
    ("apigateway", "*"): Rate(10, 1),
    ("cloudwatch", "DeleteAlarms"): Rate(3, 1),
    ("cloudwatch", "PutMetricAlarm"): Rate(3, 1),
}


class Pacing:
    """A token bucket an account, Region and operation."""

    def __init__(self) -> None:
        self.on = False
        self.refused = 0
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str, str, str], tuple[float, float]] = {}

    def switch(self, on: bool) -> None:
        """Turn enforcement on or off; the buckets are full afterwards."""
        with self._lock:
            self.on, self.refused = on, 0
            self._tokens.clear()

    def guard(self, visit: Visit, applied: bool) -> None:
        """Raises Refused where the operation's rate is exceeded."""
        if not self.on or applied:
            return
        key = (visit.service, visit.operation)
        name = visit.operation if key in RATES else "*"
        rate = RATES.get((visit.service, name))
        if rate is None:
            return
        bucket, now = (visit.account, visit.region, visit.service, name), clock.now()
        with self._lock:
            tokens, at = self._tokens.get(bucket, (float(rate.calls), now))
            tokens = min(float(rate.calls), tokens + (now - at) * rate.calls / rate.seconds)
            self._tokens[bucket] = (max(0.0, tokens - 1) if tokens >= 1 else tokens, now)
            if tokens >= 1:
                return
            self.refused += 1
        raise Refused.throttled(visit.service)


pacing = Pacing()


def install() -> None:
    """Enforce the rates at the door while switched on. Idempotent."""
    if pacing.guard not in door.guards:
        door.guards.append(pacing.guard)
