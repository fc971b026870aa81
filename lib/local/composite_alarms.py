"""The rule of a composite alarm: ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c)), TRUE, FALSE."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from moto.cloudwatch.exceptions import ValidationError

__all__ = ["Rule"]

TOKEN = re.compile(r"""\s*(?:(AND|OR|NOT|TRUE|FALSE)\b|(ALARM|OK|INSUFFICIENT_DATA)\s*\(|("[^"]*"|[^\s()"]+)|([()]))""")

States = Mapping[str, str]
Test = Callable[[States], bool]


class Rule:
    """A parsed AlarmRule. `names` are the alarms it refers to, by name. Raises ValidationError."""

    def __init__(self, text: str) -> None:
        if not 1 <= len(text) <= 10_240:
            raise ValidationError("AlarmRule must have 1 to 10240 characters.")
        self.text = text
        self.names: set[str] = set()
        self._tokens = _tokens(text)
        self._at = 0
        self._test = self._either()
        if self._at < len(self._tokens):
            self._refuse()

    def holds(self, states: States) -> bool:
        """Whether the rule is true of alarms in these states; an alarm that is not there has no data."""
        return self._test(states)

    def _refuse(self) -> None:
        found = self._tokens[self._at] if self._at < len(self._tokens) else "the end"
        raise ValidationError(f"AlarmRule contains a syntax error at '{found}'.")

    def _accept(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _either(self) -> Test:
        options = [self._all()]
        while self._accept("OR"):
            options.append(self._all())
        return lambda states: any(option(states) for option in options)

    def _all(self) -> Test:
        needed = [self._one()]
        while self._accept("AND"):
            needed.append(self._one())
        return lambda states: all(test(states) for test in needed)

    def _one(self) -> Test:
        if self._accept("NOT"):
            refused = self._one()
            return lambda states: not refused(states)
        if self._accept("("):
            inner = self._either()
            if not self._accept(")"):
                self._refuse()
            return inner
        for constant, value in (("TRUE", True), ("FALSE", False)):
            if self._accept(constant):
                return lambda _, value=value: value  # type: ignore[misc]
        for state in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            if self._accept(f"{state}("):
                return self._state(state)
        self._refuse()
        raise AssertionError("unreachable")

    def _state(self, state: str) -> Test:
        if self._at >= len(self._tokens) or self._tokens[self._at] in ("(", ")"):
            self._refuse()
        named = self._tokens[self._at].strip('"')
        self._at += 1
        if not self._accept(")"):
            self._refuse()
        # an alarm may be named by its ARN too
        name = named.split(":alarm:", 1)[-1] if named.startswith("arn:") else named
        self.names.add(name)
        return lambda states: states.get(name, "INSUFFICIENT_DATA") == state


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValidationError(f"AlarmRule contains a syntax error at '{text[at : at + 20].strip()}'.")
        found.append(f"{match[2]}(" if match[2] else match[0].strip())
        at = match.end()
    return found
