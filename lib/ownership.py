"""Whose a thing in AWS is: ours if it carries our tag, or if state says that we made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lib.errors import ProjectError
from lib.names import OWNER_TAG, Names

__all__ = ["claim", "is_tagged", "tag_map"]


def tag_map(tags: Iterable[Mapping[str, Any]] | Mapping[str, str] | None) -> dict[str, str]:
    """Tags in any of AWS's spellings as a plain mapping."""
    if tags is None or isinstance(tags, Mapping):
        return dict(tags or {})
    return {str(tag.get("Key", tag.get("key"))): str(tag.get("Value", tag.get("value"))) for tag in tags}


def is_tagged(tags: Mapping[str, str], names: Names) -> bool:
    """Whether `tags` hold this deployment's ownership tag."""
    return tags.get(OWNER_TAG) == names.deployment


def claim(thing: str, tags: Mapping[str, str], names: Names, *, recorded: bool, remedy: str) -> bool:
    """Whether the ownership tag of `thing`, which has one of our names, is still to be written.

    `recorded` says that state knows it as made by us. Raises ProjectError if it is somebody else's: what we did not
    make is neither changed nor removed.
    """
    if is_tagged(tags, names):
        return False
    if recorded and OWNER_TAG not in tags:
        return True
    owner = tags.get(OWNER_TAG)
    whose = f"belongs to the deployment {owner}" if owner else "was not made by setup"
    raise ProjectError(
        f"There is already a {thing}, and it {whose}.",
        f"{remedy}, or hand it over: tag it {OWNER_TAG}={names.deployment}.",
    )
