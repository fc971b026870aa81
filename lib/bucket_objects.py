"""What lies in a bucket: our one object in all its versions, and what others put there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lib.aws import Aws
from lib.errors import AwsError, Kept

__all__ = ["delete_bucket", "delete_object", "is_empty", "object_versions"]

_MOST_A_CALL = 1000  # objects that DeleteObjects takes
_NAMED = 3


def object_versions(aws: Aws, bucket: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(key, version id) of everything in the bucket, delete markers included."""
    more: dict[str, str] = {}
    while True:
        page = aws.read("s3", "list_object_versions", Bucket=bucket, Prefix=prefix, **more)
        if page is None:
            return
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            yield item["Key"], item["VersionId"]
        if not page.get("IsTruncated"):
            return
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}


def is_empty(aws: Aws, bucket: str) -> bool:
    """Whether nothing lies in the bucket, not even an old version."""
    return next(object_versions(aws, bucket), None) is None


def delete_object(aws: Aws, bucket: str, key: str) -> None:
    """Delete every version of `key`, which is ours."""
    versions = [version for found, version in object_versions(aws, bucket, key) if found == key]
    for start in range(0, len(versions), _MOST_A_CALL):
        batch = [{"Key": key, "VersionId": version} for version in versions[start : start + _MOST_A_CALL]]
        count = f"{len(batch)} version{'s' if len(batch) > 1 else ''}"
        answer = aws.write(
            "-", f"deleting {count} of {key} from bucket {bucket}", "s3", "delete_objects",
            Bucket=bucket, Delete={"Objects": batch, "Quiet": True},
        )  # fmt: skip
        for failure in answer.get("Errors") or []:
            raise AwsError(
                f"S3 answered {failure.get('Code')} while deleting {key}: {failure.get('Message')}",
                "Run the command again.",
            )


def delete_bucket(aws: Aws, bucket: str, key: str) -> None:
    """Delete our bucket and our object `key` in it. Raises Kept, and keeps the bucket, if others' objects are there."""
    delete_object(aws, bucket, key)
    others = list(dict.fromkeys(found for found, _ in islice(object_versions(aws, bucket), 10_000) if found != key))
    if others:
        named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED} more" if len(others) > _NAMED else "")
        raise Kept(
            f"Bucket {bucket} was kept because it holds objects that are not ours: {named}.",
            "Move or delete them, then run unsetup.py again.",
        )
    aws.write("-", f"deleting bucket {bucket}", "s3", "delete_bucket", Bucket=bucket)
