"""The resolved configuration: one S3 object that setup writes and running functions look at every 30 seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambda_function.calendars import Calendar
from lambda_function.limits import Policy
from lambda_function.resolve import Resolver
from lambda_function.wire import Wire, WireError

__all__ = ["Key", "Snapshot", "SnapshotReader", "SnapshotUnavailable"]

FORMAT = 1
_TIMEOUT = 3.0
_EARLY_SECONDS = 2.0  # an unknown key or profile may make us look early, but not more often than this
_RETRY_SECONDS = 5.0  # after a look that failed, while the last good one still serves


class SnapshotUnavailable(Exception):
    """No configuration has been read yet, and S3 does not give one."""


class Key(NamedTuple):
    """An API key: whose it is, and the epoch second at which it ends, None for never."""

    tenant: str
    until: int | None


class Snapshot:
    """One version of the resolved configuration, with everything that is derived from it built once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where `document` is not what this code understands."""
        if document["format"] != FORMAT:
            raise ValueError("a snapshot of another format")
        self.version: str = document["version"]
        self.region: str = document["region"]
        self.table: str = document["table"]
        self.hold_seconds: int = document["hold_seconds"]
        self.price_version: str = document["price_version"]
        self.models: Mapping[str, Mapping[str, Any]] = document["models"]
        self.document = document
        self.resolver = Resolver(document["profiles"], self.region)
        self._keys = {name: Key(key["tenant"], key["until"]) for name, key in document["keys"].items()}
        self._policies: dict[str, Policy] = {}
        self._calendars: dict[str, Calendar] = {}

    def key(self, key_id: str) -> Key | None:
        """The key that API Gateway calls `key_id`."""
        return self._keys.get(key_id)

    def policy(self, tenant: str) -> Policy:
        """The tenant's policy as configured; the one in force is in its counter item."""
        if tenant not in self._policies:
            self._policies[tenant] = Policy.from_json(self.document["tenants"][tenant]["policy"])
        return self._policies[tenant]

    def calendar(self, tenant: str) -> Calendar:
        """The calendar of the tenant's zone."""
        zone = self.policy(tenant).timezone
        if zone not in self._calendars:
            self._calendars[zone] = Calendar.from_zones(zone, self.document["zones"])
        return self._calendars[zone]


class SnapshotReader:
    """Keeps the newest snapshot. A look that fails, or finds nonsense, leaves the last good one in place."""

    def __init__(
        self, wire: Wire, bucket: str, key: str, seconds: float = 30.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._wire = wire
        self._path = f"/{bucket}/{key}"
        self._seconds = seconds
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._etag = ""
        self._next_look = 0.0
        self._last_look = 0.0

    def current(self) -> Snapshot:
        """The snapshot to serve a request with. Raises SnapshotUnavailable."""
        if self._snapshot is None or self._clock() >= self._next_look:
            self._look()
        if self._snapshot is None:
            raise SnapshotUnavailable
        return self._snapshot

    def newest(self) -> Snapshot:
        """The snapshot after an early look, for what the current one does not know. Raises SnapshotUnavailable."""
        if self._clock() - self._last_look >= _EARLY_SECONDS:
            self._look()
        return self.current()

    def _look(self) -> None:
        now = self._last_look = self._clock()
        self._next_look = now + _RETRY_SECONDS
        headers = {"if-none-match": self._etag} if self._etag else {}
        try:
            reply = self._wire.call("s3", "GET", self._path, headers=headers, timeout=_TIMEOUT, idempotent=True)
        except WireError:
            return
        if reply.status == 304:
            self._next_look = now + self._seconds
        elif reply.status == 200:
            try:
                self._snapshot = Snapshot(json.loads(reply.body))
            except (ValueError, KeyError, TypeError):
                return
            self._etag = reply.headers.get("etag", "")
            self._next_look = now + self._seconds
