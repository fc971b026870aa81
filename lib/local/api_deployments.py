"""What a stage serves: the API as it was at its deployment, not as it is now.

moto keeps no copy, so a change that was never deployed would seem to work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from moto.apigateway.models import GatewayResponse, RestAPI

__all__ = ["Deployed", "Route", "deployed", "install"]

_FUNCTION = re.compile(r"functions/(arn:[^/]+)/invocations")


class Route(NamedTuple):
    """One method of one resource. `function` is the ARN of its Lambda proxy integration, None for any other kind."""

    resource: str
    method: str
    needs_key: bool
    function: str | None
    seconds: float


class Deployed(NamedTuple):
    """An API's routes and answers at one deployment."""

    routes: tuple[Route, ...]
    gateway_responses: Mapping[str, GatewayResponse]
    binary_types: tuple[str, ...]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request and its path parameters: fixed paths go before parameters, parameters before greedy
        ones, a method before ANY."""
        found = [
            (route.resource.count("{"), "+}" in route.resource, route.method == "ANY", route, matched.groupdict())
            for route in self.routes
            if route.method in (method, "ANY") and (matched := _pattern(route.resource).fullmatch(path))
        ]
        if not found:
            return None
        *_, route, parameters = min(found, key=lambda one: (one[1], one[0], one[2]))
        return route, {name.replace("_dash_", "-"): unquote(value) for name, value in parameters.items()}


def install() -> None:
    """Keep a copy with each deployment. Idempotent."""
    RestAPI.create_deployment = _create_deployment


def deployed(api: Any, stage: str) -> Deployed | None:
    """What `stage` of moto's `api` serves, None where there is no such stage or nothing is deployed to it."""
    found = api.stages.get(stage)
    deployment = api.deployments.get(found.deployment_id) if found else None
    return getattr(deployment, "local_copy", None)


_moto_create_deployment = RestAPI.create_deployment


def _create_deployment(self: Any, *args: Any, **named: Any) -> Any:
    deployment = _moto_create_deployment(self, *args, **named)
    deployment.local_copy = Deployed(
        tuple(_routes(self)), dict(self.gateway_responses), tuple(self.binaryMediaTypes or ())
    )
    return deployment


def _routes(api: Any) -> list[Route]:
    routes = []
    for resource in api.resources.values():
        for verb, method in resource.resource_methods.items():
            integration = method.method_integration
            uri = (integration.uri or "") if integration and integration.integration_type == "AWS_PROXY" else ""
            function = _FUNCTION.search(uri)
            milliseconds = float((integration.timeout_in_millis if integration else None) or 29_000)
            routes.append(
                Route(
                    resource.get_path(),
                    verb,
                    bool(method.api_key_required),
                    function[1] if function else None,
                    milliseconds / 1000,
                )
            )
    return routes


@cache
def _pattern(resource: str) -> re.Pattern[str]:
    """{name} matches one segment, {name+} the rest."""
    parts = re.split(r"\{([^}]+)\}", resource)
    text = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            text += re.escape(part)
        else:
            name = part.rstrip("+").replace("-", "_dash_")
            text += f"(?P<{name}>.+)" if part.endswith("+") else f"(?P<{name}>[^/]+)"
    return re.compile(text)
