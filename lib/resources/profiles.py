"""Application inference profiles: one for each configured profile, tagged so that AWS's bill tells them apart.

A profile is immutable but for its tags: another model or description means a new one, and the old one is deleted when
no request can still use it (lib/resources/retired.py).
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from lib.application_profiles import Found, Owned, all_profiles, ours, profile_of, tags_of
from lib.aws import Aws, Uncertain
from lib.config import Config, Profile
from lib.errors import AccessDenied, AwsError, ProjectError
from lib.model_source import base_model, copy_source
from lib.names import OWNER_TAG, PROFILE_TAG, SOURCE_TAG, Names, names_of
from lib.snapshot_object import stored, stored_tags
from lib.state import State

__all__ = ["NAME", "check", "ensure", "remaining", "remove"]

NAME = "profiles"

_QUOTA = "L-40EC9882"  # inference profiles per account and Region


class _Wanted(NamedTuple):
    profile: Profile
    source: str
    tags: dict[str, str]


def check(aws: Aws, config: Config, state: State) -> None:
    """Raise ProjectError if AWS's quota has no room for all profiles, before anything is made."""
    names = names_of(config, aws.account)
    known, ids = all_profiles(aws), state.group("profile_ids")
    new = [profile.name for profile in config.profiles if ids.get(profile.name) not in known]
    quota = _quota(aws) if new else None
    if quota is None or len(known) + len(new) <= quota:
        return
    # State may have been lost: then most of them are there already.
    there = {owned.profile for owned in ours(aws, names, known.values()).values()}
    new = [name for name in new if name not in there]
    if len(known) + len(new) > quota:
        raise ProjectError(
            f"{len(new)} new inference profiles are needed, but of the {quota} that AWS allows this account in "
            f"{aws.region} {len(known)} exist already.",
            f"Ask for more under Service Quotas, Amazon Bedrock, {_QUOTA}; nothing was created.",
        )


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Create what is missing, repair tags that are ours, retire what was replaced or is no longer configured."""
    names = names_of(config, aws.account)
    known = _known(aws, state)
    wanted = [_wanted(aws, names, profile) for profile in config.profiles]
    current = _current(aws, names, state, known, wanted)
    retired = state.group("retired_profile_ids")
    in_use = {owned.found.id for owned in current.values() if owned}
    for name, profile_id in state.group("profile_ids").items():
        if profile_id in known and profile_id not in in_use and profile_id not in retired:
            state.keep_in("retired_profile_ids", profile_id, name)
    taken = {found.name for found in known.values()}
    for item in wanted:
        owned = current[item.profile.name]
        if owned is None:
            _create(aws, names, state, item, taken=item.profile.name in taken)
        else:
            state.keep_in("profile_ids", item.profile.name, owned.found.id)
            state.forget_in("retired_profile_ids", owned.found.id)
    _repair_tags(aws, names, state, wanted, current)
    for name in state.group("profile_ids").keys() - {profile.name for profile in config.profiles}:
        state.forget_in("profile_ids", name)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete every profile that is ours, replaced ones included."""
    names = names_of(config, aws.account)
    known = _known(aws, state)
    recorded = {*state.group("profile_ids").values(), *state.group("retired_profile_ids")}
    found = ours(aws, names, known.values())
    for profile_id, profile in known.items():
        if profile_id in found or (profile_id in recorded and OWNER_TAG not in tags_of(aws, profile.arn)):
            aws.write(
                "-", f"deleting inference profile {profile.name}", "bedrock", "delete_inference_profile",
                inferenceProfileIdentifier=profile.arn,
            )  # fmt: skip
    for name in ("profile_ids", "retired_profile_ids", "profile_tokens"):
        state.forget(name)


def remaining(aws: Aws, config: Config) -> list[str]:
    """Profiles that carry our tag."""
    found = ours(aws, names_of(config, aws.account), all_profiles(aws).values())
    return [f"inference profile {owned.found.name} ({owned.found.id})" for owned in found.values()]


def _known(aws: Aws, state: State) -> dict[str, Found]:
    """Every application profile by its id. A listing may lag behind what we made a moment ago, so that is asked for."""
    known = all_profiles(aws)
    for profile_id in {*state.group("profile_ids").values(), *state.group("retired_profile_ids")} - known.keys():
        found = profile_of(aws, profile_id)
        if found:
            known[found.id] = found
    return known


def _quota(aws: Aws) -> int | None:
    try:
        # An account's own value exists once it differs from AWS's default.
        answer = aws.read("service-quotas", "get_service_quota", ServiceCode="bedrock", QuotaCode=_QUOTA) or aws.read(
            "service-quotas", "get_aws_default_service_quota", ServiceCode="bedrock", QuotaCode=_QUOTA
        )
    except AccessDenied:
        aws.note(f"The quota of inference profiles ({_QUOTA}) may not be read; creating will say if it is too small.")
        return None
    return int(answer["Quota"]["Value"]) if answer else None


def _wanted(aws: Aws, names: Names, profile: Profile) -> _Wanted:
    source = copy_source(profile.model_id, aws.region, aws.account, aws.partition)
    return _Wanted(profile, source, {**profile.tag_map, **names.tags, PROFILE_TAG: profile.name, SOURCE_TAG: source})


