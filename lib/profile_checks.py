"""What a schema cannot say about profiles: their names, tags, tenants and models, compared with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lib.errors import Problem
from lib.model_source import is_system_profile
from lib.models import Models
from lib.problems import did_you_mean, point, shown

__all__ = ["DEFAULT_MODEL_ID", "Listed", "listed", "profile_notices", "profile_problems"]

DEFAULT_MODEL_ID = "anthropic.claude-3-haiku-20240307-v1:0"

_TENANT = "TenantID"
_OURS = "bedrock-cost-tracing:"
# AWS allows 50 tags on a resource; we add the deployment, the profile's name in the configuration and its copy source.
# docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_MOST_TAGS = 50 - 3
# The price list also has ids of other clouds' spelling.
_MODEL_ID = re.compile(r"[a-z0-9.:-]+")
# Where AWS offers its cross-Region profiles. Elsewhere it says no, but Regions are added, so this is only a notice.
# docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_OFFERED = {"us": "us-", "eu": "eu-", "apac": "ap-", "au": "ap-southeast-", "jp": "ap-northeast-", "in": "ap-south-",
            "ca": "ca-"}  # fmt: skip
# RFC 9110, 5.6.2: what a header's name may be made of.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Names that clients, API Gateway or CloudFront use, and our own.
_RESERVED = re.compile(
    r"(accept(-.*)?|authorization|cache-control|connection|content-.*|cookie|date|expect|forwarded|from|host|if-.*"
    r"|keep-alive|max-forwards|origin|pragma|proxy-.*|range|referer|sec-.*|te|trailer|transfer-encoding|upgrade(-.*)?"
    r"|user-agent|via|warning|x-amz.*|x-forwarded-.*|x-real-ip|x-request-id|cloudfront-.*"
    r"|x-api-key|inference-profile-id|inference-profile-name|tags|region|s3_bucket_name)",
    re.IGNORECASE,
)


class Listed(NamedTuple):
    """A profile as it stands in the file, as far as it can be read. `tags` are (index, key, value)."""

    pointer: str
    item: Mapping[str, Any]
    tags: tuple[tuple[int, str, str], ...]

    @property
    def tenant(self) -> str | None:
        """The value of the tag TenantID."""
        return next((value for _, key, value in self.tags if key == _TENANT), None)


def listed(document: Mapping[str, Any]) -> list[Listed]:
    """The profiles of a document that may violate its schema."""
    profiles = document.get("profiles")
    found = []
    for index, item in enumerate(profiles if isinstance(profiles, list) else []):
        if isinstance(item, dict):
            tags = item.get("tags")
            found.append(
                Listed(
                    point("", "profiles", index),
                    item,
                    tuple(
                        (at, tag["key"], tag["value"])
                        for at, tag in enumerate(tags if isinstance(tags, list) else [])
                        if isinstance(tag, dict)
                        and isinstance(tag.get("key"), str)
                        and isinstance(tag.get("value"), str)
                    ),
                )
            )
    return found


def profile_problems(document: Mapping[str, Any], region: str, models: Models | None) -> Iterator[Problem]:
    """Everything wrong with the profiles. Without `models` their prices are not looked at."""
    profiles = listed(document)
    yield from _names(profiles)
    spellings: dict[str, str] = {}
    for profile in profiles:
        yield from _tags(profile)
        yield from _spellings(profile, spellings)
        if isinstance(profile.item.get("tags"), list):
            yield from _tenant(profile)
    if models is not None:
        yield from _models(document, profiles, region, models)


def _names(profiles: list[Listed]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for pointer, item, _ in profiles:
        name = item.get("name")
        if isinstance(name, str):
            if name in first:
                found = f"found {shown(name)}, the name of {first[name]} too"
                yield Problem(point(pointer, "name"), found, "give each profile a name of its own")
            first.setdefault(name, pointer)


def _tags(profile: Listed) -> Iterator[Problem]:
    pointer = point(profile.pointer, "tags")
    seen: set[str] = set()
    for index, key, _ in profile.tags:
        here = point(pointer, index, "key")
        if key in seen:
            yield Problem(here, f"found {shown(key)} a second time", "give each tag key once in a profile")
        elif key.casefold().startswith("aws:"):
            yield Problem(here, f"found {shown(key)}", "tag keys that start with aws: belong to AWS; rename it")
        elif key.casefold().startswith(_OURS):
            yield Problem(here, f"found {shown(key)}", f"tag keys that start with {_OURS} are ours; rename it")
        seen.add(key)
    if len(profile.tags) > _MOST_TAGS:
        yield Problem(
            pointer, f"found {len(profile.tags)} tags", f"allowed: {_MOST_TAGS}, as AWS allows 50 and 3 are ours"
        )


def _spellings(profile: Listed, first: dict[str, str]) -> Iterator[Problem]:
    """Headers compare without case, so one tag key has one spelling in the whole file."""
    for index, key, _ in profile.tags:
        spelt = first.setdefault(key.casefold(), key)
        if spelt != key:
            found = f"found {shown(key)}, elsewhere spelt {shown(spelt)}"
            remedy = "spell it the same; headers, which name tags too, do not tell cases apart"
            yield Problem(point(profile.pointer, "tags", index, "key"), found, remedy)


def _tenant(profile: Listed) -> Iterator[Problem]:
    pointer = point(profile.pointer, "tags")
    index = next((index for index, key, _ in profile.tags if key == _TENANT), None)
    if index is None:
        other = next((key for _, key, _ in profile.tags if key.casefold() == _TENANT.casefold()), None)
        found = f"found the tag {shown(other)} but no tag {_TENANT}" if other else f"found no tag {_TENANT}"
        yield Problem(pointer, found, f'add {{"key": "{_TENANT}", "value": the tenant\'s name}}; case matters')
        return
    here, value = point(pointer, index, "value"), profile.tags[[at for at, _, _ in profile.tags].index(index)][2]
    if not value.strip():
        yield Problem(here, f"found {shown(value)}", "allowed: the tenant's name, which is not empty")
    elif value.startswith("_"):
        yield Problem(here, f"found {shown(value)}", "names that start with _ are reserved; rename the tenant")
    elif value != value.strip() or not value.isprintable():
        yield Problem(here, f"found {shown(value)}", "remove the blanks around the name and the line breaks in it")


def _models(document: Mapping[str, Any], profiles: list[Listed], region: str, models: Models) -> Iterator[Problem]:
    priced = models.ids(region)
    default = document.get("default_model_id", DEFAULT_MODEL_ID)
    used = [(point(pointer, "model_id"), item["model_id"]) for pointer, item, _ in profiles if "model_id" in item]
    if "default_model_id" in document:
        used.insert(0, ("/default_model_id", default))
    elif len(used) < len(profiles) and default not in priced:
        yield Problem(
            "/default_model_id", f"this key is missing, and {default} has no price in {region}", _remedy(region)
        )
    for pointer, model_id in used:
        if isinstance(model_id, str) and model_id not in priced:
            elsewhere = ", ".join(models.places(model_id))
            found = f"found {shown(model_id)}, which has no price in {region}" + (
                elsewhere and f", only in {elsewhere}"
            )
            hint = "" if elsewhere else did_you_mean(model_id, filter(_MODEL_ID.fullmatch, priced))
            yield Problem(pointer, found, hint or _remedy(region))
        elif isinstance(model_id, str) and (reason := _elsewhere(model_id, region)):
            yield Problem(pointer, f"found {shown(model_id)}", reason)


def _remedy(region: str) -> str:
    return f'give its price in models.json under "{region}" or "default", "text", or choose a model that stands there'


def _elsewhere(model_id: str, region: str) -> str:
    """Why AWS's cross-Region profile surely does not exist in `region`, or ""."""
    government = region.startswith("us-gov-")
    if is_system_profile(model_id) and government != model_id.startswith("us-gov."):
        return f"it is not offered in {region}; " + ("use us-gov.…" if government else "us-gov.… is for us-gov Regions")
    return ""


