"""Whether policies allow a call: the part of IAM's logic that policies of functions use. Pure.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit deny wins, then any
allow, else the call is denied. Every resource of a call needs an allow of its own, so a call is one `Request` for each.
Policies of resources, permission boundaries and policy variables are not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

__all__ = ["Request", "allowed"]

Value = str | tuple[str, ...]


class Request(NamedTuple):
    """One action on one resource. `context` holds condition keys in lower case; a key of many values has a tuple."""

    action: str
    resource: str
    context: Mapping[str, Value] = {}


def allowed(policies: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Whether parsed policy documents allow `request`. Raises NotImplementedError for an unknown condition operator."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _list(policy["Statement"])
        if _applies(statement, request)
    }
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    return (
        _named(statement, "Action", request.action.lower(), str.lower)
        and _named(statement, "Resource", request.resource, str)
        and all(
            _holds(operator, request.context.get(key.lower()), [_text(value) for value in _list(values)])
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    )


def _named(statement: Mapping[str, Any], element: str, found: str, spelled: Callable[[str], str]) -> bool:
    if element in statement:
        return any(_like(spelled(pattern), found) for pattern in _list(statement[element]))
    return not any(_like(spelled(pattern), found) for pattern in _list(statement[f"Not{element}"]))


def _holds(operator: str, found: Value | None, wanted: list[str]) -> bool:
    """Of `wanted` one value is enough; of a key's several values, one or all as the qualifier says."""
    qualifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return any((value == "true") == (found is None) for value in wanted)
    test = _OPERATORS.get(name)
    if test is None:
        raise NotImplementedError(f"condition operator {operator}")
    negated = "Not" in name
    if found is None or found == ():
        return optional or negated or qualifier == "ForAllValues"
    each = [
        any(test(value, one) for value in wanted) != negated for one in ((found,) if isinstance(found, str) else found)
    ]
    return all(each) if qualifier == "ForAllValues" else any(each)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


def _arn_like(pattern: str, arn: str) -> bool:
    """The six parts of an ARN are compared one by one, so that a wildcard does not reach over a colon."""
    wanted, found = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(found) and all(map(_like, wanted, found))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _equal(wanted: str, found: str) -> bool:
    return wanted == found


def _alike(wanted: str, found: str) -> bool:
    return wanted.lower() == found.lower()


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal, "StringNotEquals": _equal,
    "StringEqualsIgnoreCase": _alike, "StringNotEqualsIgnoreCase": _alike,
    "StringLike": _like, "StringNotLike": _like,
    "ArnEquals": _arn_like, "ArnNotEquals": _arn_like, "ArnLike": _arn_like, "ArnNotLike": _arn_like,
    "Bool": _alike,
}  # fmt: skip
