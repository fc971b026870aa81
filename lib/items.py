"""DynamoDB items in plain Python on the operator's side: whole numbers stay `int`, to the last pico-dollar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lib.aws import Aws

__all__ = ["get_item", "get_items", "plain", "query", "typed"]

_MOST_A_CALL = 100  # keys that BatchGetItem takes


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """AttributeValues to int, str, bytes, bool, None, list, dict and set."""
    return {name: _plain(value) for name, value in item.items()}


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round. Raises TypeError on a float: money has none."""
    return {name: _typed(value) for name, value in item.items()}


def get_item(aws: Aws, table: str, pk: str, sk: str) -> dict[str, Any] | None:
    """One item as it is now, or None."""
    answer = aws.read("dynamodb", "get_item", TableName=table, Key=typed({"pk": pk, "sk": sk}), ConsistentRead=True)
    return plain(answer["Item"]) if answer and "Item" in answer else None


def get_items(aws: Aws, table: str, keys: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The items of `keys` that exist, in no order."""
    wanted = [typed({"pk": pk, "sk": sk}) for pk, sk in keys]
    while wanted:
        batch, wanted = wanted[:_MOST_A_CALL], wanted[_MOST_A_CALL:]
        answer = aws.read("dynamodb", "batch_get_item", RequestItems={table: {"Keys": batch, "ConsistentRead": True}})
        if answer is None:
            return
        yield from map(plain, answer["Responses"].get(table, []))
        wanted += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])


def query(
    aws: Aws, table: str, pk: str, first: str = "", last: str = "", *, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """The items of a partition whose sort key lies between `first` and `last`, both included."""
    condition, values = "pk = :pk", {":pk": pk}
    if first or last:
        condition, values = (
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": pk, ":first": first or " ", ":last": last or "\U0010ffff"},
        )
    pages = aws.pages(
        "dynamodb", "query", "Items", TableName=table, KeyConditionExpression=condition,
        ExpressionAttributeValues=typed(values), ScanIndexForward=not newest_first,
    )  # fmt: skip
    yield from map(plain, pages)


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content)
    if kind == "NULL":
        return None
    if kind == "L":
        return [_plain(part) for part in content]
    if kind == "M":
        return plain(content)
    if kind in {"SS", "BS"}:
        return set(content)
    if kind == "NS":
        return {int(part) for part in content}
    return content


def _typed(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, (set, frozenset)):
        return {"SS" if all(isinstance(part, str) for part in value) else "BS": sorted(value)}
    if isinstance(value, Mapping):
        return {"M": typed(value)}
    if isinstance(value, (list, tuple)):
        return {"L": [_typed(part) for part in value]}
    raise TypeError(f"DynamoDB attribute of type {type(value).__name__}")
