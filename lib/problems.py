"""Problems in sentences: where, what was found, what may stand there."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from lib.errors import Problem

__all__ = ["did_you_mean", "merged", "point", "shown"]

_LONGEST = 60
# Access key ids, and the 40-character secrets that go with them: pasted into the wrong field they must not come back
# on a screen. docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
_SECRET = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{12,}|(?<![A-Za-z0-9/+=:.-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")


def point(pointer: str, *parts: str | int) -> str:
    """The RFC 6901 pointer to a member of what `pointer` points to."""
    return pointer + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def shown(value: Any, *, quote: bool = True) -> str:
    """`value` as JSON, short enough for a sentence, with what looks like a credential left out."""
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, value))}"[:_LONGEST] if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        text = "(something like a credential)" if _SECRET.search(value) else value
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        return json.dumps(text, ensure_ascii=False) if quote else text
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """`did you mean "x"?`, or "" where nothing among `choices` is near."""
    by_fold = {choice.casefold(): choice for choice in choices}
    longer = sorted((fold for fold in by_fold if len(name) > 2 and fold.startswith(name.casefold())), key=len)
    near = longer or difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.7)
    return f'did you mean "{by_fold[near[0]]}"?' if near else ""


def merged(*groups: Iterable[Problem]) -> list[Problem]:
    """All problems in order; a place that an earlier group complains about is not complained about again."""
    found: list[Problem] = []
    for group in groups:
        seen = {problem.pointer for problem in found}
        found.extend(problem for problem in group if problem.pointer not in seen)
    return found
