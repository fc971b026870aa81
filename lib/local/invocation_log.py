"""Bedrock's invocation log: what was served, by request, independent of our ledger. Never the prompt or the answer.

Entries have the schema of Bedrock's model invocation logging, without the bodies and with the cached tokens by TTL and
the service tier: docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html. They are kept on moto's
backend, and appended to `bedrock_invocations.jsonl` in the server's folder.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.bedrock.models import bedrock_backends

from lib.local.served import Served

__all__ = ["InvocationLog", "invocation_log"]

FILE = "bedrock_invocations.jsonl"
_MOST_KEPT = 200_000


class InvocationLog:
    """The log of one server. Without `configure` nothing is written to disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None

    def configure(self, folder: Path) -> None:
        """Begin a new file in `folder`."""
        self._path = folder / FILE
        self.clear()

    def clear(self) -> None:
        """Empty the file; what is in memory goes with moto's reset."""
        if self._path is not None:
            with self._lock:
                self._path.write_bytes(b"")

    def add(self, served: Served, request_id: str, operation: str, identity: str, metadata: Mapping[str, str]) -> None:
        """One call that was served, under its request id; `identity` is the ARN of who called."""
        entry = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(served.at)),
            "at": served.at,
            "accountId": served.account,
            "region": served.region,
            "requestId": request_id,
            "identity": {"arn": identity},
            "operation": operation,
            "modelId": served.model,
            "profileId": served.profile,
            "inputTokens": served.input,
            "outputTokens": served.output,
            "cacheReadInputTokens": served.cache_read,
            "cacheWriteInputTokens": served.cache_write,
            "cacheWrite1hInputTokens": served.cache_write_1h,
            "serviceTier": served.tier,
            "latencyMs": served.latency_ms,
            "requestMetadata": dict(metadata),
        }
        with self._lock:
            _entries(bedrock_backends[served.account][served.region]).append(entry)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")

    def entries(self, account: str) -> list[dict[str, Any]]:
        """Everything served to an account, in all Regions, in order of time."""
        regions: Any = bedrock_backends[account]
        with self._lock:
            found = [entry for backend in list(regions.values()) for entry in _entries(backend)]
        return sorted(found, key=lambda entry: float(entry["at"]))


def _entries(backend: Any) -> deque[dict[str, Any]]:
    entries: deque[dict[str, Any]] = backend.__dict__.setdefault("local_invocations", deque(maxlen=_MOST_KEPT))
    return entries


invocation_log = InvocationLog()
