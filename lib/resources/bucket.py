"""The bucket that holds the resolved configuration: private, encrypted, versioned."""

from __future__ import annotations

from typing import Any

from lib.aws import Aws
from lib.bucket_objects import delete_bucket, delete_object, is_empty, object_versions
from lib.config import Config
from lib.errors import AwsError, ProjectError
from lib.names import OWNER_TAG, Names, names_of
from lib.ownership import is_tagged, tag_map
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "bucket"

_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]}


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Create the bucket, or complete ours. One that was there before us is used as it is."""
    names = names_of(config, aws.account)
    _retire_former(state, names)
    head = aws.read("s3", "head_bucket", Bucket=names.bucket)
    found = head is not None
    if head is not None:
        _check_region(aws, names, head)
        tags = _tags(aws, names.bucket)
        if not (is_tagged(tags, names) or _made(aws, state, names.bucket, tags)):
            state.keep("bucket", names.bucket)
            return
    else:
        # Kept before the call: a crash between creating and tagging must not leave a bucket that nobody owns.
        state.keep("bucket_intent", names.bucket)
        _create(aws, names)
        tags = {}
    if not is_tagged(tags, names):
        everything = [{"Key": key, "Value": value} for key, value in {**tags, **names.tags}.items()]
        _put(aws, names, "tagging", "put_bucket_tagging", Tagging={"TagSet": everything})
    state.keep("bucket_made", names.bucket)
    state.forget("bucket_intent")
    state.keep("bucket", names.bucket)
    _complete(aws, names, new=not found)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete our object, then the bucket if we made it. Raises Kept if it holds objects of others."""
    names = names_of(config, aws.account)
    if aws.read("s3", "head_bucket", Bucket=names.bucket) is not None:
        tags = _tags(aws, names.bucket)
        if is_tagged(tags, names) or _made(aws, state, names.bucket, tags):
            delete_bucket(aws, names.bucket, names.config_key)
        else:
            delete_object(aws, names.bucket, names.config_key)
    for name in ("bucket", "bucket_made", "bucket_intent"):
        state.forget(name)


def remaining(aws: Aws, config: Config) -> list[str]:
    """The bucket if it carries our tag, and our object wherever the configuration puts it."""
    names = names_of(config, aws.account)
    if aws.read("s3", "head_bucket", Bucket=names.bucket) is None:
        return []
    found = [f"bucket {names.bucket}"] if is_tagged(_tags(aws, names.bucket), names) else []
    if any(key == names.config_key for key, _ in object_versions(aws, names.bucket, names.config_key)):
        found.append(f"object {names.config_key} in bucket {names.bucket}")
    return found


def _check_region(aws: Aws, names: Names, head: dict[str, Any]) -> None:
    """boto3 follows a bucket into its Region, a function does not."""
    region = head.get("BucketRegion") or aws.region
    if region != aws.region:
        raise ProjectError(
            f"Bucket {names.bucket} lies in {region}, the deployment in {aws.region}.", "Choose another s3_bucket_name."
        )


def _retire_former(state: State, names: Names) -> None:
    """A bucket of another name is emptied of ours when no function reads it any more (lib/resources/retired.py)."""
    former = state.get("bucket")
    if former and former != names.bucket:
        state.keep_in("retired_buckets", former, state.get("bucket_made") == former)
    state.forget_in("retired_buckets", names.bucket)


def _made(aws: Aws, state: State, bucket: str, tags: dict[str, str]) -> bool:
    """Whether we made a bucket that lacks our tag: state says so, or a run died between creating and tagging it."""
    if OWNER_TAG in tags:
        return False
    return state.get("bucket_made") == bucket or (state.get("bucket_intent") == bucket and is_empty(aws, bucket))


def _create(aws: Aws, names: Names) -> None:
    # us-east-1 is the one Region that S3 refuses as a LocationConstraint.
    place: dict[str, Any] = {} if names.region == "us-east-1" else {"LocationConstraint": names.region}
    try:
        aws.write(
            "+", f"creating bucket {names.bucket}", "s3", "create_bucket",
            Bucket=names.bucket, CreateBucketConfiguration={**place, "Tags": names.tag_list},
        )  # fmt: skip
    except AwsError as error:
        if error.code == "BucketAlreadyExists":
            raise AwsError(
                f"Bucket {names.bucket} belongs to somebody else.", "Choose another s3_bucket_name.", error.code
            ) from error
        raise


def _complete(aws: Aws, names: Names, *, new: bool) -> None:
    """Each part by itself. S3 gives new buckets some of them, other clouds' S3 does not: a new one gets all."""
    public = None if new else aws.read("s3", "get_public_access_block", Bucket=names.bucket)
    if (public or {}).get("PublicAccessBlockConfiguration") != _BLOCKED:
        _put(aws, names, "public access block", "put_public_access_block", PublicAccessBlockConfiguration=_BLOCKED)
    encrypted = None if new else aws.read("s3", "get_bucket_encryption", Bucket=names.bucket)
    if not (encrypted or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules"):
        _put(aws, names, "encryption", "put_bucket_encryption", ServerSideEncryptionConfiguration=_ENCRYPTION)
    versioned = None if new else aws.read("s3", "get_bucket_versioning", Bucket=names.bucket)
    if (versioned or {}).get("Status") != "Enabled":
        _put(aws, names, "versioning", "put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})


def _put(aws: Aws, names: Names, part: str, operation: str, **parameters: Any) -> None:
    aws.write("~", f"setting {part} of bucket {names.bucket}", "s3", operation, Bucket=names.bucket, **parameters)


def _tags(aws: Aws, bucket: str) -> dict[str, str]:
    return tag_map((aws.read("s3", "get_bucket_tagging", Bucket=bucket) or {}).get("TagSet"))
