"""Whether an address is one, and whether somebody meant it."""

from __future__ import annotations

import re

__all__ = ["is_address", "is_placeholder"]

_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
# RFC 2606 and 6761 keep these names out of use, so mail to them reaches nobody.
_NOBODY = {"example", "test", "invalid", "localhost", "example.com", "example.net", "example.org", "example.edu"}
_TEMPLATE = re.compile(
    r"[<>{}]|^insert|placeholder|change-?_?me|replace[-_ ]?(me|with|this)|^todo|^xxx|^\.\.\.$"
    r"|\byour?[-_. ]?(own)?[-_. ]?(e-?mail|name|address|company|domain|org|team|admin)"
    r"|^(e-?mail|you|me|user|name|someone|admin)@(e-?mail|domain|company|mail|site|host)\.",
    re.IGNORECASE,
)


def is_address(text: str) -> bool:
    """Whether mail could be sent to `text`, by its look."""
    return _ADDRESS.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether `text` stands for an address that somebody has still to fill in."""
    labels = text.rpartition("@")[2].lower().split(".")
    return labels[-1] in _NOBODY or ".".join(labels[-2:]) in _NOBODY or _TEMPLATE.search(text) is not None
