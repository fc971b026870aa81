"""Bedrock's control plane: inference profiles, foundation models, and tags on profiles."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.bedrock.responses import BedrockResponse
from moto.core.responses import ActionResult
from moto.utilities.utils import get_partition

from lib.local import inference_profiles
from lib.local.catalogue import is_model, listed_models, system_profile, system_profiles
from lib.local.door import Refused
from lib.local.quotas import quota_of
from lib.local.shape_rules import check

__all__ = ["install"]

PROFILE_QUOTA = "L-40EC9882"  # inference profiles per account and Region
_MOST_TAGS = 50
_PAGE = 1000


def install() -> None:
    """Add the operations to moto's endpoint. Idempotent."""
    for operation in (
        create_inference_profile, get_inference_profile, list_inference_profiles, delete_inference_profile,
        list_foundation_models, get_foundation_model, tag_resource, untag_resource, list_tags_for_resource,
    ):  # fmt: skip
        setattr(BedrockResponse, operation.__name__, operation)


def create_inference_profile(self: Any) -> ActionResult:
    """CreateInferenceProfile. A client token that was seen before answers what it answered then."""
    wanted, backend = _wanted(self, "CreateInferenceProfile"), self.bedrock_backend
    token = wanted.get("clientRequestToken")
    known = inference_profiles.made_with(backend, token) if token else None
    if known is not None:
        return _created(known)
    tags = {tag["key"]: tag["value"] for tag in wanted.get("tags", [])}
    _check_tags(tags, len(wanted.get("tags", [])))
    held = inference_profiles.held(backend)
    if any(profile.name == wanted["inferenceProfileName"] for profile in held.values()):
        raise Refused("ConflictException", "An inference profile with this name already exists.", 400)
    if len(held) >= quota_of(self.current_account, self.region, "bedrock", PROFILE_QUOTA):
        raise Refused("ServiceQuotaExceededException", "You have reached your quota of inference profiles.", 400)
    source = wanted["modelSource"].get("copyFrom", "")
    models = _routed(source, self.region, self.current_account)
    arn = inference_profiles.make(
        backend, wanted["inferenceProfileName"], wanted.get("description"), source, models, token
    )
    _tag(backend, arn, tags)
    return _created(arn)


def get_inference_profile(self: Any) -> ActionResult:
    """GetInferenceProfile, of an application or a system-defined profile. It does not tell the copy source."""
    identifier = _identifier(self, "GetInferenceProfile", "/inference-profiles/")
    profile = inference_profiles.find(self.bedrock_backend, identifier)
    if profile is not None:
        return ActionResult(profile.shown())
    system = _system(self, identifier)
    if system is None:
        raise _missing(identifier)
    return ActionResult(system)


def list_inference_profiles(self: Any) -> ActionResult:
    """ListInferenceProfiles: without tags, in pages; system-defined ones where no type is asked for."""
    asked = {name: values[0] for name, values in self.querystring.items()}
    size = int(asked["maxResults"]) if asked.get("maxResults", "").isdecimal() else _PAGE
    kind = asked.get("type", asked.get("typeEquals", "SYSTEM_DEFINED"))
    check("bedrock", "ListInferenceProfiles", {"maxResults": size, "typeEquals": kind})
    if kind == "APPLICATION":
        items = [profile.shown() for profile in inference_profiles.held(self.bedrock_backend).values()]
    else:
        items = system_profiles(self.region, self.current_account)
    token = asked.get("nextToken", "0")
    if not token.isdecimal():
        raise Refused("ValidationException", "The provided nextToken is invalid.", 400)
    start = int(token)
    answer: dict[str, Any] = {"inferenceProfileSummaries": items[start : start + size]}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return ActionResult(answer)


def delete_inference_profile(self: Any) -> ActionResult:
    """DeleteInferenceProfile, of application profiles only."""
    identifier = _identifier(self, "DeleteInferenceProfile", "/inference-profiles/")
    profile = inference_profiles.find(self.bedrock_backend, identifier)
    if profile is None and _system(self, identifier) is not None:
        raise Refused("ValidationException", "A system-defined inference profile cannot be deleted.", 400)
    if profile is None:
        raise _missing(identifier)
    inference_profiles.held(self.bedrock_backend).pop(profile.id, None)
    self.bedrock_backend.tagger.delete_all_tags_for_resource(profile.arn)
    return ActionResult({})


