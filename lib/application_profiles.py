"""The application inference profiles of an account and Region, and which of them are ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lib.aws import Aws
from lib.names import PROFILE_TAG, SOURCE_TAG, Names
from lib.ownership import is_tagged, tag_map

__all__ = ["Found", "Owned", "all_profiles", "ours", "profile_of", "tags_of"]


class Found(NamedTuple):
    """A profile as AWS lists it; listings carry no tags. `models` are the foundation models it may route to."""

    id: str
    arn: str
    name: str
    description: str
    models: tuple[str, ...]


class Owned(NamedTuple):
    """One of our profiles with its tags."""

    found: Found
    tags: dict[str, str]

    @property
    def profile(self) -> str:
        """Its name in the configuration."""
        return self.tags.get(PROFILE_TAG, "")

    @property
    def source(self) -> str:
        """What it copies from; AWS does not tell, so setup wrote it down in a tag."""
        return self.tags.get(SOURCE_TAG, "")


def all_profiles(aws: Aws) -> dict[str, Found]:
    """Every application profile by its id, ours or not."""
    summaries = aws.pages(
        "bedrock", "list_inference_profiles", "inferenceProfileSummaries", typeEquals="APPLICATION", maxResults=1000
    )
    return {found.id: found for found in map(_found, summaries)}


def profile_of(aws: Aws, profile_id: str) -> Found | None:
    """One profile by its id: a listing may lag behind its creation."""
    answer = aws.read("bedrock", "get_inference_profile", inferenceProfileIdentifier=profile_id)
    return _found(answer) if answer and answer.get("type") == "APPLICATION" else None


def _found(item: Mapping[str, Any]) -> Found:
    return Found(
        item["inferenceProfileId"],
        item["inferenceProfileArn"],
        item["inferenceProfileName"],
        item.get("description", ""),
        tuple(model["modelArn"] for model in item.get("models", [])),
    )


def tags_of(aws: Aws, arn: str) -> dict[str, str]:
    """A profile's tags."""
    return tag_map((aws.read("bedrock", "list_tags_for_resource", resourceARN=arn) or {}).get("tags"))


def ours(aws: Aws, names: Names, profiles: Iterable[Found]) -> dict[str, Owned]:
    """Those of `profiles` that carry our tag, by id: a call for each."""
    tagged = (Owned(found, tags_of(aws, found.arn)) for found in profiles)
    return {owned.found.id: owned for owned in tagged if is_tagged(owned.tags, names)}
