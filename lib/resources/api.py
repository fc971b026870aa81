"""The REST API: imported from one OpenAPI document, deployed to one stage, allowed to call the function."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lib.aws import Aws
from lib.config import Config
from lib.names import OWNER_TAG, Names, names_of
from lib.openapi import ROUTES, document, gateway_responses
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "api"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Import or repair the API, deploy it where the stage lags behind, and let it call the function."""
    names = names_of(config, aws.account)
    wanted = document(names.api, _description(names), state.get("function_arn"), aws.region, aws.partition)
    api = _found(aws, names, state)
    if api is None:
        api = aws.write(
            "+", f"creating API {names.api}", "apigateway", "import_rest_api",
            body=json.dumps(wanted).encode(), failOnWarnings=True,
            parameters={"endpointConfigurationTypes": "REGIONAL"},
        )  # fmt: skip
    elif _differs(aws, api["id"], wanted):
        aws.write(
            "~", f"updating API {names.api}", "apigateway", "put_rest_api",
            restApiId=api["id"], mode="overwrite", body=json.dumps(wanted).encode(), failOnWarnings=True,
        )  # fmt: skip
    state.keep("api_id", api["id"])
    if (api.get("tags") or {}).get(OWNER_TAG) != names.deployment:
        arn = f"arn:{aws.partition}:apigateway:{aws.region}::/restapis/{api['id']}"
        aws.write("~", f"tagging API {names.api}", "apigateway", "tag_resource", resourceArn=arn, tags=names.tags)
    _deploy(aws, names, api["id"], _digest(wanted))
    _permit(aws, names, api["id"])
    state.keep("api_url", _url(aws, api["id"], names.stage))


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the API; its stage, deployments and gateway responses go with it, its permission with the function."""
    names = names_of(config, aws.account)
    for api in _ours(aws, names):
        aws.write("-", f"deleting API {names.api}", "apigateway", "delete_rest_api", restApiId=api["id"])
    state.forget("api_id")
    state.forget("api_url")


def remaining(aws: Aws, config: Config) -> list[str]:
    """APIs that carry our tag or our description."""
    return [f"API {api['name']} ({api['id']})" for api in _ours(aws, names_of(config, aws.account))]


def _description(names: Names) -> str:
    # An import cannot set tags, so the description is what finds the API after a crash between import and tagging.
    return f"Multi-tenant cost control for Amazon Bedrock. {OWNER_TAG}={names.deployment}"


def _ours(aws: Aws, names: Names) -> list[dict[str, Any]]:
    return [
        api
        for api in aws.pages("apigateway", "get_rest_apis", "items")
        if (api.get("tags") or {}).get(OWNER_TAG) == names.deployment or api.get("description") == _description(names)
    ]


def _found(aws: Aws, names: Names, state: State) -> dict[str, Any] | None:
    known = state.get("api_id")
    if known:
        api = aws.read("apigateway", "get_rest_api", restApiId=known)
        if api is not None:
            return api
    ours = _ours(aws, names)
    return ours[0] if ours else None


def _differs(aws: Aws, api_id: str, wanted: dict[str, Any]) -> bool:
    """Whether a route, its key, its integration or an error answer is not as the document says."""
    resources = aws.pages("apigateway", "get_resources", "items", restApiId=api_id, embed=["methods"])
    found = {item["path"]: item.get("resourceMethods") or {} for item in resources}
    for path, method in ROUTES:
        actual = found.get(path, {}).get(method)
        integration = (actual or {}).get("methodIntegration") or {}
        expected = wanted["paths"][path][method.lower()]["x-amazon-apigateway-integration"]
        if (
            actual is None
            or not actual.get("apiKeyRequired")
            or integration.get("uri") != expected["uri"]
            or integration.get("timeoutInMillis") != expected["timeoutInMillis"]
        ):
            return True
    if any(found[path] for path in found.keys() - {path for path, _ in ROUTES}):
        return True
    answers = {
        item["responseType"]: item
        for item in aws.pages("apigateway", "get_gateway_responses", "items", restApiId=api_id)
        if not item.get("defaultResponse")
    }
    return any(
        (answers.get(kind) or {}).get(key) != value
        for kind, expected in gateway_responses().items()
        for key, value in expected.items()
    )


def _digest(wanted: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]


def _deploy(aws: Aws, names: Names, api_id: str, digest: str) -> None:
    """A stage shows the deployment it was given; ours says in its description which document that was."""
    stage = aws.read("apigateway", "get_stage", restApiId=api_id, stageName=names.stage)
    if stage is not None:
        current = aws.read("apigateway", "get_deployment", restApiId=api_id, deploymentId=stage.get("deploymentId", ""))
        if (current or {}).get("description") == digest:
            return
    aws.write(
        "~" if stage else "+", f"deploying API {names.api} to stage {names.stage}", "apigateway", "create_deployment",
        restApiId=api_id, stageName=names.stage, description=digest,
    )  # fmt: skip


def _permit(aws: Aws, names: Names, api_id: str) -> None:
    """Exactly one statement lets exactly this API call the function; one of an earlier API goes."""
    wanted = f"api-{api_id}"
    answer = aws.read("lambda", "get_policy", FunctionName=names.function)
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    sids = {statement["Sid"] for statement in statements}
    for stale in sorted(sid for sid in sids if sid.startswith("api-") and sid != wanted):
        aws.write(
            "-", f"forbidding a former API to call {names.function}", "lambda", "remove_permission",
            FunctionName=names.function, StatementId=stale,
        )  # fmt: skip
    if wanted not in sids:
        aws.write(
            "+", f"allowing API {names.api} to call {names.function}", "lambda", "add_permission",
            FunctionName=names.function, StatementId=wanted, Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com", SourceAccount=aws.account,
            SourceArn=f"arn:{aws.partition}:execute-api:{aws.region}:{aws.account}:{api_id}/{names.stage}/*/*",
        )  # fmt: skip


def _url(aws: Aws, api_id: str, stage: str) -> str:
    if aws.endpoint_url:
        return f"{aws.endpoint_url}/restapis/{api_id}/{stage}/_user_request_"
    suffix = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    return f"https://{api_id}.execute-api.{aws.region}.{suffix}/{stage}"
