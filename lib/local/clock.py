"""The clock of the embedded AWS: the wall clock, moved forward by an offset that tests set."""

from __future__ import annotations

import time

__all__ = ["now", "offset", "set_offset"]

_offset = 0.0


def now() -> float:
    """Epoch seconds."""
    return time.time() + _offset


def offset() -> float:
    """Seconds by which the clock is ahead of the wall clock."""
    return _offset


def set_offset(seconds: float) -> None:
    """Move the clock forward by `seconds` against the wall clock."""
    global _offset
    _offset = seconds
