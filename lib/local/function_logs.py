"""What functions write, in CloudWatch Logs: a stream for each worker, with the lines that Lambda itself adds.

Lambda writes with the function's role: where the role may not, there are no logs, and nothing says so, as at AWS.
"""

from __future__ import annotations

import threading
from typing import Any

from lib.local import clock
from lib.local.authoriser import Request
from lib.local.role_calls import may

__all__ = ["write_log"]

_lock = threading.Lock()


def write_log(function: Any, stream: str, request_id: str, lines: list[str], milliseconds: float) -> None:
    """The lines of one run, between START, END and REPORT."""
    logs, group = function.logs_backend, function.logs_group_name
    with _lock:
        if group not in logs.groups:
            if not _may(function, "logs:CreateLogGroup", f"log-group:{group}"):
                return
            logs.ensure_log_group(group)
        if stream not in logs.groups[group].streams:
            if not _may(function, "logs:CreateLogStream", f"log-group:{group}:log-stream:{stream}"):
                return
            logs.create_log_stream(group, stream)
    if not _may(function, "logs:PutLogEvents", f"log-group:{group}:log-stream:{stream}"):
        return
    took = f"Duration: {milliseconds:.2f} ms\tBilled Duration: {int(milliseconds) + 1} ms"
    report = f"REPORT RequestId: {request_id}\t{took}\tMemory Size: {function.memory_size} MB"
    written = [f"START RequestId: {request_id} Version: $LATEST", *lines, f"END RequestId: {request_id}", report]
    now = int(clock.now() * 1000)
    logs.groups[group].streams[stream].put_log_events([{"timestamp": now, "message": line} for line in written])


def _may(function: Any, action: str, resource: str) -> bool:
    arn = f"arn:{function.partition}:logs:{function.region}:{function.account_id}:{resource}"
    return may(function.account_id, function.role.rpartition("/")[2], function.region, Request(action, arn))
