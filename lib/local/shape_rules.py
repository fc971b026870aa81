"""AWS's own rules for parameters, as a service's API model states them: required, length, range, pattern, enumeration.

boto3 checks only some of them before it sends; the service checks them all, and moto none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from moto.core.utils import get_service_model

from lib.local.door import Refused

__all__ = ["check", "violations"]

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
}  # fmt: skip


def check(service: str, operation: str, parameters: Any) -> None:
    """Raises Refused, ValidationException with AWS's wording, where parsed JSON `parameters` break a rule."""
    found = list(violations(_input(service, operation), parameters))
    if found:
        count = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise Refused("ValidationException", f"{count} detected: {'; '.join(found)}", 400)


def violations(shape: Any, given: Any, at: str = "") -> Iterator[str]:
    """One sentence for each rule of `shape`, a botocore shape, that `given` breaks. Unknown members are ignored."""
    kind = _KINDS.get(shape.type_name)
    if kind is None or getattr(shape, "is_document_type", False):
        return
    value: Any = given
    if not isinstance(given, kind) or (isinstance(given, bool) and shape.type_name != "boolean"):
        yield f"Value at '{at or 'body'}' failed to satisfy constraint: Member must be of type {shape.type_name}"
        return
    if shape.type_name == "structure":
        yield from _members(shape, value, at)
    elif shape.type_name == "list":
        yield from _size(shape, len(value), at, "length")
        for index, item in enumerate(value):
            yield from violations(shape.member, item, f"{at}.{index + 1}.member")
    elif shape.type_name == "map":
        yield from _size(shape, len(value), at, "size")
        for key, item in value.items():
            yield from violations(shape.key, key, f"{at}.key")
            yield from violations(shape.value, item, f"{at}.{key}")
    elif shape.type_name == "string":
        yield from _text(shape, value, at)
    elif shape.type_name in {"integer", "long", "float", "double"}:
        yield from _size(shape, value, at, "value")


def _members(shape: Any, value: Mapping[str, Any], at: str) -> Iterator[str]:
    prefix = f"{at}." if at else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value at '{prefix}{name}' failed to satisfy constraint: Member must not be null"
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        if member.serialization.get("location"):  # in the path, the query or a header: given by the model's name
            wire_name = name
        if value.get(wire_name) is not None:
            yield from violations(member, value[wire_name], prefix + name)


def _text(shape: Any, value: str, at: str) -> Iterator[str]:
    yield from _size(shape, len(value), at, "length")
    if shape.enum and value not in shape.enum:
        allowed = f"[{', '.join(shape.enum)}]"
        yield f"Value '{value}' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: {allowed}"
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield (
            f"Value '{value}' at '{at}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )


def _size(shape: Any, size: float, at: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < float(least):
        yield f"Value at '{at}' failed to satisfy constraint: Member must have {what} greater than or equal to {least}"
    if most is not None and size > float(most):
        yield f"Value at '{at}' failed to satisfy constraint: Member must have {what} less than or equal to {most}"


@cache
def _input(service: str, operation: str) -> Any:
    return get_service_model(service).operation_model(operation).input_shape


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
