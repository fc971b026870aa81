"""CloudWatch's alarm operations, checked as AWS checks them."""

from __future__ import annotations

import json
from typing import Any

from moto.cloudwatch.exceptions import InvalidFormat, ResourceNotFound, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from lib.local import clock
from lib.local.alarm_rules import check_actions, check_alarm, check_name, check_tags
from lib.local.alarms import Alarm
from lib.local.composite_alarms import Rule
from lib.local.metric_operations import epoch_of, when

__all__ = ["AlarmOperations"]

STATES = ("INSUFFICIENT_DATA", "ALARM", "OK")
DESCRIBED = (
    *("AlarmDescription", "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"),
    *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
    *("EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId", "EvaluationWindow", "AlarmRule"),
)


def describe(alarm: Alarm) -> dict[str, Any]:
    """The alarm as DescribeAlarms tells it."""
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": when(alarm.configured),
        "ActionsEnabled": alarm.actions_enabled,
        "OKActions": alarm.actions_of("OK"),
        "AlarmActions": alarm.actions_of("ALARM"),
        "InsufficientDataActions": alarm.actions_of("INSUFFICIENT_DATA"),
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": when(alarm.transitioned),
        "StateTransitionedTimestamp": when(alarm.transitioned),
        **({"StateReasonData": alarm.reason_data} if alarm.reason_data else {}),
        **{key: alarm.settings[key] for key in DESCRIBED if alarm.settings.get(key) is not None},
    }


