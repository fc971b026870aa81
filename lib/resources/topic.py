"""SNS topics: one for the operator, one for each tenant that has a contact of its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from lib.aws import Aws
from lib.config import Config
from lib.names import TENANT_TAG, Names, names_of
from lib.ownership import claim, is_tagged, tag_map
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "topic"

# Which addresses setup subscribed, as digests: others may have been subscribed by hand, and those are not ours to end.
_SUBSCRIBED_TAG = "bedrock-cost-tracing:subscribed"
_STATEMENT = "bedrock-cost-tracing-alarms"
_PENDING = "PendingConfirmation"  # stands where the ARN will be; AWS drops such a subscription by itself after a while


_Tags = dict[str, dict[str, str]]  # by ARN


class _Wanted(NamedTuple):
    name: str
    address: str
    tags: dict[str, str]
    for_alarms: bool


def ensure(aws: Aws, config: Config, state: State) -> None:
    """A topic and its subscription for the operator and each tenant with a contact; what is left over is retired."""
    names = names_of(config, aws.account)
    admin = _Wanted(names.topic, config.sns_email, names.tags, for_alarms=True)
    contacts = {tenant.name: tenant.contact_email for tenant in config.tenants.values() if tenant.contact_email}
    tenants = {
        name: _Wanted(names.tenant_topic(name), address, {**names.tags, TENANT_TAG: name}, for_alarms=False)
        for name, address in contacts.items()
    }
    there = _named_like_ours(aws, names)
    _retire(aws, names, state, there, {_arn(aws, wanted.name) for wanted in (admin, *tenants.values())})
    state.keep("topic_arn", _ensure_topic(aws, names, state, there, admin))
    for name, wanted in tenants.items():
        state.keep_in("tenant_topic_arns", name, _ensure_topic(aws, names, state, there, wanted))
    for name in state.group("tenant_topic_arns").keys() - tenants.keys():
        state.forget_in("tenant_topic_arns", name)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete our topics; AWS deletes their subscriptions with them."""
    names = names_of(config, aws.account)
    recorded = {state.get("topic_arn"), *state.group("tenant_topic_arns").values(), *state.group("retired_topics")}
    for arn in sorted((recorded - {None}) | set(_ours(aws, names))):
        if _attributes(aws, arn) is not None:
            aws.write("-", f"deleting topic {_name(arn)}", "sns", "delete_topic", TopicArn=arn)
    for name in ("topic_arn", "tenant_topic_arns", "retired_topics"):
        state.forget(name)


def remaining(aws: Aws, config: Config) -> list[str]:
    """Topics of our names that carry our tag."""
    return [f"topic {_name(arn)}" for arn in _ours(aws, names_of(config, aws.account))]


def _named_like_ours(aws: Aws, names: Names) -> _Tags:
    """The topics whose name begins with ours, and their tags."""
    arns = [topic["TopicArn"] for topic in aws.pages("sns", "list_topics", "Topics")]
    named = [arn for arn in arns if _name(arn) == names.topic or _name(arn).startswith(f"{names.topic}-")]
    return {arn: _tags(aws, arn) for arn in named}


def _ours(aws: Aws, names: Names) -> list[str]:
    """Those of them that carry our tag."""
    return [arn for arn, tags in _named_like_ours(aws, names).items() if is_tagged(tags, names)]


def _retire(aws: Aws, names: Names, state: State, there: _Tags, in_use: set[str]) -> None:
    """Note our topics that are no longer in use, before state forgets them.

    A running function may still publish to them for a while: lib/resources/retired.py deletes them.
    """
    former = {state.get("topic_arn"), *state.group("tenant_topic_arns").values()} - {None}
    ours = {arn for arn, tags in there.items() if is_tagged(tags, names)}
    for arn in sorted((former | ours) - in_use):
        state.keep_in("retired_topics", arn, True)
    for arn in in_use & state.group("retired_topics").keys():
        state.forget_in("retired_topics", arn)


