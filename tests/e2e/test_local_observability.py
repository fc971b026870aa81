"""Metrics, alarms, mail, schedules and faults of the embedded AWS over real HTTP, with its own clock ticking."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest

from lib.local.mailbox import Mailbox

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]

FUNCTION = """
import json, time
def handle(event, context):
    directive = {"Namespace": "App", "Dimensions": [["Profile"]], "Metrics": [{"Name": "Requests", "Unit": "Count"}]}
    metadata = {"Timestamp": event["at"], "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": metadata, "Profile": "p", "Requests": event["requests"]}))
    return {}
"""


def eventually(what: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.1)
    return what()


class Here:
    """An embedded AWS in a process of its own, and the tools of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "lib.local", "--port", "0", "--dir", str(folder)]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        assert eventually(lambda: bool(self.endpoint), 40)

    @property
    def endpoint(self) -> str:
        """Where it answers; "" while it starts."""
        try:
            return str(json.loads((self.folder / "server.json").read_text())["endpoint_url"])
        except (OSError, ValueError):
            return ""

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=self.endpoint,
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of an address of the embedded AWS: parsed where it is JSON, else its text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)  # noqa: S310 - our own endpoint
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            content = reply.read().decode()
            return json.loads(content) if reply.headers["content-type"] == "application/json" else content

    def now(self) -> float:
        return float(self.admin("GET", "/_local/clock")["now"])

    def forward_to(self, epoch: float) -> None:
        """Move the clock so that it shows `epoch`."""
        self.admin("POST", "/_local/clock", {"offset": epoch - time.time()})

    def mails(self) -> list[EmailMessage]:
        """What lies in the folder for mail, oldest first."""
        return Mailbox(self.folder / "mail").mails()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    here = Here(tmp_path_factory.mktemp("local"))
    yield here
    here.stop()


def test_from_a_line_of_a_real_function_to_one_mail(here: Here) -> None:
    sns, cloudwatch, functions = here.client("sns"), here.client("cloudwatch"), here.client("lambda")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="admin@example.com")
    assert [str(mail["Subject"]) for mail in here.mails()] == ["AWS Notification - Subscription Confirmation"]
    metric = {"Namespace": "App", "MetricName": "Requests", "Dimensions": [{"Name": "Profile", "Value": "p"}]}
    cloudwatch.put_metric_alarm(
        AlarmName="Requests-p", EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic], TreatMissingData="notBreaching",
        Metrics=[
            {"Id": "total", "Expression": "FILL(m1, 0)", "ReturnData": True},
            {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        ],
    )  # fmt: skip

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=["Requests-p"])["MetricAlarms"][0]["StateValue"])

    minute = here.now() // 60 * 60 + 60
    here.forward_to(minute + 5)
    assert eventually(lambda: state() == "OK")
    _function(here)
    payload = json.dumps({"at": int((minute + 6) * 1000), "requests": 11}).encode()
    answer = functions.invoke(FunctionName="f", Payload=payload)
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    here.forward_to(minute + 65)
    assert eventually(lambda: state() == "ALARM")
    here.forward_to(minute + 125)
    assert eventually(lambda: state() == "OK")
    assert [str(mail["Subject"]) for mail in here.mails()[1:]] == ['ALARM: "Requests-p" in US East (N. Virginia)']
    start = here.now() - 600
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=start, EndTime=start + 1200,
    )["MetricDataResults"]  # fmt: skip
    assert [(result["Label"], result["Values"]) for result in found] == [("Requests Sum", [11.0])]


def test_a_schedule_runs_the_real_function(here: Here) -> None:
    events, functions, logs = here.client("events"), here.client("lambda"), here.client("logs")
    _function(here)
    arn = events.put_rule(Name="tick", ScheduleExpression="rate(1 minute)")["RuleArn"]
    target = {"Id": "1", "Arn": functions.get_function(FunctionName="f")["Configuration"]["FunctionArn"]}
    at = int(here.now() * 1000)
    events.put_targets(Rule="tick", Targets=[{**target, "Input": json.dumps({"at": at, "requests": 424242})}])
    functions.add_permission(
        FunctionName="f", StatementId="tick", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=arn,
    )  # fmt: skip
    time.sleep(1.2)  # the ticker sees the rule; from then on its minute counts
    here.forward_to(here.now() + 61)

    def ran() -> bool:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False  # it has never run
        return any("424242" in event["message"] for event in found)

    assert eventually(ran)
    events.remove_targets(Rule="tick", Ids=["1"])
    events.delete_rule(Name="tick")


def test_a_pending_address_is_confirmed_by_opening_its_link(here: Here) -> None:
    sns = here.client("sns")
    topic = sns.create_topic(Name="pending")["TopicArn"]
    here.admin("POST", "/_local/mail", {"auto_confirm": False})
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="later@example.com")
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"] for one in listed] == ["PendingConfirmation"]
    words = here.mails()[-1].get_content().split()
    link = next(word for word in words if "/_local/mail/confirm?token=" in word)
    assert "later@example.com is now subscribed" in here.admin("GET", link.removeprefix(here.endpoint))
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"].startswith(topic) for one in listed] == [True]
    here.admin("POST", "/_local/mail", {"auto_confirm": True})


@pytest.mark.parametrize("fault", ["throttle", "500", "drop-before", "drop-after"])
def test_an_ordinary_client_gets_over_one_fault(here: Here, fault: str) -> None:
    here.admin("POST", "/_local/control_faults", [{"service": "s3", "call": 1, "fault": fault}])
    here.client("s3").create_bucket(Bucket=f"bucket-{fault}")
    seen = here.admin("GET", "/_local/control_faults")["calls"]
    here.admin("POST", "/_local/control_faults", [])
    names = [bucket["Name"] for bucket in here.client("s3").list_buckets()["Buckets"]]
    assert names.count(f"bucket-{fault}") == 1
    assert seen == [["s3", "CreateBucket"]] * 2


def _function(here: Here) -> None:
    functions, iam = here.client("lambda"), here.client("iam")
    try:
        functions.get_function(FunctionName="f")
        return
    except functions.exceptions.ResourceNotFoundException:
        pass
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="f", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    logs = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**logs, "Resource": "*"}]})
    iam.put_role_policy(RoleName="f", PolicyName="logs", PolicyDocument=policy)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", FUNCTION)

    settings = {"FunctionName": "f", "Runtime": "python3.13", "Handler": "f.handle", "Role": role}

    def created() -> bool:
        try:
            functions.create_function(**settings, Code={"ZipFile": buffer.getvalue()})
        except functions.exceptions.InvalidParameterValueException:
            return False  # the role cannot be assumed yet
        return True

    assert eventually(created)
