"""The clock of an embedded AWS that runs in another process: what is over there is over for the commands too."""

from __future__ import annotations

import json
import urllib.request

from lib.errors import LocalError

__all__ = ["offset_at"]


def offset_at(endpoint: str) -> float:
    """Seconds by which its clock is ahead of ours. Raises LocalError where it does not answer."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_local/clock", timeout=5) as reply:  # noqa: S310 - our own endpoint
            return float(json.loads(reply.read())["offset"])
    except (OSError, ValueError) as error:
        raise LocalError(f"The embedded AWS at {endpoint} does not answer.", "Run: python setup.py --local") from error
