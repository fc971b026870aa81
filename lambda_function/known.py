"""What a container remembers of a tenant between requests. It decides nothing: every write has its own conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_function.entries import closed_windows
from lambda_function.limits import Policy, Terms, terms

__all__ = ["Known"]


class Known:
    """The last answer, the terms that it puts in force, and closed windows for the next write to remove."""

    __slots__ = ("_minute", "_terms", "_text", "closed", "item", "policy")

    def __init__(self) -> None:
        self.item: Mapping[str, Any] | None = None
        self.policy: Policy | None = None
        self.closed: list[str] = []
        self._minute = 0
        self._terms: Terms | None = None
        self._text: str | None = None

    def learn(self, item: Mapping[str, Any], now: float) -> None:
        """Take over an answer of `now`: the whole item."""
        self.item = item
        minute = int(now) // 60
        # Windows close with a minute; what one write of the minute has removed, the next need not.
        self.closed = closed_windows(item, now) if minute != self._minute else []
        self._minute = minute
        if self._terms is not None and item.get("pv") != self._terms.version:
            self._terms = None
        text = item.get("policy")
        if text != self._text:
            self._text, self.policy = text, Policy.from_json(json.loads(text)) if text is not None else None

    def terms(self, fallback: Policy) -> Terms:
        """What the last answer puts in force; `fallback` is the policy of an item that has none."""
        if self._terms is None or self.policy is None:
            self._terms = terms(self.item, self.policy or fallback)
        return self._terms
