"""A table whose network fails on demand: replies are lost, writes never arrive, or arrive when nobody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from lambda_function.dynamodb import ConditionFailed, Key, Table, Unavailable

__all__ = ["UnreliableTable"]


class UnreliableTable(Table):
    """Another table behind a bad network. `faults` are used up by the next writes, one each.

    "lost": done, but the reply is not heard. "unsent": surely not done. "delayed": not heard of, and done only when
    `deliver` is called. "dead": done, and then the caller is dead. "" is no fault.
    """

    class Killed(BaseException):
        """The function was killed: nothing of ours catches this."""

    def __init__(self, inner: Table) -> None:
        self.inner = inner
        self.faults: list[str] = []
        self.delayed: list[Callable[[], Any]] = []
        self.latest: Callable[[], Any] | None = None

    def update(self, key: Key, expression: str, **more: Any) -> Any:
        return self._write(lambda: self.inner.update(key, expression, **more))

    def execute(self, statement: Any, key: Key, values: Any, **more: Any) -> Any:
        return self._write(lambda: self.inner.execute(statement, key, values, **more))

    def put(self, item: Any, **more: Any) -> None:
        self._write(lambda: self.inner.put(item, **more))

    def get(self, key: Key, **more: Any) -> Any:
        return self.inner.get(key, **more)

    def query(self, expression: str, **more: Any) -> Iterator[Any]:
        yield from self.inner.query(expression, **more)

    def deliver(self) -> None:
        """The oldest delayed write arrives after all; the answer goes nowhere."""
        self.latest = self.delayed.pop(0)
        with suppress(ConditionFailed):
            self.latest()

    def repeat(self) -> None:
        """The latest write arrives a second time."""
        if self.latest is not None:
            with suppress(ConditionFailed):
                self.latest()

    def _write(self, write: Callable[[], Any]) -> Any:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "unsent":
            raise Unavailable("surely not done", sent=False)
        if fault == "delayed":
            self.delayed.append(write)
            raise Unavailable("not heard of", sent=True)
        self.latest = write
        if fault == "lost":
            with suppress(ConditionFailed):
                write()
            raise Unavailable("not heard of", sent=True)
        answer = write()
        if fault == "dead":
            raise self.Killed
        return answer
