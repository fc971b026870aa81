"""moto with our additions, in this process: the whole protocol round trip of boto3, without a socket."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from lib.local.server import ADDITIONS


@functools.cache
def _client(service: str) -> Any:
    # one attempt: a refusal is to be seen, not retried away
    return boto3.client(service, region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def moto_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """`moto_aws("sns")` is a boto3 client of an empty embedded AWS."""
    for install in ADDITIONS:
        install()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield _client
