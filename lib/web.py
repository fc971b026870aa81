"""A JSON request to the deployed API, as a tenant's program makes it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

from lib.errors import ProjectError

__all__ = ["WebAnswer", "post_json"]


class WebAnswer(NamedTuple):
    """Status, headers by lower-case name, and the parsed body; the text where it is not JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def post_json(url: str, value: Any, headers: Mapping[str, str], seconds: float = 35) -> WebAnswer:
    """POST `value` as JSON. An error status is an answer like any other; raises ProjectError where there is none."""
    sent = {"content-type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(value).encode(), sent, method="POST")  # noqa: S310 - our own URL
    try:
        with urllib.request.urlopen(request, timeout=seconds) as reply:  # noqa: S310
            return _answer(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.headers, error.read())
    except (OSError, http.client.HTTPException) as error:
        raise ProjectError(
            f"{url} does not answer: {error}.", "Look whether the API is deployed, and try again."
        ) from error


def _answer(status: int, headers: Any, content: bytes) -> WebAnswer:
    try:
        body: Any = json.loads(content)
    except ValueError:
        body = content.decode("utf-8", "replace")
    return WebAnswer(status, {name.lower(): value for name, value in headers.items()}, body)
