"""A fake AWS for benchmarks, in a process of its own: Converse, DynamoDB and S3 in replies of realistic size.

It says the same whatever it is asked, and at once: a client that has slept pays for waking up with cold caches, which
would drown what is to be measured.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lambda_function.attributes import encode_item

__all__ = ["ANSWER", "endpoint"]

_ROOT = Path(__file__).resolve().parent.parent.parent

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
def endpoint(
    item: Mapping[str, Any], objects: Mapping[str, str] | None = None, certificate: Path | None = None
) -> Iterator[str]:
    """The URL of a running fake AWS whose table answers with `item` and whose S3 has `objects` by path.

    With a `certificate` (and its key in the same PEM file) it speaks TLS.
    """
    command = [sys.executable, "-m", "tests.bench.endpoint", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps([encode_item(item), dict(objects or {})]) + "\n")
            process.stdin.flush()
            yield f"http{'s' if certificate else ''}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _serve() -> None:
    """What the process does: a line of what to hold comes in, a port goes out, and then it answers until killed."""
    replies = _Replies(*json.loads(sys.stdin.readline()))
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            accepted, _ = server.accept()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_attend, args=(accepted, context, replies), daemon=True).start()


def _attend(accepted: socket.socket, context: ssl.SSLContext | None, replies: _Replies) -> None:
    """Answer the requests of a connection until it ends."""
    with contextlib.suppress(ConnectionError), accepted:
        if context:
            accepted = context.wrap_socket(accepted, server_side=True)
        while data := accepted.recv(1 << 18):
            end = data.find(b"\r\n\r\n")
            while end < 0:
                data += accepted.recv(1 << 18)
                end = data.find(b"\r\n\r\n")
            head = data[:end].lower()
            _, found, length = head.partition(b"\r\ncontent-length: ")
            whole = (int(length.partition(b"\r\n")[0]) if found else 0) + end + 4
            while len(data) < whole:
                data += accepted.recv(1 << 18)
            accepted.sendall(replies.to(head, data))


class _Replies:
    """Whole replies, made beforehand."""

    def __init__(self, item: str, objects: Mapping[str, str]) -> None:
        self._converse = _reply(200, "application/json", json.dumps(ANSWER))
        kind = "application/x-amz-json-1.0"
        self._operations = {
            b"updateitem": _reply(200, kind, "{}"),
            b"getitem": _reply(200, kind, f'{{"Item":{item}}}'),
            b"putitem": _reply(200, kind, "{}"),
        }
        self._updated = _reply(200, kind, f'{{"Attributes":{item}}}')
        self._objects = {
            path.encode(): _reply(200, "application/json", text, f'ETag: "{number}"\r\n')
            for number, (path, text) in enumerate(objects.items())
        }

    def to(self, head: bytes, data: bytes) -> bytes:
        """The reply to the request `data` with this head, in lower case."""
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/converse"):
            return self._converse
        if b'"ReturnValues":"ALL_NEW"' in data:
            return self._updated
        _, found, target = head.partition(b"\r\nx-amz-target: dynamodb_20120810.")
        return self._operations[target.partition(b"\r\n")[0]] if found else self._objects[path]


def _reply(status: int, kind: str, body: str, extra: str = "") -> bytes:
    """A reply with the headers that AWS sends."""
    head = (
        f"HTTP/1.1 {status} Reply\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body.encode())}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: 5ee8a7b9-d3f0-4b8a-bb1c-0b7b2cd91b2f\r\nx-amz-crc32: 2745614147\r\n{extra}\r\n"
    )
    return head.encode() + body.encode()


if __name__ == "__main__":
    _serve()
