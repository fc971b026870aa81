"""What an HTTP request to AWS asks of IAM: actions, resources and condition keys.

docs.aws.amazon.com/service-authorization/latest/reference, for the services that our functions call. Of any other
service the action is named and the resource is "*", so that only a policy that allows everything there allows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from moto.bedrock.models import bedrock_backends
from moto.s3.exceptions import MissingBucket, MissingKey
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from lib.local import inference_profiles
from lib.local.authoriser import Request
from lib.local.catalogue import system_profile

__all__ = ["Signed", "requests_of", "signed"]

_S3_ACTIONS = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
# Names under which a service signs that are not its prefix in IAM.
_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}


class Signed(NamedTuple):
    """A signed HTTP request. `path` is still encoded, header names are lower case; `service` is the signing name."""

    key: str
    service: str
    region: str
    account: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def arn(self, resource: str) -> str:
        """The ARN of a resource of the service, in the request's Region and account."""
        return f"arn:{get_partition(self.region)}:{self.service}:{self.region}:{self.account}:{resource}"


def signed(headers: Mapping[str, str]) -> tuple[str, str, str] | None:
    """(access key, Region, service) of a signature of version 4, None without one."""
    parts = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    return (parts[0], parts[2], parts[3]) if len(parts) == 5 else None


def requests_of(call: Signed) -> Iterator[Request]:
    """One for each resource that the call touches."""
    if call.service == "dynamodb":
        yield from _dynamodb(call)
    elif call.service == "s3":
        yield from _s3(call)
    elif call.service == "bedrock" and call.path.startswith("/model/"):
        yield from _bedrock(call)
    else:
        yield _other(call)


def _dynamodb(call: Signed) -> Iterator[Request]:
    operation = call.headers.get("x-amz-target", "").rpartition(".")[2]
    wanted = json.loads(call.body or b"{}")
    if operation.startswith("Transact"):
        for item in wanted.get("TransactItems", []):
            ((kind, what),) = item.items()
            action = {"Update": "UpdateItem", "Put": "PutItem", "Delete": "DeleteItem", "Get": "GetItem"}.get(
                kind, kind
            )
            yield Request(f"dynamodb:{action}", _table(call, what["TableName"]))
        return
    tables = [wanted["TableName"]] if "TableName" in wanted else list(wanted.get("RequestItems", {}))
    index = f"/index/{wanted['IndexName']}" if "IndexName" in wanted else ""
    for table in tables or [""]:
        yield Request(f"dynamodb:{operation}", _table(call, table) + index if table else "*")


def _table(call: Signed, name: str) -> str:
    return name if name.startswith("arn:") else call.arn(f"table/{name}")


def _s3(call: Signed) -> Iterator[Request]:
    """In path style. Without ListBucket a missing object is "access denied", as at AWS."""
    bucket, _, key = unquote(call.path).lstrip("/").partition("/")
    prefix = f"arn:{get_partition(call.region)}:s3:::"
    if not key:
        yield Request("s3:ListBucket" if call.method in ("GET", "HEAD") else f"s3:{call.method}Bucket", prefix + bucket)
        return
    action = _S3_ACTIONS.get(call.method, call.method)
    yield Request(f"s3:{action}", f"{prefix}{bucket}/{key}")
    if action == "GetObject" and not _exists(call, bucket, key):
        yield Request("s3:ListBucket", prefix + bucket)


def _exists(call: Signed, bucket: str, key: str) -> bool:
    backend: Any = s3_backends[call.account][get_partition(call.region)]
    try:
        return backend.get_object(bucket, key) is not None
    except (MissingBucket, MissingKey):
        return False


def _bedrock(call: Signed) -> Iterator[Request]:
    """A call through a profile needs the profile, and each model behind it under the condition of the profile."""
    identifier, _, operation = call.path.removeprefix("/model/").rpartition("/")
    identifier = unquote(identifier)
    stream = operation in ("converse-stream", "invoke-with-response-stream")
    action = "bedrock:CountTokens" if operation == "count-tokens" else "bedrock:InvokeModel"
    action = "bedrock:InvokeModelWithResponseStream" if stream else action
    backend = bedrock_backends[call.account][call.region]
    profile = inference_profiles.find(backend, identifier)
    system = system_profile(identifier.rpartition("/")[2], call.region, call.account)
    if profile is not None:
        tags = inference_profiles.tags_of(backend, profile)
        yield Request(action, profile.arn, {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()})
        arn, models = profile.arn, profile.models
    elif system is not None:
        arn, models = str(system["inferenceProfileArn"]), system["models"]
        yield Request(action, arn)
    else:
        model = f"arn:{get_partition(call.region)}:bedrock:{call.region}::foundation-model/{identifier}"
        yield Request(action, identifier if identifier.startswith("arn:") else model)
        return
    for routed in models:
        yield Request(action, routed["modelArn"], {"bedrock:inferenceprofilearn": arn})


def _other(call: Signed) -> Request:
    text = call.body.decode("utf-8", "replace") if call.body else call.query
    fields = {name: values[0] for name, values in parse_qs(text).items()} if "Action=" in text else {}
    action = fields.get("Action") or call.headers.get("x-amz-target", "").rpartition(".")[2]
    if not action and "/operation/" in call.path:  # Smithy's RPC over CBOR, which boto3 speaks with CloudWatch
        action = call.path.rpartition("/")[2]
    prefix = _PREFIXES.get(call.service, call.service)
    return Request(f"{prefix}:{action or call.method}", fields.get("TopicArn") or fields.get("TargetArn") or "*")
