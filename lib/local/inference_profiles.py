"""Application inference profiles, as the embedded Bedrock keeps them: on moto's backend, so that its reset clears them.

Their tags are in the backend's tagger, by ARN.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from moto.utilities.utils import get_partition

from lib.local import clock

__all__ = ["Profile", "find", "held", "made_with", "make", "tags_of"]

_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 12


class Profile(NamedTuple):
    """One application profile. `models` are the foundation models it routes to, as GetInferenceProfile shows them."""

    id: str
    arn: str
    name: str
    description: str | None
    source: str
    models: list[dict[str, str]]
    made: float

    @property
    def model(self) -> str:
        """The id that is priced: of the foundation model or the system-defined profile it was copied from."""
        return self.source.rpartition("/")[2]

    def shown(self) -> dict[str, Any]:
        """As GetInferenceProfile and ListInferenceProfiles answer."""
        moment = datetime.fromtimestamp(self.made, UTC)
        shown = {
            "inferenceProfileName": self.name,
            "createdAt": moment,
            "updatedAt": moment,
            "inferenceProfileArn": self.arn,
            "models": self.models,
            "inferenceProfileId": self.id,
            "status": "ACTIVE",
            "type": "APPLICATION",
        }
        return shown if self.description is None else {**shown, "description": self.description}


def held(backend: Any) -> dict[str, Profile]:
    """The profiles of an account and Region by id."""
    profiles: dict[str, Profile] = backend.__dict__.setdefault("local_profiles", {})
    return profiles


def find(backend: Any, identifier: str) -> Profile | None:
    """The profile with this id or this very ARN."""
    profile = held(backend).get(identifier.rpartition("/")[2])
    return profile if profile and identifier in (profile.id, profile.arn) else None


def make(
    backend: Any, name: str, description: str | None, source: str, models: list[dict[str, str]], token: str | None
) -> str:
    """Keep a new profile, and under which token it was made; its ARN."""
    identity = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
    region = backend.region_name
    arn = f"arn:{get_partition(region)}:bedrock:{region}:{backend.account_id}:application-inference-profile/{identity}"
    held(backend)[identity] = Profile(identity, arn, name, description, source, models, clock.now())
    if token:
        _tokens(backend)[token] = arn
    return arn


def made_with(backend: Any, token: str) -> str | None:
    """The ARN of the profile that was made with a client token, None where there is none, or no longer."""
    arn = _tokens(backend).get(token)
    return arn if arn and find(backend, arn) else None


def tags_of(backend: Any, profile: Profile) -> Mapping[str, str]:
    """The profile's tags now."""
    tags: dict[str, str] = backend.tagger.get_tag_dict_for_resource(profile.arn)
    return tags


def _tokens(backend: Any) -> dict[str, str]:
    tokens: dict[str, str] = backend.__dict__.setdefault("local_profile_tokens", {})
    return tokens
