"""One embedded AWS for all tests of a process, over real HTTP, empty for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lib.local import launch
from tests.e2e.gateway import free_port, http_call


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """It runs in a process of its own, because its additions to moto would stay in ours."""
    folder = tmp_path_factory.mktemp("embedded-aws")
    yield launch.ensure(free_port(), folder)
    launch.stop(folder)


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
