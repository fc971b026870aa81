"""CPU time of several things in one process, taken in turns so that what disturbs one disturbs all."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["cpu_per_call", "one_processor"]


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this process, and those that it starts, on one processor, where the system can.

    A client that waits on a processor of its own lets it fall asleep, and pays for waking it: up to 40 us of CPU time a
    wait on a virtual machine, at random. Where the fake AWS runs there meanwhile, figures are steady.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


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
