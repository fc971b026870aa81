"""A document against its JSON Schema, every violation as a problem a person can act on.

Our schemas say what is allowed in the keyword `errorMessage`, a noun phrase, which editors show too.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.errors import Problem
from lib.problems import did_you_mean, point, shown

__all__ = ["violations"]

_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def violations(document: Any, schema_path: Path) -> list[Problem]:
    """What in `document` violates the schema in `schema_path`, in the document's order."""
    errors = _validator(schema_path).iter_errors(document)
    return [_problem(error) for error in sorted(errors, key=lambda error: _place(document, error.path))]


@functools.cache
def _validator(schema_path: Path) -> Any:
    # Importing jsonschema takes longer than some commands' own work, so only one that reads a file pays for it.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    schema = json.loads(schema_path.read_text(encoding="utf-8"))
    strict = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "required": functools.partial(_required, schema.get("$defs", {})),
            "additionalProperties": _additional,
            "propertyNames": _property_names,
            "pattern": _pattern,
        },
    )
    return strict(schema)


def _place(document: Any, path: Any) -> list[int]:
    """Where in the document `path` stands, as something to sort by; a missing key stands at its object's end."""
    place: list[int] = []
    for part in path:
        if isinstance(part, int):
            place.append(part)
            document = document[part]
        else:
            keys = list(document)
            place.append(keys.index(part) if part in document else len(keys))
            document = document.get(part)
    return place


def _problem(error: Any) -> Problem:
    pointer = point("", *error.path)
    if error.validator in {"required", "additionalProperties"}:
        found, _, remedy = error.message.partition("; ")
        return Problem(pointer, found, remedy)
    allowed = error.schema.get("errorMessage") or _generic(error.validator, error.validator_value)
    return Problem(pointer, f"found {shown(error.instance)}", f"allowed: {allowed}")


def _generic(keyword: str, value: Any) -> str:
    """What a keyword allows, for schemas that do not say it."""
    if keyword == "type":
        names = [value] if isinstance(value, str) else value
        return " or ".join(_WORDS[name] for name in names)
    if keyword == "enum":
        return ", ".join(shown(item) for item in value)
    return f"{keyword} {shown(value)}"


def _required(
    definitions: dict[str, Any], validator: Any, keys: list[str], instance: Any, schema: dict[str, Any]
) -> Iterator[Any]:
    """As the standard keyword, but the missing key is the place."""
    if validator.is_type(instance, "object"):
        for key in keys:
            if key not in instance:
                member = schema.get("properties", {}).get(key, {})
                member = definitions.get(member.get("$ref", "").removeprefix("#/$defs/"), member)
                yield _error(f"this key is missing; give {member.get('errorMessage', 'a value')}", key)


def _additional(validator: Any, allowed: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """As the standard keyword, but each unknown key is a place of its own, with the key that was perhaps meant.

    The value is not shown: nobody knows what it is, so it may be a secret.
    """
    if not validator.is_type(instance, "object"):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        if allowed is False:
            choices = [choice for choice in known if choice != "$schema"]
            hint = did_you_mean(key, choices) or f"allowed: {schema.get('errorMessage') or ', '.join(choices)}"
            yield _error(f"this key is unknown; {hint}", key)
        else:
            yield from validator.descend(value, allowed, path=key)


def _property_names(validator: Any, names: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """As the standard keyword, but the key is the place."""
    if validator.is_type(instance, "object"):
        for key in instance:
            yield from validator.descend(key, names, path=key)


def _pattern(validator: Any, pattern: str, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """As the standard keyword in ASCII, and `$` is the end: Python's also matches before a final newline."""
    if validator.is_type(instance, "string") and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance, re.ASCII):
        yield _error("does not match")


def _error(message: str, *path: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message, path=path)