def list_foundation_models(self: Any) -> ActionResult:
    """ListFoundationModels: what models.json has a price for."""
    return ActionResult({"modelSummaries": [_model(model, self.region) for model in listed_models()]})


def get_foundation_model(self: Any) -> ActionResult:
    """GetFoundationModel."""
    model = _identifier(self, None, "/foundation-models/").rpartition("/")[2]
    if not is_model(model):
        raise _missing(model)
    return ActionResult({"modelDetails": _model(model, self.region)})


def tag_resource(self: Any) -> ActionResult:
    """TagResource."""
    wanted = _wanted(self, "TagResource")
    arn, tags = _tagged(self, wanted), {tag["key"]: tag["value"] for tag in wanted["tags"]}
    _check_tags({**self.bedrock_backend.tagger.get_tag_dict_for_resource(arn), **tags})
    _tag(self.bedrock_backend, arn, tags)
    return ActionResult({})


def untag_resource(self: Any) -> ActionResult:
    """UntagResource."""
    wanted = _wanted(self, "UntagResource")
    self.bedrock_backend.tagger.untag_resource_using_names(_tagged(self, wanted), wanted["tagKeys"])
    return ActionResult({})


def list_tags_for_resource(self: Any) -> ActionResult:
    """ListTagsForResource."""
    wanted = _wanted(self, "ListTagsForResource")
    tags = self.bedrock_backend.tagger.get_tag_dict_for_resource(_tagged(self, wanted))
    return ActionResult({"tags": [{"key": key, "value": value} for key, value in tags.items()]})


def _wanted(self: Any, operation: str) -> Any:
    """The request's body, held against the API's own rules."""
    try:
        wanted = json.loads(self.body)
    except ValueError:
        raise Refused("ValidationException", "The request body is not JSON.", 400) from None
    check("bedrock", operation, wanted)
    return wanted


def _identifier(self: Any, operation: str | None, before: str) -> str:
    identifier = unquote(self.path.partition(before)[2])
    if operation is not None:
        check("bedrock", operation, {"inferenceProfileIdentifier": identifier})
    return identifier


def _created(arn: str) -> ActionResult:
    return ActionResult({"inferenceProfileArn": arn, "status": "ACTIVE"})


def _routed(source: str, region: str, account: str) -> list[dict[str, str]]:
    """The foundation models behind a copy source; ValidationException for anything else."""
    partition = get_partition(region)
    head, _, identifier = source.partition("/")
    kind = head.rpartition(":")[2]
    if kind == "foundation-model" and is_model(identifier):
        if source == f"arn:{partition}:bedrock:{region}::foundation-model/{identifier}":
            return [{"modelArn": source}]
    elif kind == "inference-profile":
        system = system_profile(identifier, region, account)
        if system is not None and source == system["inferenceProfileArn"]:
            models: list[dict[str, str]] = system["models"]
            return models
    raise Refused("ValidationException", "The provided model identifier is invalid.", 400)


def _system(self: Any, identifier: str) -> dict[str, Any] | None:
    found = system_profile(identifier.rpartition("/")[2], self.region, self.current_account)
    return found if found and identifier in {found["inferenceProfileId"], found["inferenceProfileArn"]} else None


def _tagged(self: Any, wanted: Any) -> str:
    profile = inference_profiles.find(self.bedrock_backend, wanted["resourceARN"])
    if profile is None or profile.arn != wanted["resourceARN"]:
        raise _missing(wanted["resourceARN"])
    return profile.arn


def _tag(backend: Any, arn: str, tags: dict[str, str]) -> None:
    backend.tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])


def _check_tags(tags: dict[str, str], given: int | None = None) -> None:
    if given is not None and given != len(tags):
        raise Refused("ValidationException", "Duplicate tag keys are not allowed.", 400)
    if len(tags) > _MOST_TAGS:
        raise Refused("TooManyTagsException", f"The number of tags exceeds the limit of {_MOST_TAGS}.", 400)
    if any(key.lower().startswith("aws:") for key in tags):
        raise Refused("ValidationException", "aws: prefixed tag key names are not allowed for external use.", 400)


def _model(model: str, region: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:{get_partition(region)}:bedrock:{region}::foundation-model/{model}",
        "modelId": model,
        "modelName": model,
        "providerName": model.partition(".")[0],
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }


def _missing(identifier: str) -> Refused:
    return Refused("ResourceNotFoundException", f"The provided identifier was not found: {identifier}", 404)
