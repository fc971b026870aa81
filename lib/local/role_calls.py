"""Calls that functions make with their roles: kept on record, and held against the roles' inline policies."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from moto.bedrock.models import bedrock_backends
from moto.iam.models import iam_backends

from lib.local.authoriser import Request, allowed
from lib.local.bedrock import find_profile
from lib.local.role_keys import role_of_key

__all__ = ["Denied", "RoleCall", "calls", "check", "forget_calls"]

_MOST_KEPT = 20_000


class Denied(Exception):
    """The role may not do this."""

    def __init__(self, role: str, request: Request) -> None:
        super().__init__(f"User: {role} is not authorized to perform: {request.action} on resource: {request.resource}")
        self.request = request


class RoleCall(NamedTuple):
    """One action on one resource that a role asked for, and whether it was allowed."""

    role: str
    request: Request
    allowed: bool


calls: deque[RoleCall] = deque(maxlen=_MOST_KEPT)


def forget_calls() -> None:
    """Begin a new record."""
    calls.clear()


def check(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raises Denied where the caller is a function's role whose policies do not allow the call.

    `path` is still encoded; header names are lower case. Calls of anybody else pass.
    """
    scope = _scope(headers.get("authorization", ""))
    known = role_of_key(scope[0]) if scope else None
    if scope is None or known is None:
        return
    account, role_name = known
    policies = _policies(account, role_name)
    for request in _requests(scope[1], scope[2], account, method, path, query, headers, body):
        permitted = allowed(policies, request)
        calls.append(RoleCall(role_name, request, permitted))
        if not permitted:
            raise Denied(f"arn:aws:sts::{account}:assumed-role/{role_name}/function", request)


def _scope(authorization: str) -> tuple[str, str, str] | None:
    """(access key, service, Region) of a signature."""
    _, found, rest = authorization.partition("Credential=")
    if not found:
        return None
    parts = rest.partition(",")[0].split("/")
    return parts[0], parts[3], parts[2]


def _policies(account: str, role_name: str) -> list[Mapping[str, Any]]:
    for role in iam_backends[account]["aws"].roles.values():
        if role.name == role_name:
            return [
                json.loads(document) if isinstance(document, str) else document for document in role.policies.values()
            ]
    return []


def _requests(
    service: str,
    region: str,
    account: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Iterator[Request]:
    arn = f"arn:aws:{service}:{region}:{account}:"
    if service == "dynamodb":
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        wanted = json.loads(body)
        tables = [wanted["TableName"]] if "TableName" in wanted else list(wanted.get("RequestItems", {}))
        for table in tables:
            index = f"/index/{wanted['IndexName']}" if "IndexName" in wanted else ""
            yield Request(f"dynamodb:{operation}", f"{arn}table/{table}{index}", {})
    elif service == "s3":
        verb = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}.get(method, f"s3:{method}")
        yield Request(verb, f"arn:aws:s3:::{unquote(path).lstrip('/')}", {})
    elif service == "bedrock":
        yield from _bedrock(region, account, path)
    else:
        fields = parse_qs(body.decode("utf-8", "replace")) if body else parse_qs(query)
        action = fields.get("Action", [headers.get("x-amz-target", method).rpartition(".")[2]])[0]
        resource = fields.get("TopicArn", fields.get("TargetArn", ["*"]))[0]
        yield Request(f"{'cloudwatch' if service == 'monitoring' else service}:{action}", resource, {})


def _bedrock(region: str, account: str, path: str) -> Iterator[Request]:
    """A call through a profile needs the profile, and each model behind it under the condition of the profile."""
    identifier = unquote(path.partition("/model/")[2].rpartition("/")[0])
    action = "bedrock:InvokeModelWithResponseStream" if path.endswith("-stream") else "bedrock:InvokeModel"
    backend = bedrock_backends[account][region]
    profile = find_profile(backend, identifier)
    if profile is None:
        yield Request(action, identifier, {})
        return
    tags = backend.tagger.get_tag_dict_for_resource(profile["arn"])
    yield Request(action, profile["arn"], {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()})
    for model in profile["models"]:
        yield Request(action, model["modelArn"], {"bedrock:inferenceprofilearn": profile["arn"]})
