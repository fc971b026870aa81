"""Which inference profile a request means, among those of the key's tenant.

Indexes are built once for a snapshot, so that the cost of a request does not depend on how many profiles there are.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lambda_function.request import Refusal

__all__ = ["Profile", "Resolver"]

_TENANT = "tenantid"
_MOST_LISTED = 20
# Headers that mean something else on the way here: RFC 9110, and what API Gateway, CloudFront and we add or read.
_RESERVED = frozenset({
    "accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "content-encoding",
    "content-length", "content-type", "cookie", "date", "expect", "forwarded", "from", "host", "inference-profile-id",
    "inference-profile-name", "keep-alive", "origin", "pragma", "proxy-authorization", "range", "referer", "region",
    "s3_bucket_name", "tags", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "warning",
    "x-amz-date", "x-amz-security-token", "x-amzn-trace-id", "x-api-key", "x-forwarded-for", "x-forwarded-port",
    "x-forwarded-proto",
})  # fmt: skip


class Profile:
    """A profile of the snapshot, one object each. `folded` holds its tags by lower-case key."""

    __slots__ = ("arn", "folded", "id", "model", "name", "tags", "tenant", "thresholds", "version")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.name: str = row["name"]
        self.id: str = row["id"]
        self.arn: str = row["arn"]
        self.tenant: str = row["tenant"]
        self.model: str = row["model"]
        self.version: str = row["version"]
        self.tags: Mapping[str, str] = row["tags"]
        self.folded: Mapping[str, str] = {key.lower(): value for key, value in self.tags.items()}
        self.thresholds: Mapping[str, int] = row.get("thresholds", {})


class Resolver:
    """The profiles of one snapshot, found by name, id, ARN or tags."""

    def __init__(self, profiles: Iterable[Mapping[str, Any]], region: str) -> None:
        self._region = region
        self._named: dict[str, Profile] = {}
        self._tenants: dict[str, list[Profile]] = {}
        self._tagged: dict[tuple[str, str, str], set[Profile]] = {}
        self._header_keys: set[str] = set()
        for row in profiles:
            profile = Profile(row)
            for identifier in (profile.name, profile.id, profile.arn):
                self._named[identifier] = profile
            self._tenants.setdefault(profile.tenant, []).append(profile)
            for key, value in profile.folded.items():
                self._tagged.setdefault((profile.tenant, key, value), set()).add(profile)
                self._header_keys.add(key)
        self._header_keys -= _RESERVED

    def profiles_of(self, tenant: str) -> list[Profile]:
        """All profiles of a tenant, in the order of the configuration."""
        return self._tenants.get(tenant, [])

    def resolve(self, tenant: str, headers: Mapping[str, str]) -> Profile:
        """The one profile of `tenant` that all that the headers say identifies together.

        Raises Refusal: 400 AmbiguousProfile, 400 ValidationError, 403 Forbidden, 404 ProfileNotFound.
        """
        tags = self._wanted_tags(headers)
        if tags.get(_TENANT, tenant) != tenant:
            raise Refusal(403, "Forbidden", "The key belongs to another tenant.")
        profile = self._by_name(tenant, headers)
        if profile is None:
            profile = self._by_tags(tenant, tags) if tags else self._only(tenant)
        elif any(profile.folded.get(key) != value for key, value in tags.items()):
            raise _not_found()
        if headers.get("region", self._region).strip() != self._region:
            raise Refusal(
                400, "ValidationError", f"The profile is in {self._region}, not where the region header says."
            )
        return profile

    def _wanted_tags(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Tags by lower-case key, from single headers and from the header `tags`; both say one thing together."""
        wanted = {name: value.strip() for name, value in headers.items() if name in self._header_keys}
        listed = headers.get("tags")
        if listed is None:
            return wanted
        for key, value in _parsed_tags(listed):
            if wanted.setdefault(key.lower(), value) != value:
                raise _not_found()
        return wanted

    def _by_name(self, tenant: str, headers: Mapping[str, str]) -> Profile | None:
        found: Profile | None = None
        for header in ("inference-profile-id", "inference-profile-name"):
            identifier = headers.get(header)
            if identifier is None:
                continue
            profile = self._named.get(identifier.strip())
            if profile is None or found not in (None, profile):
                raise _not_found()
            if profile.tenant != tenant:
                raise Refusal(403, "Forbidden", "This inference profile belongs to another tenant.")
            found = profile
        return found

    def _by_tags(self, tenant: str, tags: Mapping[str, str]) -> Profile:
        matching = [self._tagged.get((tenant, key, value), _NOBODY) for key, value in tags.items()]
        found = matching[0]
        if len(matching) > 1:
            # From the smallest set: its size bounds the work, however many profiles share the other tags.
            matching.sort(key=len)
            found = matching[0].intersection(*matching[1:])
        return _single(found)

    def _only(self, tenant: str) -> Profile:
        return _single(self.profiles_of(tenant))


_NOBODY: set[Profile] = set()


def _parsed_tags(text: str) -> list[tuple[str, str]]:
    """The header `tags`: a JSON list of {"key", "value"} or a JSON object."""
    try:
        parsed = json.loads(text)
        pairs = list(parsed.items()) if isinstance(parsed, dict) else [(tag["key"], tag["value"]) for tag in parsed]
    except (ValueError, TypeError, KeyError, RecursionError):
        pairs = [("", None)]
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in pairs):
        example = '[{"key": "ApplicationID", "value": "..."}] or {"ApplicationID": "..."}'
        raise Refusal(400, "ValidationError", f"The tags header must be JSON: {example}.")
    return pairs


def _not_found() -> Refusal:
    return Refusal(404, "ProfileNotFound", "No inference profile of this tenant is what the headers describe.")


def _single(found: Collection[Profile]) -> Profile:
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise _not_found()
    names = sorted(profile.name for profile in found)
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    raise Refusal(
        400, "AmbiguousProfile", f"Say which inference profile is meant: {', '.join(names[:_MOST_LISTED])}{more}."
    )
