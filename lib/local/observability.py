"""What the server has to call of metrics, logs, alarms, mail, schedules, costs, quotas and faults: three tuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lib.local import cloudwatch, control_faults, costs, door, logs, mail, pacing, quotas, schedules
from lib.local.admin import ROUTES
from lib.local.alarms import AlarmClock
from lib.local.schedules import Schedules
from lib.local.ttl import Expiry

__all__ = ["INSTALLS", "ROUTES", "Ticker", "tickers"]

INSTALLS: tuple[Callable[[], None], ...] = (
    cloudwatch.install,
    logs.install,
    mail.install,
    schedules.install,
    costs.install,
    quotas.install,
    door.install,
    pacing.install,
    control_faults.install,
)


class Ticker(Protocol):
    """Background work that looks at the clock of the embedded AWS, about once a second."""

    def tick(self, now: float | None = None) -> None: ...


def tickers() -> tuple[Ticker, ...]:
    """New tickers: alarms, schedules, time to live."""
    return AlarmClock(), Schedules(), Expiry()
