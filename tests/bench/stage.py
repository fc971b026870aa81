"""What the benchmarks play on: a deployment of many profiles, its snapshot and counters, and requests of a tenant."""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from typing import Any

from lambda_function.entries import Entry, encode_entry, windows
from lambda_function.limits import Policy

__all__ = [
    "APPLICATIONS",
    "BODY",
    "Invocation",
    "counter_item",
    "environment",
    "event",
    "profile_arn",
    "snapshot",
    "tenant_of",
]

APPLICATIONS = 20  # of each tenant
_MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
# 100 USD a month, 10 a day, in pico-USD, and limits on all else: every condition of the reserve is there.
_POLICY = Policy(
    tier="gold",
    timezone="Europe/Berlin",
    monthly_budget=100 * 10**12,
    daily_budget=10 * 10**12,
    requests_per_minute=10**6,
    tokens_per_minute=10**10,
    max_output_tokens=4096,
)
_RUN, _NUMBERS = str(uuid.uuid4())[:24], itertools.count()
# A chat turn of some 5,000 characters.
_QUESTION = "Summarise what the board should know about the figures below, region by region. " * 60
BODY: dict[str, Any] = {
    "system": [{"text": "You are a careful assistant of the finance department. Answer in plain words."}],
    "messages": [{"role": "user", "content": [{"text": _QUESTION}]}],
    "inferenceConfig": {"maxTokens": 1000, "temperature": 0.2},
}


def tenant_of(number: int) -> str:
    """The tenant of the profile with this number."""
    return f"Tenant-{number // APPLICATIONS:05}"


def profile_arn(number: int) -> str:
    """The profile's ARN."""
    return f"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/{number:012}"


def snapshot(profiles: int) -> dict[str, Any]:
    """The document that setup would write for this many profiles."""
    tenants = {tenant_of(number): {"policy": _POLICY.to_json(), "key_hint": ""} for number in range(profiles)}
    prices = {
        "input_cost": 250_000, "output_cost": 1_250_000, "cache_read_cost": 25_000, "cache_write_cost": 312_500,
        "cache_write_1h_cost": 500_000, "estimated": [],
    }  # fmt: skip
    return {
        "format": 1,
        "version": f"{profiles:012x}",
        "region": "us-east-1",
        "partition": "aws",
        "account": "123456789012",
        "deployment": "InvokeBedrockFunction",
        "table": "ledger",
        "hold_seconds": 89,
        "topics": {"admin": "arn:aws:sns:us-east-1:123456789012:BedrockInvocationAlarms", "tenants": {}},
        "keys": {f"key-{tenant}": {"tenant": tenant, "until": None} for tenant in tenants},
        "monthly_budget": None,
        "tenants": tenants,
        "zones": {"Europe/Berlin": {"first": 3600, "transitions": _berlin()}},
        "price_version": "0123456789ab",
        "models": {
            _MODEL: {**prices, "tiers": {}, "long_context": [], "max_input_tokens": 200_000, "max_output_tokens": 4096}
        },
        "profiles": [
            {
                "name": f"{tenant_of(number)}-Application-{number % APPLICATIONS:02}",
                "id": f"{number:012}",
                "arn": profile_arn(number),
                "tenant": tenant_of(number),
                "tags": {
                    "TenantID": tenant_of(number),
                    "ApplicationID": f"Application-{number % APPLICATIONS:02}",
                    "Environment": "production",
                    "CostCenter": f"{number % 7}",
                },
                "model": _MODEL,
                "version": f"{number:012x}",
                "thresholds": {"cost": 10**12, "tokens": 2_000_000, "requests": 1000},
            }
            for number in range(profiles)
        ],
    }


def _berlin() -> list[list[int]]:
    """Daylight-saving changes of eleven years, near enough."""
    year = 31_556_952
    return [[1774746000 + half * year // 2, 7200 if half % 2 == 0 else 3600] for half in range(22)]


def counter_item(tenant: str, now: float | None = None) -> dict[str, Any]:
    """A tenant's counter item after a day of steady traffic: all windows there, some requests in flight."""
    at = int(now or time.time())
    own = windows(at, 3600)
    return {
        "pk": f"T#{tenant}",
        "sk": "counter",
        "pv": 3,
        "policy": json.dumps(_POLICY.to_json(), separators=(",", ":")),
        "level": "green",
        "level_at": at - 86400,
        "active": "2026112310",
        own.month: 41_234_567_890_123,
        own.day: 1_234_567_890_123,
        own.requests: 417,
        own.tokens: 812_345,
        "inflight": {
            encode_entry(Entry(str(uuid.uuid4()), at - 3, 89, 10**10, 9000, f"{number:012}", 3600))
            for number in range(5)
        },
        **{f"f_{at // 300 - age}": 1_234_567_890 for age in range(13)},
        **{f"h_{at // 3600 - age}": 12_345_678_901 for age in range(8)},
    }


def event(number: int) -> dict[str, Any]:
    """What API Gateway hands the function for a request of the profile's tenant, resolved by a tag header."""
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate, br",
        "ApplicationID": f"Application-{number % APPLICATIONS:02}",
        "CloudFront-Viewer-Country": "DE",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "python-requests/2.32.3",
        "X-Amzn-Trace-Id": "Root=1-67419c5e-0123456789abcdef01234567",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "x-api-key": "a" * 40,
    }
    return {
        "resource": "/invoke",
        "path": "/invoke",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "requestContext": {
            "resourcePath": "/invoke",
            "httpMethod": "POST",
            "stage": "dev",
            "identity": {"apiKeyId": f"key-{tenant_of(number)}", "sourceIp": "203.0.113.7"},
        },
        "body": json.dumps(BODY),
        "isBase64Encoded": False,
    }


class Invocation:
    """Lambda's context of one invocation."""

    def __init__(self) -> None:
        self.aws_request_id = f"{_RUN}{next(_NUMBERS):012x}"  # a UUID that costs the benchmark nothing

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def environment(url: str) -> dict[str, str]:
    """The environment that Lambda would set, with `url` for AWS."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLEEXAMPLE12",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjE" * 50,  # as long as Lambda's are
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "CONFIG_BUCKET": "bucket",
        "CONFIG_KEY": "deployment/resolved.json",
        "SNAPSHOT_SECONDS": "30",
    }
