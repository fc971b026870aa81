"""What the embedded Bedrock served, on record beside and independent of our ledger.

The record is what AWS's own metrics (namespace AWS/Bedrock) and Cost Explorer are made of here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from moto.bedrock.models import bedrock_backends
from moto.cloudwatch.models import cloudwatch_backends

from lib.local.metric_store import Metric, store_of

__all__ = ["Served", "record", "record_error", "served_by"]

NAMESPACE = "AWS/Bedrock"


class Served(NamedTuple):
    """One call that Bedrock answered, and billed.

    `profile` is the id of the application inference profile ("" where the model was called directly), `model` the id
    that is priced (a foundation model or a system-defined profile), `tags` those of the profile at that moment.
    Counts are tokens; `cache_write` is for 5 minutes, `cache_write_1h` for an hour, `input` excludes cached tokens.
    """

    account: str
    region: str
    at: float
    profile: str
    model: str
    tags: Mapping[str, str]
    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    tier: str = "default"
    latency_ms: float = 0.0


def record(served: Served) -> None:
    """Keep the record and count it in AWS/Bedrock, dimension ModelId: the profile's id, or the model's."""
    backend = bedrock_backends[served.account][served.region]
    backend.__dict__.setdefault("local_served", []).append(served)
    counts = {
        "Invocations": 1,
        "InputTokenCount": served.input,
        "OutputTokenCount": served.output,
        "CacheReadInputTokenCount": served.cache_read,
        "CacheWriteInputTokenCount": served.cache_write + served.cache_write_1h,
    }
    for name, count in counts.items():
        # Bedrock reports cache metrics only for calls that touched the cache
        if count or not name.startswith("Cache"):
            _put(served.account, served.region, served.profile or served.model, name, served.at, count, "Count")
    latency = served.latency_ms
    _put(
        served.account,
        served.region,
        served.profile or served.model,
        "InvocationLatency",
        served.at,
        latency,
        "Milliseconds",
    )


def record_error(account: str, region: str, at: float, model_id: str, status: int) -> None:
    """Count a call that Bedrock answered with an error of this HTTP status. Errors cost nothing."""
    kind = "InvocationThrottles" if status == 429 else "InvocationServerErrors" if status >= 500 else None
    _put(account, region, model_id, kind or "InvocationClientErrors", at, 1, "Count")


def _put(account: str, region: str, model_id: str, name: str, at: float, value: float, unit: str) -> None:
    metric = Metric.of(NAMESPACE, name, {"ModelId": model_id})
    store_of(cloudwatch_backends[account][region]).put(metric, at, value, unit=unit)


def served_by(account: str) -> list[Served]:
    """Everything that was served to an account, in all Regions, in order of time."""
    found: list[Served] = []
    regions: Any = bedrock_backends[account]
    for backend in list(regions.values()):
        found += backend.__dict__.get("local_served", ())
    return sorted(found, key=lambda one: one.at)
