"""The wire against real sockets: framing, reuse, deadlines, and whether a failed request was sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from lambda_function.wire import Credentials, Reply, Wire, WireError, WireTimeout, environment_credentials
from tests.scripted_server import Script, ScriptedServer, Step, close, pause, reply, reset, scripted

OK = reply(b"ok")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Clock:
    """Epoch seconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 1795600000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connected(clock: Clock) -> Iterator[Callable[[Script], tuple[Wire, ScriptedServer]]]:
    """`connected(script)` is a wire and the server that it talks to."""
    made: list[tuple[Wire, ScriptedServer]] = []

    def connect(script: Script) -> tuple[Wire, ScriptedServer]:
        server = ScriptedServer(script)
        wire = Wire("us-east-1", lambda: Credentials("AKID", "secret", "token"), server.url, clock)
        made.append((wire, server))
        return made[-1]

    yield connect
    for wire, server in made:
        wire.close()
        server.stop()


Connected = Callable[[Script], tuple[Wire, ScriptedServer]]


def ask(wire: Wire, timeout: float = 5.0, idempotent: bool = False, method: str = "POST") -> Reply:
    return wire.call("dynamodb", method, "/", b"{}", timeout=timeout, idempotent=idempotent)


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("steps", "status", "body"),
    [
        ([reply(b"hello", 403)], 403, b"hello"),
        ([OK[:7], pause(0.02), OK[7:30], pause(0.02), OK[30:]], 200, b"ok"),
        ([CHUNKED + b"3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n"], 200, b"abc0123456789"),
        ([CHUNKED + b"3\r\nab", pause(0.02), b"c\r\n0\r", b"\nTrailer: x\r\n\r\n"], 200, b"abc"),
        ([CHUNKED, *[b"%x\r\n%b\r\n" % (70000, b"x" * 70000)] * 3, b"0\r\n\r\n"], 200, b"x" * 210000),
        ([reply(b"y" * 3_000_000)], 200, b"y" * 3_000_000),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], 200, b"ok"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], 304, b""),
        ([b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"], 200, b""),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil", pause(0.02), b" the end", close], 200, b"until the end"),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], 200, b"ok"),
    ],
)
def test_reads_every_kind_of_reply(connected: Connected, steps: list[Step], status: int, body: bytes) -> None:
    wire, _ = connected([[steps]])
    assert ask(wire)[::2] == (status, body)


def test_a_reply_to_head_has_no_body(connected: Connected) -> None:
    wire, server = connected([[[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], [OK]]])
    assert wire.call("s3", "HEAD", "/bucket/key").body == b""
    assert ask(wire).body == b"ok"
    assert len(server.heard) == 1


def test_header_names_are_lower_case_and_repeated_ones_joined(connected: Connected) -> None:
    wire, _ = connected([[[reply(b"", 200, "X-One: a", "x-one:  b ", 'ETag: "x"')]]])
    headers = ask(wire).headers
    assert headers == {"content-length": "0", "x-one": "a, b", "etag": '"x"'}


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: line\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000,
        CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"3" * 5000,
    ],
    ids=lambda said: said[:60].decode(),
)
def test_what_is_not_http_is_an_unknown_outcome(connected: Connected, said: bytes) -> None:
    wire, _ = connected([[[said]]])
    with pytest.raises(WireError, match="not HTTP") as caught:
        ask(wire)
    assert caught.value.sent


@pytest.mark.parametrize(
    "steps",
    [
        [close],
        [reset],
        [OK[:9], close],
        [OK[:9], reset],
        [OK[:-1], close],
        [OK[:-1], reset],
        [CHUNKED + b"3\r\nabc\r\n", close],
    ],
)
def test_a_reply_that_breaks_off_is_an_unknown_outcome(connected: Connected, steps: list[Step]) -> None:
    wire, server = connected([[steps]])
    with pytest.raises(WireError) as caught:
        ask(wire, idempotent=True)
    assert caught.value.sent
    assert not isinstance(caught.value, WireTimeout)
    assert len(server.requests) == 1, "a fresh connection that breaks is not tried again"


# ---------------------------------------------------------------- reuse