class AlarmOperations(CloudWatchResponse):
    """To be mixed into the CloudWatch endpoint."""

    @property
    def _alarms(self) -> dict[str, Alarm]:
        found: dict[str, Alarm] = self.cloudwatch_backend.alarms
        return found

    def _page(self, found: list[Any], default: int) -> tuple[list[Any], str | None]:
        most = int(self._get_param("MaxRecords") or default)
        if not 1 <= most <= 100:
            raise ValidationError("MaxRecords must be between 1 and 100.")
        token = str(self._get_param("NextToken") or "0")
        if not token.isdigit():
            raise ValidationError("The parameter NextToken is invalid.")
        first = int(token)
        return found[first : first + most], str(first + most) if len(found) > first + most else None

    def put_metric_alarm(self) -> ActionResult:
        settings = dict(self._get_params())
        check_alarm(settings, self.region)
        self._put(settings)
        return EmptyResult()

    def put_composite_alarm(self) -> ActionResult:
        settings = dict(self._get_params())
        check_name(settings.get("AlarmName"))
        check_actions(settings, self.region)
        check_tags(settings.get("Tags") or [])
        rule = Rule(str(settings["AlarmRule"]))
        unknown = sorted(rule.names - self._alarms.keys())
        if unknown:
            raise ValidationError(f"AlarmRule refers to alarms that do not exist: {', '.join(unknown)}.")
        if settings.get("ActionsSuppressor"):
            raise ValidationError("ActionsSuppressor is not supported by the embedded AWS.")
        self._put(settings)
        return EmptyResult()

    def _put(self, settings: dict[str, Any]) -> None:
        name, now = str(settings["AlarmName"]), clock.now()
        held = self._alarms.get(name)
        if held is not None and (held.rule is not None) != ("AlarmRule" in settings):
            raise ValidationError(f"Alarm {name} exists already as another type of alarm.")
        if held is not None:
            # tags of an existing alarm change through TagResource only
            held.configure(settings, now, f'Alarm "{name}" updated')
            return
        alarm = Alarm(settings, self.current_account, self.region, now)
        self._alarms[name] = alarm
        if settings.get("Tags"):
            self.cloudwatch_backend.tagger.tag_resource(alarm.alarm_arn, settings["Tags"])

    def describe_alarms(self) -> ActionResult:
        names, prefix = self._get_param("AlarmNames"), self._get_param("AlarmNamePrefix")
        if names and prefix:
            raise ValidationError("AlarmNames and AlarmNamePrefix must not be specified together.")
        if names and len(names) > 100:
            raise ValidationError("AlarmNames must have at most 100 members.")
        if self._get_param("ChildrenOfAlarmName") or self._get_param("ParentsOfAlarmName"):
            raise ValidationError("Relations of composite alarms are not supported by the embedded AWS.")
        kinds = self._get_param("AlarmTypes") or ["MetricAlarm"]
        state, action = self._get_param("StateValue"), self._get_param("ActionPrefix")
        found = [
            alarm
            for _, alarm in sorted(self._alarms.items())
            if alarm.kind in kinds
            and (not names or alarm.name in names)
            and (not prefix or alarm.name.startswith(prefix))
            and (not state or alarm.state == state)
            and (not action or any(arn.startswith(action) for key in STATES for arn in alarm.actions_of(key)))
        ]
        page, token = self._page(found, default=50)
        return ActionResult(
            {
                "MetricAlarms": [describe(alarm) for alarm in page if alarm.kind == "MetricAlarm"],
                "CompositeAlarms": [describe(alarm) for alarm in page if alarm.kind == "CompositeAlarm"],
                "NextToken": token,
            }
        )

    def describe_alarms_for_metric(self) -> ActionResult:
        wanted = {key: self._get_param(key) for key in ("MetricName", "Namespace", "Statistic", "Period", "Unit")}
        dimensions = sorted(self._get_param("Dimensions") or [], key=lambda pair: str(pair["Name"]))
        found = [
            describe(alarm)
            for _, alarm in sorted(self._alarms.items())
            if all(value is None or alarm.settings.get(key) == value for key, value in wanted.items())
            and sorted(alarm.settings.get("Dimensions") or [], key=lambda pair: str(pair["Name"])) == dimensions
        ]
        return ActionResult({"MetricAlarms": found})

    def describe_alarm_history(self) -> ActionResult:
        name, kind = self._get_param("AlarmName"), self._get_param("HistoryItemType")
        start, end = self._get_param("StartDate"), self._get_param("EndDate")
        found = [
            (item, alarm)
            for alarm in self._alarms.values()
            if not name or alarm.name == name
            for item in list(alarm.history)
            if (not kind or item.kind == kind)
            and (start is None or item.at >= epoch_of(start))
            and (end is None or item.at <= epoch_of(end))
        ]
        found.sort(key=lambda pair: pair[0].at, reverse=self._get_param("ScanBy") != "TimestampAscending")
        page, token = self._page(found, default=100)
        items = [
            {
                "AlarmName": alarm.name,
                "AlarmType": alarm.kind,
                "Timestamp": when(item.at),
                "HistoryItemType": item.kind,
                "HistorySummary": item.summary[:255],
                "HistoryData": json.dumps(item.data)[:4095],
            }
            for item, alarm in page
        ]
        return ActionResult({"AlarmHistoryItems": items, "NextToken": token})

    def delete_alarms(self) -> ActionResult:
        names = list(self._get_param("AlarmNames") or [])
        if len(names) > 100:
            raise ValidationError(
                "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: "
                "Member must have length less than or equal to 100"
            )
        composite = [name for name in names if name in self._alarms and self._alarms[name].rule is not None]
        if len(composite) > 1:
            raise ValidationError("At most one composite alarm can be deleted in one call.")
        # "If you specify any incorrect alarm names, the alarms you specify with correct names are still deleted"
        deleted = [self._alarms.pop(name) for name in dict.fromkeys(names) if name in self._alarms]
        for alarm in deleted:
            self.cloudwatch_backend.tagger.delete_all_tags_for_resource(alarm.alarm_arn)
        if names and not deleted:
            raise ResourceNotFound(f"Alarms do not exist: {', '.join(names)}")
        return EmptyResult()

    def set_alarm_state(self) -> ActionResult:
        name, state = self._get_param("AlarmName"), self._get_param("StateValue")
        alarm = self._alarms.get(name)
        if alarm is None:
            raise ResourceNotFound(f"Alarm {name} does not exist")
        if state not in STATES:
            raise ValidationError(
                f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(STATES)}]"
            )
        try:
            data = json.loads(self._get_param("StateReasonData") or "{}")
        except ValueError:
            raise InvalidFormat("StateReasonData is not valid JSON.") from None
        alarm.enter(state, str(self._get_param("StateReason")), data, clock.now())
        return EmptyResult()

    def enable_alarm_actions(self) -> ActionResult:
        return self._switch_actions(True)

    def disable_alarm_actions(self) -> ActionResult:
        return self._switch_actions(False)

    def _switch_actions(self, enabled: bool) -> ActionResult:
        names = self._get_param("AlarmNames") or []
        if len(names) > 100:
            raise ValidationError("AlarmNames must have at most 100 members.")
        for name in names:
            if name in self._alarms:
                self._alarms[name].actions_enabled = enabled
        return EmptyResult()
