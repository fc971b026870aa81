"""The table against moto over HTTP, and its retries against a server that misbehaves on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from lambda_function.attributes import encode_item, plain
from lambda_function.dynamodb import ConditionFailed, Table, Unavailable
from lambda_function.wire import Credentials, Wire
from tests.scripted_server import ScriptedServer, Step, pause, reply, reset

MANY = 12345678901234567890
ENTRY = bytes(range(208, 256))
KEY = ("T#Tenant-A", "counter")


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def table(moto_url: str, request: pytest.FixtureRequest) -> Iterator[Table]:
    """An empty table with the sparse index `active`."""
    name = f"table-{abs(hash(request.node.name))}"
    client = boto3.client(
        "dynamodb", "us-east-1", endpoint_url=moto_url, aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk", "active")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "active",
                "KeySchema": [
                    {"AttributeName": "active", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    client.close()
    with closing(Wire("us-east-1", lambda: Credentials("a", "b", None), moto_url)) as wire:
        yield Table(wire, name)


# ---------------------------------------------------------------- against moto


def test_an_item_comes_back_as_it_went(table: Table) -> None:
    item = {
        "pk": KEY[0], "sk": KEY[1], "number": MANY, "less": -MANY, "text": 'é"\\\n😀', "bytes": ENTRY,
        "entries": {ENTRY, b"\x00" * 48}, "tenants": {"A", "B"}, "numbers": {1, MANY}, "yes": True, "no": False,
        "nothing": None, "list": [1, "a", [b"b"], {}], "map": {"N": 1, "S": {"S": "x"}}, "empty": "",
    }  # fmt: skip
    table.put(item)
    assert table.get(KEY) == item
    assert table.batch_get([KEY, KEY, ("no", "such")]) == [item]
    assert table.get(("no", "such")) is None


def test_an_update_answers_with_what_it_was_asked_for(table: Table) -> None:
    assert table.update(KEY, "ADD m_202611 :a, inflight :E", values={":a": MANY, ":E": {ENTRY}}) == {}
    new = table.update(
        KEY, "ADD m_202611 :a DELETE inflight :E SET #l = :l", names={"#l": "level"},
        values={":a": 1, ":E": {ENTRY}, ":l": "red"}, returns="ALL_NEW",
    )  # fmt: skip
    assert new == {"pk": KEY[0], "sk": KEY[1], "m_202611": MANY + 1, "level": "red"}
    assert table.update(KEY, "REMOVE #l", names={"#l": "level"}, returns="UPDATED_OLD") == {"level": "red"}


def test_a_failed_condition_hands_back_the_item_as_it_is(table: Table) -> None:
    condition, values = "m <= :most AND NOT contains(inflight, :e)", {":most": 5, ":e": ENTRY}
    with pytest.raises(ConditionFailed) as caught:
        table.update(KEY, "ADD m :e2", condition=condition, values={**values, ":e2": 1})
    assert caught.value.item is None
    stored = {"pk": KEY[0], "sk": KEY[1], "m": 6, "inflight": {ENTRY}}
    table.put(stored)
    for refused in (
        lambda: table.update(KEY, "ADD m :one", condition=condition, values={**values, ":one": 1}),
        lambda: table.put(stored, condition="attribute_not_exists(pk)"),
        lambda: table.delete(KEY, "attribute_not_exists(m)"),
    ):
        with pytest.raises(ConditionFailed) as caught:
            refused()
        assert caught.value.item == stored
    table.delete(KEY, "attribute_exists(m)")
    assert table.get(KEY) is None
    table.delete(KEY)


def test_a_query_reads_all_pages_in_order(table: Table) -> None:
    padding = "x" * 200_000  # a page ends at 1 MB
    for number in range(8):
        table.put({"pk": "R#a", "sk": f"{number}", "padding": padding, "n": number})
    for forward in (True, False):
        found = table.query("pk = :pk", values={":pk": "R#a"}, forward=forward, consistent=True)
        assert [item["n"] for item in found] == sorted(range(8), reverse=not forward)
    part = table.query("#p = :pk AND sk < :sk", names={"#p": "pk"}, values={":pk": "R#a", ":sk": "3"})
    assert [item["n"] for item in part] == [0, 1, 2]


def test_a_query_of_the_index_reads_keys(table: Table) -> None:
    for tenant in "ab":
        table.put({"pk": f"T#{tenant}", "sk": "counter", "active": "2026112310", "other": 1})
    found = list(table.query("active = :hour", values={":hour": "2026112310"}, index="active"))
    assert found == [{"pk": f"T#{tenant}", "sk": "counter", "active": "2026112310"} for tenant in "ab"]


def test_a_batch_may_be_larger_than_one_request(table: Table) -> None:
    for number in range(105):
        table.put({"pk": "R", "sk": f"{number:03}"})
    found = table.batch_get([("R", f"{number:03}") for number in range(200)])
    assert sorted(item["sk"] for item in found) == [f"{number:03}" for number in range(105)]


def test_a_wrong_request_is_our_bug(table: Table) -> None:
    with pytest.raises(ValueError, match="UpdateItem: Invalid UpdateExpression"):
        table.update(KEY, "ADD m")


# ---------------------------------------------------------------- conversions

numbers = st.integers(-(10**38) + 1, 10**38 - 1)
scalars = st.none() | st.booleans() | numbers | st.text() | st.binary()
sets = st.sets(numbers, min_size=1) | st.sets(st.text(), min_size=1) | st.sets(st.binary(), min_size=1)
values = st.recursive(scalars | sets, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3))


@given(st.dictionaries(st.text(), values))
def test_conversions_undo_each_other(item: dict[str, Any]) -> None:
    assert plain(json.loads(encode_item(item))) == item


@pytest.mark.parametrize("value", [1.5, set(), {1, "a"}, {True}, object(), [1.0]])
def test_what_dynamodb_has_no_type_for_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="DynamoDB"):
        encode_item({"a": value})


# ---------------------------------------------------------------- retries


def say(body: bytes, status: int = 200) -> bytes:
    """A reply after which the client must connect anew."""
    return reply(body, status, "Connection: close")


DONE = say(b'{"Attributes":{"n":{"N":"7"}}}')
THROTTLED, BUSY, CONFLICT, DENIED = (
    say(json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}).encode(), 400)
    for code in ("ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException",
                 "AccessDeniedException")
)  # fmt: skip
CONDITION = say(b'{"__type":"x#ConditionalCheckFailedException","Item":{"n":{"N":"3"}}}', 400)
ERROR, PROXY, TOO_MANY = say(b"{}", 500), say(b"<html>", 503), say(b"", 429)


@pytest.fixture
def scripted() -> Iterator[Callable[[list[Step]], tuple[Table, ScriptedServer, list[float]]]]:
    """`scripted(steps)` answers one request a connection, the last of them again and again; and the pauses made."""
    made: list[tuple[ScriptedServer, Wire]] = []

    def make(steps: list[Step]) -> tuple[Table, ScriptedServer, list[float]]:
        server = ScriptedServer([[[step]] for step in steps])
        wire = Wire("us-east-1", lambda: Credentials("a", "b", None), server.url)
        made.append((server, wire))
        pauses: list[float] = []
        return Table(wire, "table", pauses.append, lambda: 0.5), server, pauses

    yield make
    for server, wire in made:
        wire.close()
        server.stop()


Scripted = Callable[[list[Step]], tuple[Table, ScriptedServer, list[float]]]


def add(table: Table, idempotent: bool, timeout: float = 1.0) -> dict[str, Any]:
    return table.update(KEY, "ADD n :n", values={":n": 1}, returns="ALL_NEW", idempotent=idempotent, timeout=timeout)


@pytest.mark.parametrize(
    ("steps", "idempotent", "tries"),
    [
        ([DONE], False, 1),
        ([THROTTLED, BUSY, CONFLICT, DONE], False, 4),
        ([TOO_MANY, DONE], False, 2),
        ([ERROR, PROXY, reset, DONE], True, 4),
        ([reset, DONE], True, 2),
    ],
)
def test_what_passes_is_tried_again(scripted: Scripted, steps: list[Step], idempotent: bool, tries: int) -> None:
    table, server, pauses = scripted(steps)
    assert add(table, idempotent) == {"n": 7}
    assert len(server.requests) == tries
    assert pauses == [0.025, 0.05, 0.1][: tries - 1]  # half of what full jitter allows


@pytest.mark.parametrize(
    ("steps", "idempotent", "tries", "sent"),
    [
        ([THROTTLED], False, 4, False),
        ([DENIED], True, 1, False),
        ([ERROR], False, 1, True),
        ([PROXY], False, 1, True),
        ([reset], False, 1, True),
        ([say(b"")[:-10]], False, 1, True),
        ([THROTTLED, reset], False, 2, True),
        ([ERROR], True, 4, True),
        ([reset], True, 4, True),
        ([reset, THROTTLED], True, 4, True),  # refused in the end, but perhaps done in the beginning
        ([say(b"not json")], False, 1, True),
    ],
)
def test_what_does_not_pass_says_whether_it_may_be_done(
    scripted: Scripted, steps: list[Step], idempotent: bool, tries: int, sent: bool
) -> None:
    table, server, _ = scripted(steps)
    with pytest.raises(Unavailable) as caught:
        add(table, idempotent)
    assert caught.value.sent is sent
    assert len(server.requests) == tries


def test_a_condition_is_not_tried_again(scripted: Scripted) -> None:
    table, server, _ = scripted([CONDITION])
    with pytest.raises(ConditionFailed) as caught:
        add(table, True)
    assert caught.value.item == {"n": 3}
    assert len(server.requests) == 1


def test_all_tries_share_the_timeout(scripted: Scripted) -> None:
    table, server, pauses = scripted([THROTTLED])
    with pytest.raises(Unavailable) as caught:
        add(table, False, timeout=0.02)  # shorter than the first pause
    assert (caught.value.sent, len(server.requests), pauses) == (False, 1, [])
    table, server, _ = scripted([pause(0.3)])
    with pytest.raises(Unavailable) as caught:
        add(table, True, timeout=0.1)
    assert caught.value.sent
    assert len(server.requests) == 1


def test_out_of_reach_is_not_sent(scripted: Scripted) -> None:
    table, server, pauses = scripted([DONE])
    server.stop()
    with pytest.raises(Unavailable) as caught:
        add(table, False)
    assert not caught.value.sent
    assert len(pauses) == 3


def test_keys_left_unprocessed_are_asked_for_again(scripted: Scripted) -> None:
    def page(number: int, left: bool) -> bytes:
        key = {"pk": {"S": "a"}, "sk": {"S": "1"}}
        answer: dict[str, Any] = {"Responses": {"table": [{"n": {"N": str(number)}}]}}
        return say(json.dumps({**answer, "UnprocessedKeys": {"table": {"Keys": [key]}} if left else {}}).encode())

    table, server, pauses = scripted([page(0, True), page(1, False)])
    assert table.batch_get([("a", "0"), ("a", "1")]) == [{"n": 0}, {"n": 1}]
    asked = [json.loads(request.partition(b"\r\n\r\n")[2])["RequestItems"]["table"] for request in server.requests]
    assert [len(one["Keys"]) for one in asked] == [2, 1]
    assert len(pauses) == 1
    table, _, _ = scripted([page(0, True)])
    with pytest.raises(Unavailable):
        table.batch_get([("a", "0")])


def test_no_content_of_a_request_is_in_an_error(scripted: Scripted) -> None:
    table, _, _ = scripted([ERROR])
    with pytest.raises(Unavailable) as caught:
        table.put({"pk": "secret-1", "sk": "secret-2", "x": "secret-3"})
    assert "secret" not in str(caught.value)
