"""config.json, read, checked and resolved: what the operator wants, in the units the rest of the program uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambda_function.limits import Policy

__all__ = ["Config", "Profile", "Tenant", "load"]


@dataclass(frozen=True)
class Profile:
    """One application inference profile: one tenant, one application, one model.

    `cost_alarm_threshold` is pico-USD per 5 minutes, the other two are per minute. `tags` keep the file's order.
    """

    name: str
    tenant: str
    tags: tuple[tuple[str, str], ...]
    description: str | None
    model_id: str
    cost_alarm_threshold: int
    token_alarm_threshold: int
    request_alarm_threshold: int

    @property
    def tag_map(self) -> dict[str, str]:
        """The tags by key; keys are unique."""
        return dict(self.tags)


@dataclass(frozen=True)
class Tenant:
    """One value of the tag TenantID, with its tier's limits and its own overrides merged into `policy`."""

    name: str
    tier: str
    contact_email: str | None
    timezone: str
    policy: Policy
    anomaly_alarm: bool


@dataclass(frozen=True)
class Config:
    """A whole deployment as config.json and models.json describe it.

    `tenants` holds every tenant that a profile names, sorted. `prices` holds the rows of the models in use, in the
    snapshot's shape: int pico-USD per token. `monthly_budget` is pico-USD. `deployed` is the input of `State`: the
    block of that name, and the ids that the older file layout kept at top level. `notices` are sentences for the
    operator about things that work, but perhaps not as meant.
    """

    region: str
    sns_email: str
    profiles: tuple[Profile, ...]
    tenants: Mapping[str, Tenant]
    default_model_id: str
    bucket_name: str | None
    topic_name: str
    function_name: str
    api_name: str
    api_stage: str
    dashboard_name: str
    role_arn: str | None
    monthly_budget: int | None
    tiers: tuple[str, ...]
    prices: Mapping[str, dict[str, Any]]
    price_version: str
    path: Path
    deployed: dict[str, Any]
    notices: tuple[str, ...] = ()


def load(path: Path, models_path: Path, *, local: bool, region: str | None = None) -> Config:
    """The configuration in `path` with prices from `models_path`; `region` overrides `aws_region`.

    With `local` a placeholder address is accepted. Raises ConfigError with every problem of both files at once.
    """
    raise NotImplementedError("room CONFIG is writing this")
