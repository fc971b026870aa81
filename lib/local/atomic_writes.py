"""DynamoDB one request after the other: on AWS each write is atomic, in moto several threads may share a condition.

moto checks a condition and applies the update in two steps on the live item, and renders the answer from it later. Over
a server with threads two writes can pass the same condition, and an answer can show another's write half done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.responses import DynamoHandler

__all__ = ["install"]

# The work is pure computation under one interpreter lock, so that taking turns costs nothing.
_turn = threading.RLock()


def install() -> None:
    """Make every DynamoDB request wait for its turn. Doing it twice changes nothing."""
    if not hasattr(DynamoHandler.call_action, "takes_turns"):
        DynamoHandler.call_action = _in_turn(DynamoHandler.call_action)


def _in_turn(moto: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(moto)
    def call_action(self: Any) -> Any:
        with _turn:
            return moto(self)

    call_action.takes_turns = True  # type: ignore[attr-defined]
    return call_action
