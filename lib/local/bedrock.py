"""Bedrock's control plane: application inference profiles, system-defined ones, foundation models and tags."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from moto.bedrock.models import BedrockBackend
from moto.bedrock.responses import BedrockResponse
from moto.core.responses import ActionResult
from moto.utilities.utils import get_partition

from lib.local import clock
from lib.local.catalogue import known_models, system_profiles
from lib.local.door import Refused
from lib.local.quotas import quota_of

__all__ = ["find_profile", "install"]

NAME = re.compile(r"([0-9a-zA-Z][ _-]?)+")
DESCRIPTION = re.compile(r"([0-9a-zA-Z:.][ _-]?)+")
TAG = re.compile(r"[a-zA-Z0-9\s._:/=+@-]*")
PROFILE_QUOTA = "L-40EC9882"
_ID_ALPHABET = string.ascii_lowercase + string.digits
_PAGE = 1000


def install() -> None:
    """Add the operations to moto's endpoint. Idempotent."""
    for operation in (
        create_inference_profile, get_inference_profile, list_inference_profiles, delete_inference_profile,
        list_foundation_models, get_foundation_model, tag_resource, untag_resource, list_tags_for_resource,
    ):  # fmt: skip
        setattr(BedrockResponse, operation.__name__, operation)


def profiles_of(backend: BedrockBackend) -> dict[str, dict[str, Any]]:
    """Application profiles by id; the attribute goes with moto's reset."""
    held: dict[str, dict[str, Any]] = backend.__dict__.setdefault("local_profiles", {})
    return held


def find_profile(backend: BedrockBackend, identifier: str) -> dict[str, Any] | None:
    """The application profile with this id or ARN."""
    return profiles_of(backend).get(identifier.rpartition("/")[2])


def create_inference_profile(self: Any) -> ActionResult:
    """CreateInferenceProfile. The same client token answers the same profile."""
    backend, wanted = self.bedrock_backend, json.loads(self.body)
    held = profiles_of(backend)
    token = wanted.get("clientRequestToken")
    for profile in held.values():
        if token and profile["token"] == token:
            return ActionResult({"inferenceProfileArn": profile["arn"], "status": "ACTIVE"})
    name, tags = wanted.get("inferenceProfileName", ""), wanted.get("tags", [])
    _check("inferenceProfileName", name, NAME, 1, 64)
    if wanted.get("description") is not None:
        _check("description", wanted["description"], DESCRIPTION, 1, 200)
    _check_tags(tags)
    if any(profile["name"] == name for profile in held.values()):
        raise Refused("ConflictException", f"Inference profile with name {name} already exists.", 400)
    if len(held) >= quota_of(self.current_account, self.region, "bedrock", PROFILE_QUOTA):
        raise Refused("ServiceQuotaExceededException", "You have reached your quota of inference profiles.", 400)
    source = str(wanted.get("modelSource", {}).get("copyFrom", ""))
    models = _routed(source, self.region, self.current_account)
    identity = "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
    partition = get_partition(self.region)
    arn = f"arn:{partition}:bedrock:{self.region}:{self.current_account}:application-inference-profile/{identity}"
    held[identity] = {
        "id": identity, "arn": arn, "name": name, "description": wanted.get("description"), "source": source,
        "models": models, "at": clock.now(), "token": token, "model": source.rpartition("/")[2],
    }  # fmt: skip
    backend.tagger.tag_resource(arn, [{"Key": tag["key"], "Value": tag["value"]} for tag in tags])
    return ActionResult({"inferenceProfileArn": arn, "status": "ACTIVE"})


def get_inference_profile(self: Any) -> ActionResult:
    """GetInferenceProfile, of an application or a system-defined profile. It does not tell the copy source."""
    identifier = unquote(self.path.partition("/inference-profiles/")[2])
    profile = find_profile(self.bedrock_backend, identifier)
    if profile is not None:
        return ActionResult(_shown(profile))
    system = system_profiles(self.region, self.current_account).get(identifier.rpartition("/")[2])
    if system is None:
        raise _missing(identifier)
    return ActionResult(system)


def list_inference_profiles(self: Any) -> ActionResult:
    """ListInferenceProfiles, without tags, paged."""
    kind = self._get_param("typeEquals") or self._get_param("type") or "SYSTEM_DEFINED"
    if kind == "APPLICATION":
        items = [_shown(profile) for profile in profiles_of(self.bedrock_backend).values()]
    else:
        items = list(system_profiles(self.region, self.current_account).values())
    start, size = int(self._get_param("nextToken") or 0), int(self._get_param("maxResults") or _PAGE)
    answer: dict[str, Any] = {"inferenceProfileSummaries": items[start : start + size]}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return ActionResult(answer)


