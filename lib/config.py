"""config.json, read, checked and resolved: what the operator wants, in the units the rest of the program uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.deployment_checks import (
    DEFAULTS,
    admin_address,
    deployed_ids,
    deployment_notices,
    deployment_problems,
)
from lib.errors import ConfigError, Problem
from lib.models import Models, price_version, read_models
from lib.money import pico
from lib.problems import merged
from lib.profile_checks import profile_notices, profile_problems
from lib.schema import violations
from lib.strict_json import read
from lib.tenant_checks import policy_json, tenant_notices, tenant_problems

if TYPE_CHECKING:
    from lambda_function.limits import Policy

__all__ = ["Config", "Profile", "Tenant", "load"]

_SCHEMA = Path(__file__).with_name("config_schema.json")
_THRESHOLDS = {"cost_alarm_threshold": 1, "token_alarm_threshold": 2000, "request_alarm_threshold": 10}


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
    operator about things that work, but perhaps not as meant. `create_roles` is the option --create-user-roles.
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
    create_roles: bool = False


def load(path: Path, models_path: Path, *, local: bool, region: str | None = None) -> Config:
    """The configuration in `path` with prices from `models_path`; `region` overrides `aws_region`.

    With `local` placeholder addresses are accepted. Raises ConfigError with every problem of both files at once.
    """
    document, problems = read(path)
    models, model_problems = read_models(models_path)
    if document is not None:
        problems = merged(problems, violations(document, _SCHEMA))
    if isinstance(document, dict):
        where = region or document.get("aws_region")
        problems = merged(problems, _checked(document, where if isinstance(where, str) else "", models, local=local))
    if problems or model_problems or models is None:
        raise _refused(path, problems, models_path, model_problems)
    return _resolved(document, models, path, region=region or document["aws_region"])


def _checked(document: Mapping[str, Any], region: str, models: Models | None, *, local: bool) -> list[Problem]:
    return [
        *deployment_problems(document, region, local=local),
        *profile_problems(document, region, models if region else None),
        *tenant_problems(document, local=local),
    ]


def _refused(path: Path, problems: list[Problem], models_path: Path, model_problems: list[Problem]) -> ConfigError:
    """One error for both files; where both have problems, those of models.json say so in their pointers."""
    if not problems:
        return ConfigError(models_path, model_problems)
    named = [problem._replace(pointer=f"{models_path}#{problem.pointer}") for problem in model_problems]
    return ConfigError(path, [*problems, *named])


def _resolved(document: Mapping[str, Any], models: Models, path: Path, *, region: str) -> Config:
    """The configuration in the program's units, from a document without problems."""
    profiles = tuple(_profile(item, document) for item in document["profiles"])
    prices = {model_id: models.row(model_id, region) for model_id in sorted({item.model_id for item in profiles})}
    names = {key: document.get(key, default) for key, default in DEFAULTS.items()}
    return Config(
        region=region,
        sns_email=admin_address(document["sns_email"]),
        profiles=profiles,
        tenants={name: _tenant(name, document) for name in sorted({profile.tenant for profile in profiles})},
        default_model_id=names["default_model_id"],
        bucket_name=document.get("s3_bucket_name") or None,
        topic_name=names["sns_topic_name"],
        function_name=names["lambda_function_name"],
        api_name=names["api_name"],
        api_stage=names["api_stage"],
        dashboard_name=names["dashboard_name"],
        role_arn=document.get("lambda_role_arn") or None,
        monthly_budget=_money(document.get("monthly_budget_usd")),
        tiers=tuple(sorted({"default", *document.get("tiers", {})})),
        prices=prices,
        price_version=price_version(prices),
        path=path,
        deployed=deployed_ids(document),
        notices=(
            *deployment_notices(document, region, prices),
            *profile_notices(document, region),
            *tenant_notices(document),
        ),
    )


def _profile(item: Mapping[str, Any], document: Mapping[str, Any]) -> Profile:
    own = {key: item.get(key, document.get(key, default)) for key, default in _THRESHOLDS.items()}
    tags = tuple((tag["key"], tag["value"]) for tag in item["tags"])
    cost = pico(own["cost_alarm_threshold"])
    assert cost is not None, "finer amounts are a problem"
    return Profile(
        name=item["name"],
        tenant=dict(tags)["TenantID"],
        tags=tags,
        description=item.get("description"),
        model_id=item.get("model_id", document.get("default_model_id", DEFAULTS["default_model_id"])),
        cost_alarm_threshold=cost,
        token_alarm_threshold=own["token_alarm_threshold"],
        request_alarm_threshold=own["request_alarm_threshold"],
    )


def _tenant(name: str, document: Mapping[str, Any]) -> Tenant:
    # Imported here so that reading this module's shapes needs nothing of the function's.
    from lambda_function.limits import Policy

    own = document.get("tenants", {}).get(name, {})
    tier = own.get("tier", "default")
    tier_limits = document.get("tiers", {}).get(tier, {})
    return Tenant(
        name=name,
        tier=tier,
        contact_email=own.get("contact_email"),
        timezone=own.get("timezone", "UTC"),
        policy=Policy.from_json(policy_json(tier_limits, own, tier)),
        anomaly_alarm=own.get("anomaly_alarm", tier_limits.get("anomaly_alarm", False)),
    )


def _money(usd: int | Decimal | None) -> int | None:
    return None if usd is None else pico(usd)
