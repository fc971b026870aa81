"""A Lambda execution environment: runs one function's handler, one event at a time, until its parent goes.

Started by lib/local/functions.py as `python worker.py DESCRIPTOR CODE_FOLDER HANDLER`. Messages on the socket are JSON
with a length of four bytes before. It knows nothing of this project: what it runs is the function's own zip.
"""

import json
import os
import socket
import struct
import sys
import time
import traceback

real_time = time.time
offset = 0.0


def moved_time() -> float:
    """The clock of the embedded AWS."""
    return real_time() + offset


class Context:
    """What Lambda hands a handler beside the event."""

    def __init__(self, message: dict, deadline: float) -> None:  # type: ignore[type-arg]
        self.aws_request_id = message["request_id"]
        self.invoked_function_arn = message["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Until the function's time-out."""
        return max(0, int(1000 * (self._deadline - time.monotonic())))


def receive(channel: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes; ends the process when the parent has gone."""
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    """Load the handler at the first event, then answer events for ever."""
    global offset
    channel = socket.socket(fileno=int(sys.argv[1]))
    sys.path.insert(0, sys.argv[2])
    module_name, _, function_name = sys.argv[3].rpartition(".")
    time.time = moved_time
    handler = None
    while True:
        message = json.loads(receive(channel, struct.unpack(">I", receive(channel, 4))[0]))
        offset = message["offset"]
        context = Context(message, time.monotonic() + message["seconds"])
        try:
            if handler is None:
                module = __import__(module_name.replace("/", "."), fromlist=[function_name])
                handler = getattr(module, function_name)
            answer = {"result": handler(message["event"], context)}
            text = json.dumps(answer)
        except Exception as error:  # noqa: BLE001 - as Lambda does it
            stack = traceback.format_exception(error)
            text = json.dumps(
                {"error": {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}}
            )
            sys.stderr.write("".join(stack))
        sys.stdout.flush()
        sys.stderr.flush()
        content = text.encode()
        channel.sendall(struct.pack(">I", len(content)) + content)


main()
