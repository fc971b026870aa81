"""One DynamoDB table in plain Python values, over the wire's signed requests.

What can be known of a failed write is said: `Unavailable.sent` is False only where no try can have taken effect. A
write is tried again after an unknown outcome only where its caller says `idempotent`, or where it is by nature (a put,
a delete, a read). Throttled and unreachable tries wait with full jitter:
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from lambda_function.attributes import encode_item, plain
from lambda_function.json_text import from_json
from lambda_function.statements import Statement
from lambda_function.wire import Wire, WireError

__all__ = ["ConditionFailed", "Table", "Unavailable"]

Key = tuple[str, str]  # the values of `pk` and `sk`

_TRIES = 4
_WAIT = 0.05  # seconds: the longest first pause, doubled for each further one
_BATCH = 100  # keys in one BatchGetItem
_NONE: Mapping[str, Any] = {}
# Refusals of which nothing took effect, and which pass.
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_PASSING = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TransactionConflictException",
}
_TARGETS = {
    name: {"x-amz-target": f"DynamoDB_20120810.{name}"}
    for name in ("UpdateItem", "PutItem", "GetItem", "DeleteItem", "Query", "BatchGetItem")
}
_OURS = {"ValidationException", "SerializationException"}


class ConditionFailed(Exception):
    """The condition was not met. `item` is the item as it was then, None if there was none."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__("the condition was not met")
        self.item = item


