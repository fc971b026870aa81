"""CloudWatch search expressions: which metrics a SEARCH('{Namespace,Dimension} MetricName="X"', ...) means.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lib.local.metric_store import Metric, MetricStore
from lib.local.time_series import MathError

__all__ = ["check_search", "find_metrics"]

MOST_RESULTS = 500
# Only metrics that reported in the last two weeks are found.
RECENT_SECONDS = 14 * 86_400

SCHEMA = re.compile(r"\s*\{([^}]*)\}")
SCHEMA_PART = re.compile(r'\s*(?:"([^"]*)"|([^,"]+?))\s*(?:,|$)')
TOKEN = re.compile(r'\s*("[^"]*"|[()=]|[^\s()="]+)')
WORD_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

Test = Callable[[Metric], bool]


def find_metrics(store: MetricStore, query: str, now: float) -> list[Metric]:
    """The metrics that match, in alphabetical order, at most 500. Raises MathError where the search is malformed."""
    parts, matches = _parse(query)
    found = [
        metric
        for metric in store.metrics()
        if (
            not parts or (metric.namespace == parts[0] and sorted(parts[1:]) == [name for name, _ in metric.dimensions])
        )
        and matches(metric)
        and (store.latest(metric) or 0) > now - RECENT_SECONDS
    ]
    return sorted(found, key=lambda metric: ([value for _, value in metric.dimensions], metric.name))[:MOST_RESULTS]


def check_search(query: str) -> list[str]:
    """The namespace and dimension names of the search's schema, if it has one. Raises MathError."""
    return _parse(query)[0]


def _parse(query: str) -> tuple[list[str], Test]:
    schema = SCHEMA.match(query)
    parts = _schema_parts(schema[1]) if schema else []
    rest = query[schema.end() :] if schema else query
    if not parts and not rest.strip():
        raise MathError("SEARCH needs a schema or a search term")
    return parts, _Terms(rest).test if rest.strip() else lambda _: True


def _schema_parts(text: str) -> list[str]:
    parts = [quoted or bare for quoted, bare in SCHEMA_PART.findall(text) if quoted or bare]
    if not parts:
        raise MathError("SEARCH: the schema in braces names no namespace")
    return parts


class _Terms:
    """Parses the search terms: words, Property=value, quotes for an exact match, AND (or nothing), OR, NOT, ( )."""

    def __init__(self, text: str) -> None:
        self._tokens = TOKEN.findall(text)
        self._at = 0
        self.test = self._either()
        if self._at < len(self._tokens):
            raise MathError(f"SEARCH: syntax error at '{self._peek()}'")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise MathError("SEARCH: unexpected end")
        self._at += 1
        return token

    def _either(self, property: str = "") -> Test:
        options = [self._all(property)]
        while self._peek() == "OR":
            self._take()
            options.append(self._all(property))
        return lambda metric: any(option(metric) for option in options)

    def _all(self, property: str) -> Test:
        needed = [self._one(property)]
        while self._peek() not in ("", ")", "OR"):
            if self._peek() == "AND":
                self._take()
            needed.append(self._one(property))
        return lambda metric: all(test(metric) for test in needed)

    def _one(self, property: str) -> Test:
        part = self._take()
        if part == "NOT":
            refused = self._one(property)
            return lambda metric: not refused(metric)
        if part == "(":
            inner = self._either(property)
            if self._take() != ")":
                raise MathError("SEARCH: ')' expected")
            return inner
        if part in ("=", ")"):
            raise MathError(f"SEARCH: syntax error at '{part}'")
        if self._peek() == "=" and not property:
            self._take()
            return self._one(part.strip('"'))
        return _matcher(property, part)


def _matcher(property: str, token: str) -> Test:
    if token.startswith('"'):
        wanted = token[1:-1]
        return lambda metric: any(wanted == text for text in _texts(metric, property))
    words = _words(token)
    return lambda metric: any(words <= _words(text) for text in _texts(metric, property))


def _texts(metric: Metric, property: str) -> list[str]:
    if property == "Namespace":
        return [metric.namespace]
    if property == "MetricName":
        return [metric.name]
    if property:
        return [value for name, value in metric.dimensions if name == property]
    return [metric.namespace, metric.name, *(text for pair in metric.dimensions for text in pair)]


def _words(text: str) -> frozenset[str]:
    return frozenset(part.lower() for part in WORD_PARTS.findall(text))
