"""AWS/Lambda: what CloudWatch counts of a function's invocations. The runner calls `record` after each."""

from __future__ import annotations

from moto.cloudwatch.models import cloudwatch_backends

from lib.local.metric_store import Metric, store_of

__all__ = ["record"]


def record(
    account: str,
    region: str,
    function_name: str,
    at: float,
    duration_ms: float,
    *,
    failed: bool,
    throttled: bool = False,
) -> None:
    """Count one invocation at epoch second `at` under FunctionName. A throttled one did not run."""
    store = store_of(cloudwatch_backends[account][region])

    def put(name: str, value: float, unit: str) -> None:
        store.put(Metric.of("AWS/Lambda", name, {"FunctionName": function_name}), at, value, unit=unit)

    put("Throttles", float(throttled), "Count")
    if not throttled:
        put("Invocations", 1, "Count")
        put("Errors", float(failed), "Count")
        put("Duration", duration_ms, "Milliseconds")
