"""An embedded AWS in this process, a configuration, a state file, and a door where calls can be made to fail."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from moto import mock_aws
from moto.bedrock.models import bedrock_backends

from lambda_function.ledger import counter_key
from lib.aws import Aws, Change
from lib.config import Config, load
from lib.local import clock, door
from lib.local.door import Visit
from lib.local.server import ADDITIONS
from lib.names import PROFILE_TAG, Names, names_of
from lib.rehearsal import BUDGET, TENANT, Call, Reply, forget, rehearse
from lib.state import State
from lib.steps import remaining, remove_all, set_up

__all__ = ["REGION", "Fault", "Killed", "World", "config_of", "document"]

REGION = "us-east-1"
ROOT = Path(__file__).resolve().parent.parent.parent

Document = dict[str, Any]
# Hears the number of every call (from 1) before it is sent (False) and when AWS has answered (True).
Fault = Callable[[int, bool], None]


class Killed(BaseException):
    """The process dies here."""


def document() -> Document:
    """Two tenants, three profiles of the three kinds of source, two tiers, an anomaly alarm."""
    tags = {"search": "Acme", "chat": "Acme", "letters": "Globex"}
    models = {"chat": "us.amazon.nova-lite-v1:0", "letters": "global.anthropic.claude-haiku-4-5-20251001-v1:0"}
    return {
        "aws_region": REGION,
        "sns_email": "ops@corp.com",
        "profiles": [
            {
                "name": name,
                "description": f"Profile {name}",
                "tags": [{"key": "TenantID", "value": tenant}, {"key": "ApplicationID", "value": name}],
                **({"model_id": models[name]} if name in models else {}),
            }
            for name, tenant in tags.items()
        ],
        "tiers": {"trial": {"monthly_budget_usd": 10, "requests_per_minute": 60, "anomaly_alarm": True}},
        "tenants": {
            "Acme": {"contact_email": "ops@acme.com", "timezone": "Europe/Berlin"},
            "Globex": {"tier": "trial"},
        },
    }


@functools.cache
def _loaded(text: str, folder: Path) -> Config:
    path = folder / "input.json"
    path.write_text(text)
    return load(path, ROOT / "models.json", local=False)


def config_of(given: Document, folder: Path) -> Config:
    """The configuration as `load` reads it, with --create-user-roles."""
    return dataclasses.replace(_loaded(json.dumps(given), folder), create_roles=True)


# `Aws` retries by itself; a bare client shows what AWS answered.
_ONE_TRY = ClientConfig(retries={"total_max_attempts": 1})


class _Session(boto3.Session):  # type: ignore[misc]
    """One client a service for all runs: making them costs more than all calls of a run together."""

    heard: Callable[[str, bool], None] | None = None
    _made: dict[str, tuple[Any, Any]]

    def client(self, service: str, **options: Any) -> Any:
        """The client with its own hooks and ours: each `Aws` hangs another one into it."""
        made = self.__dict__.setdefault("_made", {})
        if service not in made:
            client = super().client(service, config=_ONE_TRY)
            made[service] = client, client.meta.events
        client, hooks = made[service]
        hooks = copy.copy(hooks)
        hooks.register("before-call", lambda model, **_: self._hear(model, answered=False))
        hooks.register("after-call", lambda model, **_: self._hear(model, answered=True))
        client.meta.events = hooks
        return client

    def _hear(self, model: Any, *, answered: bool) -> None:
        if self.heard:
            self.heard(f"{model.service_model.service_name}.{model.name}", answered)


@functools.cache
def _session() -> _Session:
    for install in ADDITIONS:
        install()
    inner = botocore.session.get_session()
    inner.set_credentials("testing", "testing")
    return _Session(botocore_session=inner, region_name=REGION)


@contextmanager
def _deaf() -> Iterator[None]:
    """Calls in here are those of somebody else."""
    heard, _session().heard = _session().heard, None
    try:
        yield
    finally:
        _session().heard = heard


class World:
    """A deployment's whole surroundings. `now` is the operator's clock; sleeping moves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = config_of(document(), folder)
        self.state_path = folder / "state.json"
        self.now = time.time()
        self.slept = 0.0
        self.notes: list[str] = []
        self.calls: list[str] = []
        self.changing = ""  # the sentence of the change under way
        self.paced = False
        self.seed: dict[str, Any] = {}
        self.wall: Call = self._wall  # the deployed API
        self._turn = threading.Lock()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[World]:
        """An empty AWS until the block ends."""
        _session()
        with mock_aws():
            world = cls(folder)
            # Billing has seen these tag keys before, so that activating them can be planned.
            keys = {tag["key"] for profile in document()["profiles"] for tag in profile["tags"]} | {"Team", PROFILE_TAG}
            arn = f"arn:aws:bedrock:{REGION}:{world.account}:application-inference-profile/long-gone"
            bedrock_backends[world.account][REGION].tagger.tag_resource(arn, [{"Key": k, "Value": ""} for k in keys])
            try:
                yield world
            finally:
                clock.set_offset(0)

    @property
    def names(self) -> Names:
        """The names of the deployment."""
        return names_of(self.config, self.account)

    @property
    def account(self) -> str:
        """moto's account."""
        return "123456789012"

    def aws(self, *, planning: bool = False) -> Aws:
        """A new `Aws`, as a new process would have."""
        return Aws(
            _session(), planning=planning, paced=self.paced, sleep=self._sleep, clock=lambda: self.now,
            jitter=lambda: 0.5, tell=self.notes.append, announce=self._remember,
        )  # fmt: skip

    def _remember(self, change: Change) -> None:
        self.changing = change.sentence

    def state(self, *, planning: bool = False) -> State:
        """The state as a new process would read it."""
        return State(self.state_path, frozen=planning, seed=self.seed)

    def client(self, service: str) -> Any:
        """A bare client: the hand of somebody else."""
        return _session().client(service)

    def set_up(self, *, planning: bool = False, fault: Fault | None = None) -> list[Change]:
        """One run of setup.py; what it changed, or would."""
        return self._walk(set_up, planning, fault)

    def tear_down(self, *, planning: bool = False, fault: Fault | None = None) -> list[Change]:
        """One run of unsetup.py."""
        return self._walk(remove_all, planning, fault)

    def rehearse(self, *, planning: bool = False, fault: Fault | None = None) -> list[Change]:
        """One run of setup.py that ends with the rehearsal."""

        def walk(aws: Aws, config: Config, state: State, progress: Any) -> None:
            if state.get("rehearsal"):
                forget(aws, config, state)
            set_up(aws, config, state, progress)
            if not planning:
                rehearse(aws, config, state, self.wall)

        return self._walk(walk, planning, fault)

    def _wall(self, key: str, request: dict[str, Any]) -> Reply:
        """What the deployed API does for the canary: a request costs a quarter of its budget, a fifth is refused."""
        with self._turn, _deaf():
            keys = self.client("apigateway").get_api_keys(includeValues=True)["items"]
            if key not in {item["value"] for item in keys if item["enabled"]}:
                return Reply(403, "Forbidden")
            pk, sk = counter_key(TENANT)
            dynamodb, where = self.client("dynamodb"), {"pk": {"S": pk}, "sk": {"S": sk}}
            item = dynamodb.get_item(TableName=self.names.table, Key=where).get("Item", where)
            spent = int(item.get("m_202611", {"N": "0"})["N"]) + BUDGET // 4
            if spent > BUDGET:
                return Reply(402, "BudgetExceeded")
            dynamodb.put_item(TableName=self.names.table, Item={**item, "m_202611": {"N": str(spent)}})
            return Reply(200, "")

    def remaining(self) -> list[str]:
        """What unsetup.py finds at its end."""
        return remaining(self.aws(), self.config)

    def configure(self, change: Callable[[Document], object]) -> None:
        """Edit config.json."""
        edited = document()
        change(edited)
        self.config = config_of(edited, self.folder)

    @contextmanager
    def guarded(self, guard: Callable[[Visit, bool], None]) -> Iterator[None]:
        """Let `guard` see each request at AWS's door, before it is carried out (False) and after (True)."""
        door.guards.append(guard)
        try:
            yield
        finally:
            door.guards.remove(guard)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds
        clock.set_offset(self.slept)

    def _walk(self, walk: Any, planning: bool, fault: Fault | None) -> list[Change]:
        aws = self.aws(planning=planning)
        self.calls = []

        def hear(call: str, answered: bool) -> None:
            if not answered:
                self.calls.append(call)
            if fault:
                fault(len(self.calls), answered)

        _session().heard = hear
        try:
            walk(aws, self.config, self.state(planning=planning), lambda *_: None)
        finally:
            _session().heard = None
        return aws.changes

    def census(self) -> dict[str, list[str]]:
        """Everything that exists, by kind, without ids: what is there twice stands there twice."""
        return {kind: sorted(found) for kind, found in _census(self.client).items()}


