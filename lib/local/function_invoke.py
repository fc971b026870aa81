"""Lambda's Invoke, which moto would run in Docker: synchronous, asynchronous and dry."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction

from lib.local.door import Refused
from lib.local.functions import Invocation, close_function

__all__ = ["install"]

_EVENT_BYTES = 1024 * 1024  # of an asynchronous call
_LOG_TAIL_BYTES = 4096
_QUEUE_SECONDS = 60.0  # an asynchronous call waits at most so long for its turn, unless the function says less


def install() -> None:
    """Make moto's functions run. Idempotent."""
    LambdaFunction.invoke = _invoke
    LambdaBackend.delete_function = _delete


def _invoke(self: Any, body: Any, request_headers: Mapping[str, Any], response_headers: dict[str, Any]) -> bytes:
    """In the place of LambdaFunction.invoke: what Invoke answers, by its invocation type."""
    event = (body.encode() if isinstance(body, str) else body) or b"{}"
    try:
        json.loads(event)
    except ValueError:
        raise Refused("InvalidRequestContentException", "Could not parse request body into json.", 400) from None
    kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
    if kind == "DryRun":
        return b""
    if kind == "Event":
        if len(event) > _EVENT_BYTES:
            raise Refused("RequestTooLargeException", f"Request must be smaller than {_EVENT_BYTES} bytes", 413)
        threading.Thread(target=_run_later, args=(self, event), name="asynchronous call", daemon=True).start()
        return b""
    outcome = Invocation(self, event).outcome()
    assert outcome is not None
    if outcome.error:
        response_headers["x-amz-function-error"] = outcome.error
    tail = outcome.log.encode()[-_LOG_TAIL_BYTES:]
    response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
    response_headers["x-amz-executed-version"] = "$LATEST"
    return outcome.payload


def _run_later(function: Any, event: bytes) -> None:
    """An asynchronous call: it waits for its turn where concurrency is used up; errors are not tried again here."""
    configured = function.event_invoke_config
    oldest = next((one.config.get("MaximumEventAgeInSeconds") for one in configured), None)
    until = time.monotonic() + min(_QUEUE_SECONDS, float(oldest or _QUEUE_SECONDS))
    while True:
        try:
            Invocation(function, event).outcome()
            return
        except Refused:
            if time.monotonic() > until:
                return
            time.sleep(0.5)


_moto_delete = LambdaBackend.delete_function


def _delete(self: Any, function_name: str, *rest: Any, **named: Any) -> Any:
    done = _moto_delete(self, function_name, *rest, **named)
    name = function_name.rpartition(":")[2]
    close_function(f"arn:{self.partition}:lambda:{self.region_name}:{self.account_id}:function:{name}")
    return done
