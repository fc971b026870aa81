"""A Lambda execution environment: runs one function's handler, one event at a time, until its parent goes.

Started by lib/local/workers.py as `python worker.py DESCRIPTOR CODE_FOLDER HANDLER CLOCK`. Messages on the socket have
a length of four bytes before them. The first says b"!": the handler is loaded. After it, a request is JSON, an answer
b"+" and the handler's JSON, or b"-" and the error's.
It knows nothing of this project: what it runs is the function's own zip.
"""

import json
import os
import socket
import struct
import sys
import time
import traceback

real_time = time.time
wall, here, speed = 0.0, 0.0, 1.0


def moved_time() -> float:
    """The clock of the embedded AWS."""
    return here + (real_time() - wall) * speed


class Context:
    """What Lambda hands a handler beside the event."""

    identity = None
    client_context = None
    function_version = "$LATEST"

    def __init__(self, message: dict, deadline: float) -> None:  # type: ignore[type-arg]
        self.aws_request_id = message["request_id"]
        self.invoked_function_arn = message["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
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


def load(name: str):  # type: ignore[no-untyped-def]
    """The handler, by Lambda's name for it: "package.module.function" or "folder/module.function"."""
    module_name, _, function_name = name.rpartition(".")
    try:
        module = __import__(module_name.replace("/", "."), fromlist=[function_name])
    except ImportError as error:
        raise RuntimeError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    if not hasattr(module, function_name):
        raise RuntimeError("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return getattr(module, function_name)


def failure(error: Exception) -> bytes:
    """The error as Lambda answers it; it is also written to the log."""
    stack = traceback.format_exception(error)
    kind, said = type(error).__name__, str(error)
    if isinstance(error, RuntimeError) and len(error.args) == 2 and str(error.args[0]).startswith("Runtime."):
        kind, said = error.args
    sys.stderr.write(f"[ERROR] {kind}: {said}\n" + "".join(stack))
    return b"-" + json.dumps({"errorMessage": said, "errorType": kind, "stackTrace": stack}).encode()


def send(channel: socket.socket, content: bytes) -> None:
    """One message, after everything that was written."""
    sys.stdout.flush()
    sys.stderr.flush()
    channel.sendall(struct.pack(">I", len(content)) + content)


def main() -> None:
    """Load the handler, then answer events for ever."""
    global wall, here, speed
    channel = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = sys.argv[2]
    wall, here, speed = json.loads(sys.argv[4])
    time.time = moved_time
    try:
        handler = load(sys.argv[3])
    except Exception as error:  # noqa: BLE001 - every event gets this answer
        broken = error

        def handler(event, context):  # type: ignore[no-untyped-def]
            raise broken

    send(channel, b"!")
    while True:
        message = json.loads(receive(channel, struct.unpack(">I", receive(channel, 4))[0]))
        wall, here, speed = message["clock"]
        context = Context(message, time.monotonic() + message["seconds"])
        try:
            result = handler(message["event"], context)
            try:
                content = b"+" + json.dumps(result, ensure_ascii=False).encode()
            except (TypeError, ValueError) as error:
                raise RuntimeError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
        except Exception as error:  # noqa: BLE001 - as Lambda does it
            content = failure(error)
        send(channel, content)


main()