def _ensure_topic(aws: Aws, names: Names, state: State, there: _Tags, wanted: _Wanted) -> str:
    arn = _arn(aws, wanted.name)
    attributes = _attributes(aws, arn)
    digest = _digest(wanted.address)
    if attributes is None:
        policy = {"Policy": json.dumps(_policy(aws, arn, None))} if wanted.for_alarms else {}
        aws.write(
            "+", f"creating topic {wanted.name}", "sns", "create_topic", Name=wanted.name, Attributes=policy,
            Tags=_tag_list({**wanted.tags, _SUBSCRIBED_TAG: digest}),
        )  # fmt: skip
        _subscribe(aws, arn, wanted.address)
        return arn
    tags = there[arn] if arn in there else _tags(aws, arn)
    claim(
        f"SNS topic {wanted.name}", tags, names, recorded=_is_recorded(state, arn),
        remedy="Choose another sns_topic_name",
    )  # fmt: skip
    _ensure_policy(aws, arn, wanted, attributes)
    subscribed = _ensure_subscription(aws, arn, wanted.address, set(tags.get(_SUBSCRIBED_TAG, "").split()))
    # Only now: a run that died before has subscribed the new address but not yet said so.
    expected = {**wanted.tags, _SUBSCRIBED_TAG: " ".join(sorted(subscribed))}
    if any(tags.get(key) != value for key, value in expected.items()):
        aws.write("~", f"tagging topic {wanted.name}", "sns", "tag_resource", ResourceArn=arn, Tags=_tag_list(expected))
    return arn


def _is_recorded(state: State, arn: str) -> bool:
    return arn in {state.get("topic_arn"), *state.group("tenant_topic_arns").values()}


def _ensure_policy(aws: Aws, arn: str, wanted: _Wanted, attributes: dict[str, str]) -> None:
    if not wanted.for_alarms:
        return
    current = json.loads(attributes.get("Policy") or "{}")
    policy = _policy(aws, arn, current)
    if policy != current:
        aws.write(
            "~", f"letting alarms publish to topic {wanted.name}", "sns", "set_topic_attributes",
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy),
        )  # fmt: skip


def _policy(aws: Aws, arn: str, current: dict[str, Any] | None) -> dict[str, Any]:
    """The topic's policy with our statement in it: CloudWatch may publish for alarms of this account."""
    ours = {
        "Sid": _STATEMENT,
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": aws.account},
            "ArnLike": {"aws:SourceArn": f"arn:{aws.partition}:cloudwatch:{aws.region}:{aws.account}:alarm:*"},
        },
    }
    statements = (current or {}).get("Statement", [])
    if ours in statements:
        return current or {}
    others = [statement for statement in statements if statement.get("Sid") != _STATEMENT]
    return {"Version": "2012-10-17", **(current or {}), "Statement": [*others, ours]}


def _ensure_subscription(aws: Aws, arn: str, address: str, subscribed: set[str]) -> set[str]:
    """Subscribe `address`, unsubscribe others of ours. Answers the digests of ours that are there afterwards."""
    found = [
        item
        for item in aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
        if item["Protocol"] == "email"
    ]
    if all(item["Endpoint"] != address for item in found):
        _subscribe(aws, arn, address)
    kept = {_digest(address)}
    for item in found:
        digest = _digest(item["Endpoint"])
        if item["Endpoint"] == address or digest not in subscribed:
            continue
        if item["SubscriptionArn"] == _PENDING:
            aws.note(f"{item['Endpoint']} never confirmed; SNS forgets that invitation after some days.")
            kept.add(digest)
        else:
            aws.write(
                "-", f"unsubscribing {item['Endpoint']} from topic {_name(arn)}", "sns", "unsubscribe",
                SubscriptionArn=item["SubscriptionArn"],
            )  # fmt: skip
    return kept


def _subscribe(aws: Aws, arn: str, address: str) -> None:
    aws.write(
        "+", f"subscribing {address} to topic {_name(arn)}", "sns", "subscribe",
        TopicArn=arn, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True,
    )  # fmt: skip


def _attributes(aws: Aws, arn: str) -> dict[str, str] | None:
    answer = aws.read("sns", "get_topic_attributes", TopicArn=arn)
    return answer["Attributes"] if answer else None


def _tags(aws: Aws, arn: str) -> dict[str, str]:
    return tag_map((aws.read("sns", "list_tags_for_resource", ResourceArn=arn) or {}).get("Tags"))


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _arn(aws: Aws, name: str) -> str:
    return f"arn:{aws.partition}:sns:{aws.region}:{aws.account}:{name}"


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]
