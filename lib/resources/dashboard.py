"""The one CloudWatch dashboard."""

from __future__ import annotations

import json
from typing import Any

from lib.aws import Aws
from lib.config import Config
from lib.dashboard_body import dashboard_body
from lib.errors import AwsError
from lib.names import names_of
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "dashboard"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Put the dashboard where its body differs. Raises AwsError with AWS's validation messages, should there be any."""
    names = names_of(config, aws.account)
    alarm_arns = [
        f"arn:{aws.partition}:cloudwatch:{aws.region}:{aws.account}:alarm:{alarm}"
        for profile in config.profiles
        for alarm in names.alarms(profile.name)
    ]
    wanted = dashboard_body(config, alarm_arns)
    current = _current(aws, names.dashboard)
    if current == wanted:
        return
    answer = aws.write(
        "~" if current is not None else "+",
        f"{'updating' if current is not None else 'creating'} dashboard {names.dashboard}",
        "cloudwatch",
        "put_dashboard",
        DashboardName=names.dashboard,
        DashboardBody=json.dumps(wanted, separators=(",", ":")),
    )
    messages = answer.get("DashboardValidationMessages") or []
    if messages:
        told = "; ".join(f"{message.get('DataPath', '')}: {message.get('Message', '')}" for message in messages)
        raise AwsError(
            f"CloudWatch has objections to dashboard {names.dashboard}: {told}", "This is our bug; report it."
        )


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the dashboard."""
    name = names_of(config, aws.account).dashboard
    if _current(aws, name) is not None:
        aws.write("-", f"deleting dashboard {name}", "cloudwatch", "delete_dashboards", DashboardNames=[name])


def remaining(aws: Aws, config: Config) -> list[str]:
    """The dashboard, by its name."""
    name = names_of(config, aws.account).dashboard
    return [f"dashboard {name}"] if _current(aws, name) is not None else []


def _current(aws: Aws, name: str) -> dict[str, Any] | None:
    answer = aws.read("cloudwatch", "get_dashboard", DashboardName=name)
    if answer is None:
        return None
    try:
        body = json.loads(answer["DashboardBody"])
    except ValueError:  # somebody's hand; ours replaces it
        return {}
    return body if isinstance(body, dict) else {}
