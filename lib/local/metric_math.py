"""CloudWatch metric math: parsing and evaluation of expressions.

Missing values follow AWS's documentation: between two series a gap in one counts as 0 where the other has a value.
A series without any point in the range makes the whole operation empty, which is why a sum of successes and failures
has no value while nothing fails unless it says FILL(m, 0). Division by zero drops the point.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from lib.local.metric_functions import FUNCTIONS
from lib.local.time_series import Grid, MathError, Scope, Text, TimeSeries, Value, Word

__all__ = ["ID", "Expression"]

ID = re.compile(r"[a-z][a-zA-Z0-9_]*")

TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|“[^”]*”)
    | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)

Operation = Callable[[float, float], float]


def _divide(a: float, b: float) -> float:
    return a / b if b else math.nan


def _power(a: float, b: float) -> float:
    try:
        result = a**b
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return result if isinstance(result, float) else math.nan


def _flag(test: Callable[[float, float], bool]) -> Operation:
    return lambda a, b: float(test(a, b))


# By rising precedence; within a level left to right.
LEVELS: tuple[dict[str, Operation], ...] = (
    {"OR": _flag(lambda a, b: bool(a or b)), "||": _flag(lambda a, b: bool(a or b))},
    {"AND": _flag(lambda a, b: bool(a and b)), "&&": _flag(lambda a, b: bool(a and b))},
    {
        "==": _flag(operator.eq),
        "!=": _flag(operator.ne),
        "<=": _flag(operator.le),
        ">=": _flag(operator.ge),
        "<": _flag(operator.lt),
        ">": _flag(operator.gt),
    },
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide},
)

Node = Callable[[Scope], Value]


class _Token(NamedTuple):
    kind: str
    text: str


class Expression:
    """A parsed expression. `ids` are the metrics and expressions it names, `functions` the functions it calls,
    `searches` the texts of its SEARCH calls.

    Raises MathError where the text is no expression.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.ids: set[str] = set()
        self.functions: set[str] = set()
        self.searches: list[str] = []
        self._tokens = _tokens(source)
        self._at = 0
        self._node = self._level(0)
        if self._at < len(self._tokens):
            raise MathError(f"Syntax error in part '{self._peek()}'")

    def evaluate(self, scope: Scope) -> Value:
        """The expression's value; its points hold only finite numbers. Raises MathError."""
        return _finite(self._node(scope))

    def shape(self, scope_ids: dict[str, str]) -> str:
        """What the result will be: "scalar", "series" or "array", given the shapes of the ids. Raises MathError."""
        points = {0: 1.0}
        known: dict[str, Value] = {
            id: TimeSeries(id, id, 60, points) if shape == "series" else [TimeSeries(id, id, 60, points)] * 2
            for id, shape in scope_ids.items()
        }
        metrics = {id: value for id, value in known.items() if isinstance(value, TimeSeries)}
        band = [TimeSeries("", "", 60, points)] * 2
        scope = Scope(Grid(0, 60, 60), metrics, known, lambda *_: band, lambda *_: band)
        result = self._node(scope)
        return "array" if isinstance(result, list) else "series" if isinstance(result, TimeSeries) else "scalar"

    # The parser: recursive descent, one method a grammar rule, each building a closure.

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise MathError("Syntax error: unexpected end of expression")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, text: str) -> None:
        found = self._next().text
        if found != text:
            raise MathError(f"Syntax error in part '{found}': expected '{text}'")

    def _level(self, depth: int) -> Node:
        if depth == len(LEVELS):
            return self._unary()
        left = self._level(depth + 1)
        while self._peek() in LEVELS[depth]:
            left = _binary(LEVELS[depth][self._next().text], left, self._level(depth + 1))
        return left

    def _unary(self) -> Node:
        if self._peek() in ("-", "+"):
            factor = -1.0 if self._next().text == "-" else 1.0
            inner = self._unary()
            return _binary(operator.mul, lambda _: factor, inner)
        base = self._atom()
        if self._peek() == "^":
            self._next()
            return _binary(_power, base, self._unary())
        return base

    def _atom(self) -> Node:
        token = self._next()
        if token.kind == "number":
            number = float(token.text)
            return lambda _: number
        if token.kind == "text":
            text = Text(_unquoted(token.text))
            return lambda _: text
        if token.text == "(":
            inner = self._level(0)
            self._expect(")")
            return inner
        if token.text == "[":
            return self._array()
        if token.kind == "name":
            return self._name(token.text)
        raise MathError(f"Syntax error in part '{token.text}'")

    def _array(self) -> Node:
        members = self._arguments("]")

        def build(scope: Scope) -> Value:
            array: list[TimeSeries] = []
            for member in members:
                value = member(scope)
                if isinstance(value, list):
                    array += value
                elif isinstance(value, TimeSeries):
                    array.append(value)
                else:
                    raise MathError("an array may hold time series only")
            return array

        return build

    def _name(self, name: str) -> Node:
        if self._peek() == "(":
            self._next()
            if name not in FUNCTIONS:
                raise MathError(f"Unsupported function '{name}'")
            self.functions.add(name)
            if name == "SEARCH":
                self.searches.append(_unquoted(self._peek()))
            arguments = self._arguments(")")
            function = FUNCTIONS[name]
            return lambda scope: function(scope, [argument(scope) for argument in arguments])
        if ID.fullmatch(name):
            self.ids.add(name)
            return lambda scope: _look_up(scope, name)
        word = Word(name)
        return lambda _: word

    def _arguments(self, closing: str) -> list[Node]:
        found: list[Node] = []
        if self._peek() == closing:
            self._next()
            return found
        while True:
            found.append(self._level(0))
            if self._peek() != ",":
                self._expect(closing)
                return found
            self._next()


