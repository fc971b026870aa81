"""Pacing and control faults: refusals in each service's own words, lost answers, and what took effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.local import clock
from lib.local.admin import ROUTES
from lib.local.control_faults import control_faults
from lib.local.door import Dropped
from lib.local.pacing import pacing

Aws = Callable[[str], Any]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    pacing.switch(False)
    control_faults.set([])


def code(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "call", "throttled"),
    [
        ("apigateway", lambda c: c.get_rest_apis(), ("TooManyRequestsException", 429)),
        ("bedrock", lambda c: c.list_custom_models(), ("ThrottlingException", 429)),
        ("cloudwatch", lambda c: c.describe_alarms(), ("Throttling", 400)),
        ("dynamodb", lambda c: c.list_tables(), ("ThrottlingException", 400)),
        ("events", lambda c: c.list_rules(), ("ThrottlingException", 400)),
        ("iam", lambda c: c.list_roles(), ("Throttling", 400)),
        ("lambda", lambda c: c.list_functions(), ("TooManyRequestsException", 429)),
        ("logs", lambda c: c.describe_log_groups(), ("ThrottlingException", 400)),
        ("s3", lambda c: c.list_buckets(), ("SlowDown", 503)),
        ("sns", lambda c: c.list_topics(), ("Throttled", 429)),
        ("sts", lambda c: c.get_caller_identity(), ("Throttling", 400)),
    ],
)
def test_every_protocol(moto_aws: Aws, service: str, call: Callable[[Any], Any], throttled: tuple[str, int]) -> None:
    control_faults.set(
        [{"service": service, "call": 1, "fault": "throttle"}, {"service": service, "call": 2, "fault": "500"}]
    )
    assert code(lambda: call(moto_aws(service))) == throttled
    assert code(lambda: call(moto_aws(service))) == ("InternalFailure", 500)
    assert call(moto_aws(service))["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("fault", "applied"),
    [("throttle", False), ("500", False), ("500-after", True), ("drop-before", False), ("drop-after", True)],
)
def test_the_nth_call_fails_before_or_after_it_took_effect(moto_aws: Aws, fault: str, applied: bool) -> None:
    sns = moto_aws("sns")
    control_faults.set([{"service": "sns", "operation": "CreateTopic", "call": 2, "fault": fault}])
    sns.create_topic(Name="one")
    with pytest.raises(Dropped if fault.startswith("drop") else ClientError):
        sns.create_topic(Name="two")
    sns.create_topic(Name="three")
    names = {topic["TopicArn"].rsplit(":", 1)[1] for topic in sns.list_topics()["Topics"]}
    assert names == ({"one", "two", "three"} if applied else {"one", "three"})
    assert list(control_faults.calls) == [("sns", "CreateTopic")] * 3 + [("sns", "ListTopics")]


def test_pacing_is_off_by_default_and_follows_the_clock(moto_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    apis, at = moto_aws("apigateway"), [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: at[0])
    for _ in range(3):
        apis.create_rest_api(name="x")
    pacing.switch(True)
    apis.create_rest_api(name="x")
    assert code(lambda: apis.create_rest_api(name="x")) == ("TooManyRequestsException", 429)
    at[0] += 2.9
    assert code(lambda: apis.create_rest_api(name="x"))[1] == 429
    at[0] += 0.2
    apis.create_rest_api(name="x")
    assert pacing.refused == 2
    cloudwatch, outcomes = moto_aws("cloudwatch"), []
    for number in range(5):
        try:
            cloudwatch.put_metric_alarm(
                AlarmName=f"a{number}", Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
                Threshold=1, ComparisonOperator="GreaterThanThreshold",
            )  # fmt: skip
            outcomes.append("ok")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["ok", "ok", "ok", "Throttling", "Throttling"]


def test_quotas_can_be_read_and_lowered(moto_aws: Aws) -> None:
    quotas = moto_aws("service-quotas")
    asked = {"ServiceCode": "bedrock", "QuotaCode": "L-40EC9882"}
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 1000
    body = json.dumps({"service": "bedrock", "code": "L-40EC9882", "value": 3}).encode()
    assert ROUTES["POST", "/_local/quotas"]({}, body).status == 200
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 3
    assert quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"] == 1000
    assert [quota["QuotaName"] for quota in quotas.list_service_quotas(ServiceCode="lambda")["Quotas"]] == [
        "Concurrent executions"
    ]
    assert code(lambda: quotas.get_service_quota(ServiceCode="bedrock", QuotaCode="x"))[0] == "NoSuchResourceException"
    assert code(lambda: quotas.list_service_quotas(ServiceCode="chess"))[0] == "NoSuchResourceException"
