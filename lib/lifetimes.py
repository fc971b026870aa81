"""How long things live, in seconds: where one module waits for another's end, both read it here."""

from __future__ import annotations

from lib.openapi import INTEGRATION_SECONDS

__all__ = ["FUNCTION_SECONDS", "HOLD_SECONDS", "LAST_USE_SECONDS", "SCHEDULE_SECONDS", "SNAPSHOT_SECONDS"]

# A function must not outlive its caller: a call that goes on after a 504 is billed.
FUNCTION_SECONDS = INTEGRATION_SECONDS
# The scheduled function sweeps and rolls up; the next minute's run waits behind a long one.
SCHEDULE_SECONDS = 300
# How often a running function looks at the resolved configuration.
SNAPSHOT_SECONDS = 30
# A reservation whose owner died is swept this long after it began.
HOLD_SECONDS = FUNCTION_SECONDS + 60
# A request may have read the configuration just before it was replaced, and last as long as a function may.
# The rest is for a read that was under way.
LAST_USE_SECONDS = SNAPSHOT_SECONDS + FUNCTION_SECONDS + 6
