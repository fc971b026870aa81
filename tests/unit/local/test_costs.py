"""The embedded AWS's own bill: AWS/Bedrock metrics and Cost Explorer, from what was served and models.json alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.local import clock
from lib.local.bills import cost_of
from lib.local.served import Served, record, record_error

Aws = Callable[[str], Any]
ACCOUNT, REGION = "123456789012", "us-east-1"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"  # 0.00025 in, 0.00125 out per 1,000

PRICES = {
    "default": {
        "text": {
            "m": {
                "input_cost": 0.003, "output_cost": 0.015, "cache_read_cost": 0.0003,
                "tiers": {"flex": {"input_cost": 0.0015, "output_cost": 0.0075}},
                "long_context": [{"above": 200, "input_cost": 0.006, "output_cost": 0.0225}],
            }
        }
    },
    "eu-west-1": {"text": {"m": {"input_cost": 0.004, "output_cost": 0.02}}},
}  # fmt: skip


def served(**changes: Any) -> Served:
    base = Served(ACCOUNT, REGION, clock.now(), "abcdefghijkl", HAIKU, {"TenantID": "A", "App": "x"}, 1000, 100)
    return base._replace(**changes)


@pytest.mark.parametrize(
    ("call", "picos_a_thousand"),
    [
        ({"input": 100, "output": 10}, 3_000_000 * 100 + 15_000_000 * 10),
        ({"input": 100, "output": 10, "region": "eu-west-1"}, 4_000_000 * 100 + 20_000_000 * 10),
        ({"input": 0, "output": 0, "cache_read": 100}, 300_000 * 100),
        ({"input": 0, "output": 0, "cache_write": 100}, 3_750_000 * 100),  # not published: 1.25 of input
        ({"input": 0, "output": 0, "cache_write_1h": 100}, 6_000_000 * 100),  # twice
        ({"input": 100, "output": 10, "tier": "flex"}, 1_500_000 * 100 + 7_500_000 * 10),
        ({"input": 0, "output": 0, "cache_read": 100, "tier": "flex"}, 150_000 * 100),  # as in the base row
        ({"input": 200, "output": 10}, 3_000_000 * 200 + 15_000_000 * 10),
        ({"input": 150, "output": 10, "cache_read": 51}, 6_000_000 * 150 + 22_500_000 * 10 + 600_000 * 51),
        ({"input": 201, "output": 10, "tier": "flex"}, 3_000_000 * 201 + 11_250_000 * 10),
    ],
)
def test_bills(tmp_path: Path, call: dict[str, Any], picos_a_thousand: int) -> None:
    models = tmp_path / "models.json"
    models.write_text(json.dumps(PRICES))
    assert cost_of(served(model="m", **call), models) == Fraction(picos_a_thousand, 10**12)


def test_bedrock_counts_by_profile(moto_aws: Aws) -> None:
    record(served())
    record(served(cache_read=7, cache_write=2, cache_write_1h=3))
    record(served(profile=""))
    record_error(ACCOUNT, REGION, clock.now(), "abcdefghijkl", 429)
    record_error(ACCOUNT, REGION, clock.now(), "abcdefghijkl", 503)
    now, found = clock.now(), {}
    for metric in moto_aws("cloudwatch").list_metrics(Namespace="AWS/Bedrock")["Metrics"]:
        points = moto_aws("cloudwatch").get_metric_statistics(
            **metric, StartTime=now - 600, EndTime=now + 60, Period=600, Statistics=["Sum"]
        )["Datapoints"]
        found[metric["Dimensions"][0]["Value"], metric["MetricName"]] = sum(point["Sum"] for point in points)
    profile = {name: value for (owner, name), value in found.items() if owner == "abcdefghijkl"}
    assert profile == {
        "Invocations": 2, "InputTokenCount": 2000, "OutputTokenCount": 200, "CacheReadInputTokenCount": 7,
        "CacheWriteInputTokenCount": 5, "InvocationLatency": 0, "InvocationThrottles": 1, "InvocationServerErrors": 1,
    }  # fmt: skip
    assert found[HAIKU, "Invocations"] == 1


def month(aws: Aws, **request: Any) -> Any:
    today = datetime.fromtimestamp(clock.now(), UTC).date()
    following = (today.replace(day=28).toordinal()) + 10
    period = {"Start": str(today.replace(day=1)), "End": str(type(today).fromordinal(following).replace(day=1))}
    asked = {"TimePeriod": period, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"], **request}
    (result,) = aws("ce").get_cost_and_usage(**asked)["ResultsByTime"]
    groups = {tuple(group["Keys"]): group["Metrics"]["UnblendedCost"]["Amount"] for group in result["Groups"]}
    return groups or result["Total"]["UnblendedCost"]["Amount"]


def test_only_active_tags_group_and_only_from_then_on(moto_aws: Aws) -> None:
    explorer = moto_aws("ce")
    by_tenant = [{"Type": "TAG", "Key": "TenantID"}]
    record(served())
    listed = explorer.list_cost_allocation_tags(TagKeys=["TenantID", "Nope"])["CostAllocationTags"]
    assert [(tag["TagKey"], tag["Status"]) for tag in listed] == [("TenantID", "Inactive")]
    assert month(moto_aws, GroupBy=by_tenant) == {("TenantID$",): "0.000375"}
    statuses = [{"TagKey": key, "Status": "Active"} for key in ("TenantID", "Nope")]
    errors = explorer.update_cost_allocation_tags_status(CostAllocationTagsStatus=statuses)["Errors"]
    assert [error["TagKey"] for error in errors] == ["Nope"]
    assert len(explorer.list_cost_allocation_tags(Status="Active")["CostAllocationTags"]) == 1
    record(served(input=1001))
    record(served(tags={"TenantID": "B", "App": "y"}, input=1, output=0))
    assert month(moto_aws, GroupBy=by_tenant) == {
        ("TenantID$",): "0.000375", ("TenantID$A",): "0.00037525", ("TenantID$B",): "0.00000025"
    }  # fmt: skip
    assert month(moto_aws) == "0.0007505"


@pytest.mark.parametrize(
    ("keep", "amount"),
    [
        ({"Tags": {"Key": "TenantID", "Values": ["A"]}}, "0.000375"),
        ({"Tags": {"Key": "TenantID", "Values": ["A", "B"]}}, "0.000625"),
        ({"Not": {"Tags": {"Key": "TenantID", "Values": ["A"]}}}, "0.00025"),
        ({"Tags": {"Key": "App", "Values": ["x"]}}, "0"),  # not active
        ({"Dimensions": {"Key": "SERVICE", "Values": ["Amazon Bedrock"]}}, "0.000625"),
        ({"Dimensions": {"Key": "REGION", "Values": ["eu-west-1"]}}, "0"),
        ({"And": [{"Dimensions": {"Key": "SERVICE", "Values": ["Amazon Bedrock"]}},
                  {"Tags": {"Key": "TenantID", "Values": ["B"]}}]}, "0.00025"),
    ],
)  # fmt: skip
def test_filters(moto_aws: Aws, keep: dict[str, Any], amount: str) -> None:
    record(served(input=0, output=0))
    status = [{"TagKey": "TenantID", "Status": "Active"}]
    moto_aws("ce").update_cost_allocation_tags_status(CostAllocationTagsStatus=status)
    record(served())
    record(served(tags={"TenantID": "B"}, output=0))
    assert month(moto_aws, Filter=keep) == amount


def test_days_services_and_what_is_refused(moto_aws: Aws) -> None:
    record(served())
    today = datetime.fromtimestamp(clock.now(), UTC).date()
    period = {"Start": str(type(today).fromordinal(today.toordinal() - 1)), "End": str(today)}
    asked = {"TimePeriod": period, "Granularity": "DAILY", "Metrics": ["UnblendedCost"]}
    (yesterday,) = moto_aws("ce").get_cost_and_usage(**asked)["ResultsByTime"]
    assert yesterday["Total"]["UnblendedCost"]["Amount"] == "0"
    assert month(moto_aws, GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}]) == {("Amazon Bedrock",): "0.000375"}
    refused: list[dict[str, Any]] = [
        {"TimePeriod": {"Start": str(today), "End": str(today)}},
        {"TimePeriod": {"Start": "yesterday", "End": str(today)}},
        {"Metrics": ["Cost"]},
        {"GroupBy": [{"Type": "TAG", "Key": key} for key in "abc"]},
        {"Filter": {"Tags": {}, "Dimensions": {}}},
    ]
    for wrong in refused:
        with pytest.raises(ClientError) as caught:
            moto_aws("ce").get_cost_and_usage(**{**asked, **wrong})
        assert caught.value.response["Error"]["Code"] == "ValidationException"
