"""EventBridge rules with a schedule, and EventBridge Scheduler: moto keeps them but never fires.

After a leap of the clock a schedule fires once, not once for every time it missed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.resource_tagging import TaggedResource
from moto.events.exceptions import ValidationException as RuleInvalid
from moto.events.models import EventsBackend, events_backends
from moto.iam.models import iam_backends
from moto.scheduler.exceptions import ValidationException as ScheduleInvalid
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from lib.local import clock
from lib.local.function_calls import Refusal, Start, call, find_function, in_background, invoke_as
from lib.local.metric_store import Metric, store_of
from lib.local.schedule_expressions import ScheduleExpression

__all__ = ["Schedules", "install"]


class Schedules:
    """Fires what is due; `tick` about once a second. `start` runs a call, by default in the background."""

    def __init__(self, start: Start = in_background) -> None:
        self._start = start

    def tick(self, now: float | None = None) -> None:
        """Fire every rule and schedule that came due since the last tick."""
        when = clock.now() if now is None else now
        for account, region, backend in list(events_backends.iter_backends()):
            for rule in list(backend.event_buses["default"].rules.values()):
                if rule.scheduled_expression and rule.state.startswith("ENABLED"):
                    if _due(rule, ScheduleExpression(rule.scheduled_expression), when):
                        self._fire_rule(account, region, rule, when)
                else:
                    rule.__dict__.pop("local_looked_at", None)
        for account, region, backend in list(scheduler_backends.iter_backends()):
            for group in list(backend.schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    self._look_at(account, region, group, schedule, when)

    def _fire_rule(self, account: str, region: str, rule: Any, now: float) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": [rule.arn],
            "detail": {},
        }
        for target in list(rule.targets):
            payload = json.loads(target["Input"]) if target.get("Input") else event
            dimensions = {"RuleName": rule.name}
            try:
                if ":lambda:" not in target["Arn"]:
                    raise Refusal(f"the embedded AWS has no schedules for {target['Arn']}")
                invoke_as("events.amazonaws.com", rule.arn, target["Arn"], payload, self._start)
                _count(account, region, "AWS/Events", "Invocations", dimensions, now)
            except Refusal:
                _count(account, region, "AWS/Events", "FailedInvocations", dimensions, now)

    def _look_at(self, account: str, region: str, group: Any, schedule: Any, now: float) -> None:
        if schedule.state != "ENABLED" or not _in_season(schedule, now):
            schedule.__dict__.pop("local_looked_at", None)
            return
        expression = ScheduleExpression(schedule.schedule_expression, schedule.schedule_expression_timezone)
        if not _due(schedule, expression, now):
            return
        dimensions = {"ScheduleGroup": group.name}
        try:
            _check_role(account, schedule.target.get("RoleArn", ""))
            function = find_function(schedule.target["Arn"])
            call(function, json.loads(schedule.target.get("Input") or "{}"), self._start)
            _count(account, region, "AWS/Scheduler", "InvocationAttemptCount", dimensions, now)
        except Refusal:
            _count(account, region, "AWS/Scheduler", "TargetErrorCount", dimensions, now)
        if expression.once and schedule.action_after_completion == "DELETE":
            group.schedules.pop(schedule.name, None)


def _due(held: Any, expression: ScheduleExpression, now: float) -> bool:
    """Whether it fires between the last look and now. The first look only starts the clock."""
    looked_at = held.__dict__.setdefault("local_looked_at", now)
    since = held.__dict__.setdefault("local_since", now)
    held.local_looked_at = now
    return expression.due(looked_at, now, since)


def _in_season(schedule: Any, now: float) -> bool:
    start, end = (float(bound) if bound else None for bound in (schedule.start_date, schedule.end_date))
    return (start is None or start <= now) and (end is None or now <= end)


def _check_role(account: str, role_arn: str) -> None:
    """The Scheduler calls with a role that must exist and trust it."""
    for role in iam_backends[account]["aws"].roles.values():
        if role.arn == role_arn:
            if "scheduler.amazonaws.com" not in json.dumps(role.assume_role_policy_document):
                raise Refusal(f"{role_arn} does not trust scheduler.amazonaws.com")
            return
    raise Refusal(f"{role_arn} does not exist")


def _count(account: str, region: str, namespace: str, name: str, dimensions: Mapping[str, str], now: float) -> None:
    metric = Metric.of(namespace, name, dict(dimensions))
    store_of(cloudwatch_backends[account][region]).put(metric, now, 1, unit="Count")


_moto_put_rule = EventsBackend.put_rule
_moto_tagged_resources = EventsBackend.iter_tagged_resources
_moto_create_schedule = EventBridgeSchedulerBackend.create_schedule
_moto_update_schedule = EventBridgeSchedulerBackend.update_schedule


def _put_rule(backend: Any, *args: Any, **settings: Any) -> Any:
    expression = settings.get("scheduled_expression")
    if expression and expression.startswith(("cron(", "rate(")):
        try:
            ScheduleExpression(expression)
        except ValueError:
            raise RuleInvalid("Parameter ScheduleExpression is not valid.") from None
    return _moto_put_rule(backend, *args, **settings)


def _checked(moto: Callable[..., Any]) -> Callable[..., Any]:
    def put(backend: Any, *args: Any, **settings: Any) -> Any:
        expression, zone = settings["schedule_expression"], settings.get("schedule_expression_timezone") or "UTC"
        try:
            ScheduleExpression(expression, zone)
        except (ValueError, KeyError):
            raise ScheduleInvalid(f"Invalid Schedule Expression {expression} in {zone}.") from None
        return moto(backend, *args, **settings)

    return put


def _tagged_resources(backend: Any) -> Iterator[Any]:
    """The tagging API finds rules too, which moto leaves out."""
    yield from _moto_tagged_resources(backend)
    for bus in backend.event_buses.values():
        for rule in bus.rules.values():
            tags = backend.tagger.get_tag_dict_for_resource(rule.arn)
            yield TaggedResource(arn=rule.arn, tags=tags, resource_type="events:rule")


def install() -> None:
    """Check schedule expressions as AWS does. Idempotent."""
    EventsBackend.put_rule = _put_rule
    EventsBackend.iter_tagged_resources = _tagged_resources
    EventBridgeSchedulerBackend.create_schedule = _checked(_moto_create_schedule)
    EventBridgeSchedulerBackend.update_schedule = _checked(_moto_update_schedule)
