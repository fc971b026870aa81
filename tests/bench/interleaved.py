"""CPU time of several things in one process, taken in turns so that what disturbs one disturbs all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["cpu_per_call"]


def cpu_per_call(calls: Mapping[str, Callable[[], object]], *, blocks: int = 15, each: int = 40) -> dict[str, float]:
    """Microseconds of CPU time, user and system, of one call: the median of `blocks` blocks of `each` calls."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(each):
            call()
    gc.collect()
    for _ in range(blocks):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(each):
                call()
            found[name].append((time.process_time() - began) / each * 1e6)
    return {name: statistics.median(times) for name, times in found.items()}