def _current(
    aws: Aws, names: Names, state: State, known: dict[str, Found], wanted: list[_Wanted]
) -> dict[str, Owned | None]:
    """Configured name -> the profile that serves it, found by state, else by tags, or None.

    What state does not know, or has retired, is searched only where something is missing, because it costs a call for
    each profile of the account. Ours among them that serve nothing are retired.
    """
    ids = state.group("profile_ids")
    current: dict[str, Owned | None] = {}
    for item in wanted:
        found = known.get(ids.get(item.profile.name, ""))
        owned = Owned(found, tags_of(aws, found.arn)) if found else None
        current[item.profile.name] = owned if owned and _serves(owned, item, names) else None
    if all(current.values()) and not state.group("profile_tokens"):
        return current
    strays = ours(aws, names, [found for found in known.values() if found.id not in ids.values()])
    for item in wanted:
        if current[item.profile.name] is None:
            match = next((one for one in strays.values() if one.profile == item.profile.name and
                          _serves(one, item, names)), None)  # fmt: skip
            current[item.profile.name] = strays.pop(match.found.id) if match else None
    for owned in strays.values():
        state.keep_in("retired_profile_ids", owned.found.id, owned.profile)
    return current


def _serves(owned: Owned, wanted: _Wanted, names: Names) -> bool:
    """Whether an existing profile is the one the configuration asks for, but for tags that can be repaired."""
    if owned.tags.get(OWNER_TAG, names.deployment) != names.deployment:
        return False
    if owned.found.description != (wanted.profile.description or ""):
        return False
    if owned.source:
        return owned.source == wanted.source
    # The tag was lost, or the profile is older than this project: its models tell nearly as much.
    model = base_model(wanted.profile.model_id)
    return bool(owned.found.models) and all(arn.endswith(f"/{model}") for arn in owned.found.models)


def _create(aws: Aws, names: Names, state: State, wanted: _Wanted, *, taken: bool) -> None:
    """A new profile, under its own name if nobody has that."""
    profile = wanted.profile
    # The token makes a repeated call answer the first profile. It is new for every profile, because AWS may remember
    # the token of one that was deleted since; it is kept before the call, so that a run after a crash repeats it.
    nonce = state.group("profile_tokens").get(profile.name) or f"{int(aws.clock() * 1000):x}"
    state.keep_in("profile_tokens", profile.name, nonce)
    identity = [
        names.deployment,
        aws.account,
        aws.region,
        profile.name,
        wanted.source,
        profile.description or "",
        nonce,
    ]
    token = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    optional: dict[str, Any] = {"description": profile.description} if profile.description else {}
    try:
        answer = aws.write(
            "+", f"creating inference profile {profile.name}", "bedrock", "create_inference_profile",
            inferenceProfileName=f"{profile.name[:57].rstrip(' _-')}-{token[:6]}" if taken else profile.name,
            modelSource={"copyFrom": wanted.source}, clientRequestToken=token,
            tags=[{"key": key, "value": value} for key, value in wanted.tags.items()], **optional,
        )  # fmt: skip
    except AwsError as error:
        if error.code == "ConflictException":
            # The name exists, though the listing did not show it: ours of a run that died, or somebody else's.
            raise Uncertain(error.message, error.hint, error.code) from error
        raise
    profile_id = str(answer["inferenceProfileArn"]).rpartition("/")[2]
    state.keep_in("profile_ids", profile.name, profile_id)
    state.forget_in("profile_tokens", profile.name)


def _repair_tags(aws: Aws, names: Names, state: State, wanted: list[_Wanted], current: dict[str, Owned | None]) -> None:
    """Set the tags that the configuration names, remove those it named when it was last written; leave all others."""
    formerly: dict[str, set[str]] | None = None
    for item in wanted:
        owned = current[item.profile.name]
        if owned is None:
            continue
        extra = owned.tags.keys() - item.tags.keys()
        if extra and formerly is None:
            formerly = _formerly_given(aws, names, state)
        stale = sorted(extra & (formerly or {}).get(owned.found.id, set()))
        if stale:
            aws.write(
                "~", f"removing {', '.join(stale)} from inference profile {item.profile.name}", "bedrock",
                "untag_resource", resourceARN=owned.found.arn, tagKeys=stale,
            )  # fmt: skip
        differing = {key: value for key, value in item.tags.items() if owned.tags.get(key) != value}
        if differing:
            aws.write(
                "~", f"tagging inference profile {item.profile.name}", "bedrock", "tag_resource",
                resourceARN=owned.found.arn, tags=[{"key": key, "value": value} for key, value in differing.items()],
            )  # fmt: skip


def _formerly_given(aws: Aws, names: Names, state: State) -> dict[str, set[str]]:
    """Profile id -> the tag keys it was given, by the configuration last written to this bucket or a former one."""
    given: dict[str, set[str]] = {}
    for bucket in [*state.group("retired_buckets"), state.get("bucket")]:
        given |= stored_tags(stored(aws, bucket, names.config_key))
    return given
