"""The embedded AWS in this process, over real HTTP, empty for every test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lib.local.server import EmbeddedAws
from tests.e2e.gateway import http_call


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all tests of a process, because moto's state is the process's."""
    aws = EmbeddedAws(0, tmp_path_factory.mktemp("embedded-aws"))
    thread = threading.Thread(target=aws.serve, name="embedded AWS")
    thread.start()
    yield aws.endpoint
    aws.stop()
    thread.join(20)


@pytest.fixture
def embedded_aws(endpoint: str) -> str:
    """The endpoint of an embedded AWS in which nothing is."""
    assert http_call(endpoint, "POST", "/moto-api/reset").status == 200
    return endpoint


@pytest.fixture
def aws(embedded_aws: str) -> Callable[..., Any]:
    """`aws("sns")` is a boto3 client of it; one attempt a call, because a refusal is to be seen."""

    def client(service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=embedded_aws,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=80, parameter_validation=False),
        )

    return client
