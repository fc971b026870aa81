"""CloudWatch's dashboard operations, with the body checked as AWS checks it. Dashboards belong to no Region."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.cloudwatch.exceptions import DashboardInvalidInputError, InvalidParameterValue, ResourceNotFound
from moto.cloudwatch.models import CloudWatchBackend, Dashboard, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from lib.local import clock
from lib.local.alarm_rules import check_tags
from lib.local.dashboard_body import check_body
from lib.local.metric_operations import when

__all__ = ["DashboardOperations", "dashboards_of"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
PAGE = 1000


def dashboards_of(account: str, partition: str = "aws") -> CloudWatchBackend:
    """The one backend that holds all dashboards of an account."""
    return cloudwatch_backends[account][HOME.get(partition, "us-east-1")]


class DashboardOperations(CloudWatchResponse):
    """To be mixed into the CloudWatch endpoint."""

    @property
    def _home(self) -> CloudWatchBackend:
        return dashboards_of(self.current_account, self.partition)

    def put_dashboard(self) -> ActionResult:
        name, text = str(self._get_param("DashboardName") or ""), self._get_param("DashboardBody")
        if not NAME.fullmatch(name):
            raise DashboardInvalidInputError(
                "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, "
                "dash (-) and underscore (_), and at most 255 of them."
            )
        if not text:
            raise DashboardInvalidInputError("The field DashboardBody must be specified.")
        try:
            findings = check_body(json.loads(text))
        except ValueError:
            raise DashboardInvalidInputError("The field DashboardBody must be a valid JSON object") from None
        errors = [{"dataPath": finding.path, "message": finding.message} for finding in findings if finding.fatal]
        if errors:
            listed = json.dumps(errors, indent=2)
            raise DashboardInvalidInputError(
                f"The dashboard body is invalid, there are {len(errors)} validation errors:\n{listed}"
            )
        held = self._home.dashboards.get(name)
        tags = list(self._get_param("Tags") or [])
        check_tags(tags)
        dashboard = Dashboard(self.current_account, self.region, name, text)
        dashboard.last_modified = when(clock.now())
        self._home.dashboards[name] = dashboard
        if tags and held is None:  # tags of an existing dashboard change through TagResource only
            self._home.tagger.tag_resource(dashboard.arn, tags)
        messages = [{"DataPath": finding.path, "Message": finding.message} for finding in findings]
        return ActionResult({"DashboardValidationMessages": messages})

    def get_dashboard(self) -> ActionResult:
        name = self._get_param("DashboardName")
        held = self._home.dashboards.get(name)
        if held is None:
            raise ResourceNotFound(f"Dashboard {name} does not exist")
        return ActionResult({"DashboardArn": held.arn, "DashboardBody": held.body, "DashboardName": held.name})

    def list_dashboards(self) -> ActionResult:
        prefix = str(self._get_param("DashboardNamePrefix") or "")
        found = [held for name, held in sorted(self._home.dashboards.items()) if name.startswith(prefix)]
        first = int(self._get_param("NextToken") or 0)
        entries = [
            {
                "DashboardName": held.name,
                "DashboardArn": held.arn,
                "LastModified": held.last_modified,
                "Size": len(held.body),
            }
            for held in found[first : first + PAGE]
        ]
        token = str(first + PAGE) if len(found) > first + PAGE else None
        return ActionResult({"DashboardEntries": entries, "NextToken": token})

    def delete_dashboards(self) -> ActionResult:
        names = list(self._get_param("DashboardNames") or [])
        if not 1 <= len(names) <= 100:
            raise InvalidParameterValue("DashboardNames must have 1 to 100 members.")
        missing = [name for name in names if name not in self._home.dashboards]
        if missing:
            raise ResourceNotFound(f"Dashboards do not exist: {', '.join(missing)}")  # and none is deleted
        for name in dict.fromkeys(names):
            held: Any = self._home.dashboards.pop(name)
            self._home.tagger.delete_all_tags_for_resource(held.arn)
        return EmptyResult()
