"""What was replaced or is no longer configured, deleted once no running request can use it any more."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from lib.application_profiles import all_profiles
from lib.aws import Aws
from lib.bucket_objects import delete_bucket, delete_object
from lib.config import Config
from lib.errors import Kept
from lib.lifetimes import LAST_USE_SECONDS
from lib.names import Names, names_of
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "retired"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Delete retired profiles, topics and buckets, when the configuration without them is old enough."""
    names = names_of(config, aws.account)
    profiles, topics, buckets = (
        state.group(name) for name in ("retired_profile_ids", "retired_topics", "retired_buckets")
    )
    if not (profiles or topics or buckets):
        return
    _wait(aws, state, names)
    known = all_profiles(aws) if profiles else {}
    for profile_id, name in profiles.items():
        if profile_id in known:
            aws.write(
                "-", f"deleting inference profile {known[profile_id].name}, formerly of {name}", "bedrock",
                "delete_inference_profile", inferenceProfileIdentifier=known[profile_id].arn,
            )  # fmt: skip
        state.forget_in("retired_profile_ids", profile_id)
    for arn in topics:
        if aws.read("sns", "get_topic_attributes", TopicArn=arn) is not None:
            aws.write("-", f"deleting topic {arn.rpartition(':')[2]}", "sns", "delete_topic", TopicArn=arn)
        state.forget_in("retired_topics", arn)
    try:
        _delete_buckets(aws, state, names)
    except Kept as kept:
        aws.note(str(kept))


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete retired buckets; the steps that made profiles and topics delete retired ones with the others."""
    _delete_buckets(aws, state, names_of(config, aws.account))


def remaining(aws: Aws, config: Config) -> list[str]:
    """Nothing of its own: profiles and topics are named by the steps that made them."""
    return []


def _delete_buckets(aws: Aws, state: State, names: Names) -> None:
    for bucket, ours in state.group("retired_buckets").items():
        if aws.read("s3", "head_bucket", Bucket=bucket) is not None:
            (delete_bucket if ours else delete_object)(aws, bucket, names.config_key)
        state.forget_in("retired_buckets", bucket)


def _wait(aws: Aws, state: State, names: Names) -> None:
    """Until every container has read the present configuration and every request under an older one has ended."""
    answer = aws.read("s3", "head_object", Bucket=state.get("bucket"), Key=names.config_key)
    if answer is None or aws.planning:
        return
    written: float = answer["LastModified"].timestamp()
    # Both instants by S3's clock where it tells: the operator's may be wrong.
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    age: float = (parsedate_to_datetime(date).timestamp() if date else aws.clock()) - written
    started = aws.clock()

    def left() -> float:
        return LAST_USE_SECONDS - age - (aws.clock() - started)

    if left() > 0:
        aws.note(f"Waiting {left():.0f} s until no running request can use what was replaced.")
        aws.settle("waiting for running requests", lambda: left() <= 0, seconds=left() + 10)
