"""The clock of the embedded AWS: the wall clock, moved or made faster by tests.

Everything here that asks for the time asks `now`. Functions get `reading` with each event, so that their `time.time`
is the same clock.
"""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["Reading", "now", "offset", "reading", "reset", "set_offset", "set_speed"]


class Reading(NamedTuple):
    """At epoch second `wall` of the wall clock it was `here` here, and `speed` seconds pass here in one there."""

    wall: float
    here: float
    speed: float


_REAL = Reading(0.0, 0.0, 1.0)
_reading = _REAL


def now() -> float:
    """Epoch seconds."""
    wall, here, speed = _reading
    return here + (time.time() - wall) * speed


def reading() -> Reading:
    """From which anybody can compute what `now` answers."""
    return _reading


def offset() -> float:
    """Seconds by which the clock is ahead of the wall clock at this moment."""
    return now() - time.time()


def set_offset(seconds: float) -> None:
    """Set the clock to the wall clock plus `seconds`."""
    global _reading
    wall = time.time()
    # without a changed speed the two clocks differ by exactly `seconds` for ever
    _reading = Reading(0.0, seconds, 1.0) if _reading.speed == 1 else Reading(wall, wall + seconds, _reading.speed)


def set_speed(factor: float) -> None:
    """Let `factor` seconds pass here in one second of the wall clock, from now on. Raises ValueError below 0."""
    global _reading
    if factor < 0:
        raise ValueError("speed must not be negative")
    wall, here = time.time(), now()
    _reading = Reading(0.0, here - wall, 1.0) if factor == 1 else Reading(wall, here, factor)


def reset() -> None:
    """The wall clock again."""
    global _reading
    _reading = _REAL
