"""Lambda on the embedded AWS: what a function sees, how it ends, what is logged, and what Lambda refuses."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.e2e.gateway import TRUST, admin, make_function, make_role

pytestmark = pytest.mark.e2e

Client = Callable[..., Any]


def invoke(aws: Client, event: Any = None, **more: Any) -> tuple[Any, str]:
    """(answer, error) of a synchronous call."""
    answer = aws("lambda").invoke(FunctionName="app", Payload=json.dumps(event).encode(), **more)
    return json.loads(answer["Payload"].read() or b"null"), answer.get("FunctionError", "")


def eventually(what: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
    return found


def logged(aws: Client) -> list[str]:
    return [event["message"] for event in aws("logs").filter_log_events(logGroupName="/aws/lambda/app")["events"]]


def test_what_a_function_sees(aws: Client, embedded_aws: str) -> None:
    source = """
import os
def handle(event, context):
    kept = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "MINE")
    return {
        "event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn, "key": os.environ["AWS_ACCESS_KEY_ID"][:4],
        "memory": context.memory_limit_in_mb, **{name: os.environ[name] for name in kept},
    }
"""
    arn = make_function(aws, source, Environment={"Variables": {"MINE": "1"}}, MemorySize=256)
    seen, error = invoke(aws, {"a": ["ä", None, 1.5]})
    assert error == ""
    assert uuid.UUID(seen.pop("id"))
    assert 9_000 < seen.pop("left") <= 10_000
    assert seen == {
        "event": {"a": ["ä", None, 1.5]}, "arn": arn, "key": "ASIA", "memory": "256", "MINE": "1",
        "AWS_ENDPOINT_URL": embedded_aws, "AWS_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "app",
    }  # fmt: skip


def test_a_process_stays_warm_until_code_or_configuration_changes(aws: Client) -> None:
    source = (
        "import os\ncalls = 0\ndef handle(event, context):\n global calls\n calls += 1\n return [os.getpid(), calls]"
    )
    make_function(aws, source)
    (first, one), (second, two) = invoke(aws)[0], invoke(aws)[0]
    assert (first, one, two) == (second, 1, 2)
    aws("lambda").update_function_configuration(FunctionName="app", Environment={"Variables": {"A": "1"}})
    third, three = invoke(aws)[0]
    assert (third != first, three) == (True, 1)
    eventually(lambda: not _runs(first))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("def handle(event, context): raise ValueError('no')", "ValueError", "no"),
        ("import nothing_like_this", "Runtime.ImportModuleError", "Unable to import module 'app'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handle' missing"),
        ("def handle(event, context): return {1, 2}", "Runtime.MarshalError", "Unable to marshal response"),
        ("import os\ndef handle(event, context): os._exit(3)", "Runtime.ExitError", "Runtime exited"),
        ("raise RuntimeError('broken module')", "RuntimeError", "broken module"),
    ],
)
def test_errors(aws: Client, source: str, kind: str, said: str) -> None:
    make_function(aws, source)
    for _ in range(2):
        answer, error = invoke(aws)
        assert (error, answer["errorType"]) == ("Unhandled", kind)
        assert said in answer["errorMessage"]


def test_a_function_is_ended_at_its_time_out(aws: Client) -> None:
    source = (
        "import os, time\ndef handle(event, context):\n print(os.getpid(), flush=True)\n time.sleep(event)\n return 1"
    )
    make_function(aws, source, Timeout=1)
    answer, error = invoke(aws, 30)
    assert (error, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "timed out after 1.00 seconds" in answer["errorMessage"]
    assert not _runs(int(logged(aws)[1]))
    assert invoke(aws, 0) == (1, "")


def test_what_it_writes_is_logged_between_lambdas_own_lines(aws: Client) -> None:
    source = "import sys\ndef handle(event, context):\n print('out')\n sys.stderr.write('err\\n')"
    make_function(aws, source)
    answer = aws("lambda").invoke(FunctionName="app", LogType="Tail")
    assert base64.b64decode(answer["LogResult"]).decode().split() == ["out", "err"]
    start, *lines, end, report = logged(aws)
    assert lines == ["out", "err"]
    assert (start[:5], end[:3], "Billed Duration" in report) == ("START", "END", True)
    (stream,) = aws("logs").describe_log_streams(logGroupName="/aws/lambda/app")["logStreams"]
    assert "[$LATEST]" in stream["logStreamName"]


def test_a_role_that_may_not_write_logs_leaves_none(aws: Client) -> None:
    role = make_role(aws, "mute")
    aws("iam").delete_role_policy(RoleName="mute", PolicyName="inline")
    make_function(aws, "def handle(event, context): print('x')", role=role)
    assert invoke(aws) == (None, "")
    assert logged(aws) == []


def test_asynchronous_and_dry_calls(aws: Client) -> None:
    make_function(aws, "import time\ndef handle(event, context):\n time.sleep(0.5)\n print('ran', event)")
    began = time.monotonic()
    dry = aws("lambda").invoke(FunctionName="app", InvocationType="DryRun")
    later = aws("lambda").invoke(FunctionName="app", InvocationType="Event", Payload=b"7")
    assert (dry["StatusCode"], later["StatusCode"]) == (204, 202)
    assert time.monotonic() - began < 0.5
    eventually(lambda: "ran 7" in logged(aws))


def test_reserved_concurrency_throttles_and_lets_asynchronous_calls_wait(aws: Client) -> None:
    make_function(aws, "import time\ndef handle(event, context):\n time.sleep(1)\n print('ran', event)")
    aws("lambda").put_function_concurrency(FunctionName="app", ReservedConcurrentExecutions=1)
    for number in (1, 2):
        aws("lambda").invoke(FunctionName="app", InvocationType="Event", Payload=str(number).encode())
    time.sleep(0.3)
    with pytest.raises(botocore.exceptions.ClientError, match="TooManyRequestsException"):
        invoke(aws)
    eventually(lambda: {"ran 1", "ran 2"} <= set(logged(aws)))


def test_the_clock_of_functions_is_ours(aws: Client, embedded_aws: str) -> None:
    make_function(aws, "import time\nloaded = time.time()\ndef handle(event, context): return [loaded, time.time()]")
    admin(embedded_aws, "POST", "/_local/clock", {"offset": 86_400})
    (loaded, now), _ = invoke(aws)
    assert loaded - time.time() == pytest.approx(86_400, abs=5)
    admin(embedded_aws, "POST", "/_local/clock", {"offset": 2 * 86_400})
    (again, later), _ = invoke(aws)
    assert again == loaded
    assert later - now == pytest.approx(86_400, abs=5)


@pytest.mark.parametrize("how", ["all", "random"])
def test_a_worker_can_be_killed_in_the_middle(aws: Client, embedded_aws: str, how: str) -> None:
    make_function(aws, "import time\ndef handle(event, context):\n print('began', flush=True)\n time.sleep(event)")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(invoke(aws, 20)))
    thread.start()
    killed = {"function": "app", "how": how}
    assert eventually(lambda: admin(embedded_aws, "POST", "/_local/lambda/kill", killed)["killed"]) == 1
    thread.join(15)
    assert answers[0][0]["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in answers[0][0]["errorMessage"]
    assert invoke(aws, 0) == (None, "")


def test_it_counts_in_aws_lambda(aws: Client, embedded_aws: str) -> None:
    make_function(aws, "def handle(event, context): return 1 / event")
    assert [invoke(aws, event)[1] for event in (1, 0)] == ["", "Unhandled"]
    now = admin(embedded_aws, "GET", "/_local/clock")["now"]
    for name, expected in (("Invocations", 2), ("Errors", 1)):
        points = aws("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName=name, Dimensions=[{"Name": "FunctionName", "Value": "app"}],
            StartTime=now - 3600, EndTime=now + 60, Period=86_400, Statistics=["Sum"],
        )["Datapoints"]  # fmt: skip
        assert sum(point["Sum"] for point in points) == expected


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"role": "arn:aws:iam::123456789012:role/nobody"}, "cannot be assumed by Lambda"),
        ({"role": "UNTRUSTED"}, "cannot be assumed by Lambda"),
        ({"Runtime": "python2.7"}, "python2.7"),
        ({"Timeout": 901}, "Timeout"),
        ({"MemorySize": 64}, "MemorySize"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        ({"Environment": {"Variables": {"A": "x" * 4096}}}, "4KB"),
    ],
)
def test_what_lambda_refuses(aws: Client, settings: dict[str, Any], said: str) -> None:
    if settings.get("role") == "UNTRUSTED":
        statement = {**TRUST["Statement"][0], "Principal": {"Service": "ec2.amazonaws.com"}}  # type: ignore[dict-item]
        settings = {"role": make_role(aws, "ec2", trust={**TRUST, "Statement": [statement]})}
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidParameterValueException") as refused:
        make_function(aws, "", **{"name": "app", **settings})
    assert said in str(refused.value)


def test_a_new_role_can_be_slow(aws: Client, embedded_aws: str) -> None:
    admin(embedded_aws, "POST", "/_local/roles", {"seconds": 1})
    role = make_role(aws, "new")
    with pytest.raises(botocore.exceptions.ClientError, match="cannot be assumed by Lambda"):
        make_function(aws, "", role=role)
    time.sleep(1.1)
    make_function(aws, "", name="other", role=role)


def test_statement_ids_and_event_settings(aws: Client) -> None:
    make_function(aws, "")
    permission = {
        "FunctionName": "app", "StatementId": "s", "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
    }  # fmt: skip
    aws("lambda").add_permission(**permission)
    with pytest.raises(botocore.exceptions.ClientError, match="ResourceConflictException"):
        aws("lambda").add_permission(**permission)
    for age in (60, 120):
        aws("lambda").put_function_event_invoke_config(FunctionName="app", MaximumEventAgeInSeconds=age)
        assert aws("lambda").get_function_event_invoke_config(FunctionName="app")["MaximumEventAgeInSeconds"] == age


def test_workers_end_with_their_function(aws: Client) -> None:
    make_function(aws, "import os\ndef handle(event, context): return os.getpid()")
    pid, _ = invoke(aws)
    aws("lambda").delete_function(FunctionName="app")
    eventually(lambda: not _runs(pid))
