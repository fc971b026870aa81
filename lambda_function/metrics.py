"""Names of the metrics, and the one line per request that CloudWatch Logs turns into them.

CloudWatch Embedded Metric Format:
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted

from lambda_function.money import usd
from lambda_function.pricing import Cost
from lambda_function.usage import Usage

__all__ = [
    "ALERT_LEVEL", "CACHE_READ_TOKENS", "CACHE_TOKENS_COST", "CACHE_WRITE_TOKENS", "INPUT_TOKENS", "INPUT_TOKENS_COST",
    "INVOCATION_DENIED", "INVOCATION_FAILURE", "INVOCATION_SUCCESS", "LATENCY", "LEVELS", "NAMESPACE", "OUTPUT_TOKENS",
    "OUTPUT_TOKENS_COST", "PROFILE_DIMENSION", "RESERVATION_EXCEEDED", "TENANT_DIMENSION", "denied_line",
    "exceeded_line", "level_line", "request_line",
]  # fmt: skip

NAMESPACE = "BedrockInvocationTracing"
PROFILE_DIMENSION = "InferenceProfile"
TENANT_DIMENSION = "TenantID"

INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
CACHE_READ_TOKENS = "CacheReadTokens"
CACHE_WRITE_TOKENS = "CacheWriteTokens"
INPUT_TOKENS_COST = "InputTokensCost"
OUTPUT_TOKENS_COST = "OutputTokensCost"
CACHE_TOKENS_COST = "CacheTokensCost"
INVOCATION_SUCCESS = "InvocationSuccess"
INVOCATION_FAILURE = "InvocationFailure"
INVOCATION_DENIED = "InvocationDenied"
LATENCY = "Latency"
ALERT_LEVEL = "AlertLevel"
RESERVATION_EXCEEDED = "ReservationExceeded"

LEVELS = {"green": 0, "yellow": 1, "orange": 2, "red": 3}  # the values of ALERT_LEVEL

_COUNT, _NONE, _MILLISECONDS = "Count", "None", "Milliseconds"
_UNITS = {
    INPUT_TOKENS: _COUNT, OUTPUT_TOKENS: _COUNT, CACHE_READ_TOKENS: _COUNT, CACHE_WRITE_TOKENS: _COUNT,
    INPUT_TOKENS_COST: _NONE, OUTPUT_TOKENS_COST: _NONE, CACHE_TOKENS_COST: _NONE, INVOCATION_SUCCESS: _COUNT,
    INVOCATION_FAILURE: _COUNT, INVOCATION_DENIED: _COUNT, LATENCY: _MILLISECONDS, ALERT_LEVEL: _NONE,
    RESERVATION_EXCEEDED: _COUNT,
}  # fmt: skip


def _directive(dimensions: str, names: tuple[str, ...]) -> str:
    listed = ",".join(f'{{"Name":"{name}","Unit":"{_UNITS[name]}"}}' for name in names)
    return f'{{"Namespace":"{NAMESPACE}","Dimensions":{dimensions},"Metrics":[{listed}]}}'


_BOTH = f'[["{PROFILE_DIMENSION}"],["{TENANT_DIMENSION}"]]'
_TENANT = f'[["{TENANT_DIMENSION}"]]'
_LEVEL = _directive(_TENANT, (ALERT_LEVEL,))
_EXCEEDED = _directive("[[]]", (RESERVATION_EXCEEDED,))
_PLAIN = (INPUT_TOKENS, OUTPUT_TOKENS, INPUT_TOKENS_COST, OUTPUT_TOKENS_COST, LATENCY)
_CACHE = (CACHE_READ_TOKENS, CACHE_WRITE_TOKENS, CACHE_TOKENS_COST)
# Metrics are paid for whether they say anything or not, so those of the cache come when there is one.
_DIRECTIVES = {
    (outcome, cached): _directive(_BOTH, (*_PLAIN, outcome, *(_CACHE if cached else ())))
    for outcome in (INVOCATION_SUCCESS, INVOCATION_FAILURE)
    for cached in (False, True)
}
_DENIED_BOTH = _directive(_BOTH, (INVOCATION_DENIED,))
_DENIED_TENANT = _directive(_TENANT, (INVOCATION_DENIED,))


def request_line(
    now: float,
    *,
    tenant: str,
    profile: str,
    usage: Usage,
    cost: Cost,
    latency: int,
    succeeded: bool,
    level: str,
    exceeded: bool,
    about: Mapping[str, str],
) -> str:
    """The line of a request that was sent to Bedrock. `latency` is milliseconds, `about` fields of no dimension."""
    outcome = INVOCATION_SUCCESS if succeeded else INVOCATION_FAILURE
    cached = bool(usage.cache_read or usage.cache_write_5m or usage.cache_write_1h)
    directives = f"{_DIRECTIVES[outcome, cached]},{_LEVEL}"
    values = (
        f'"{INPUT_TOKENS}":{usage.input},"{OUTPUT_TOKENS}":{usage.output},"{INPUT_TOKENS_COST}":{usd(cost.input)},'
        f'"{OUTPUT_TOKENS_COST}":{usd(cost.output)},"{LATENCY}":{latency},"{outcome}":1,"{ALERT_LEVEL}":{LEVELS[level]}'
    )
    if cached:
        written = usage.cache_write_5m + usage.cache_write_1h
        values += (
            f',"{CACHE_READ_TOKENS}":{usage.cache_read},"{CACHE_WRITE_TOKENS}":{written}'
            f',"{CACHE_TOKENS_COST}":{usd(cost.cache)}'
        )
    if exceeded:
        directives += f",{_EXCEEDED}"
        values += f',"{RESERVATION_EXCEEDED}":1'
    return _line(now, directives, _fields(tenant, profile, about), values)


def denied_line(now: float, tenant: str, profile: str | None, about: Mapping[str, str]) -> str:
    """The line of a request that was turned away before any model, by a limit or because it was wrong."""
    directives = _DENIED_TENANT if profile is None else _DENIED_BOTH
    return _line(now, directives, _fields(tenant, profile, about), f'"{INVOCATION_DENIED}":1')


def level_line(now: float, tenant: str, level: str) -> str:
    """The line that keeps a quiet tenant's level on the dashboard."""
    return _line(now, _LEVEL, _fields(tenant, None, {}), f'"{ALERT_LEVEL}":{LEVELS[level]}')


def exceeded_line(now: float, tenant: str, count: int) -> str:
    """The line of `count` requests that cost more than was held for them, where their owner died before telling it."""
    return _line(now, _EXCEEDED, _fields(tenant, None, {}), f'"{RESERVATION_EXCEEDED}":{count}')


def _fields(tenant: str, profile: str | None, about: Mapping[str, str]) -> str:
    text = f'"{TENANT_DIMENSION}":{quoted(tenant)}'
    if profile is not None:
        text += f',"{PROFILE_DIMENSION}":{quoted(profile)}'
    for name, value in about.items():
        text += f',"{name}":{quoted(value)}'
    return text


def _line(now: float, directives: str, fields: str, values: str) -> str:
    return f'{{"_aws":{{"Timestamp":{int(now * 1000)},"CloudWatchMetrics":[{directives}]}},{fields},{values}}}\n'
