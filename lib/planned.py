"""Values that only AWS can know, while planning: they look like AWS's answer and say "known after apply"."""

from __future__ import annotations

from typing import Any

__all__ = ["Planned", "is_planned", "planned_output"]

_DEPTH = 6  # AWS's recursive shapes end somewhere


class Planned(str):
    """A string AWS will choose. It passes botocore's validation and is recognised by `Aws.read`."""

    __slots__ = ()

    def __new__(cls) -> Planned:
        return super().__new__(cls, "(known after apply)")


def is_planned(value: Any) -> bool:
    """Whether `value`, or anything inside it, is known only after apply."""
    if isinstance(value, str):
        return "(known after apply)" in value  # also inside an ARN that was built around one
    if isinstance(value, dict):
        return any(is_planned(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_planned(item) for item in value)
    return False


def planned_output(shape: Any, depth: int = 0) -> dict[str, Any]:
    """The operation's output shape filled with `Planned`; {} for an operation that answers nothing."""
    filled = _filled(shape, depth)
    return filled if isinstance(filled, dict) else {}


def _filled(shape: Any, depth: int) -> Any:
    if shape is None or depth > _DEPTH:
        return {}
    if shape.type_name == "structure":
        return {name: _filled(member, depth + 1) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return []
    if shape.type_name == "map":
        return {}
    if shape.type_name in {"integer", "long", "float", "double"}:
        return 0
    if shape.type_name == "boolean":
        return False
    return Planned()