def test_one_connection_serves_all(connected: Connected) -> None:
    wire, server = connected([[[OK], [CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], [reply(b"ok")]]])
    assert [ask(wire).body for _ in range(3)] == [b"ok"] * 3
    assert [len(heard) for heard in server.heard] == [3]


@pytest.mark.parametrize(
    "last",
    [
        reply(b"ok", 200, "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK",  # bytes that nobody asked for
    ],
)
def test_a_connection_that_must_not_be_reused_is_not(connected: Connected, last: bytes) -> None:
    wire, server = connected([[[last]], [[OK]]])
    assert [ask(wire).body for _ in range(2)] == [b"ok"] * 2
    assert [len(heard) for heard in server.heard] == [1, 1]


@pytest.mark.parametrize("end", [close, reset, lambda connection: connection.sendall(b"HTTP/1.1 408 Too late\r\n\r\n")])
def test_a_connection_closed_while_idle_is_found_before_sending(connected: Connected, end: Step) -> None:
    wire, server = connected([[[OK, pause(0.05), end]], [[OK]]])
    ask(wire)
    time.sleep(0.15)
    assert ask(wire).body == b"ok"
    assert [len(heard) for heard in server.heard] == [1, 1]


def test_a_connection_idle_for_long_is_replaced(connected: Connected, clock: Clock) -> None:
    wire, server = connected([[[OK], [OK]], [[OK]]])
    for wait in (0, 19, 21):  # a frozen container hears no end of a connection
        clock.now += wait
        ask(wire)
    assert [len(heard) for heard in server.heard] == [2, 1]


@pytest.mark.parametrize("end", [close, reset])
def test_a_reused_connection_that_breaks_is_tried_again_only_if_idempotent(connected: Connected, end: Step) -> None:
    wire, server = connected([[[OK], [end]], [[OK]]])
    ask(wire)
    with pytest.raises(WireError) as caught:
        ask(wire)
    assert caught.value.sent
    assert len(server.requests) == 2
    assert ask(wire, idempotent=True).body == b"ok"

    wire, server = connected([[[OK], [end]], [[OK]]])
    ask(wire)
    assert ask(wire, idempotent=True).body == b"ok"
    assert [len(heard) for heard in server.heard] == [2, 1]


def test_the_second_try_is_the_last(connected: Connected) -> None:
    wire, server = connected([[[OK], [reset]], [[reset]]])
    ask(wire)
    with pytest.raises(WireError) as caught:
        ask(wire, idempotent=True)
    assert caught.value.sent
    assert [len(heard) for heard in server.heard] == [2, 1]


def test_threads_share_a_wire(connected: Connected) -> None:
    wire, server = connected([[[pause(0.01), OK]] * 40])
    bodies: list[bytes] = []

    def work() -> None:
        for _ in range(5):
            bodies.append(ask(wire).body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"ok"] * 40
    assert len(server.heard) <= 8


# ---------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    "steps",
    [
        [pause(0.4)],
        [OK[:20], pause(0.4)],
        [reply(b"x" * 100)[:-50], pause(0.4)],
        [step for byte in OK for step in (bytes([byte]), pause(0.02))],  # each byte in time, the whole too late
    ],
    ids=["silent", "in the head", "in the body", "dribbling"],
)
def test_a_slow_reply_meets_the_deadline(connected: Connected, steps: list[Step]) -> None:
    wire, server = connected([[steps]])
    began = time.monotonic()
    with pytest.raises(WireTimeout) as caught:
        ask(wire, timeout=0.15, idempotent=True)
    assert 0.1 < time.monotonic() - began < 0.35
    assert caught.value.sent
    assert len(server.requests) == 1


def test_no_time_left_is_not_sent(connected: Connected) -> None:
    wire, server = connected([[[OK], [OK]]])
    ask(wire)
    with pytest.raises(WireTimeout) as caught:
        ask(wire, timeout=0.0)
    assert not caught.value.sent
    assert len(server.requests) == 1


