"""The embedded CloudWatch: moto's endpoint with our metrics, alarms, anomaly detectors and dashboards in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.exceptions import ResourceNotFoundException
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult

from lib.local.alarm_operations import AlarmOperations
from lib.local.alarm_rules import check_tags
from lib.local.anomaly_bands import AnomalyOperations
from lib.local.dashboards import DashboardOperations
from lib.local.metric_operations import MetricOperations

__all__ = ["CloudWatchEndpoint", "install"]


class CloudWatchEndpoint(MetricOperations, AlarmOperations, AnomalyOperations, DashboardOperations):
    """All of CloudWatch that the embedded AWS has; what is not here is moto's."""

    def _tagged(self, arn: str) -> CloudWatchBackend:
        """The backend that holds the resource. Raises ResourceNotFoundException."""
        dashboard = self._home.dashboards.get(arn.partition(":dashboard/")[2])
        if dashboard is not None and dashboard.arn == arn:
            return self._home
        alarm = self.cloudwatch_backend.alarms.get(arn.partition(":alarm:")[2])
        if alarm is not None and alarm.alarm_arn == arn:
            return self.cloudwatch_backend
        raise ResourceNotFoundException(f"The resource {arn} does not exist")

    def tag_resource(self) -> ActionResult:
        arn, tags = self._get_param("ResourceARN"), self._get_param("Tags") or []
        check_tags(tags)
        self._tagged(arn).tagger.tag_resource(arn, tags)
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        arn = self._get_param("ResourceARN")
        self._tagged(arn).tagger.untag_resource_using_names(arn, self._get_param("TagKeys") or [])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        arn = self._get_param("ResourceARN")
        tags = self._tagged(arn).tagger.get_tag_dict_for_resource(arn)
        return ActionResult({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})


_moto_tagged_resources = CloudWatchBackend.iter_tagged_resources


def _tagged_resources(backend: Any) -> Iterator[Any]:
    """What the tagging API finds: moto's alarms and rules, and dashboards."""
    yield from _moto_tagged_resources(backend)
    for dashboard in list(backend.dashboards.values()):
        tags = backend.tagger.get_tag_dict_for_resource(dashboard.arn)
        yield TaggedResource(arn=dashboard.arn, tags=tags, resource_type="cloudwatch:dashboard")


def install() -> None:
    """Put our endpoint in the place of moto's. Idempotent; before the first request."""
    urls.url_paths["{0}/$"] = CloudWatchEndpoint.dispatch
    CloudWatchBackend.iter_tagged_resources = _tagged_resources
