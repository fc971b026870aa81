"""What a schema cannot say about the deployment itself: Region, addresses, names, and the older file layout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from lib.emails import is_address, is_placeholder
from lib.errors import Problem
from lib.money import pico
from lib.problems import point, shown
from lib.profile_checks import DEFAULT_MODEL_ID, listed

__all__ = ["DEFAULTS", "admin_address", "deployed_ids", "deployment_notices", "deployment_problems"]

DEFAULTS = {
    "default_model_id": DEFAULT_MODEL_ID,
    "sns_topic_name": "BedrockInvocationAlarms",
    "lambda_function_name": "InvokeBedrockFunction",
    "api_name": "BedrockInvocationAPI",
    "api_stage": "dev",
    "dashboard_name": "BedrockInvocationDashboard",
}

_NOBODY = "admin@example.com"
# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, beyond the alphabet that the schema checks
_NO_BUCKET = re.compile(r"\.\.|^[0-9]+(\.[0-9]+){3}$|^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3)$")
_ID_OF_ARN = re.compile(r".*/")


def deployment_problems(document: Mapping[str, Any], region: str, *, local: bool) -> Iterator[Problem]:
    """Everything wrong outside profiles, tiers and tenants that the schema lets through."""
    yield from _address(document.get("sns_email"), local=local)
    yield from _money(document)
    yield from _bucket(document.get("s3_bucket_name"))
    yield from _role(document.get("lambda_role_arn"), region)


def _address(address: object, *, local: bool) -> Iterator[Problem]:
    if not isinstance(address, str) or not address:
        return
    if is_placeholder(address):
        if not local:
            found = f"found the placeholder {shown(address)}"
            yield Problem(
                "/sns_email", found, "give the address that alerts shall go to; --local accepts a placeholder"
            )
    elif not is_address(address):
        yield Problem("/sns_email", f"found {shown(address)}", "allowed: an email address")


def _money(document: Mapping[str, Any]) -> Iterator[Problem]:
    places: list[tuple[str, Mapping[str, Any], str]] = [
        ("", document, "monthly_budget_usd"),
        ("", document, "cost_alarm_threshold"),
        *((profile.pointer, profile.item, "cost_alarm_threshold") for profile in listed(document)),
    ]
    for pointer, item, key in places:
        if isinstance(item.get(key), Decimal) and pico(item[key]) is None:
            yield Problem(point(pointer, key), f"found {shown(item[key])}", "allowed: at most 12 decimals")


def _bucket(name: object) -> Iterator[Problem]:
    if isinstance(name, str) and _NO_BUCKET.search(name):
        yield Problem("/s3_bucket_name", f"found {shown(name)}", "S3 reserves names like this; choose another")


def _role(arn: object, region: str) -> Iterator[Problem]:
    if isinstance(arn, str) and arn.startswith("arn:"):
        government, china = arn.startswith("arn:aws-us-gov:"), arn.startswith("arn:aws-cn:")
        if (government, china) != (region.startswith("us-gov-"), region.startswith("cn-")):
            found = f"found a role of another partition than {region}"
            yield Problem("/lambda_role_arn", found, "give a role of the account that owns this deployment")


def deployment_notices(
    document: Mapping[str, Any], region: str, prices: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """What works, but perhaps not as meant. Asked of a document without problems."""
    if region != document["aws_region"]:
        yield f"aws_region is {document['aws_region']}, but {region} was asked for and is used."
    if is_placeholder(document["sns_email"]):
        yield f"sns_email is a placeholder: alerts go to {admin_address(document['sns_email'])} in the local mailbox."
    older = [key for key in ("profile_ids", "api_id") if key in document]
    if older:
        yield f"{' and '.join(older)} at top level is the older layout: setup keeps ids in `deployed`, remove it then."
    for model_id, row in prices.items():
        if not row["input_cost"] or not row["output_cost"]:
            yield f"models.json says that {model_id} costs nothing: budgets do not stop it."


def admin_address(given: str) -> str:
    """The address to write to. A placeholder that is no address at all becomes one, for the local mailbox."""
    return given if is_address(given) else _NOBODY


def deployed_ids(document: Mapping[str, Any]) -> dict[str, Any]:
    """What setup made, from the block `deployed` and, where that lacks it, from the older layout's top level."""
    older: dict[str, Any] = {}
    ids = document.get("profile_ids")
    if ids:
        pairs = ids.items() if isinstance(ids, dict) else [pair for item in ids for pair in item.items()]
        older["profile_ids"] = {name: _ID_OF_ARN.sub("", value) for name, value in pairs}
    if document.get("api_id"):
        older["api_id"] = document["api_id"]
    if older and document.get("lambda_role_arn"):
        older["lambda_role_arn"] = document["lambda_role_arn"]
    return {**older, **_plain(document.get("deployed") or {})}


def _plain(value: Any) -> Any:
    """`value` as the standard JSON reader would give it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