def test_a_server_that_does_not_read_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        wire = Wire("r", lambda: Credentials("A", "s", None), f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(WireTimeout) as caught:
            wire.call("dynamodb", "POST", "/", b"x" * 20_000_000, timeout=0.2)
        assert caught.value.sent


# ---------------------------------------------------------------- not sent


def test_refused_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    wire = Wire("r", lambda: Credentials("A", "s", None), f"http://127.0.0.1:{port}")
    with pytest.raises(WireError, match="cannot be reached") as caught:
        ask(wire)
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("service", "host"),
    [
        ("bedrock-runtime", "bedrock-runtime.nowhere-1.invalid"),
        ("dynamodb", "dynamodb.nowhere-1.invalid"),
        ("s3", "s3.nowhere-1.invalid"),
        ("sns", "sns.nowhere-1.invalid"),
        ("cloudwatch", "monitoring.nowhere-1.invalid"),
    ],
)
def test_each_service_has_its_host_and_no_address_is_not_sent(service: str, host: str) -> None:
    wire = Wire("nowhere-1", lambda: Credentials("A", "s", None), suffix="invalid")
    with pytest.raises(WireError, match=f"^{host} cannot be reached") as caught:
        wire.call(service, "GET", "/")
    assert not caught.value.sent


def test_a_tls_handshake_that_fails_is_not_sent() -> None:
    with scripted([[[OK]]]) as server:
        wire = Wire("r", lambda: Credentials("A", "s", None), f"https://127.0.0.1:{server.port}")
        with pytest.raises(WireError) as caught:
            ask(wire, timeout=0.3)
        assert not caught.value.sent


# ---------------------------------------------------------------- requests


def test_what_is_sent_is_signed_as_botocore_would(connected: Connected, clock: Clock) -> None:
    wire, server = connected([[[OK]]])
    path = (
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabcdefghijkl/converse"
    )
    wire.call("bedrock-runtime", "POST", path, b'{"messages":[]}', {"Accept": "application/json"}, query="a=b")
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"POST {path}?a=b HTTP/1.1"
    assert body == '{"messages":[]}'
    authorization = headers.pop("authorization")
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "x-amz-date": "20261125T094640Z",
        "x-amz-security-token": "token",
        "content-type": "application/json",
        "accept": "application/json",
        "content-length": "15",
    }
    del headers["content-length"]
    request = AWSRequest("POST", f"{server.url}{path}?a=b", headers, body)
    request.context["timestamp"] = headers["x-amz-date"]
    theirs = SigV4Auth(BotocoreCredentials("AKID", "secret", "token"), "bedrock", "us-east-1")
    expected = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)
    assert authorization.endswith(f"Signature={expected}")


def test_s3_gets_the_hash_of_the_payload(connected: Connected) -> None:
    wire, server = connected([[[OK]]])
    wire.call("s3", "GET", "/bucket/resolved.json", headers={"If-None-Match": '"x"'})
    request = server.requests[0]
    assert b"x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" in request
    assert b'if-none-match: "x"' in request
    assert b"content-length" not in request


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nx: y", {}),
        ("/", {"x": "a\r\nb: c"}),
        ("/", {"x": "a\nb"}),
        ("/", {"x": "a\rb"}),
        ("/", {"x\r\ny": "z"}),
        ("/", {"x": "ü"}),
        ("/ü", {}),
    ],
)
def test_nothing_is_smuggled_into_a_request(connected: Connected, path: str, headers: dict[str, str]) -> None:
    wire, server = connected([[[OK]]])
    with pytest.raises(ValueError, match=r"cannot be sent|ascii"):
        wire.call("dynamodb", "GET", path, headers=headers)
    assert server.requests == []


def test_a_refusal_that_comes_before_the_whole_request_was_read_is_heard(connected: Connected) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(reply(b"too large", 413, "Connection: close"))
            time.sleep(0.1)
            connection.close()  # with unread bytes, so with a RST

        thread = threading.Thread(target=refuse)
        thread.start()
        wire = Wire("r", lambda: Credentials("A", "s", None), f"http://127.0.0.1:{server.getsockname()[1]}")
        assert wire.call("bedrock-runtime", "POST", "/", b"x" * 20_000_000)[::2] == (413, b"too large")
        thread.join()


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://host", "http://", "http://host/path", "http://host:port"])
def test_an_endpoint_url_is_a_host(url: str) -> None:
    with pytest.raises(ValueError, match="endpoint URL"):
        Wire("r", endpoint_url=url)


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "c")
    assert environment_credentials() == Credentials("a", "b", "c")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    assert environment_credentials() == Credentials("a", "b", None)
