"""CloudWatch Logs: embedded metrics are taken out of log events, and streams do not grow without end.

Lines that break the specification are counted in AWS/Logs EMFValidationErrors, as at AWS, and are never an error.
"""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import LogStream

from lib.local import clock
from lib.local.emf import extract
from lib.local.metric_store import Metric, store_of

__all__ = ["install"]

# Every container makes a stream and every request a few lines; a long-lived local AWS must not drown in them.
MOST_EVENTS = 10_000
MOST_STREAMS = 500
# CloudWatch takes metrics of the last two weeks, and up to two hours ahead of its clock.
OLDEST_SECONDS, NEWEST_SECONDS = 14 * 86_400, 2 * 3600

_moto_put_log_events = LogStream.put_log_events


def _put_log_events(stream: Any, log_events: list[dict[str, Any]]) -> Any:
    token = _moto_put_log_events(stream, log_events)
    del stream.events[:-MOST_EVENTS]
    streams = stream.log_group.streams
    for name in list(streams)[: max(0, len(streams) - MOST_STREAMS)]:
        streams.pop(name, None)
    for event in log_events:
        _keep_metrics(stream, str(event["message"]))
    return token


def _keep_metrics(stream: Any, message: str) -> None:
    points, problems = extract(message)
    if not points and not problems:
        return
    store = store_of(cloudwatch_backends[stream.account_id][stream.region])
    now = clock.now()
    for point in points:
        if now - OLDEST_SECONDS <= point.at <= now + NEWEST_SECONDS:
            store.put(point.metric, point.at, point.value, unit=point.unit, resolution=point.resolution)
    if problems:
        name = {"LogGroupName": stream.log_group.name}
        store.put(Metric.of("AWS/Logs", "EMFValidationErrors", name), now, 1, unit="Count")


def install() -> None:
    """Look into every log event that arrives. Idempotent."""
    LogStream.put_log_events = _put_log_events
