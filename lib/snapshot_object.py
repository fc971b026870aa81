"""The resolved configuration as it lies in the bucket."""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError

from lib.aws import Aws
from lib.errors import AwsError

__all__ = ["stored", "stored_tags"]


def stored(aws: Aws, bucket: str | None, key: str) -> bytes | None:
    """The object's bytes, or None."""
    answer = aws.read("s3", "get_object", Bucket=bucket, Key=key) if bucket else None
    if answer is None:
        return None
    try:
        content: bytes = answer["Body"].read()
    except BotoCoreError as error:  # the connection broke within the body
        raise AwsError(f"The connection broke while reading {key}: {error}", "Run the command again.") from error
    return content


def stored_tags(content: bytes | None) -> dict[str, set[str]]:
    """Profile id -> the tag keys that the configuration gave it when the object was written."""
    try:
        profiles = json.loads(content or b"{}").get("profiles", [])
        return {profile["id"]: set(profile["tags"]) for profile in profiles}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # not ours to understand; the snapshot step replaces it
