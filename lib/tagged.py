"""The search by ownership tag: what carries it wherever it is, whatever its name is now."""

from __future__ import annotations

from collections.abc import Callable

from lib.aws import Aws
from lib.errors import AccessDenied
from lib.names import OWNER_TAG, Names

__all__ = ["tagged"]


def tagged(aws: Aws, names: Names) -> list[str]:
    """ARNs that carry our tag and still exist. Where the search is not allowed, a note and nothing."""
    try:
        found = [
            str(item["ResourceARN"])
            for item in aws.pages(
                "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList",
                TagFilters=[{"Key": OWNER_TAG, "Values": [names.deployment]}],
            )
        ]  # fmt: skip
    except AccessDenied:
        aws.note("Searching by tag (tag:GetResources) is not allowed; what is left was looked for by name only.")
        return []
    # The index lags behind: it goes on naming for some minutes what was deleted.
    return [arn for arn in found if _exists(aws, arn)]


def _exists(aws: Aws, arn: str) -> bool:
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    look = _LOOKS.get(service)
    return look is None or look(aws, arn, resource)


def _log_group(aws: Aws, arn: str, resource: str) -> bool:
    name = resource.removeprefix("log-group:").removesuffix(":*")
    groups = aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for group in groups)


def _alarm(aws: Aws, arn: str, resource: str) -> bool:
    answer = aws.read("cloudwatch", "describe_alarms", AlarmNames=[resource.partition(":")[2]])
    return bool(answer and answer["MetricAlarms"])


def _api(aws: Aws, arn: str, resource: str) -> bool:
    """/restapis/ID, /apikeys/ID, /usageplans/ID; a stage goes with its API."""
    _, kind, identity, *_ = resource.split("/")
    operation, parameter = {
        "restapis": ("get_rest_api", "restApiId"),
        "apikeys": ("get_api_key", "apiKey"),
        "usageplans": ("get_usage_plan", "usagePlanId"),
    }[kind]
    return aws.read("apigateway", operation, **{parameter: identity}) is not None


def _table(aws: Aws, arn: str, resource: str) -> bool:
    return aws.read("dynamodb", "describe_table", TableName=resource.partition("/")[2]) is not None


def _function(aws: Aws, arn: str, resource: str) -> bool:
    return aws.read("lambda", "get_function_configuration", FunctionName=resource.split(":")[1]) is not None


def _profile(aws: Aws, arn: str, resource: str) -> bool:
    return aws.read("bedrock", "get_inference_profile", inferenceProfileIdentifier=arn) is not None


def _rule(aws: Aws, arn: str, resource: str) -> bool:
    return aws.read("events", "describe_rule", Name=resource.rpartition("/")[2]) is not None


_LOOKS: dict[str, Callable[[Aws, str, str], bool]] = {
    "apigateway": _api,
    "bedrock": _profile,
    "cloudwatch": _alarm,
    "dynamodb": _table,
    "events": _rule,
    "lambda": _function,
    "logs": _log_group,
    "s3": lambda aws, arn, resource: aws.read("s3", "head_bucket", Bucket=resource) is not None,
    "sns": lambda aws, arn, resource: aws.read("sns", "get_topic_attributes", TopicArn=arn) is not None,
}
