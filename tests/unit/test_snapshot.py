"""The resolved configuration as a running function sees it change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_function.snapshot import SnapshotReader, SnapshotUnavailable
from lambda_function.wire import Reply, WireError
from tests.unit.test_handler import DOCUMENT


class Bucket:
    """S3 with one object, which may be replaced, broken or out of reach."""

    def __init__(self) -> None:
        self.version = 1
        self.body: bytes | None = None
        self.reachable = True
        self.asked: list[str] = []

    def call(self, service: str, method: str, path: str, **rest: Any) -> Reply:
        if not self.reachable:
            raise WireError("no route", sent=False)
        sent = rest["headers"].get("if-none-match", "")
        self.asked.append(sent)
        if sent == str(self.version):
            return Reply(304, {}, b"")
        body = self.body or json.dumps({**DOCUMENT, "version": str(self.version)}).encode()
        return Reply(200, {"etag": str(self.version)}, body)


@pytest.fixture
def world() -> tuple[Bucket, SnapshotReader, list[float]]:
    now = [1000.0]
    bucket = Bucket()
    return bucket, SnapshotReader(bucket, "b", "k", clock=lambda: now[0]), now  # type: ignore[arg-type]


World = tuple[Bucket, SnapshotReader, list[float]]


def test_it_looks_every_thirty_seconds_and_only_asks_whether_it_changed(world: World) -> None:
    bucket, reader, now = world
    first = reader.current()
    now[0] += 29
    assert reader.current() is first
    now[0] += 2
    assert reader.current() is first
    assert bucket.asked == ["", "1"]
    bucket.version = 2
    now[0] += 31
    assert reader.current().version == "2"


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"format": 99}', b"{}"])
def test_nonsense_never_replaces_a_good_one(world: World, body: bytes) -> None:
    bucket, reader, now = world
    first = reader.current()
    bucket.version, bucket.body = 2, body
    now[0] += 31
    assert reader.current() is first
    bucket.body = None
    now[0] += 6
    assert reader.current().version == "2"


def test_out_of_reach_the_last_good_one_serves_and_a_new_container_says_so(world: World) -> None:
    bucket, reader, now = world
    first = reader.current()
    bucket.reachable = False
    now[0] += 3600
    assert reader.current() is first
    with pytest.raises(SnapshotUnavailable):
        SnapshotReader(bucket, "b", "k", clock=lambda: now[0]).current()  # type: ignore[arg-type]


def test_the_unknown_may_make_it_look_early_but_not_often(world: World) -> None:
    bucket, reader, now = world
    reader.current()
    bucket.version = 2
    assert reader.newest().version == "1"  # it has just looked
    now[0] += 2.5
    assert reader.newest().version == "2"
    for _ in range(5):
        reader.newest()
    assert len(bucket.asked) == 2
