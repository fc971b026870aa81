"""JSON read without the detours of `json.loads`, which a request would feel several times."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["from_json"]

_decode = json.JSONDecoder().raw_decode


def from_json(text: str) -> Any:
    """What `json.loads` would return. Raises ValueError, and RecursionError for what is nested too deeply."""
    try:
        value, end = _decode(text)
        if end == len(text):
            return value
    except ValueError:
        pass
    return json.loads(text)  # there is white space around it, or it is wrong