# A profile that stands in for one of the same name has six more digits.
_SUFFIX = re.compile("-[0-9a-f]{6}$")


def _census(client: Callable[[str], Any]) -> dict[str, list[str]]:
    s3, sns, iam, function = client("s3"), client("sns"), client("iam"), client("lambda")
    api, events, cloudwatch, dynamodb = client("apigateway"), client("events"), client("cloudwatch"), client("dynamodb")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    tables = dynamodb.list_tables()["TableNames"]
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    functions = [item["FunctionName"] for item in function.list_functions()["Functions"]]
    apis, plans = api.get_rest_apis()["items"], api.get_usage_plans()["items"]
    rules = [rule["Name"] for rule in events.list_rules()["Rules"]]
    return {
        "buckets": buckets,
        "objects": [item["Key"] for name in buckets for item in s3.list_objects_v2(Bucket=name).get("Contents", [])],
        "tables": tables,
        "items": [
            item["pk"]["S"][:2] + item["sk"]["S"] for name in tables for item in dynamodb.scan(TableName=name)["Items"]
        ],
        "topics": [topic["TopicArn"] for topic in sns.list_topics()["Topics"]],
        "subscriptions": [item["TopicArn"] + item["Endpoint"] for item in sns.list_subscriptions()["Subscriptions"]],
        "profiles": [
            _SUFFIX.sub("", item["inferenceProfileName"])
            for item in client("bedrock").list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
        ],
        "roles": roles,
        "policies": [name for role in roles for name in iam.list_role_policies(RoleName=role)["PolicyNames"]],
        "functions": functions,
        "permissions": [sid for name in functions for sid in _sids(function, name)],
        "log groups": [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
        "apis": [item["name"] for item in apis],
        "stages": [stage["stageName"] for item in apis for stage in api.get_stages(restApiId=item["id"])["item"]],
        "keys": [key["name"] for key in api.get_api_keys()["items"]],
        "plans": [plan["name"] for plan in plans],
        "plan keys": [
            plan["name"] + key["name"]
            for plan in plans
            for key in api.get_usage_plan_keys(usagePlanId=plan["id"])["items"]
        ],
        "rules": rules,
        "targets": [item["Id"] for name in rules for item in events.list_targets_by_rule(Rule=name)["Targets"]],
        "alarms": [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]],
        "dashboards": [item["DashboardName"] for item in cloudwatch.list_dashboards()["DashboardEntries"]],
    }


def _sids(function: Any, name: str) -> list[str]:
    """The statements of a function's policy, without the ids in them."""
    try:
        policy = json.loads(function.get_policy(FunctionName=name)["Policy"])
    except function.exceptions.ResourceNotFoundException:
        return []
    return [statement["Sid"].partition("-")[0] for statement in policy["Statement"]]
