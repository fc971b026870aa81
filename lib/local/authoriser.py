"""Whether a role's policies allow a call: the part of IAM's logic that this project's policies use.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit deny wins, then
any allow, else the call is denied. Every resource of a call needs an allow of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

__all__ = ["Request", "allowed"]


class Request(NamedTuple):
    """One action on one resource. `context` holds condition keys in lower case."""

    action: str
    resource: str
    context: Mapping[str, str]


def allowed(policies: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Whether `policies`, parsed documents, allow `request`. NotImplementedError for a condition operator unknown."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _list(policy["Statement"])
        if _applies(statement, request)
    }
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    if "Action" in statement:
        acts = any(_like(pattern.lower(), request.action.lower()) for pattern in _list(statement["Action"]))
    else:
        acts = not any(_like(pattern.lower(), request.action.lower()) for pattern in _list(statement["NotAction"]))
    on = any(_like(pattern, request.resource) for pattern in _list(statement.get("Resource", "*")))
    return acts and on and _holds(statement.get("Condition", {}), request.context)


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Every operator and every key must hold; of a key's values, one."""
    return all(
        _operator(operator, context.get(key.lower()), _list(values))
        for operator, tests in condition.items()
        for key, values in tests.items()
    )


def _operator(operator: str, found: str | None, values: list[str]) -> bool:
    name, optional = (operator[: -len("IfExists")], True) if operator.endswith("IfExists") else (operator, False)
    if found is None:
        return optional
    if name in {"StringEquals", "ArnEquals", "Bool"}:
        return any((_like(value, found) if name == "ArnEquals" else str(value) == found) for value in values)
    if name in {"StringLike", "ArnLike"}:
        return any(_like(value, found) for value in values)
    if name == "StringNotEquals":
        return found not in values
    raise NotImplementedError(f"condition operator {operator}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
