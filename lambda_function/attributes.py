"""DynamoDB's AttributeValue and plain Python: int N, str S, bytes B, bool BOOL, None NULL, list L, dict M, SS NS BS.

Ints stay exact, and there are no floats in either direction: money is counted here. Encoding writes JSON text at once,
without the tree of one-key objects between.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

__all__ = ["encode", "encode_item", "in_base64", "plain"]


def encode(value: Any) -> str:
    """The JSON text of a value's AttributeValue. Raises TypeError for what has none, an empty set included."""
    try:
        return _ENCODERS[type(value)](value)
    except KeyError:
        raise TypeError(f"DynamoDB has no type for {type(value).__name__}") from None


def encode_item(item: Mapping[str, Any]) -> str:
    """The JSON text of a map from attribute names, or expression placeholders, to AttributeValues."""
    # A look for the two that nearly all attributes are is cheaper than a call for each.
    parts = [
        f'{quoted(name)}:{{"N":"{value}"}}' if type(value) is int
        else f'{quoted(name)}:{{"S":{quoted(value)}}}' if type(value) is str
        else f"{quoted(name)}:{encode(value)}"
        for name, value in item.items()
    ]  # fmt: skip
    return f"{{{','.join(parts)}}}"


def plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A map of AttributeValues, as parsed from JSON, in plain Python. Sets are `set`."""
    return {
        name: int(typed["N"]) if "N" in typed else typed["S"] if "S" in typed else _decode(typed)
        for name, typed in item.items()
    }


def in_base64(value: bytes) -> str:
    """How JSON spells bytes."""
    return b2a_base64(value, newline=False).decode()


def _encode_set(values: set[Any]) -> str:
    kinds = {type(value) for value in values}
    if kinds == {bytes}:
        kind, texts = "BS", [f'"{in_base64(value)}"' for value in values]
    elif kinds == {str}:
        kind, texts = "SS", [quoted(value) for value in values]
    elif kinds == {int}:
        kind, texts = "NS", [f'"{value}"' for value in values]
    else:
        raise TypeError("a DynamoDB set is not empty, and of bytes, str or int alone")
    return f'{{"{kind}":[{",".join(texts)}]}}'


def _encode_list(values: list[Any]) -> str:
    return f'{{"L":[{",".join([encode(value) for value in values])}]}}'


_ENCODERS: dict[type, Callable[[Any], str]] = {
    int: lambda value: f'{{"N":"{value}"}}',
    str: lambda value: f'{{"S":{quoted(value)}}}',
    bytes: lambda value: f'{{"B":"{in_base64(value)}"}}',
    bool: lambda value: '{"BOOL":true}' if value else '{"BOOL":false}',
    type(None): lambda value: '{"NULL":true}',
    set: _encode_set,
    frozenset: _encode_set,
    list: _encode_list,
    tuple: _encode_list,
    dict: lambda value: f'{{"M":{encode_item(value)}}}',
}


def _decode(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    return _DECODERS[kind](value)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "N": int,
    "S": str,
    "B": a2b_base64,
    "BOOL": bool,
    "NULL": lambda value: None,
    "SS": set,
    "NS": lambda values: set(map(int, values)),
    "BS": lambda values: set(map(a2b_base64, values)),
    "L": lambda values: [_decode(value) for value in values],
    "M": plain,
}