class Unavailable(Exception):
    """DynamoDB did not do it: out of reach, throttled, refused. `sent` is True if it may be done all the same."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


def _uniform() -> float:
    from random import random  # its import is felt in a cold start, and retries are rare

    return random()


class Table:
    """A table whose key attributes are the strings `pk` and `sk`.

    Every method raises Unavailable, and ValueError with DynamoDB's sentence for a request that is wrong in itself. A
    `timeout` is in seconds and covers all tries of one request.
    """

    def __init__(
        self,
        wire: Wire,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        self._wire = wire
        self._name = quoted(name)
        self._sleep = sleep
        self._random = random

    def update(
        self,
        key: Key,
        expression: str,
        *,
        condition: str = "",
        names: Mapping[str, str] = _NONE,
        values: Mapping[str, Any] = _NONE,
        returns: str = "NONE",
        timeout: float = 1.0,
        idempotent: bool = False,
    ) -> dict[str, Any]:
        """UpdateItem; the attributes that `returns` asks for. Raises ConditionFailed."""
        body = (
            f'{{"TableName":{self._name},"Key":{_key(key)},"UpdateExpression":{quoted(expression)}'
            f'{_condition(condition, names, values)},"ReturnValues":"{returns}"}}'
        )
        reply = self._call("UpdateItem", body, timeout, idempotent)
        return plain(reply.get("Attributes", _NONE))

    def execute(
        self,
        statement: Statement,
        key: Key,
        values: tuple[int | str, ...],
        *,
        timeout: float = 1.0,
        idempotent: bool = False,
    ) -> dict[str, Any]:
        """The UpdateItem that `statement` has prepared, with `values` as it wants them; otherwise like `update`."""
        body = f'{{"TableName":{self._name},"Key":{_key(key)},{statement.filled(values)}}}'
        reply = self._call("UpdateItem", body, timeout, idempotent)
        return plain(reply["Attributes"]) if "Attributes" in reply else {}

    def put(
        self,
        item: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] = _NONE,
        values: Mapping[str, Any] = _NONE,
        timeout: float = 1.0,
    ) -> None:
        """PutItem. Raises ConditionFailed, and then perhaps because an earlier try of this put was heard late."""
        body = f'{{"TableName":{self._name},"Item":{encode_item(item)}{_condition(condition, names, values)}}}'
        self._call("PutItem", body, timeout)

    def get(self, key: Key, *, consistent: bool = True, timeout: float = 1.0) -> dict[str, Any] | None:
        """GetItem; None if there is no such item."""
        body = f'{{"TableName":{self._name},"Key":{_key(key)},"ConsistentRead":{_truth(consistent)}}}'
        found = self._call("GetItem", body, timeout).get("Item")
        return None if found is None else plain(found)

    def delete(self, key: Key, condition: str = "", *, timeout: float = 1.0) -> None:
        """DeleteItem; nothing happens where there is none. Raises ConditionFailed."""
        body = f'{{"TableName":{self._name},"Key":{_key(key)}{_condition(condition, _NONE, _NONE)}}}'
        self._call("DeleteItem", body, timeout)

    def query(
        self,
        expression: str,
        *,
        names: Mapping[str, str] = _NONE,
        values: Mapping[str, Any],
        index: str = "",
        consistent: bool = False,
        forward: bool = True,
        timeout: float = 5.0,
    ) -> Iterator[dict[str, Any]]:
        """Query by a KeyConditionExpression, page by page as it is read; `timeout` is for each page."""
        on_index = f',"IndexName":{quoted(index)}' if index else ""
        body = (
            f'{{"TableName":{self._name}{on_index},"KeyConditionExpression":{quoted(expression)}'
            f'{_filled(names, values)},"ConsistentRead":{_truth(consistent)},"ScanIndexForward":{_truth(forward)}'
        )
        start = ""
        while True:
            reply = self._call("Query", f"{body}{start}}}", timeout)
            yield from map(plain, reply.get("Items", ()))
            if not reply.get("LastEvaluatedKey"):
                return
            start = f',"ExclusiveStartKey":{json.dumps(reply["LastEvaluatedKey"])}'

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = False, timeout: float = 5.0) -> list[dict[str, Any]]:
        """BatchGetItem; the items that exist, in no order. `timeout` is for each request of at most 100 keys."""
        found: list[dict[str, Any]] = []
        texts = [_key(key) for key in dict.fromkeys(keys)]
        for place in range(0, len(texts), _BATCH):
            asked = f'{{"Keys":[{",".join(texts[place : place + _BATCH])}],"ConsistentRead":{_truth(consistent)}}}'
            wanted = f'{{"RequestItems":{{{self._name}:{asked}}}}}'
            for attempt in range(_TRIES * 2):
                reply = self._call("BatchGetItem", wanted, timeout)
                for items in reply.get("Responses", _NONE).values():
                    found += map(plain, items)
                if not reply.get("UnprocessedKeys"):
                    break
                wanted = json.dumps({"RequestItems": reply["UnprocessedKeys"]})
                self._sleep(self._random() * _WAIT * 2**attempt)
            else:
                raise Unavailable("DynamoDB left keys of a batch unread.", sent=False)
        return found

    def _call(self, operation: str, body: str, timeout: float, idempotent: bool = True) -> dict[str, Any]:
        """The parsed reply of an operation, after as many tries as are safe and fit into `timeout`."""
        data, headers = body.encode(), _TARGETS[operation]
        deadline = time.monotonic() + timeout
        doubtful = False  # some try may have taken effect
        attempt = 0
        while True:
            left = deadline - time.monotonic()
            try:
                reply = self._wire.call("dynamodb", "POST", "/", data, headers, timeout=left, idempotent=idempotent)
            except WireError as problem:
                passing, sent, said = True, problem.sent, str(problem)
            else:
                if reply.status == 200:
                    try:
                        return from_json(reply.body.decode())  # type: ignore[no-any-return]
                    except ValueError:
                        raise Unavailable(f"{operation}: DynamoDB did not answer in JSON", sent=True) from None
                passing, sent, said = _refused(operation, reply.status, reply.body)
            doubtful = doubtful or sent
            attempt += 1
            wait = self._random() * _WAIT * 2 ** (attempt - 1)
            final = not passing or (sent and not idempotent) or attempt == _TRIES
            if final or time.monotonic() + wait >= deadline:
                raise Unavailable(f"{operation}: {said}", sent=doubtful)
            self._sleep(wait)


def _refused(operation: str, status: int, body: bytes) -> tuple[bool, bool, str]:
    """Of an error reply: whether it passes, whether the write may have happened, and what it says."""
    if status >= 500:
        # A write that was answered with a 5xx may have happened (Programming.Errors).
        return True, True, f"DynamoDB answered {status}"
    try:
        error = json.loads(body)
        code = str(error["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return status == 429, False, f"DynamoDB answered {status}"
    if code == "ConditionalCheckFailedException":
        item = error.get("Item")
        raise ConditionFailed(plain(item) if item else None)
    if code in _OURS:
        raise ValueError(f"{operation}: {error.get('message') or error.get('Message')}")
    return status == 429 or code in _PASSING, False, f"DynamoDB answered {code}"


def _key(key: Key) -> str:
    return f'{{"pk":{{"S":{quoted(key[0])}}},"sk":{{"S":{quoted(key[1])}}}}}'


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _filled(names: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """What the placeholders of an expression stand for; DynamoDB refuses either map when it is empty."""
    text = f',"ExpressionAttributeValues":{encode_item(values)}' if values else ""
    return f'{text},"ExpressionAttributeNames":{json.dumps(dict(names))}' if names else text


def _condition(condition: str, names: Mapping[str, str], values: Mapping[str, Any]) -> str:
    filled = _filled(names, values)
    if not condition:
        return filled
    return f'{filled},"ConditionExpression":{quoted(condition)},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"'
