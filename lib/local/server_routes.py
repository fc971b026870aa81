"""The /_local addresses of the frame: clock, faults, records, workers, reset.

| call | body | answer |
|---|---|---|
| GET /_local/health | | {"account", "pid"} |
| GET, POST /_local/clock | {"offset": seconds ahead, "speed": factor} | {"now", "offset", "speed"} |
| GET, POST, DELETE /_local/faults | {"kind", "count", "profile", "seconds", "billed"} | {"waiting": calls to fail} |
| GET /_local/bedrock/served | | {"served": [one for each call that Bedrock served]} |
| GET, DELETE /_local/calls | | {"calls": [{"role", "action", "resource", "context", "allowed"}]} |
| POST /_local/lambda/kill | {"function", "how": "random" or "all"} | {"killed": number} |
| POST /_local/roles | {"seconds": for which a new role cannot be assumed} | the same |
| POST /moto-api/reset | | everything is as after the start |

`count` is 1 unless given, `profile` a profile id, "" for any; kinds are in lib/local/faults.py.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

from lib.local import bedrock_runtime, clock, function_checks, functions, role_calls
from lib.local.admin import Answer, Handler
from lib.local.control_faults import control_faults
from lib.local.faults import Fault
from lib.local.invocation_log import invocation_log
from lib.local.mail import office
from lib.local.pacing import pacing

__all__ = ["ROUTES", "reset"]


def reset() -> None:
    """Forget everything that is not on moto's backends; those moto forgets itself."""
    functions.stop_all()
    clock.reset()
    bedrock_runtime.faults.clear()
    role_calls.calls.clear()
    invocation_log.clear()
    function_checks.set_role_delay(0)
    control_faults.set([])
    pacing.switch(False)
    office.mailbox.clear()
    office.auto_confirm = True


def _plain(handle: Callable[[Any], dict[str, Any]]) -> Handler:
    """A handler of parsed bodies, None without one; nonsense is answered with 400 and a reason."""

    def answer(query: Mapping[str, str], body: bytes) -> Answer:
        try:
            value, status = handle(json.loads(body) if body else None), 200
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            value, status = {"error": f"{type(error).__name__}: {error}"}, 400
        return Answer(status, "application/json", json.dumps(value).encode())

    return answer


def _health(body: Any) -> dict[str, Any]:
    return {"account": DEFAULT_ACCOUNT_ID, "pid": os.getpid()}


def _clock(body: Any) -> dict[str, Any]:
    if body is not None:
        unknown = body.keys() - {"offset", "speed"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if "speed" in body:
            clock.set_speed(float(body["speed"]))
        if "offset" in body:
            clock.set_offset(float(body["offset"]))
    return {"now": clock.now(), "offset": clock.offset(), "speed": clock.reading().speed}


def _show_faults(body: Any) -> dict[str, Any]:
    return {"waiting": bedrock_runtime.faults.waiting()}


def _add_fault(body: Any) -> dict[str, Any]:
    bedrock_runtime.faults.add(Fault.of(body))
    return _show_faults(None)


def _clear_faults(body: Any) -> dict[str, Any]:
    bedrock_runtime.faults.clear()
    return _show_faults(None)


def _served(body: Any) -> dict[str, Any]:
    return {"served": invocation_log.entries(DEFAULT_ACCOUNT_ID)}


def _calls(body: Any) -> dict[str, Any]:
    return {"calls": [call.to_json() for call in list(role_calls.calls)]}


def _forget_calls(body: Any) -> dict[str, Any]:
    role_calls.calls.clear()
    return {"calls": []}


def _kill(body: Any) -> dict[str, Any]:
    how = body.get("how", "random")
    if how not in ("random", "all"):
        raise ValueError('how must be "random" or "all"')
    return {"killed": functions.kill_workers(str(body["function"]), how, random.SystemRandom())}


def _roles(body: Any) -> dict[str, Any]:
    function_checks.set_role_delay(float(body["seconds"]))
    return {"seconds": float(body["seconds"])}


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/_local/health"): _plain(_health),
    ("GET", "/_local/clock"): _plain(_clock),
    ("POST", "/_local/clock"): _plain(_clock),
    ("GET", "/_local/faults"): _plain(_show_faults),
    ("POST", "/_local/faults"): _plain(_add_fault),
    ("DELETE", "/_local/faults"): _plain(_clear_faults),
    ("GET", "/_local/bedrock/served"): _plain(_served),
    ("GET", "/_local/calls"): _plain(_calls),
    ("DELETE", "/_local/calls"): _plain(_forget_calls),
    ("POST", "/_local/lambda/kill"): _plain(_kill),
    ("POST", "/_local/roles"): _plain(_roles),
}