def _tokens(source: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    text = source.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MathError(f"Syntax error in part '{text[at:].strip()[:20]}'")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    if not found:
        raise MathError("the expression is empty")
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _look_up(scope: Scope, name: str) -> Value:
    if name in scope.metrics:
        return scope.metrics[name]
    if name in scope.expressions:
        return scope.expressions[name]
    raise MathError(f"Unknown id '{name}'")


def _binary(operation: Operation, left: Node, right: Node) -> Node:
    return lambda scope: _combine(operation, left(scope), right(scope))


def _combine(operation: Operation, a: Value, b: Value) -> Value:
    if isinstance(a, (Word, Text)) or isinstance(b, (Word, Text)):
        raise MathError(f"'{a if isinstance(a, (Word, Text)) else b}' is not a value to calculate with")
    if isinstance(a, list) and isinstance(b, list):
        raise MathError("two arrays of time series cannot be combined")
    if isinstance(a, list):
        return [_pair(operation, one, b) for one in a if not isinstance(b, list)]
    if isinstance(b, list):
        return [_pair(operation, a, one) for one in b]
    if isinstance(a, TimeSeries) or isinstance(b, TimeSeries):
        return _pair(operation, a, b)
    return operation(a, b)


def _pair(operation: Operation, a: float | TimeSeries, b: float | TimeSeries) -> TimeSeries:
    """One series of two operands of which at least one is a series."""
    if isinstance(a, TimeSeries) and isinstance(b, TimeSeries):
        times = sorted({*a.points, *b.points}) if a.points and b.points else []
        points = {at: operation(a.points.get(at, 0.0), b.points.get(at, 0.0)) for at in times}
        return TimeSeries("", a.label, a.period, _drop(points))
    if isinstance(a, TimeSeries):
        assert not isinstance(b, TimeSeries)
        return TimeSeries("", a.label, a.period, _drop({at: operation(v, b) for at, v in a.points.items()}))
    assert isinstance(b, TimeSeries)
    return TimeSeries("", b.label, b.period, _drop({at: operation(a, v) for at, v in b.points.items()}))


def _drop(points: dict[int, float]) -> dict[int, float]:
    return {at: value for at, value in points.items() if math.isfinite(value)}


def _finite(value: Value) -> Value:
    if isinstance(value, TimeSeries):
        return value._replace(points=_drop(value.points))
    if isinstance(value, list):
        return [one._replace(points=_drop(one.points)) for one in value]
    return value
