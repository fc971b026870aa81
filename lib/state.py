"""The `deployed` block: what setup made, so that the next run finds it. Ids only.

Every id is on disk before the next AWS call: temporary file in the same folder, fsync, rename. The rest of the
file is the user's and keeps its formatting to the byte.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.errors import StateError

__all__ = ["State"]

_KEY = "deployed"


class State:
    """The ids in `path`'s `deployed` block.

    `seed` fills in what the block lacks (ids of the older file layout). With `frozen` nothing is written:
    that is planning. The file need not exist.
    """

    def __init__(self, path: Path, *, frozen: bool = False, seed: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._frozen = frozen
        stored = _read(path).get(_KEY) or {}
        self._ids: dict[str, Any] = {**(seed or {}), **stored}

    def get(self, name: str, default: Any = None) -> Any:
        """The id kept under `name`."""
        return self._ids.get(name, default)

    def group(self, name: str) -> dict[str, Any]:
        """A copy of the ids kept under `name`, by their own names."""
        return dict(self._ids.get(name) or {})

    def keep(self, name: str, value: Any) -> None:
        """Remember an id, on disk when this returns."""
        if self._ids.get(name) != value:
            self._ids[name] = value
            self._write()

    def keep_in(self, group: str, name: str, value: Any) -> None:
        """Remember one id of a group, e.g. one profile's."""
        self.keep(group, {**self.group(group), name: value})

    def forget(self, name: str) -> None:
        """The thing is gone."""
        if self._ids.pop(name, None) is not None:
            self._write()

    def forget_in(self, group: str, name: str) -> None:
        """One thing of a group is gone."""
        rest = self.group(group)
        if rest.pop(name, None) is not None:
            self.keep(group, rest) if rest else self.forget(group)

    def clear(self) -> None:
        """Everything is gone: the block leaves the file."""
        self._ids = {}
        self._write()

    def snapshot(self) -> dict[str, Any]:
        """All ids, as they stand in the file."""
        return dict(self._ids)

    def _write(self) -> None:
        if self._frozen:
            return
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else "{}\n"
            _replace(self.path, _with_block(text, self._ids))
        except OSError as error:
            raise StateError(
                f"{self.path} could not be written ({error.strerror}).",
                "Make it writable and run again; what was just created is found by its name and tag.",
            ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise StateError(f"{path} is not JSON: {error}.", "Repair it, or restore it from version control.") from error
    return loaded if isinstance(loaded, dict) else {}


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _with_block(text: str, ids: Mapping[str, Any]) -> str:
    """`text`, a JSON object, with `ids` as its last key; everything else keeps its bytes."""
    spans, end = _top_level(text)
    for _, start, stop in reversed([span for span in spans if span[0] == _KEY]):
        comma = text.rfind(",", 0, start)
        first = not text[text.index("{") + 1 : start].strip()
        cut_from = text.index("{") + 1 if first else comma
        cut_to = stop
        if first and text[stop:end].lstrip().startswith(","):
            cut_to = text.index(",", stop) + 1
        text = text[:cut_from] + text[cut_to:]
        end -= cut_to - cut_from
    if not ids:
        return text
    block = json.dumps(ids, indent=2, sort_keys=True).replace("\n", "\n  ")
    head = text[:end].rstrip()
    comma_or_none = "" if head.endswith("{") else ","
    return f'{head}{comma_or_none}\n  "{_KEY}": {block}\n}}{text[end + 1 :]}'


def _top_level(text: str) -> tuple[list[tuple[str, int, int]], int]:
    """(key, where it starts, where its value ends) of each top-level key, and where the closing brace stands."""
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    spans: list[tuple[str, int, int]] = []
    while True:
        at = _after_space(text, at)
        if text[at] == "}":
            return spans, at
        if text[at] == ",":
            at = _after_space(text, at + 1)
        start = at
        key, at = decoder.raw_decode(text, at)
        at = _after_space(text, _after_space(text, at) + 1)  # past the colon
        _, at = decoder.raw_decode(text, at)
        spans.append((key, start, at))


def _after_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
