"""A DynamoDB table in memory, behind the interface of lambda_function.dynamodb.Table, with DynamoDB's own semantics.

Expressions are parsed and evaluated, and what DynamoDB refuses is refused: unused or undefined values, reserved words,
overlapping paths, empty sets, wrong types. `tests/properties/test_counters_on_moto.py` runs the same code through the
real Table, so that this double cannot drift from it unnoticed.
"""

from __future__ import annotations

import importlib.util
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lambda_function.dynamodb import ConditionFailed, Key, Table
from lambda_function.statements import Statement

__all__ = ["TableDouble"]

Item = dict[str, Any]
Test = Callable[[Item, Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),]|[#:]?\w+)")
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html, in moto's copy.
_MOTO = Path(importlib.util.find_spec("moto").submodule_search_locations[0])  # type: ignore[union-attr,index]
_RESERVED = set((_MOTO / "dynamodb/parsing/reserved_keywords.txt").read_text(encoding="utf-8").upper().split())
_SYNTAX = {"SET", "ADD", "DELETE", "REMOVE", "AND", "OR", "NOT"}
_BOUND: dict[str, Callable[[Any], Any]] = {
    "N": int,
    "S": str,
    "B": a2b_base64,
    "BS": lambda value: {a2b_base64(value)},
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class TableDouble(Table):
    """`interrupt(operation, phase)` is called before and after each write takes effect, and may raise."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.writes: list[str] = []
        self.interrupt: Callable[[str, str], None] = lambda operation, phase: None

    def update(
        self,
        key: Key,
        expression: str,
        *,
        condition: str = "",
        names: Mapping[str, str] = MappingProxyType({}),
        values: Mapping[str, Any] = MappingProxyType({}),
        returns: str = "NONE",
        timeout: float = 1.0,
        idempotent: bool = False,
    ) -> Item:
        _check_values(f"{expression} {condition}", values)
        for alias, name in names.items():
            assert alias in expression or alias in condition, f"{alias} is not used"
            expression, condition = expression.replace(alias, name), condition.replace(alias, name)
        self._begin("update")
        old = self.items.get(key)
        self._require(old, condition, values)
        new = deepcopy(old) if old is not None else {"pk": key[0], "sk": key[1]}
        _apply(new, expression, values)
        self.items[key] = new
        self.interrupt("update", "after")
        return deepcopy(new) if returns == "ALL_NEW" else {}

    def execute(
        self,
        statement: Statement,
        key: Key,
        values: tuple[int | str, ...],
        *,
        timeout: float = 1.0,
        idempotent: bool = False,
    ) -> Item:
        assert len(values) == len(statement.types)
        bound = {name: _BOUND[kind](value) for (name, kind), value in zip(statement.types.items(), values, strict=True)}
        return TableDouble.update(
            self, key, statement.expression, condition=statement.condition, values=bound, returns=statement.returns
        )

    def put(
        self,
        item: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] = MappingProxyType({}),
        values: Mapping[str, Any] = MappingProxyType({}),
        timeout: float = 1.0,
    ) -> None:
        _check_values(condition, values)
        self._begin("put")
        key = (item["pk"], item["sk"])
        self._require(self.items.get(key), condition, values)
        self.items[key] = deepcopy(dict(item))
        self.interrupt("put", "after")

    def get(self, key: Key, *, consistent: bool = True, timeout: float = 1.0) -> Item | None:
        self.interrupt("get", "before")
        return deepcopy(self.items.get(key))

    def query(
        self,
        expression: str,
        *,
        names: Mapping[str, str] = MappingProxyType({}),
        values: Mapping[str, Any],
        index: str = "",
        consistent: bool = False,
        forward: bool = True,
        timeout: float = 5.0,
    ) -> Iterator[Item]:
        _check_values(expression, values)
        assert not (index and consistent), "an index is never consistent"
        self.interrupt("query", "before")
        test = _parsed(expression)
        found = [item for key, item in self.items.items() if (index or key[0] == values[":pk"]) and test(item, values)]
        for item in sorted(found, key=lambda item: (item["pk"], item["sk"]), reverse=not forward):
            yield deepcopy({name: item[name] for name in ("pk", "sk", index)} if index else item)

    def delete(self, key: Key, condition: str = "", *, timeout: float = 1.0) -> None:
        self._begin("delete")
        self._require(self.items.get(key), condition, {})
        self.items.pop(key, None)

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = False, timeout: float = 5.0) -> list[Item]:
        self.interrupt("get", "before")
        return [deepcopy(self.items[key]) for key in dict.fromkeys(keys) if key in self.items]

    def _begin(self, operation: str) -> None:
        self.interrupt(operation, "before")
        self.writes.append(operation)

    def _require(self, old: Item | None, condition: str, values: Mapping[str, Any]) -> None:
        if condition and not _parsed(condition)(old or {}, values):
            raise ConditionFailed(deepcopy(old))


def _check_values(text: str, values: Mapping[str, Any]) -> None:
    used = set(re.findall(r":\w+", text))
    assert used == set(values), f"values used {used} and given {set(values)} differ"
    for value in values.values():
        assert not isinstance(value, float), "no floats"
        assert not (isinstance(value, (set, frozenset)) and not value), "DynamoDB has no empty sets"
    words = set(re.findall(r"(?<![:#\w])\w+(?![\w(])", text)) - _SYNTAX
    reserved = {word for word in words if word.upper() in _RESERVED}
    assert not reserved, f"reserved: {reserved}"
    assert len(text) <= 4096, "an expression has at most 4 KB"


def _apply(item: Item, expression: str, values: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    for clause, body in re.findall(
        r"\b(SET|ADD|DELETE|REMOVE)\b(.*?)(?=\bSET\b|\bADD\b|\bDELETE\b|\bREMOVE\b|$)", expression
    ):
        for part in body.split(","):
            words = part.replace("=", " ").split()
            name = words[0]
            assert name not in seen and name not in {"pk", "sk"}, f"{name}: paths overlap, or are of the key"
            seen.add(name)
            _change(item, clause, name, values[words[1]] if len(words) > 1 else None)


def _change(item: Item, clause: str, name: str, value: Any) -> None:
    if clause == "SET":
        item[name] = value
    elif clause == "REMOVE":
        item.pop(name, None)
    elif clause == "ADD" and isinstance(value, int):
        old = item.get(name, 0)
        assert type(old) is int, f"{name} is no number"
        item[name] = old + value
    else:
        old = item.get(name, set())
        assert isinstance(old, set) and isinstance(value, (set, frozenset)), f"{name} is no set"
        new = old | value if clause == "ADD" else old - value
        if new:
            item[name] = new
        else:
            item.pop(name, None)


@cache
def _parsed(text: str) -> Test:
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == text.replace(" ", ""), f"not understood: {text}"
    test, rest = _either(tokens)
    assert not rest, f"not understood: {rest}"
    return test


def _either(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _both(tokens)
    while tokens and tokens[0] == "OR":
        right, tokens = _both(tokens[1:])
        left = (lambda a, b: lambda item, values: a(item, values) or b(item, values))(left, right)
    return left, tokens


def _both(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _one(tokens)
    while tokens and tokens[0] == "AND":
        right, tokens = _one(tokens[1:])
        left = (lambda a, b: lambda item, values: a(item, values) and b(item, values))(left, right)
    return left, tokens


def _one(tokens: list[str]) -> tuple[Test, list[str]]:
    head = tokens[0]
    if head == "NOT":
        test, rest = _one(tokens[1:])
        return lambda item, values: not test(item, values), rest
    if head == "(":
        test, rest = _either(tokens[1:])
        assert rest[0] == ")"
        return test, rest[1:]
    if head == "attribute_not_exists":
        return (lambda name: lambda item, values: name not in item)(tokens[2]), tokens[4:]
    if head == "contains":
        _, _, name, _, value = tokens[:5]
        return lambda item, values: values[value] in item.get(name, ()), tokens[6:]
    if head == "begins_with":
        _, _, name, _, value = tokens[:5]
        return lambda item, values: str(item.get(name, "")).startswith(values[value]), tokens[6:]
    if head == "size":
        name, sign, value = tokens[2], tokens[4], tokens[5]
        return lambda item, values: name in item and _COMPARE[sign](len(item[name]), values[value]), tokens[6:]
    name, sign, value = tokens[:3]

    def compared(item: Item, values: Mapping[str, Any]) -> bool:
        # What has another type, or is not there, compares as false.
        return type(item.get(name)) is type(values[value]) and _COMPARE[sign](item[name], values[value])

    return compared, tokens[3:]
