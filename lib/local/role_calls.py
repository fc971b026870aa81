"""Calls that functions make with their roles: kept on record, and held against the roles' policies."""

from __future__ import annotations

import json
from collections import deque
from functools import lru_cache
from typing import Any, NamedTuple

from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from lib.local.authoriser import Request, allowed
from lib.local.role_keys import identity_of_key, role_of_key
from lib.local.role_requests import Signed, requests_of

__all__ = ["Denied", "RoleCall", "calls", "check", "may"]

_MOST_KEPT = 20_000
# Anybody may ask who they are.
_ALWAYS = ("sts:GetCallerIdentity",)


class Denied(Exception):
    """The role may not do this. The message is AWS's."""


class RoleCall(NamedTuple):
    """One action on one resource that a role asked for, and whether it was allowed."""

    role: str
    request: Request
    allowed: bool

    def to_json(self) -> dict[str, Any]:
        """As GET /_local/calls shows it."""
        request = self.request
        return {
            "role": self.role,
            "action": request.action,
            "resource": request.resource,
            "context": dict(request.context),
            "allowed": self.allowed,
        }


calls: deque[RoleCall] = deque(maxlen=_MOST_KEPT)


def check(call: Signed) -> None:
    """Raises Denied where the caller is a function's role whose policies do not allow the call. Others pass."""
    known = role_of_key(call.key)
    if known is None:
        return
    for request in requests_of(call._replace(account=known[0])):
        if not may(known[0], known[1], call.region, request):
            who = identity_of_key(known[0], call.key)
            raise Denied(
                f"User: {who} is not authorized to perform: {request.action} on resource: {request.resource} "
                f"because no identity-based policy allows the {request.action} action"
            )


def may(account: str, role_name: str, region: str, request: Request) -> bool:
    """Whether the policies of a role allow a request; the answer goes on record."""
    context = tuple(sorted(request.context.items()))
    permitted = _decided(_documents(account, role_name, region), request.action, request.resource, context)
    calls.append(RoleCall(role_name, request, permitted))
    return permitted


def _documents(account: str, role_name: str, region: str) -> tuple[str, ...]:
    """The role's inline and attached policies as JSON; none where the role is gone."""
    for role in list(iam_backends[account][get_partition(region)].roles.values()):
        if role.name == role_name:
            attached = [policy.document for policy in role.managed_policies.values()]
            documents = [*role.policies.values(), *attached]
            return tuple(one if isinstance(one, str) else json.dumps(one) for one in documents)
    return ()


@lru_cache(maxsize=4096)
def _decided(documents: tuple[str, ...], action: str, resource: str, context: tuple[tuple[str, Any], ...]) -> bool:
    """A function asks for the same few things again and again."""
    request = Request(action, resource, dict(context))
    return action in _ALWAYS or allowed([json.loads(document) for document in documents], request)
