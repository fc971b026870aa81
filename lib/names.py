"""Every name and tag we give to something in AWS, in one place: teardown finds by name what state forgot."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from lib.config import Config

__all__ = ["OWNER_TAG", "PROFILE_TAG", "REHEARSAL", "SOURCE_TAG", "TENANT_TAG", "UNTIL_TAG", "Names", "names_of"]

OWNER_TAG = "bedrock-cost-tracing:deployment"
PROFILE_TAG = "bedrock-cost-tracing:profile"
SOURCE_TAG = "bedrock-cost-tracing:source"
TENANT_TAG = "bedrock-cost-tracing:tenant"
UNTIL_TAG = "bedrock-cost-tracing:until"  # epoch seconds: when a rotated key stops
REHEARSAL = "_rehearsal"  # the tenant of setup's rehearsal; no tenant of a configuration begins with "_"


class Names(NamedTuple):
    """The names of one deployment. A deployment is its function name, in one account and Region."""

    deployment: str
    region: str
    bucket: str
    table: str
    function: str
    schedule_function: str
    function_role: str
    schedule_role: str
    rule: str
    topic: str
    api: str
    stage: str
    dashboard: str

    @property
    def tags(self) -> dict[str, str]:
        """The ownership tag on everything we make."""
        return {OWNER_TAG: self.deployment}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The ownership tag in the spelling most services want."""
        return [{"Key": OWNER_TAG, "Value": self.deployment}]

    def log_group(self, function: str) -> str:
        """Where Lambda writes a function's lines."""
        return f"/aws/lambda/{function}"

    @property
    def config_key(self) -> str:
        """The key of the resolved configuration; deployments may share a bucket."""
        return f"{self.deployment}/resolved.json"

    def tenant_topic(self, tenant: str) -> str:
        """The topic of a tenant's own contact; at most 256 of [A-Za-z0-9_-]."""
        return f"{self.topic}-{_slug(tenant)}"

    def key(self, tenant: str) -> str:
        """The API key of a tenant."""
        return f"{self.deployment}-{tenant}"

    def plan(self, tier: str) -> str:
        """The usage plan of a tier."""
        return f"{self.deployment}-{tier}"

    def alarms(self, profile: str) -> tuple[str, str, str]:
        """The three alarms of a profile: cost, tokens, requests."""
        return (
            f"BedrockTokenCostAlarm-{profile}",
            f"BedrockTokensPerMinuteAlarm-{profile}",
            f"BedrockRequestsPerMinuteAlarm-{profile}",
        )


def names_of(config: Config, account: str) -> Names:
    """The names of the deployment that `config` describes, in `account`."""
    function = config.function_name
    return Names(
        deployment=function,
        region=config.region,
        bucket=config.bucket_name or f"bedrock-cost-tracing-{account}-{config.region}",
        table=f"{function}-Ledger",
        function=function,
        schedule_function=f"{function[:55]}-Schedule",  # a function's name has at most 64 characters
        # Roles are global, so the Region is part of their name; at most 64 characters.
        function_role=_fitted(f"{function}-{config.region}"),
        schedule_role=_fitted(f"{function}-Schedule-{config.region}"),
        rule=_fitted(f"{function}-EveryMinute"),
        topic=config.topic_name,
        api=config.api_name,
        stage=config.api_stage,
        dashboard=config.dashboard_name,
    )


def _slug(text: str) -> str:
    """`text` in SNS's alphabet, unique even where two texts would read the same."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:60].strip("-")
    return f"{readable}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _fitted(name: str, most: int = 64) -> str:
    """`name`, or its head and a digest where it is longer than AWS allows."""
    return name if len(name) <= most else f"{name[: most - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
