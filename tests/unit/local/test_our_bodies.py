"""What this project itself puts into CloudWatch passes AWS's rules as the embedded AWS has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.alarm_bodies import anomaly_alarm, operator_alarms, profile_alarms
from lib.config import Config, load
from lib.dashboard_body import dashboard_body
from lib.local.alarm_rules import check_alarm
from lib.local.dashboard_body import check_body
from lib.names import names_of

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "123456789012"


def generated(count: int, folder: Path) -> Config:
    """So many profiles, each tenant with five."""
    profiles = [
        {"name": f"p{n:04}", "tags": [{"key": "TenantID", "value": f"T{n // 5}"}, {"key": "App", "value": f"a{n % 5}"}]}
        for n in range(count)
    ]
    model = "anthropic.claude-3-haiku-20240307-v1:0"
    document = {"aws_region": "us-east-1", "sns_email": "a@example.com", "default_model_id": model}
    path = folder / "config.json"
    path.write_text(json.dumps({**document, "profiles": profiles}))
    return load(path, ROOT / "models.json", local=True)


@pytest.mark.parametrize("count", [None, 500, 1000])
def test_dashboard_and_alarms(count: int | None, tmp_path: Path) -> None:
    config = generated(count, tmp_path) if count else load(ROOT / "config.json", ROOT / "models.json", local=True)
    names = names_of(config, ACCOUNT)
    topic = f"arn:aws:sns:{config.region}:{ACCOUNT}:alerts"
    bodies = [body for profile in config.profiles for body in profile_alarms(names, profile, topic)]
    bodies += [anomaly_alarm(names, tenant, topic) for tenant in config.tenants]
    bodies += operator_alarms(names, topic)
    for body in bodies:
        check_alarm(body, config.region)
    arns = [f"arn:aws:cloudwatch:{config.region}:{ACCOUNT}:alarm:{body['AlarmName']}" for body in bodies]
    assert check_body(dashboard_body(config, arns)) == []
