"""Where the embedded CloudWatch keeps metrics: per metric one bucket a minute (a second where asked for).

moto keeps a flat list of points and walks all of it for every question; a dashboard over a day of traffic takes
minutes that way, and ListMetrics is quadratic. Here a question costs what its answer costs.
A store hangs on moto's own CloudWatch backend, so that moto's reset clears it.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from lib.local.samples import Number, Samples

__all__ = ["Dimensions", "Metric", "MetricStore", "store_of"]

Dimensions = tuple[tuple[str, str], ...]

# AWS keeps one-hour data for 455 days; nothing older can be asked for.
RETENTION_SECONDS = 455 * 86_400


class Metric(NamedTuple):
    """What identifies a metric. `dimensions` are sorted pairs of name and value: use `Metric.of`."""

    namespace: str
    name: str
    dimensions: Dimensions

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: dict[str, str] | Dimensions = ()) -> Metric:
        """The metric with its dimensions in any order or as a dict."""
        pairs = dimensions.items() if isinstance(dimensions, dict) else dimensions
        return cls(namespace, name, tuple(sorted(pairs)))


class _Series:
    """The buckets of one metric and unit: start of the bucket -> samples, and the starts in order."""

    def __init__(self) -> None:
        self.buckets: dict[int, Samples] = {}
        self.starts: list[int] = []

    def bucket(self, start: int) -> Samples:
        found = self.buckets.get(start)
        if found is None:
            found = self.buckets[start] = Samples()
            if not self.starts or start > self.starts[-1]:
                self.starts.append(start)
            else:
                insort(self.starts, start)
        return found

    def between(self, start: float, end: float) -> Iterator[tuple[int, Samples]]:
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        for at in self.starts[first:last]:
            yield at, self.buckets[at]

    def forget_before(self, when: float) -> None:
        first = bisect_left(self.starts, when)
        for at in self.starts[:first]:
            del self.buckets[at]
        del self.starts[:first]


class MetricStore:
    """All metrics of one account and Region. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # metric -> unit -> series; dicts keep the order in which metrics first appeared
        self._metrics: dict[Metric, dict[str, _Series]] = {}

    def put(
        self, metric: Metric, at: float, value: Number, *, count: Number = 1, unit: str = "None", resolution: int = 60
    ) -> None:
        """Record `count` samples of `value` at epoch second `at`. `resolution` is 60 or 1 seconds."""
        with self._lock:
            self._bucket(metric, at, unit, resolution).add(value, count)

    def put_set(
        self, metric: Metric, at: float, sums: dict[str, Any], *, unit: str = "None", resolution: int = 60
    ) -> None:
        """Record a StatisticSet: a dict of Sum, SampleCount, Minimum and Maximum."""
        with self._lock:
            bucket = self._bucket(metric, at, unit, resolution)
            bucket.add_set(sums["Sum"], sums["SampleCount"], sums["Minimum"], sums["Maximum"])

    def _bucket(self, metric: Metric, at: float, unit: str, resolution: int) -> Samples:
        series = self._metrics.setdefault(metric, {}).setdefault(unit or "None", _Series())
        start = math.floor(at / resolution) * resolution
        if series.starts and start - series.starts[0] > RETENTION_SECONDS + 86_400:
            series.forget_before(start - RETENTION_SECONDS)
        return series.bucket(start)

    def metrics(self) -> list[Metric]:
        """Every metric with data, in the order of first appearance."""
        with self._lock:
            return list(self._metrics)

    def latest(self, metric: Metric) -> int | None:
        """Epoch second at which the newest bucket of the metric begins."""
        with self._lock:
            units = self._metrics.get(metric, {}).values()
            return max((series.starts[-1] for series in units if series.starts), default=None)

    def has_data(self, metric: Metric, start: float, end: float) -> bool:
        """Whether any sample lies in [start, end). Costs two binary searches."""
        with self._lock:
            return any(
                bisect_left(series.starts, start) < bisect_left(series.starts, end)
                for series in self._metrics.get(metric, {}).values()
            )

    def periods(
        self, metric: Metric, period: int, start: int, end: float, unit: str | None = None
    ) -> dict[int, tuple[Samples, str]]:
        """The samples in [start, end) by period, counted from `start`: beginning of the period -> (samples, unit).

        Periods without samples are absent. Without `unit` all units are taken together, and the last one is named.
        """
        grouped: dict[int, list[Samples]] = {}
        units: dict[int, str] = {}
        with self._lock:
            for name, series in self._metrics.get(metric, {}).items():
                if unit is None or unit == name:
                    for at, samples in series.between(start, end):
                        slot = start + (at - start) // period * period
                        grouped.setdefault(slot, []).append(samples)
                        units[slot] = name
            # copies, for the caller reads them while others write
            return {slot: (Samples.merged(parts), units[slot]) for slot, parts in sorted(grouped.items())}

    def values(
        self, metric: Metric, stat: str, period: int, start: int, end: float, unit: str | None = None
    ) -> dict[int, float]:
        """One statistic by period: beginning of the period -> value."""
        found = self.periods(metric, period, start, end, unit)
        values = {at: samples.statistic(stat) for at, (samples, _) in found.items()}
        return {at: value for at, value in values.items() if value is not None}

    def total(self, metric: Metric, start: float = -math.inf, end: float = math.inf) -> Decimal:
        """The exact sum of all samples in [start, end): costs to the last pico-dollar."""
        with self._lock:
            parts = [part for s in self._metrics.get(metric, {}).values() for _, part in s.between(start, end)]
            return Samples.merged(parts).total


def store_of(backend: Any) -> MetricStore:
    """The store of a moto CloudWatch backend, made when first asked for."""
    found: MetricStore = backend.__dict__.setdefault("local_metric_store", MetricStore())
    return found
