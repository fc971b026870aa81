"""The tag keys that inference profiles carry now: what billing has seen."""

from __future__ import annotations

from typing import Any

from moto.bedrock.models import bedrock_backends

__all__ = ["tag_keys_in_use"]


def tag_keys_in_use(account: str) -> set[str]:
    """All tag keys on application inference profiles of the account, in any Region."""
    keys: set[str] = set()
    regions: Any = bedrock_backends[account]
    for backend in list(regions.values()):
        for arn, tags in list(backend.tagger.tags.items()):
            if ":application-inference-profile/" in arn:
                keys.update(tags)
    return keys
