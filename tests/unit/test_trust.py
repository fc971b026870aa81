"""TLS over real sockets: certificates are verified, connections are kept, and whose roots count."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from lambda_function import trust
from lambda_function.roots import AMAZON_ROOTS
from lambda_function.wire import Credentials, Wire, WireError
from tests.authority import LOCALHOST, Authority
from tests.scripted_server import Script, ScriptedServer, close, reply

OK = reply(b"ok")
OTHER = x509.DNSName("bedrock-runtime.us-east-1.amazonaws.com")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Contexts are made once a process; here, once a test."""
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    trust.first.cache_clear()
    trust.second.cache_clear()
    yield
    trust.first.cache_clear()
    trust.second.cache_clear()


@pytest.fixture
def connected() -> Iterator[Callable[[Script, Path], tuple[Wire, ScriptedServer]]]:
    made: list[tuple[Wire, ScriptedServer]] = []

    def connect(script: Script, certificate: Path) -> tuple[Wire, ScriptedServer]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = ScriptedServer(script, context)
        made.append((Wire("us-east-1", lambda: Credentials("A", "s", None), server.url), server))
        return made[-1]

    yield connect
    for wire, server in made:
        wire.close()
        server.stop()


Connected = Callable[[Script, Path], tuple[Wire, ScriptedServer]]


def ask(wire: Wire) -> bytes:
    return wire.call("dynamodb", "POST", "/", b"{}").body


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_operators_bundle_is_trusted_and_the_connection_kept(
    variable: str, authority: Authority, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(authority.bundle))
    wire, server = connected([[[OK], [OK], [reply(b"x" * 200_000)]]], authority.certificate())
    # TLS 1.3 session tickets lie unread between the first two: they are no end of the connection.
    assert [ask(wire), ask(wire), ask(wire)] == [b"ok", b"ok", b"x" * 200_000]
    assert [len(heard) for heard in server.heard] == [3]


def test_a_directory_of_roots_may_be_named(
    authority: Authority, connected: Connected, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "roots"
    empty.mkdir()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(empty))
    wire, _ = connected([[[OK]]], authority.certificate())
    with pytest.raises(WireError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(wire)


def test_a_connection_closed_while_idle_is_found(
    authority: Authority, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    wire, server = connected([[[OK, close]], [[OK]]], authority.certificate())
    ask(wire)
    time.sleep(0.05)
    assert ask(wire) == b"ok"
    assert [len(heard) for heard in server.heard] == [1, 1]


def test_a_reply_cut_off_without_a_goodbye_is_an_error(
    authority: Authority, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    wire, _ = connected([[[b"HTTP/1.1 200 OK\r\n\r\nhalf of", close]]], authority.certificate())
    with pytest.raises(WireError) as caught:
        ask(wire)
    assert caught.value.sent, str(caught.value)


@pytest.mark.parametrize("name", [LOCALHOST, OTHER], ids=["unknown authority", "and another's name"])
def test_strangers_are_refused_before_anything_is_sent(
    name: x509.GeneralName, authority: Authority, connected: Connected
) -> None:
    wire, server = connected([[[OK]]], authority.certificate(name))
    with pytest.raises(WireError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        ask(wire)
    assert not caught.value.sent
    assert server.requests == []
    assert len(server.heard) == 2, "the platform's bundle is asked after Amazon's roots"


def test_a_trusted_certificate_of_another_host_is_refused(
    authority: Authority, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    wire, server = connected([[[OK]]], authority.certificate(OTHER))
    with pytest.raises(WireError, match="mismatch") as caught:
        ask(wire)
    assert not caught.value.sent
    assert len(server.heard) == 1, "the operator's bundle is the only one"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # Starfield's is 0
def test_the_roots_are_those_that_amazon_publishes() -> None:
    # SHA-256 of the subject public key info: https://www.amazontrust.com/repository/
    published = {
        "Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
        "Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
        "Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
        "Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
        "Starfield Services Root Certificate Authority - G2": (
            "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92"
        ),
    }
    found = {}
    for root in x509.load_pem_x509_certificates(AMAZON_ROOTS.encode()):
        (name,) = root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        key = root.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        found[name.value] = hashlib.sha256(key).hexdigest()
    assert found == published
    assert len(trust.first().get_ca_certs()) == 5
