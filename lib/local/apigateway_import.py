"""What moto's API Gateway drops of an imported OpenAPI document, and tags on APIs.

moto creates paths, methods and integrations. This adds the API key requirement, integration timeouts, error answers
and endpoint type, and TagResource, UntagResource, GetTags.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.apigateway.models import APIGatewayBackend, RestAPI
from moto.apigateway.responses import APIGatewayResponse

__all__ = ["install"]

_import_rest_api = APIGatewayBackend.import_rest_api
_put_rest_api = APIGatewayBackend.put_rest_api


def install() -> None:
    """Put the additions in place. Calling it again changes nothing."""
    APIGatewayBackend.import_rest_api = _import
    APIGatewayBackend.put_rest_api = _put
    APIGatewayResponse.tag_resource = _tag_resource
    APIGatewayResponse.untag_resource = _untag_resource
    APIGatewayResponse.get_tags = _get_tags


def _import(backend: Any, api_doc: dict[str, Any], fail_on_warnings: bool) -> Any:
    # fail_on_warnings would ask for a validator package that nothing else here needs.
    api = _import_rest_api(backend, api_doc, False)
    api.endpoint_configuration = {"types": ["REGIONAL"], "ipAddressType": "ipv4"}
    return api


def _put(backend: Any, function_id: str, api_doc: dict[str, Any], fail_on_warnings: bool, mode: str = "merge") -> Any:
    api = _put_rest_api(backend, function_id, api_doc, False, mode)
    if mode == "overwrite":
        api.gateway_responses = {}
    api.name = api_doc["info"]["title"]
    api.description = api_doc["info"].get("description", "")
    api.api_key_source = api_doc.get("x-amazon-apigateway-api-key-source", api.api_key_source)
    key_schemes = {
        name
        for name, scheme in api_doc.get("components", {}).get("securitySchemes", {}).items()
        if scheme.get("type") == "apiKey" and scheme.get("name") == "x-api-key"
    }
    for path, methods in api_doc["paths"].items():
        for verb, wanted in methods.items():
            _complete_method(api, path, verb.upper(), wanted, key_schemes)
    for kind, answer in api_doc.get("x-amazon-apigateway-gateway-responses", {}).items():
        api.put_gateway_response(
            kind, answer.get("statusCode"), answer.get("responseParameters"), answer.get("responseTemplates")
        )
    return api


def _complete_method(api: RestAPI, path: str, verb: str, wanted: dict[str, Any], key_schemes: set[str]) -> None:
    method = api.get_resource_for_path(path).resource_methods[verb]
    method.api_key_required = any(key_schemes & set(need) for need in wanted.get("security", []))
    integration = wanted.get("x-amazon-apigateway-integration")
    if integration:
        method.method_integration.integration_type = integration["type"].upper()
        method.method_integration.timeout_in_millis = integration.get("timeoutInMillis", 29000)


def _tagged(backend: Any, arn: str) -> Any:
    """The object behind arn:...:/restapis/ID, /apikeys/ID, /usageplans/ID or /restapis/ID/stages/NAME."""
    kind, identifier, *rest = arn.rpartition("::/")[2].split("/")
    if kind == "restapis" and rest:
        return backend.get_rest_api(identifier).stages[rest[1]]
    getter = {"restapis": "get_rest_api", "apikeys": "get_api_key", "usageplans": "get_usage_plan"}[kind]
    return getattr(backend, getter)(identifier)


def _arn(response: Any) -> str:
    return unquote(response.parsed_url.path.partition("/tags/")[2])


def _tag_resource(self: Any) -> tuple[int, dict[str, Any], str]:
    target = _tagged(self.backend, _arn(self))
    target.tags = {**(target.tags or {}), **json.loads(self.body)["tags"]}
    return 204, {}, ""


def _untag_resource(self: Any) -> tuple[int, dict[str, Any], str]:
    target = _tagged(self.backend, _arn(self))
    gone = set(self.querystring.get("tagKeys", []))
    target.tags = {key: value for key, value in (target.tags or {}).items() if key not in gone}
    return 204, {}, ""


def _get_tags(self: Any) -> tuple[int, dict[str, Any], str]:
    return 200, {}, json.dumps({"tags": _tagged(self.backend, _arn(self)).tags or {}})
