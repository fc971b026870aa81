"""An embedded AWS in another process: what it says of itself, and its clock, by which the commands live too."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Any

from lib.errors import LocalError

__all__ = ["ask", "offset_at"]


def ask(endpoint: str, path: str) -> Any:
    """The JSON value at one of its own addresses. Raises OSError or ValueError where there is none."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_local/{path}", timeout=5) as reply:  # noqa: S310 - our own endpoint
            return json.loads(reply.read())
    except http.client.HTTPException as error:  # it was ended while it answered, or speaks something else
        raise ConnectionError(f"{endpoint} broke off") from error


def offset_at(endpoint: str) -> float:
    """Seconds by which its clock is ahead of ours. Raises LocalError where it does not answer."""
    try:
        return float(ask(endpoint, "clock")["offset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalError(f"The embedded AWS at {endpoint} does not answer.", "Run: python setup.py --local") from error
