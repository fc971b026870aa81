"""What Lambda calls for POST /invoke and GET /usage. Everything it keeps warm is in one `Gateway`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from lambda_function.alerts import Alerts
from lambda_function.counters import Counters
from lambda_function.dynamodb import Table
from lambda_function.gateway import Books, Context, Gateway, refused
from lambda_function.request import Refusal
from lambda_function.snapshot import Snapshot
from lambda_function.surroundings import connect

__all__ = ["handle"]

_gateway: Gateway | None = None


def handle(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The Lambda handler of POST /invoke and GET /usage, for a REST API's proxy integration."""
    global _gateway
    if _gateway is None:
        _gateway = _warm()
    try:
        return _gateway.serve(event, context)
    except Exception as bug:  # noqa: BLE001 - our bug: the caller learns nothing of it, the log where it happened
        _report(bug)
        return refused(Refusal(500, "InternalError", "This is our fault; it has been noted."), context.aws_request_id)


def _warm() -> Gateway:
    wire, reader = connect(os.environ)

    def books_of(snapshot: Snapshot) -> Books:
        table = Table(wire, snapshot.table)
        return Books(Counters(table, snapshot.hold_seconds), Alerts(table, wire), table)

    return Gateway(wire, reader, books_of=books_of)


def _report(bug: BaseException) -> None:
    """Type and place of a bug, never its message: that may hold what a caller sent."""
    place = bug.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "?"  # noqa: PTH119
    sys.stderr.write(f"bug: {type(bug).__name__} at {where}\n")
