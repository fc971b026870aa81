"""Which models and system-defined profiles the embedded Bedrock has.

Those that models.json has a price for are listed. Another well-formed id of a provider that models.json knows is
served too, because a configuration may bring a models.json of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from moto.utilities.utils import get_partition

__all__ = ["is_model", "listed_models", "output_limit", "system_profile", "system_profiles"]

_MODELS = Path(__file__).resolve().parent.parent.parent / "models.json"
_WELL_FORMED = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+(\.[a-z0-9-]+)*([:.][a-z0-9-]+){0,2}")
# geography -> (how the names of the Regions begin that may call, Regions it routes to); at most five, as AWS lists them
# docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "us": (("us-east-", "us-west-", "ca-"), ("us-east-1", "us-east-2", "us-west-2")),
    "eu": (("eu-", "il-"), ("eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-3")),
    "apac": (("ap-", "me-"), ("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2")),
    "au": (("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"), ("ap-southeast-2", "ap-southeast-4")),
    "jp": (("ap-northeast-1", "ap-northeast-3"), ("ap-northeast-1", "ap-northeast-3")),
    "in": (("ap-south-",), ("ap-south-1", "ap-south-2")),
    "ca": (("ca-",), ("ca-central-1", "ca-west-1")),
    "us-gov": (("us-gov-",), ("us-gov-east-1", "us-gov-west-1")),
    "global": (("",), ()),
}
_MADE = datetime(2025, 1, 1, tzinfo=UTC)


@cache
def _rows() -> Mapping[str, Mapping[str, Any]]:
    """Region -> model id -> its row in models.json; nothing where the file is missing."""
    if not _MODELS.is_file():
        return {}
    regions = json.loads(_MODELS.read_text(encoding="utf-8"))
    return {name: kinds["text"] for name, kinds in regions.items() if isinstance(kinds, dict) and "text" in kinds}


@cache
def _identifiers() -> frozenset[str]:
    return frozenset(identifier for rows in _rows().values() for identifier in rows if "." in identifier)


@cache
def listed_models() -> tuple[str, ...]:
    """Foundation-model ids, sorted; a model that is sold through system-defined profiles only counts too."""
    return tuple(sorted({_base(identifier) for identifier in _identifiers()}))


@cache
def _providers() -> frozenset[str]:
    return frozenset(model.partition(".")[0] for model in listed_models())


def is_model(identifier: str) -> bool:
    """Whether it is the id of a foundation model that this Bedrock serves."""
    if identifier.partition(".")[0] in _GEOGRAPHIES or not _WELL_FORMED.fullmatch(identifier):
        return False
    return not _providers() or identifier.partition(".")[0] in _providers()


def output_limit(identifier: str, region: str) -> int | None:
    """The most output tokens of a model or system-defined profile, None where models.json does not say."""
    row = _rows().get(region, {}).get(identifier) or _rows().get("default", {}).get(identifier) or {}
    return row.get("max_output_tokens")


def system_profile(identifier: str, region: str, account: str) -> dict[str, Any] | None:
    """The system-defined profile of this id as GetInferenceProfile shows it, None where `region` has none."""
    geography, partition = identifier.partition(".")[0], get_partition(region)
    if geography not in _GEOGRAPHIES or not is_model(_base(identifier)):
        return None
    callers, routes = _GEOGRAPHIES[geography]
    if not region.startswith(callers) or (region.startswith("us-gov-") and geography != "us-gov"):
        return None
    # A global profile routes anywhere, which AWS spells as an ARN without a Region beside that of the caller.
    places = routes or (region, "")
    return {
        "inferenceProfileName": identifier,
        "description": f"Routes requests to {_base(identifier)}.",
        "createdAt": _MADE,
        "updatedAt": _MADE,
        "inferenceProfileArn": f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{identifier}",
        "inferenceProfileId": identifier,
        "models": [
            {"modelArn": f"arn:{partition}:bedrock:{place}::foundation-model/{_base(identifier)}"} for place in places
        ],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def system_profiles(region: str, account: str) -> list[dict[str, Any]]:
    """Those that ListInferenceProfiles shows in a Region."""
    found = (system_profile(identifier, region, account) for identifier in sorted(_identifiers()))
    return [profile for profile in found if profile]


def _base(identifier: str) -> str:
    geography, _, rest = identifier.partition(".")
    return rest if geography in _GEOGRAPHIES else identifier
