"""CloudWatch's metric operations through boto3: exact sums end to end, expressions, paging, refusals; and log lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.local import clock

Aws = Callable[[str], Any]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    """The full minute that just ended."""
    return datetime.fromtimestamp(clock.now() // 60 * 60, UTC) - MINUTE


def stat(id: str, name: str, stat: str = "Sum", period: int = 60, **dimensions: str) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": "App", "MetricName": name, "Dimensions": pairs}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def ask(aws: Aws, now: datetime, *queries: dict[str, Any], **more: Any) -> dict[str, list[float]]:
    answer = aws("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        **{"StartTime": now - 5 * MINUTE, "EndTime": now + MINUTE, "ScanBy": "TimestampAscending", **more},
    )
    return {f"{result['Id']} {result['Label']}": result["Values"] for result in answer["MetricDataResults"]}


def test_what_is_put_comes_back(moto_aws: Aws, now: datetime) -> None:
    put = moto_aws("cloudwatch").put_metric_data
    dimensions = [{"Name": "TenantID", "Value": "A"}]
    base = {"MetricName": "Latency", "Dimensions": dimensions, "Unit": "Milliseconds"}
    put(Namespace="App", MetricData=[{**base, "Timestamp": now, "Values": [1.0, 2.0, 9.0], "Counts": [1, 2, 1]}])
    put(Namespace="App", MetricData=[{**base, "Timestamp": now - MINUTE, "Value": 0.1}])
    sums = {"SampleCount": 2, "Sum": 8, "Minimum": 3, "Maximum": 5}
    put(Namespace="App", MetricData=[{**base, "Timestamp": now - MINUTE, "StatisticValues": sums}])
    assert ask(
        moto_aws, now,
        stat("a", "Latency", TenantID="A"), stat("b", "Latency", "p50", TenantID="A"),
        stat("c", "Latency", "SampleCount", 300, TenantID="A"), stat("d", "Latency"),
        {"Id": "e", "Expression": "a * 2", "Label": "double"},
    ) == {
        "a Latency Sum": [8.1, 14.0], "b Latency p50": [2.0], "c Latency SampleCount": [3.0, 4.0], "d Latency Sum": [],
        "e double": [16.2, 28.0],
    }  # fmt: skip
    points = moto_aws("cloudwatch").get_metric_statistics(
        Namespace="App", MetricName="Latency", Dimensions=dimensions, StartTime=now - 5 * MINUTE, EndTime=now + MINUTE,
        Period=60, Statistics=["Average", "Maximum"], ExtendedStatistics=["p100"],
    )["Datapoints"]  # fmt: skip
    assert [(p["Average"], p["Maximum"], p["Unit"], p["ExtendedStatistics"]) for p in points] == [
        (2.7, 5.0, "Milliseconds", {}), (3.5, 9.0, "Milliseconds", {"p100": 9.0})
    ]  # fmt: skip


def test_costs_in_log_lines_add_up_to_the_last_pico_dollar(moto_aws: Aws, now: datetime) -> None:
    logs = moto_aws("logs")
    logs.create_log_group(logGroupName="/aws/lambda/f")
    logs.create_log_stream(logGroupName="/aws/lambda/f", logStreamName="s")
    picos = [pow(7, n, 10**9) * 123_457 + n for n in range(300)]
    events: list[dict[str, Any]] = []
    for index, pico in enumerate(picos):
        at = int((now - (index % 5) * MINUTE).timestamp() * 1000)
        directive = {"Namespace": "App", "Dimensions": [["TenantID"]], "Metrics": [{"Name": "Cost"}]}
        line = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, "TenantID": "A", "Cost": "@"}
        message = json.dumps(line).replace('"@"', format(Decimal(pico).scaleb(-12), "f"))
        events.append({"timestamp": at, "message": message})
    events.append({"timestamp": int(time.time() * 1000), "message": '{"_aws": {"CloudWatchMetrics": 3}}'})
    logs.put_log_events(
        logGroupName="/aws/lambda/f", logStreamName="s", logEvents=sorted(events, key=lambda e: e["timestamp"])
    )
    (values,) = ask(moto_aws, now, stat("c", "Cost", TenantID="A")).values()
    assert len(values) == 5
    assert sum(round(Decimal(repr(value)).scaleb(12)) for value in values) == sum(picos)
    assert len(logs.get_log_events(logGroupName="/aws/lambda/f", logStreamName="s")["events"]) == 301
    listed = moto_aws("cloudwatch").list_metrics(Namespace="AWS/Logs")["Metrics"]
    assert [metric["MetricName"] for metric in listed] == ["EMFValidationErrors"]


def test_search_with_dynamic_labels(moto_aws: Aws, now: datetime) -> None:
    for tenant, value in (("B", 2.0), ("A", 1.0)):
        datum = {"MetricName": "Cost", "Dimensions": [{"Name": "TenantID", "Value": tenant}], "Value": value}
        moto_aws("cloudwatch").put_metric_data(Namespace="App", MetricData=[{**datum, "Timestamp": now}])
    search = {"Id": "s", "Expression": "SEARCH('{App,TenantID} MetricName=\"Cost\"', 'Sum', 60)"}
    assert ask(moto_aws, now, search) == {"s A": [1.0], "s B": [2.0]}
    label = "${PROP('Dim.TenantID')} ${SUM} ${LABEL} ${NOPE}"
    assert ask(moto_aws, now, {**search, "Label": label}) == {"s A 1 A ${NOPE}": [1.0], "s B 2 B ${NOPE}": [2.0]}


def test_paging(moto_aws: Aws, now: datetime) -> None:
    cloudwatch = moto_aws("cloudwatch")
    data = [{"MetricName": f"m{number:04}", "Timestamp": now, "Value": number} for number in range(1200)]
    for batch in (data[:1000], data[1000:]):
        cloudwatch.put_metric_data(Namespace="App", MetricData=batch)
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="App"))
    names = [metric["MetricName"] for page in pages for metric in page["Metrics"]]
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 200]
    assert names == [f"m{number:04}" for number in range(1200)]
    got = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[stat(f"q{n}", f"m{n:04}") for n in range(7)],
        StartTime=now, EndTime=now + MINUTE, MaxDatapoints=3,
    )  # fmt: skip
    found = [value for page in got for result in page["MetricDataResults"] for value in result["Values"]]
    assert found == [0, 1, 2, 3, 4, 5, 6]


def test_metrics_silent_for_two_weeks_are_not_listed(moto_aws: Aws, now: datetime) -> None:
    cloudwatch = moto_aws("cloudwatch")
    for name, age in (("old", 13.9), ("fresh", 0)):
        datum = {"MetricName": name, "Timestamp": now - timedelta(days=age), "Value": 1}
        cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])
    assert len(cloudwatch.list_metrics(Namespace="App")["Metrics"]) == 2
    recent = cloudwatch.list_metrics(Namespace="App", RecentlyActive="PT3H")["Metrics"]
    assert [metric["MetricName"] for metric in recent] == ["fresh"]


@pytest.mark.parametrize(
    ("namespace", "datum", "says"),
    [
        ("AWS/Mine", {"Value": 1}, "Namespace"),
        ("App", {"Value": 2.0**361}, "invalid"),
        ("App", {"Value": float("inf")}, "invalid"),
        ("App", {"Value": 1, "Values": [1.0]}, "exactly one"),
        ("App", {}, "exactly one"),
        ("App", {"Values": [1.0, 2.0], "Counts": [1.0]}, "same size"),
        ("App", {"Values": [1.0] * 151}, "150"),
        ("App", {"Value": 1, "StorageResolution": 30}, "StorageResolution"),
        ("App", {"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "two weeks"),
        ("App", {"Value": 1, "Timestamp": datetime.now(UTC) + timedelta(hours=3)}, "two hours"),
        ("App", {"Value": 1, "Dimensions": [{"Name": f"d{n}", "Value": "x"} for n in range(31)]}, "at most 30"),
    ],
)
def test_put_refused(moto_aws: Aws, namespace: str, datum: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        moto_aws("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **datum}])
    assert moto_aws("cloudwatch").list_metrics()["Metrics"] == []


@pytest.mark.parametrize(
    ("queries", "more", "says"),
    [
        ([stat("A", "m")], {}, "Id"),
        ([stat("a", "m"), stat("a", "n")], {}, "not unique"),
        ([{"Id": "a"}], {}, "exactly one"),
        ([stat("a", "m", "Mean")], {}, "Mean"),
        ([stat("a", "m", period=90)], {}, "Period"),
        ([{"Id": "e", "Expression": "SUM(m1)"}, stat("m1", "m")], {}, "single number"),
        ([{"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "e"}], {}, "refers to itself"),
        ([stat(f"q{n}", "m") for n in range(501)], {}, "500"),
        ([stat("a", "m")], {"EndTime": datetime(2020, 1, 1, tzinfo=UTC)}, "EndTime"),
    ],
)  # fmt: skip
def test_get_refused(moto_aws: Aws, now: datetime, queries: list[Any], more: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says) as caught:
        ask(moto_aws, now, *queries, **more)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_statistics_refused(moto_aws: Aws, now: datetime) -> None:
    with pytest.raises(ClientError, match="1,440"):
        moto_aws("cloudwatch").get_metric_statistics(
            Namespace="App", MetricName="m", StartTime=now - 1441 * MINUTE, EndTime=now, Period=60, Statistics=["Sum"]
        )  # fmt: skip


def test_dashboards_are_checked_kept_and_tagged(moto_aws: Aws) -> None:
    cloudwatch = moto_aws("cloudwatch")
    body = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "properties": {"markdown": "hi"}}]})
    tags = [{"Key": "owner", "Value": "us"}]
    assert (
        cloudwatch.put_dashboard(DashboardName="d", DashboardBody=body, Tags=tags)["DashboardValidationMessages"] == []
    )
    held = cloudwatch.get_dashboard(DashboardName="d")
    assert held["DashboardBody"] == body
    assert cloudwatch.list_tags_for_resource(ResourceARN=held["DashboardArn"])["Tags"] == tags
    found = moto_aws("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "owner"}])["ResourceTagMappingList"]
    assert [resource["ResourceARN"] for resource in found] == [held["DashboardArn"]]
    for bad, says in (("{", "valid JSON"), ('{"widgets": [{"type": "text"}]}', "there are 2 validation errors")):
        with pytest.raises(ClientError, match=says) as caught:
            cloudwatch.put_dashboard(DashboardName="d", DashboardBody=bad)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
    with pytest.raises(ClientError, match="DashboardName"):
        cloudwatch.put_dashboard(DashboardName="a b", DashboardBody=body)
    assert cloudwatch.get_dashboard(DashboardName="d")["DashboardBody"] == body
    with pytest.raises(ClientError, match="do not exist: nobody"):
        cloudwatch.delete_dashboards(DashboardNames=["d", "nobody"])
    cloudwatch.delete_dashboards(DashboardNames=["d"])
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
