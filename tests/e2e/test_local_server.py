"""The frame of the embedded AWS: starting and stopping it, its own addresses, and what it does not know."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from lambda_function.wire import Credentials, Wire
from lib.errors import LocalError
from lib.local import launch
from lib.local.remote import offset_at
from tests.e2e.gateway import admin, free_port, http_call, make_function
from tests.scripted_server import close, scripted

pytestmark = pytest.mark.e2e

Client = Callable[..., Any]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(endpoint, folder) of an embedded AWS in the background."""
    folder = tmp_path / ".local"
    endpoint = launch.ensure(free_port(), folder)
    yield endpoint, folder
    launch.stop(folder)


def test_it_starts_once_and_stops(running: tuple[str, Path]) -> None:
    endpoint, folder = running
    pid = admin(endpoint, "GET", "/_local/health")["pid"]
    port = int(endpoint.rpartition(":")[2])
    assert launch.ensure(port, folder) == endpoint
    assert admin(endpoint, "GET", "/_local/health")["pid"] == pid
    with pytest.raises(LocalError, match="runs at"):
        launch.ensure(free_port(), folder)
    with pytest.raises(LocalError, match=str(port)):
        launch.ensure(port, folder.parent / "another")
    launch.stop(folder)
    assert not launch.answers(endpoint)
    launch.stop(folder)


def test_a_port_that_something_else_holds_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"pid": 1, "endpoint_url": "http://127.0.0.1:1"}')  # of one that died
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(LocalError, match=f"port {port}") as said:
            launch.ensure(port, tmp_path)
        assert time.monotonic() - began < 10
        assert "--port" in said.value.hint


def test_only_this_machine_can_reach_it(running: tuple[str, Path]) -> None:
    port = int(running[0].rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((address, port), timeout=2)


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{", b"HTTP/1.1 2", b"SSH-2.0-x\r\n"])
def test_one_that_breaks_off_while_it_answers_does_not_answer(said: bytes) -> None:
    with scripted([[[said, close]]]) as server:
        assert not launch.answers(server.url)
        with pytest.raises(LocalError, match="does not answer"):
            offset_at(server.url)


def test_workers_end_when_it_is_terminated_or_killed(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        folder = tmp_path / str(number)
        endpoint = launch.ensure(free_port(), folder)
        source = "import os\ndef handle(event, context): return os.getpid()"
        worker = _function(endpoint, source)
        os.kill(admin(endpoint, "GET", "/_local/health")["pid"], number)
        deadline = time.monotonic() + 15
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        launch.stop(folder)


def _function(endpoint: str, source: str) -> int:
    import boto3

    def aws(service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=endpoint,
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip

    make_function(aws, source)
    return int(aws("lambda").invoke(FunctionName="app")["Payload"].read())


def test_in_the_foreground_it_needs_no_folder_beforehand(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lib.local", "--port", "0", "--dir", str(tmp_path / "a" / "b")]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    record = tmp_path / "a" / "b" / "server.json"
    while not record.exists():
        assert process.poll() is None
        time.sleep(0.05)
    assert launch.answers(json.loads(record.read_text())["endpoint_url"])
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    assert not record.exists()


@pytest.mark.parametrize(
    ("service", "method", "parameters"),
    [
        ("bedrock", "list_guardrails", {}),
        ("apigateway", "get_sdk_types", {}),
        ("cloudwatch", "list_metric_streams", {}),
        ("sns", "list_origination_numbers", {}),
        ("lambda", "list_code_signing_configs", {}),
    ],
)
def test_what_it_does_not_know_it_says_in_one_answer(
    aws: Client, service: str, method: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        getattr(aws(service), method)(**parameters)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501  # a 500 would be tried again and again
    assert answer["Error"]["Code"] == "NotImplemented"
    assert "embedded AWS" in answer["Error"]["Message"]


def test_addresses_of_its_own(embedded_aws: str) -> None:
    clock = admin(embedded_aws, "POST", "/_local/clock", {"offset": 3600, "speed": 2})
    assert (clock["speed"], round(clock["offset"])) == (2, 3600)
    assert admin(embedded_aws, "POST", "/_local/faults", {"kind": "throttle", "count": 3}) == {"waiting": 3}
    assert admin(embedded_aws, "DELETE", "/_local/faults") == {"waiting": 0}
    for method, path, body in (
        ("POST", "/_local/faults", b'{"kind": "nonsense"}'),
        ("POST", "/_local/faults", b"no json"),
        ("POST", "/_local/clock", b'{"ofset": 1}'),
        ("POST", "/_local/lambda/kill", b"{}"),
    ):
        answer = http_call(embedded_aws, method, path, body)
        assert (answer.status, bool(answer.body["error"])) == (400, True)
    assert http_call(embedded_aws, "GET", "/_local/nothing").status == 404
    assert http_call(embedded_aws, "GET", "/_console").status == 200


def test_a_reset_empties_everything(aws: Client, embedded_aws: str) -> None:
    haiku = "anthropic.claude-3-haiku-20240307-v1:0"
    aws("bedrock").create_inference_profile(
        inferenceProfileName="app",
        modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{haiku}"},
    )
    aws("bedrock-runtime").converse(modelId=haiku, messages=[{"role": "user", "content": [{"text": "x"}]}])
    admin(embedded_aws, "POST", "/_local/clock", {"offset": 3600})
    admin(embedded_aws, "POST", "/_local/faults", {"kind": "throttle"})
    assert http_call(embedded_aws, "POST", "/moto-api/reset").status == 200
    assert aws("bedrock").list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
    assert admin(embedded_aws, "GET", "/_local/bedrock/served") == {"served": []}
    assert admin(embedded_aws, "GET", "/_local/faults") == {"waiting": 0}
    assert admin(embedded_aws, "GET", "/_local/clock")["offset"] == pytest.approx(0, abs=0.1)


def test_one_connection_carries_many_calls_of_our_own_client(aws: Client, embedded_aws: str) -> None:
    aws("s3").create_bucket(Bucket="config")
    aws("s3").put_object(Bucket="config", Key="a", Body=b"x" * 100_000)
    wire = Wire("us-east-1", lambda: Credentials("local", "local", None), embedded_aws)
    haiku = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
    message = b'{"messages": [{"role": "user", "content": [{"text": "x"}]}]}'
    for _ in range(50):
        assert wire.call("bedrock-runtime", "POST", haiku, message).status == 200
        got = wire.call("s3", "GET", "/config/a")
        assert (got.status, len(got.body)) == (200, 100_000)
        assert wire.call("s3", "GET", "/config/a", headers={"if-none-match": got.headers["etag"]}).status == 304
        assert wire.call("bedrock-runtime", "POST", haiku, b"{}").status == 400
    assert sum(len(kept) for kept in wire._idle.values()) == 1
    wire.close()


def test_a_body_in_chunks_arrives(embedded_aws: str) -> None:
    host, port = embedded_aws.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"POST /_local/clock HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b'8\r\n{"offset\r\n5\r\n": 5}\r\n0\r\n\r\n'
        )
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["offset"] == pytest.approx(5, abs=0.1)
