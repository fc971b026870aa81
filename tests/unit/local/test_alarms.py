"""Alarms through boto3: what PutMetricAlarm refuses, how states follow the data, and what is told to whom, once."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.models import cloudwatch_backends

from lib.local import clock
from lib.local.alarms import AlarmClock
from lib.local.mail import office
from lib.local.metric_store import Metric, MetricStore, store_of

Aws = Callable[[str], Any]
ACCOUNT, REGION = "123456789012", "us-east-1"

SUCCESS = Metric.of("App", "InvocationSuccess", {"Profile": "p"})
FAILURE = Metric.of("App", "InvocationFailure", {"Profile": "p"})


def query(id: str, metric: Metric, returned: bool = False, period: int = 60) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": period, "Stat": "Sum"}, "ReturnData": returned}


def alarm(**changes: Any) -> dict[str, Any]:
    """More than ten requests in a minute."""
    body: dict[str, Any] = {
        "AlarmName": "Requests-p", "EvaluationPeriods": 1, "Threshold": 10.0, "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            {"Id": "total", "Expression": "FILL(m1, 0) + FILL(m2, 0)", "ReturnData": True},
            query("m1", SUCCESS), query("m2", FAILURE),
        ],
    }  # fmt: skip
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def simple(**changes: Any) -> dict[str, Any]:
    return alarm(**{
        "Metrics": None, "Namespace": "App", "MetricName": "Cost", "Statistic": "Sum", "Period": 60, **changes
    })  # fmt: skip


def banded(**changes: Any) -> dict[str, Any]:
    return alarm(
        Metrics=[
            query("m1", SUCCESS, returned=True, period=3600),
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 3)", "ReturnData": True},
        ],
        **{
            "Threshold": None,
            "ThresholdMetricId": "band",
            "ComparisonOperator": "GreaterThanUpperThreshold",
            **changes,
        },
    )


@pytest.mark.parametrize(
    "body", [alarm(), simple(), banded(), simple(Period=3600, EvaluationPeriods=168), alarm(Tags=[])]
)
def test_accepted(moto_aws: Aws, body: dict[str, Any]) -> None:
    moto_aws("cloudwatch").put_metric_alarm(**body)
    (held,) = moto_aws("cloudwatch").describe_alarms()["MetricAlarms"]
    assert held["StateValue"] == "INSUFFICIENT_DATA"
    assert all(held[key] == value for key, value in body.items() if key != "Tags")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (alarm(AlarmName="x" * 256), "255"),
        (alarm(AlarmName="a\tb"), "control characters"),
        (alarm(AlarmDescription="x" * 1025), "1024"),
        (alarm(Metrics=[query(f"m{n}", SUCCESS, n == 0) for n in range(11)]), "at most 10"),
        (alarm(Metrics=[query("M1", SUCCESS, True)]), r"\^\[a-z\]"),
        (alarm(Metrics=[query("m1", SUCCESS, True), query("m1", FAILURE)]), "not unique"),
        (alarm(Metrics=[query("m1", SUCCESS), query("m2", FAILURE)]), "Exactly one element"),
        (alarm(Metrics=[query("m1", SUCCESS, True), query("m2", FAILURE, True)]), "Exactly one element"),
        (alarm(Metrics=[query("m1", SUCCESS, True), query("m2", FAILURE, period=300)]), "same period"),
        (alarm(Metrics=[{"Id": "s", "Expression": "SUM(SEARCH('{App,Profile} x', 'Sum', 60))"}]), "SEARCH"),
        (alarm(Metrics=[{"Id": "e", "Expression": "m1 +"}, query("m1", SUCCESS)]), "Error in expression 'e'"),
        (alarm(Metrics=[{"Id": "e", "Expression": "m9"}, query("m1", SUCCESS)]), "m9"),
        (alarm(Metrics=[{"Id": "e", "Expression": "e + m1"}, query("m1", SUCCESS)]), "refers to itself"),
        (alarm(Metrics=[{"Id": "e", "Expression": "SUM(m1)"}, query("m1", SUCCESS)]), "single number"),
        (alarm(Metrics=[{"Id": "e", "Expression": "[m1, m1]"}, query("m1", SUCCESS)]), "one time series"),
        (alarm(Metrics=[{"Id": "e", "Expression": "TIME_SERIES(1)"}]), "at least one metric"),
        (alarm(Metrics=[{"Id": "e"}]), "MetricStat and Expression"),
        (alarm(MetricName="Cost"), "together with Metrics"),
        (simple(Period=None), "Period"),
        (simple(Period=90), "multiple of 60"),
        (simple(Period=1), "10, 20, 30"),
        (simple(Statistic=None), "Statistic"),
        (simple(ExtendedStatistic="p99"), "Exactly one"),
        (simple(Statistic=None, ExtendedStatistic="99"), "not supported"),
        (simple(EvaluationPeriods=1441), "more than a day"),
        (simple(Period=3600, EvaluationPeriods=169), "7 days"),
        (alarm(EvaluationPeriods=None), "EvaluationPeriods"),
        (alarm(DatapointsToAlarm=2), "DatapointsToAlarm"),
        (alarm(Threshold=None), "Threshold"),
        (alarm(ComparisonOperator=None), "comparisonOperator"),
        (alarm(ComparisonOperator="GreaterThanUpperThreshold"), "ThresholdMetricId"),
        (alarm(TreatMissingData="fine"), "TreatMissingData"),
        (alarm(AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:t{n}" for n in range(6)]), "at most 5"),
        (alarm(AlarmActions=["my-topic"]), "Invalid arn syntax"),
        (alarm(AlarmActions=[f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"]), "Only us-east-1"),
        (alarm(Tags=[{"Key": "aws:x", "Value": "y"}]), "aws:"),
        (alarm(Tags=[{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]), "twice"),
        (banded(Threshold=1.0), "Threshold"),
        (banded(ThresholdMetricId="m1"), "ANOMALY_DETECTION_BAND"),
        (banded(ComparisonOperator="GreaterThanThreshold"), "ThresholdMetricId"),
    ],
)
def test_refused(moto_aws: Aws, body: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says) as caught:
        moto_aws("cloudwatch").put_metric_alarm(**body)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert moto_aws("cloudwatch").describe_alarms()["MetricAlarms"] == []


class Scene:
    """One alarm that tells a topic with one address, and a clock that starts at a full minute."""

    def __init__(self, aws: Aws) -> None:
        self.cloudwatch, sns = aws("cloudwatch"), aws("sns")
        self.topic = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="admin@example.com")
        office.mailbox.clear()
        self.start = int(clock.now() // 60 + 1) * 60
        self.clock = AlarmClock()

    @property
    def store(self) -> MetricStore:
        return store_of(cloudwatch_backends[ACCOUNT][REGION])

    def put(self, metric: Metric, minute: float, value: float) -> None:
        self.store.put(metric, self.start + 60 * minute, value)

    def state_at(self, minute: float) -> str:
        """The state when the clock shows so many minutes and three seconds after the start."""
        self.clock.tick(self.start + 60 * minute + 3)
        return str(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"])

    def mails(self) -> list[str]:
        return [str(mail["Subject"]).split(":")[0] for mail in office.mailbox.mails()]


@pytest.fixture
def scene(moto_aws: Aws) -> Scene:
    return Scene(moto_aws)


def test_an_overrun_alarms_within_a_minute_once_and_ends(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic]))
    scene.put(SUCCESS, 0.5, 8)
    assert scene.state_at(0) == "OK"  # nothing before the start: filled with zeros
    assert scene.state_at(1) == "OK"  # 8 of 10
    scene.put(SUCCESS, 1.2, 9)
    scene.put(FAILURE, 1.9, 2)
    assert scene.state_at(1.9) == "OK"  # its period has not ended
    assert scene.state_at(2) == "ALARM"  # 11 in minute 1
    assert scene.state_at(2.5) == "ALARM"
    assert scene.state_at(3) == "OK"
    assert scene.mails() == ["ALARM"]


def test_while_a_state_lasts_nothing_more_is_sent(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic], OKActions=[scene.topic]))
    for minute in range(5):
        scene.put(SUCCESS, minute, 11)
        assert scene.state_at(minute + 1) == "ALARM"
    assert scene.state_at(9) == "OK"
    assert scene.mails() == ["OK", "ALARM", "OK"]  # a new alarm's first OK is told as well


def test_a_leap_of_the_clock_misses_no_transition(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic], OKActions=[scene.topic]))
    assert scene.state_at(0) == "OK"
    for minute in (10, 30, 31, 200):
        scene.put(SUCCESS, minute, 11)
    assert scene.state_at(600) == "OK"
    assert scene.mails() == ["OK", "ALARM", "OK", "ALARM", "OK", "ALARM", "OK"]
    history = scene.cloudwatch.describe_alarm_history(HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    at = [int((item["Timestamp"].timestamp() - scene.start) // 60) for item in history["AlarmHistoryItems"]]
    assert at == [0, 11, 12, 31, 33, 201, 202]


def test_a_sum_without_fill_never_fires_on_healthy_traffic(scene: Scene) -> None:
    body = alarm(Metrics=[{"Id": "e", "Expression": "m1 + m2"}, query("m1", SUCCESS), query("m2", FAILURE)])
    scene.cloudwatch.put_metric_alarm(**body)
    for minute in range(5):
        scene.put(SUCCESS, minute, 100)
    assert scene.state_at(5) == "OK"


def test_a_five_minute_window_slides_every_minute(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(
        **alarm(Metrics=[{"Id": "e", "Expression": "FILL(m1, 0)"}, query("m1", SUCCESS, period=300)])
    )
    for minute in (0, 3):
        scene.put(SUCCESS, minute, 6)
    states = [scene.state_at(minute) for minute in range(1, 8)]
    assert states == ["OK", "OK", "OK", "ALARM", "ALARM", "OK", "OK"]


def test_two_of_three_with_percentiles_of_few_samples_ignored(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(
        **simple(
            Statistic=None, ExtendedStatistic="p90", EvaluationPeriods=3, DatapointsToAlarm=2,
            EvaluateLowSampleCountPercentile="ignore",
        )
    )  # fmt: skip
    cost = Metric.of("App", "Cost")
    for minute in range(3):
        scene.put(cost, minute, 99)
    assert scene.state_at(3) == "INSUFFICIENT_DATA"  # 3 samples, 100 needed
    for minute in (3, 4):
        for _ in range(60):
            scene.put(cost, minute, 99)
    assert scene.state_at(5) == "ALARM"


def test_an_anomaly_alarm_trains_then_judges(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**banded(TreatMissingData="missing"))
    scene.put(SUCCESS, -30, 100)
    assert scene.state_at(1) == "INSUFFICIENT_DATA"
    for hour in range(2, 200):
        scene.put(SUCCESS, -60 * hour, 100 + hour % 3)
    assert scene.state_at(2) == "OK"
    scene.put(SUCCESS, 1.5, 500)
    assert scene.state_at(3) == "ALARM"


def test_set_alarm_state_acts_and_the_next_evaluation_corrects_it(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic]))
    assert scene.state_at(0) == "OK"
    for _ in range(2):
        scene.cloudwatch.set_alarm_state(AlarmName="Requests-p", StateValue="ALARM", StateReason="a drill")
    assert scene.mails() == ["ALARM"]
    assert scene.state_at(1) == "OK"
    scene.cloudwatch.disable_alarm_actions(AlarmNames=["Requests-p"])
    scene.cloudwatch.set_alarm_state(AlarmName="Requests-p", StateValue="ALARM", StateReason="a drill")
    assert scene.mails() == ["ALARM"]


def test_the_mail_says_what_happened_and_other_subscribers_get_json(scene: Scene, moto_aws: Aws) -> None:
    queue = moto_aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    moto_aws("sns").subscribe(TopicArn=scene.topic, Protocol="sqs", Endpoint=arn)
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic], AlarmDescription="too many requests"))
    scene.put(SUCCESS, 0, 11)
    scene.state_at(1)
    (mail,) = office.mailbox.mails()
    text = mail.get_content()
    assert str(mail["Subject"]) == 'ALARM: "Requests-p" in US East (N. Virginia)'
    for fact in (
        "OK to ALARM",
        "11.0",
        "greater than 10.0",
        "too many requests",
        ACCOUNT,
        "Profile = p",
    ):
        assert fact in text
    (message,) = moto_aws("sqs").receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["NewStateValue"], told["OldStateValue"], told["AlarmName"]) == (
        "ALARM",
        "OK",
        "Requests-p",
    )


def test_actions_that_fail_are_in_the_history_and_stop_nothing(scene: Scene, moto_aws: Aws) -> None:
    function = moto_aws("lambda").create_function(
        FunctionName="f", Runtime="python3.13", Handler="f.f", Code={"ZipFile": _zip()}, Role=_role(moto_aws)
    )["FunctionArn"]  # fmt: skip
    actions = [f"arn:aws:sns:{REGION}:{ACCOUNT}:gone", function, scene.topic]
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=actions))
    scene.put(SUCCESS, 0, 11)
    scene.state_at(1)
    history = scene.cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]
    assert sorted(item["HistorySummary"].split(" action")[0] for item in history) == [
        "Failed to execute", "Failed to execute", "Successfully executed"
    ]  # fmt: skip
    assert any("lambda.alarms.cloudwatch.amazonaws.com is not authorized" in item["HistorySummary"] for item in history)
    assert scene.mails() == ["ALARM"]


def test_a_topic_policy_without_cloudwatch_stops_the_mail(scene: Scene, moto_aws: Aws) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": scene.topic}]})
    moto_aws("sns").set_topic_attributes(TopicArn=scene.topic, AttributeName="Policy", AttributeValue=policy)
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmActions=[scene.topic]))
    scene.put(SUCCESS, 0, 11)
    assert scene.state_at(1) == "ALARM"
    assert scene.mails() == []


def test_composite_alarms_follow_their_children(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm())
    scene.cloudwatch.put_composite_alarm(
        AlarmName="any", AlarmRule='ALARM("Requests-p") AND NOT FALSE', AlarmActions=[scene.topic]
    )
    scene.put(SUCCESS, 0, 11)
    scene.state_at(1)
    held = scene.cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])
    assert [alarm["StateValue"] for alarm in held["CompositeAlarms"]] == ["ALARM"]
    assert (held["MetricAlarms"], scene.mails()) == ([], ["ALARM"])
    with pytest.raises(ClientError, match="syntax"):
        scene.cloudwatch.put_composite_alarm(AlarmName="x", AlarmRule="ALARM(")
    with pytest.raises(ClientError, match="do not exist: nobody"):
        scene.cloudwatch.put_composite_alarm(AlarmName="x", AlarmRule="OK(nobody)")


def test_an_update_keeps_the_state_and_replaces_the_rest(scene: Scene) -> None:
    scene.cloudwatch.put_metric_alarm(**alarm(AlarmDescription="old", Tags=[{"Key": "k", "Value": "v"}]))
    assert scene.state_at(0) == "OK"
    scene.cloudwatch.put_metric_alarm(**simple(Tags=[{"Key": "k", "Value": "ignored"}]))
    (held,) = scene.cloudwatch.describe_alarms()["MetricAlarms"]
    assert (held["StateValue"], held["MetricName"], held.get("AlarmDescription")) == ("OK", "Cost", None)
    tags = scene.cloudwatch.list_tags_for_resource(ResourceARN=held["AlarmArn"])["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_describing_and_deleting_many(moto_aws: Aws) -> None:
    cloudwatch = moto_aws("cloudwatch")
    for number in range(120):
        cloudwatch.put_metric_alarm(**simple(AlarmName=f"a{number:03}"))
    first = cloudwatch.describe_alarms(MaxRecords=100)
    second = cloudwatch.describe_alarms(MaxRecords=100, NextToken=first["NextToken"])
    names = [alarm["AlarmName"] for page in (first, second) for alarm in page["MetricAlarms"]]
    assert names == [f"a{number:03}" for number in range(120)] and "NextToken" not in second
    assert len(cloudwatch.describe_alarms(AlarmNamePrefix="a01")["MetricAlarms"]) == 10
    with pytest.raises(ClientError, match="less than or equal to 100"):
        cloudwatch.delete_alarms(AlarmNames=names)
    cloudwatch.delete_alarms(AlarmNames=[*names[:99], "nobody"])
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == 21
    with pytest.raises(ClientError) as caught:
        cloudwatch.delete_alarms(AlarmNames=["nobody"])
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_anomaly_detectors_come_and_go(moto_aws: Aws) -> None:
    cloudwatch = moto_aws("cloudwatch")
    detector = {"Namespace": "App", "MetricName": "Cost", "Stat": "Sum", "Dimensions": [{"Name": "D", "Value": "x"}]}
    for _ in range(2):
        cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=detector)
    (held,) = cloudwatch.describe_anomaly_detectors(Namespace="App")["AnomalyDetectors"]
    assert held["SingleMetricAnomalyDetector"] == detector
    cloudwatch.delete_anomaly_detector(**detector)
    assert cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"] == []
    with pytest.raises(ClientError):
        cloudwatch.delete_anomaly_detector(**detector)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", "")
    return buffer.getvalue()


def _role(aws: Aws) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ],
    }
    return str(aws("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])