def delete_inference_profile(self: Any) -> ActionResult:
    """DeleteInferenceProfile, of application profiles only."""
    identifier = unquote(self.path.partition("/inference-profiles/")[2])
    backend = self.bedrock_backend
    profile = find_profile(backend, identifier)
    if profile is None:
        raise _missing(identifier)
    del profiles_of(backend)[profile["id"]]
    backend.tagger.delete_all_tags_for_resource(profile["arn"])
    return ActionResult({})


def list_foundation_models(self: Any) -> ActionResult:
    """ListFoundationModels: what models.json has a price for."""
    return ActionResult({"modelSummaries": [_model(model, self.region) for model in sorted(known_models())]})


def get_foundation_model(self: Any) -> ActionResult:
    """GetFoundationModel."""
    model = unquote(self.path.partition("/foundation-models/")[2]).rpartition("/")[2]
    if model not in known_models():
        raise _missing(model)
    return ActionResult({"modelDetails": _model(model, self.region)})


def tag_resource(self: Any) -> ActionResult:
    """TagResource."""
    wanted = json.loads(self.body)
    arn, tags = _tagged(self, wanted), wanted.get("tags", [])
    _check_tags(tags)
    tagger = self.bedrock_backend.tagger
    if len(tagger.get_tag_dict_for_resource(arn).keys() | {tag["key"] for tag in tags}) > 50:
        raise Refused("TooManyTagsException", "The number of tags exceeds the limit of 50.", 400)
    tagger.tag_resource(arn, [{"Key": tag["key"], "Value": tag["value"]} for tag in tags])
    return ActionResult({})


def untag_resource(self: Any) -> ActionResult:
    """UntagResource."""
    wanted = json.loads(self.body)
    self.bedrock_backend.tagger.untag_resource_using_names(_tagged(self, wanted), wanted.get("tagKeys", []))
    return ActionResult({})


def list_tags_for_resource(self: Any) -> ActionResult:
    """ListTagsForResource."""
    tags = self.bedrock_backend.tagger.get_tag_dict_for_resource(_tagged(self, json.loads(self.body)))
    return ActionResult({"tags": [{"key": key, "value": value} for key, value in tags.items()]})


def _tagged(self: Any, wanted: Mapping[str, Any]) -> str:
    arn = str(wanted.get("resourceARN", ""))
    if find_profile(self.bedrock_backend, arn) is None:
        raise _missing(arn)
    return arn


def _routed(source: str, region: str, account: str) -> list[dict[str, str]]:
    """The foundation models behind a copy source; ValidationException for anything else."""
    identifier = source.rpartition("/")[2]
    if ":foundation-model/" in source:
        if identifier not in known_models() or source.split(":")[3] != region:
            raise Refused("ValidationException", "The provided model identifier is invalid.", 400)
        return [{"modelArn": source}]
    system = system_profiles(region, account).get(identifier)
    if ":inference-profile/" not in source or system is None:
        raise Refused("ValidationException", "The provided model identifier is invalid.", 400)
    models: list[dict[str, str]] = system["models"]
    return models


def _shown(profile: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(profile["at"], UTC)
    shown = {
        "inferenceProfileName": profile["name"], "createdAt": moment, "updatedAt": moment, "status": "ACTIVE",
        "inferenceProfileArn": profile["arn"], "inferenceProfileId": profile["id"], "type": "APPLICATION",
        "models": profile["models"],
    }  # fmt: skip
    return shown if profile["description"] is None else {**shown, "description": profile["description"]}


def _model(model: str, region: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:{get_partition(region)}:bedrock:{region}::foundation-model/{model}",
        "modelId": model,
        "modelName": model,
        "providerName": model.partition(".")[0],
    }


def _check(name: str, value: str, pattern: re.Pattern[str], least: int, most: int) -> None:
    if not least <= len(value) <= most or not pattern.fullmatch(value):
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: ^{pattern.pattern}$ and have length {least} to {most}",
            400,
        )


def _check_tags(tags: list[dict[str, str]]) -> None:
    for tag in tags:
        _check("tags.member.key", tag["key"], TAG, 1, 128)
        _check("tags.member.value", tag["value"], TAG, 0, 256)
    keys = [tag["key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise Refused("ValidationException", "Duplicate tag keys are not allowed.", 400)
    if len(keys) > 50:
        raise Refused("TooManyTagsException", "The number of tags exceeds the limit of 50.", 400)


def _missing(identifier: str) -> Refused:
    return Refused(
        "ResourceNotFoundException", f"The provided inference profile or model was not found: {identifier}", 404
    )
