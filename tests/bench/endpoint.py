"""A fake AWS for benchmarks, in a process of its own: Converse, a DynamoDB table and one S3 object, over raw sockets.

The client's CPU is what is measured, so this one only has to answer in time and in realistic sizes. The table is
tests/table_double.py, so counters really count and the items grow as they would.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection as Pipe
from typing import Any

from lambda_function.attributes import encode_item, plain
from lambda_function.dynamodb import ConditionFailed
from tests.table_double import TableDouble

__all__ = ["ANSWER", "endpoint"]

# The reply of a chat turn: some 350 output tokens.
ANSWER: dict[str, Any] = {
    "metrics": {"latencyMs": 2143},
    "output": {
        "message": {
            "content": [{"text": "The quarterly report shows that revenue has grown in all regions but one. " * 20}],
            "role": "assistant",
        }
    },
    "serviceTier": {"type": "default"},
    "stopReason": "end_turn",
    "usage": {
        "cacheReadInputTokenCount": 0,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokenCount": 0,
        "cacheWriteInputTokens": 0,
        "inputTokens": 1231,
        "outputTokens": 344,
        "totalTokens": 1575,
    },
}


@contextlib.contextmanager
def endpoint(items: list[dict[str, Any]] | None = None, objects: Mapping[str, bytes] | None = None) -> Iterator[str]:
    """The URL of a running fake AWS whose table holds `items` and whose S3 has `objects` by path."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(theirs, items or [], dict(objects or {})), daemon=True
    )
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


def _serve(pipe: Pipe, items: list[dict[str, Any]], objects: dict[str, bytes]) -> None:
    service = _Service(items, objects)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        pipe.send(server.getsockname()[1])
        while True:
            accepted, _ = server.accept()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_attend, args=(accepted, service.answer), daemon=True).start()


def _attend(accepted: socket.socket, answer: Callable[[str, str, dict[str, str], bytes], bytes]) -> None:
    """Answer the requests of a connection until it ends."""
    with accepted, accepted.makefile("rb", buffering=1 << 18) as stream:
        while line := stream.readline():
            method, path, _ = line.decode().split(" ", 2)
            headers = {}
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            accepted.sendall(answer(method, path, headers, body))


class _Service:
    def __init__(self, items: list[dict[str, Any]], objects: dict[str, bytes]) -> None:
        self._table = TableDouble()
        self._table.items = {(item["pk"], item["sk"]): item for item in items}
        self._lock = threading.Lock()
        self._objects = objects
        self._converse = _reply(200, "application/json", json.dumps(ANSWER).encode())

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if path.endswith("/converse"):
            return self._converse
        if "x-amz-target" in headers:
            with self._lock:
                return self._dynamodb(headers["x-amz-target"].rpartition(".")[2], json.loads(body))
        if method == "GET" and path in self._objects:
            return self._object(self._objects[path], headers.get("if-none-match"))
        return _reply(404, "application/json", b'{"message":"there is no such thing in this fake AWS"}')

    def _object(self, content: bytes, known: str | None) -> bytes:
        etag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324  S3 calls it so
        if known == etag:
            return _reply(304, "application/json", b"", f"ETag: {etag}\r\n")
        return _reply(200, "application/json", content, f"ETag: {etag}\r\n")

    def _dynamodb(self, operation: str, asked: dict[str, Any]) -> bytes:
        condition = asked.get("ConditionExpression", "")
        values = plain(asked.get("ExpressionAttributeValues", {}))
        try:
            if operation == "UpdateItem":
                key, returns = plain(asked["Key"]), asked.get("ReturnValues", "NONE")
                text = asked["UpdateExpression"]
                item = self._table.update(
                    (key["pk"], key["sk"]), text, condition=condition, values=values, returns=returns
                )
                found = {"Attributes": item} if item else {}
            elif operation == "PutItem":
                self._table.put(plain(asked["Item"]), condition=condition, values=values)
                found = {}
            else:
                key = plain(asked["Key"])
                item_or_none = self._table.get((key["pk"], key["sk"]))
                found = {"Item": item_or_none} if item_or_none else {}
        except ConditionFailed as refused:
            error = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
            text = json.dumps(error)
            if refused.item:
                text = f'{text[:-1]},"Item":{encode_item(refused.item)}}}'
            return _reply(400, "application/x-amz-json-1.0", text.encode())
        inner = ",".join(f'"{name}":{encode_item(item)}' for name, item in found.items())
        return _reply(200, "application/x-amz-json-1.0", f"{{{inner}}}".encode())


def _reply(status: int, kind: str, body: bytes, extra: str = "") -> bytes:
    """A reply with the headers that AWS sends."""
    head = (
        f"HTTP/1.1 {status} Reply\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: 5ee8a7b9-d3f0-4b8a-bb1c-0b7b2cd91b2f\r\nx-amz-crc32: 2745614147\r\n{extra}\r\n"
    )
    return head.encode() + body
