"""With its memories moto answers what it answers without: the same expression again, with other names and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest


@pytest.fixture
def update(moto_aws: Callable[[str], Any]) -> Callable[..., Any]:
    """UpdateItem of one item; its attributes afterwards, or the error's code and item."""
    table = moto_aws("dynamodb")
    table.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip

    def send(expression: str, key: str = "a", **more: Any) -> Any:
        wanted = {"TableName": "t", "Key": {"pk": {"S": key}}, "UpdateExpression": expression, **more}
        try:
            answer = table.update_item(**wanted, ReturnValues="ALL_NEW", ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response.get("Item")
        return {name: value for name, value in answer["Attributes"].items() if name != "pk"}

    return send


def test_the_same_expression_with_other_values_and_names(update: Callable[..., Any]) -> None:
    for amount, total in ((5, 5), (7, 12), (-2, 10)):
        found = update(
            "ADD #n :v", ExpressionAttributeNames={"#n": "x"}, ExpressionAttributeValues={":v": {"N": str(amount)}}
        )
        assert found == {"x": {"N": str(total)}}
    found = update("ADD #n :v", ExpressionAttributeNames={"#n": "y"}, ExpressionAttributeValues={":v": {"N": "1"}})
    assert found == {"x": {"N": "10"}, "y": {"N": "1"}}
    assert update(
        "ADD #n :v", "b", ExpressionAttributeNames={"#n": "y"}, ExpressionAttributeValues={":v": {"N": "1"}}
    ) == {"y": {"N": "1"}}


def test_the_same_condition_with_other_values(update: Callable[..., Any]) -> None:
    def add(amount: int, limit: int) -> Any:
        values = {":v": {"N": str(amount)}, ":l": {"N": str(limit)}}
        return update(
            "ADD x :v", ConditionExpression="attribute_not_exists(x) OR x <= :l", ExpressionAttributeValues=values
        )

    assert add(6, 4) == {"x": {"N": "6"}}
    assert add(6, 4) == ("ConditionalCheckFailedException", {"pk": {"S": "a"}, "x": {"N": "6"}})
    assert add(6, 6) == {"x": {"N": "12"}}


def test_every_type_of_attribute_comes_back(update: Callable[..., Any], moto_aws: Callable[[str], Any]) -> None:
    item = {
        "pk": {"S": "a"}, "n": {"N": "1.5"}, "b": {"B": b"\x00\xff"}, "yes": {"BOOL": False}, "no": {"NULL": True},
        "l": {"L": [{"B": b"x"}, {"M": {"N": {"N": "1"}}}, {"L": []}]}, "m": {"M": {"S": {"S": ""}, "e": {"M": {}}}},
        "bs": {"BS": [b"\x00", b"\x01"]}, "ns": {"NS": ["1"]}, "ss": {"SS": ["x"]},
    }  # fmt: skip
    table = moto_aws("dynamodb")
    table.put_item(TableName="t", Item=item)
    assert table.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"] == item
    assert table.scan(TableName="t")["Items"] == [item]


def test_queries_find_their_partition_in_order(moto_aws: Callable[[str], Any]) -> None:
    table = moto_aws("dynamodb")
    names = ("pk", "sk", "active")
    table.create_table(
        TableName="q", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        GlobalSecondaryIndexes=[{
            "IndexName": "active", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema": [{"AttributeName": "active", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
        }],
    )  # fmt: skip
    for number in (3, 1, 2, 0):
        for name in "ba":
            here = {"active": {"S": "now"}} if number == 1 else {}
            table.put_item(TableName="q", Item={"pk": {"S": name}, "sk": {"S": str(number)}, **here})

    def found(key: str, value: str, **more: Any) -> list[str]:
        expression, values = f"{key} = :v", {":v": {"S": value}, **more.pop("values", {})}
        answer = table.query(
            TableName="q", KeyConditionExpression=expression + more.pop("also", ""), ExpressionAttributeValues=values,
            **more,
        )  # fmt: skip
        return [item["pk"]["S"] + item["sk"]["S"] for item in answer["Items"]]

    assert found("pk", "a") == ["a0", "a1", "a2", "a3"]
    assert found("pk", "a", ScanIndexForward=False, Limit=2) == ["a3", "a2"]
    assert found("pk", "b", also=" AND sk > :s", values={":s": {"S": "1"}}) == ["b2", "b3"]
    assert found("pk", "c") == []
    assert found("active", "now", IndexName="active") == ["a1", "b1"]
    after = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    assert found("pk", "a", ExclusiveStartKey=after) == ["a2", "a3"]
    assert len(table.scan(TableName="q")["Items"]) == 8


@pytest.mark.parametrize(
    ("expression", "names", "values"),
    [
        ("SET x = :v SET y = :v", {}, {":v": {"N": "1"}}),
        ("SET x = :v, x = :v", {}, {":v": {"N": "1"}}),
        ("SET m.a = :v, m = :v", {}, {":v": {"N": "1"}}),
        ("SET #a = :v, #b = :v", {"#a": "same", "#b": "same"}, {":v": {"N": "1"}}),
        ("SET pk = :v", {}, {":v": {"S": "1"}}),
        ("SET x = :missing", {}, {":v": {"N": "1"}}),
        ("SET x = :v", {"#unused": "y"}, {":v": {"N": "1"}}),
        ("ADD x :v", {}, {":v": {"S": "text"}}),
        ("nonsense", {}, {}),
    ],
)
def test_what_is_wrong_is_wrong_each_time(
    update: Callable[..., Any], expression: str, names: dict[str, str], values: dict[str, Any]
) -> None:
    more: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    if values:
        more["ExpressionAttributeValues"] = values
    for _ in range(2):
        assert update(expression, **more)[0] == "ValidationException"


def test_all_clauses_together(update: Callable[..., Any]) -> None:
    update("SET l = :l, s = :s, gone = :o", ExpressionAttributeValues={
        ":l": {"L": [{"N": "1"}]}, ":s": {"SS": ["a", "b"]}, ":o": {"N": "1"}})  # fmt: skip
    for total in (2, 3):
        found = update(
            "SET n = if_not_exists(n, :o) + :o, l = list_append(l, :l) ADD c :o REMOVE gone DELETE s :d",
            ExpressionAttributeValues={":o": {"N": "1"}, ":l": {"L": [{"N": "2"}]}, ":d": {"SS": ["b"]}},
        )
        assert found["n"] == {"N": str(total)}
        assert found["c"] == {"N": str(total - 1)}
        assert len(found["l"]["L"]) == total
        assert (found["s"], "gone" in found) == ({"SS": ["a"]}, False)
