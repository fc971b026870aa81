"""Which models and system-defined profiles the embedded Bedrock has: those that models.json has a price for."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.utilities.utils import get_partition

__all__ = ["known_models", "system_profiles"]

_MODELS = Path(__file__).resolve().parent.parent.parent / "models.json"
_GEOGRAPHIES = {"us", "eu", "apac", "au", "jp", "in", "ca", "us-gov", "global"}
_ROUTES = {
    "us": ("us-east-1", "us-east-2", "us-west-2"), "eu": ("eu-central-1", "eu-west-1", "eu-west-3", "eu-north-1"),
    "apac": ("ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "ap-south-1"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "jp": ("ap-northeast-1", "ap-northeast-3"), "in": ("ap-south-1", "ap-south-2"), "ca": ("ca-central-1",),
    "us-gov": ("us-gov-east-1", "us-gov-west-1"),
}  # fmt: skip


@functools.cache
def _identifiers() -> frozenset[str]:
    regions = json.loads(_MODELS.read_text(encoding="utf-8"))
    return frozenset(
        model for kinds in regions.values() if isinstance(kinds, dict) for model in (kinds.get("text") or {})
    )


@functools.cache
def known_models() -> frozenset[str]:
    """Foundation-model ids; a model that is sold through profiles only counts too."""
    return frozenset(_base(identifier) for identifier in _identifiers())


@functools.cache
def system_profiles(region: str, account: str) -> dict[str, dict[str, Any]]:
    """System-defined profiles by id, as GetInferenceProfile shows them."""
    partition = get_partition(region)
    return {
        identifier: {
            "inferenceProfileName": identifier,
            "description": f"Routes requests to {_base(identifier)}.",
            "createdAt": datetime(2025, 1, 1, tzinfo=UTC),
            "updatedAt": datetime(2025, 1, 1, tzinfo=UTC),
            "inferenceProfileArn": f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{identifier}",
            "inferenceProfileId": identifier,
            "models": [
                {"modelArn": f"arn:{partition}:bedrock:{where}::foundation-model/{_base(identifier)}"}
                for where in (*_ROUTES.get(identifier.partition(".")[0], ()), "")
                if where or identifier.startswith("global.")
            ],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        }
        for identifier in sorted(_identifiers())
        if identifier.partition(".")[0] in _GEOGRAPHIES
    }


def _base(identifier: str) -> str:
    prefix, _, rest = identifier.partition(".")
    return rest if prefix in _GEOGRAPHIES else identifier
