"""Service Quotas, for the quotas that this project reads. Values can be lowered through POST /_local/quotas."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.servicequotas import urls
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import servicequotas_backends
from moto.servicequotas.responses import ServiceQuotasResponse

__all__ = ["QuotasEndpoint", "install", "quota_of", "set_quota"]

SERVICES = {"bedrock": "Amazon Bedrock", "lambda": "AWS Lambda", "apigateway": "Amazon API Gateway"}
# (service, code) -> name, default value, adjustable
QUOTAS: dict[tuple[str, str], tuple[str, float, bool]] = {
    ("bedrock", "L-40EC9882"): ("Inference profiles per account", 1000.0, True),
    ("lambda", "L-B99A9384"): ("Concurrent executions", 1000.0, True),
    ("apigateway", "L-97C4BDD0"): ("API keys per account per Region", 10_000.0, False),
}


def set_quota(account: str, region: str, service: str, code: str, value: float) -> None:
    """Give an account another value. Raises KeyError for a quota that is not here."""
    if (service, code) not in QUOTAS:
        raise KeyError(f"{service} {code}")
    servicequotas_backends[account][region].__dict__.setdefault("local_values", {})[service, code] = value


def quota_of(account: str, region: str, service: str, code: str) -> float:
    """The value in force."""
    held = servicequotas_backends[account][region].__dict__.get("local_values", {})
    return float(held.get((service, code), QUOTAS[service, code][1]))


class QuotasEndpoint(ServiceQuotasResponse):
    """GetServiceQuota, ListServiceQuotas and their AWS-default counterparts."""

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    def _quota(self, service: str, code: str, default: bool) -> dict[str, Any]:
        if (service, code) not in QUOTAS:
            raise NoSuchResource
        name, value, adjustable = QUOTAS[service, code]
        held = self.backend.__dict__.get("local_values", {})
        return {
            "ServiceCode": service,
            "ServiceName": SERVICES[service],
            "QuotaArn": f"arn:{self.partition}:servicequotas:{self.region}:{self.current_account}:{service}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value if default else held.get((service, code), value),
            "Unit": "None",
            "Adjustable": adjustable,
            "GlobalQuota": False,
        }

    def _one(self, default: bool) -> ActionResult:
        service, code = str(self._get_param("ServiceCode")), str(self._get_param("QuotaCode"))
        return ActionResult({"Quota": self._quota(service, code, default)})

    def _all(self, default: bool) -> ActionResult:
        service = str(self._get_param("ServiceCode"))
        if service not in SERVICES:
            raise NoSuchResource
        return ActionResult({"Quotas": [self._quota(one, code, default) for one, code in QUOTAS if one == service]})

    def get_service_quota(self) -> ActionResult:
        return self._one(default=False)

    def get_aws_default_service_quota(self) -> ActionResult:
        return self._one(default=True)

    def list_service_quotas(self) -> ActionResult:
        return self._all(default=False)

    def list_aws_default_service_quotas(self) -> ActionResult:
        return self._all(default=True)


def install() -> None:
    """Put our endpoint in the place of moto's. Idempotent; before the first request."""
    urls.url_paths["{0}/$"] = QuotasEndpoint.dispatch
