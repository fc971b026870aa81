"""The sources that a reconciliation compares: raw records, metrics, and Cost Explorer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lambda_function import metrics
from lib.answers import remedy
from lib.aws import Aws
from lib.errors import AwsError
from lib.items import plain, typed
from lib.names import PROFILE_TAG, REHEARSAL
from lib.reports.period import Period

__all__ = ["BEDROCK_METRICS", "billed_costs", "metric_sums", "record_sums"]

_PICO = 10**12
_DAY = 86_400
_MOST_QUERIES = 500  # GetMetricData's limit
# What a reconciliation counts, and Bedrock's own metric of it.
BEDROCK_METRICS = {
    "requests": "Invocations",
    "in": "InputTokenCount",
    "out": "OutputTokenCount",
    "cr": "CacheReadInputTokenCount",
    "cw": "CacheWriteInputTokenCount",
}


# Sums follow requests in minutes, and those of an hour are final ten minutes after its end.
_SUMMED_UP = 7200


def record_sums(aws: Aws, table: str, period: Period) -> dict[str, dict[str, Any]]:
    """Sums of the raw records by profile id. A request that Bedrock surely never ran counts in nothing.

    `rehearsed` and `rehearsed_cost` are those of setup's rehearsal, which roll-ups leave out; `fresh` is the cost of
    what roll-ups may not have yet. The whole table is read, so that a row is found wherever it stands: an audit trusts
    no index.
    """
    sums: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    first = 1000 * int(_start(period).timestamp())
    last = first + 1000 * _DAY * period.length
    pages = aws.pages(
        "dynamodb", "scan", "Items", TableName=table, ConsistentRead=True,
        FilterExpression="begins_with(pk, :record) AND #at BETWEEN :first AND :last",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues=typed({":record": "R#", ":first": first, ":last": last - 1}),
    )  # fmt: skip
    seen: set[str] = set()
    since = 1000 * (aws.clock() - _SUMMED_UP)
    for item in map(plain, pages):
        total = sums[item["profile"]]
        _add(total, item, seen)
        if item["pk"].startswith(f"R#{REHEARSAL}#"):
            total["rehearsed"] += 1
            total["rehearsed_cost"] += item["cost"]
        elif item["at"] >= since:
            total["fresh"] += item["cost"]
    return sums


def _add(total: dict[str, Any], item: Mapping[str, Any], seen: set[str]) -> None:
    request_id = str(item["sk"]).split("#")[0]
    total["duplicates"] += request_id in seen
    seen.add(request_id)
    total["cost"] += item["cost"]
    total["prices"] = {item["prices"], *(total["prices"] or ())}
    if item.get("est"):
        total["est"] += 1
    if item["cost"] or item["status"] == "ok":
        total["requests"] += 1
    for kind in ("in", "out", "cr"):
        total[kind] += item.get(kind, 0)
    total["cw"] += item.get("cw5", 0) + item.get("cw1", 0)


def metric_sums(aws: Aws, period: Period, ids: list[str], names: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """Sums over the period by (profile id, metric); "gateway" are the successes that the function emitted."""
    wanted: list[tuple[tuple[str, str], str, str, str, str]] = []
    for profile_id in ids:
        for metric in BEDROCK_METRICS.values():
            wanted.append(((profile_id, metric), "AWS/Bedrock", metric, "ModelId", profile_id))
        wanted.append(
            (
                (profile_id, "gateway"),
                metrics.NAMESPACE,
                metrics.INVOCATION_SUCCESS,
                metrics.PROFILE_DIMENSION,
                names[profile_id],
            )
        )
    sums: Counter[tuple[str, str]] = Counter()
    start = _start(period)
    for at in range(0, len(wanted), _MOST_QUERIES):
        batch = wanted[at : at + _MOST_QUERIES]
        queries = [_query(f"q{index}", *parts[1:]) for index, parts in enumerate(batch)]
        keys = {f"q{index}": parts[0] for index, parts in enumerate(batch)}
        results = aws.pages(
            "cloudwatch", "get_metric_data", "MetricDataResults", MetricDataQueries=queries, StartTime=start,
            EndTime=start + timedelta(days=period.length),
        )  # fmt: skip
        for result in results:
            sums[keys[result["Id"]]] += round(sum(result["Values"]))
    return sums


def _query(identifier: str, namespace: str, metric: str, dimension: str, value: str) -> dict[str, Any]:
    stat = {
        "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": [{"Name": dimension, "Value": value}]},
        "Period": _DAY,
        "Stat": "Sum",
    }
    return {"Id": identifier, "MetricStat": stat, "ReturnData": True}


def billed_costs(aws: Aws, period: Period) -> tuple[dict[str, int] | None, str]:
    """What Cost Explorer shows by profile name, pico-USD; (None, why) where it shows nothing by our tag."""
    try:
        answer = aws.read(
            "ce", "get_cost_and_usage", Granularity="MONTHLY", Metrics=["UnblendedCost"],
            TimePeriod={"Start": str(period.first), "End": str(period.last + timedelta(days=1))},
            GroupBy=[{"Type": "TAG", "Key": PROFILE_TAG}],
        )  # fmt: skip
    except AwsError as error:
        return None, f"{error.code or 'no answer'}. {remedy(error.code)}"
    sums: Counter[str] = Counter()
    for result in (answer or {}).get("ResultsByTime", []):
        for group in result["Groups"]:
            name = group["Keys"][0].partition("$")[2]
            if name:
                sums[name] += int(Decimal(group["Metrics"]["UnblendedCost"]["Amount"]) * _PICO)
    if not sums:
        return None, f"the tag {PROFILE_TAG} is not active for billing yet, or nothing was billed under it."
    return dict(sums), ""


def _start(period: Period) -> datetime:
    return datetime(period.first.year, period.first.month, period.first.day, tzinfo=UTC)
