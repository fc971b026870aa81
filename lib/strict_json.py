"""JSON as people write it, read strictly: exact numbers, and nothing silently dropped.

The standard parser keeps the last of two equal keys and accepts NaN; both would hide a typing error in a file that
decides about money.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from lib.errors import Problem
from lib.problems import point, shown

__all__ = ["read"]

# More than any price, budget or count needs, and little enough for exact arithmetic without tricks.
_LONGEST_NUMBER = 40
_LARGEST_EXPONENT = 30


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys that stand in it more than once."""

    repeated: tuple[str, ...] = ()


class _Unusable(str):
    """The text of a number that is not finite or not of this world."""


def read(path: Path) -> tuple[Any, list[Problem]]:
    """The document in `path`, its numbers as int or Decimal, and what is wrong with it as JSON.

    Where the file cannot be read at all the document is None and there is exactly one problem. Otherwise each
    repeated key and each unusable number is a problem; the number stands as 0 in the document.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None, [Problem("", "there is no such file", "give its path with --config or --models, or create it")]
    except OSError as error:
        return None, [Problem("", f"it cannot be read ({error.strerror})", "make it a readable file")]
    except UnicodeDecodeError as error:
        return None, [Problem("", f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8")]
    try:
        parsed = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_Unusable, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        return None, [_malformed(text, error)]
    except RecursionError:
        return None, [Problem("", "it is nested too deeply to be read", "remove the nested brackets")]
    if parsed is None:
        return None, [Problem("", "found null", "allowed: an object")]
    problems: list[Problem] = []
    return _plain(parsed, "", problems), problems


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    item = _Object(pairs)
    if len(item) < len(pairs):
        keys = [key for key, _ in pairs]
        item.repeated = tuple(key for key in item if keys.count(key) > 1)
    return item


def _decimal(text: str) -> int | Decimal | _Unusable:
    """The number exactly; an int where it is a whole one, so that 2000.0 tokens are 2000 tokens."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _Unusable(text)
    if not number:
        return 0
    if len(text) > _LONGEST_NUMBER or abs(number.adjusted()) > _LARGEST_EXPONENT:
        return _Unusable(text)
    return int(number) if number == int(number) else number


def _integer(text: str) -> int | _Unusable:
    return int(text) if len(text) <= _LONGEST_NUMBER else _Unusable(text)


def _plain(value: Any, pointer: str, problems: list[Problem]) -> Any:
    """`value` in plain dicts and lists, with what is wrong in it added to `problems`."""
    if isinstance(value, _Unusable):
        problems.append(Problem(pointer, f"found {shown(str(value), quote=False)}", "allowed: a finite decimal number"))
        return 0
    if isinstance(value, list):
        return [_plain(item, point(pointer, index), problems) for index, item in enumerate(value)]
    if isinstance(value, _Object):
        problems.extend(
            Problem(point(pointer, key), "this key stands here more than once", "keep one of them; JSON keeps the last")
            for key in value.repeated
        )
        return {key: _plain(item, point(pointer, key), problems) for key, item in value.items()}
    return value


def _malformed(text: str, error: json.JSONDecodeError) -> Problem:
    """The parser's complaint with the place, and the remedy for the mistakes people make."""
    before, rest = text[: error.pos].rstrip(), text[error.pos :].lstrip()
    if not text.strip():
        remedy = "the file is empty; write a JSON object"
    elif rest.startswith(("//", "/*", "#")):
        remedy = "JSON has no comments; remove it"
    elif error.msg.startswith("Illegal trailing comma") or (before.endswith(",") and rest.startswith(("}", "]"))):
        remedy = "remove the comma before the closing bracket"
    elif rest.startswith("'"):
        remedy = "use double quotes"
    elif error.msg.startswith("Invalid control character"):
        remedy = "a quotation mark is missing at the end of this line"
    elif error.msg.startswith("Extra data"):
        remedy = "remove what follows the last closing bracket"
    elif not rest or error.msg.startswith("Unterminated"):
        remedy = "the file ends too early; a closing bracket or quotation mark is missing"
    elif "delimiter" in error.msg:
        remedy = "a comma, colon or quotation mark is missing just before this place"
    else:
        remedy = "repair the JSON at this place"
    return Problem("", f"line {error.lineno}, column {error.colno} is not JSON ({error.msg})", remedy)