def profile_notices(document: Mapping[str, Any], region: str) -> Iterator[str]:
    """What works, but perhaps not as meant. Asked of a document without problems."""
    profiles = listed(document)
    keys = dict.fromkeys(key for profile in profiles for _, key, _ in profile.tags)
    for key in keys:
        if not _TOKEN.fullmatch(key):
            yield f"Tag key {shown(key)} cannot be a header's name: callers can name it only in the header `tags`."
        elif _RESERVED.fullmatch(key):
            yield f"Tag key {shown(key)} is a reserved header: callers can name it only in the header `tags`."
    for profile in profiles:
        if profile.item["name"] != profile.item["name"].strip():
            yield f"Profile name {shown(profile.item['name'])} ends with a blank, which a header's value cannot."
    same: dict[frozenset[tuple[str, str]], list[str]] = {}
    for profile in profiles:
        same.setdefault(frozenset((key, value) for _, key, value in profile.tags), []).append(profile.item["name"])
    for names in same.values():
        if len(names) > 1:
            yield f"Profiles {', '.join(names)} have the same tags: callers must give their name or id."
    default = document.get("default_model_id", DEFAULT_MODEL_ID)
    for model_id in dict.fromkeys(profile.item.get("model_id", default) for profile in profiles):
        where = _OFFERED.get(model_id.partition(".")[0]) if is_system_profile(model_id) else None
        if where and not region.startswith(where):
            yield f"{model_id} is a profile for callers in {where}*; AWS may refuse it in {region}."
