"""A role, a function, an API and a key on the embedded AWS, for tests of the embedded AWS itself."""

from __future__ import annotations

import http.client
import io
import json
import socket
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Answer", "Gateway", "admin", "free_port", "http_call", "make_function", "make_role"]

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
ACCOUNT = "123456789012"
Client = Callable[..., Any]


class Answer(NamedTuple):
    """One HTTP answer; `body` is parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def http_call(
    endpoint: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own."""
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        reply = connection.getresponse()
        content = reply.read()
    finally:
        connection.close()
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = content
    return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, parsed)


def admin(endpoint: str, method: str, path: str, body: Any = None) -> Any:
    """An address under /_local; it must answer 200."""
    answer = http_call(endpoint, method, path, b"" if body is None else json.dumps(body).encode())
    assert answer.status == 200, answer
    return answer.body


def make_role(aws: Client, name: str, *statements: Mapping[str, Any], trust: Mapping[str, Any] = TRUST) -> str:
    """A role with an inline policy; its ARN."""
    iam = aws("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [LOGS, *statements]}
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))
    return str(arn)


def make_function(aws: Client, source: str, *, name: str = "app", role: str = "", **settings: Any) -> str:
    """A function whose zip holds `source` as app.py, with its log group; its ARN."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", source)
    aws("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    arn = aws("lambda").create_function(
        FunctionName=name, Role=role or make_role(aws, f"{name}-role"), Handler="app.handle",
        Code={"ZipFile": content.getvalue()}, **{"Runtime": "python3.13", "Timeout": 10, **settings},
    )["FunctionArn"]  # fmt: skip
    return str(arn)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Gateway:
    """One route, POST /invoke, behind a key; and GET /files/{name}, open to all."""

    def __init__(
        self,
        aws: Client,
        endpoint: str,
        source: str,
        *,
        responses: Mapping[str, Any] | None = None,
        milliseconds: int = 29_000,
        plan: Mapping[str, Any] | None = None,
        permit: bool = True,
        **settings: Any,
    ) -> None:
        self.aws, self.endpoint = aws, endpoint
        self.function = make_function(aws, source, **settings)
        self._responses, self._milliseconds = responses or {}, milliseconds
        api = aws("apigateway")
        self.api_id = api.import_rest_api(body=json.dumps(self.document()).encode())["id"]
        api.create_deployment(restApiId=self.api_id, stageName="dev")
        stages = [{"apiId": self.api_id, "stage": "dev"}]
        self.plan_id = api.create_usage_plan(name="plan", apiStages=stages, **(plan or {}))["id"]
        self.key = self.make_key("tenant")
        if permit:
            aws("lambda").add_permission(
                FunctionName="app", StatementId="api", Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{self.api_id}/dev/*/*",
            )  # fmt: skip

    def make_key(self, name: str, *, planned: bool = True) -> str:
        """The value of a new key, on the plan or not."""
        api = self.aws("apigateway")
        key_id = api.create_api_key(name=name, enabled=True)["id"]
        if planned:
            api.create_usage_plan_key(usagePlanId=self.plan_id, keyId=key_id, keyType="API_KEY")
        return str(api.get_api_key(apiKey=key_id, includeValue=True)["value"])

    def document(self) -> dict[str, Any]:
        """The API as OpenAPI."""
        integration = {
            "type": "aws_proxy", "httpMethod": "POST", "timeoutInMillis": self._milliseconds,
            "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{self.function}/invocations",
        }  # fmt: skip
        method = {"responses": {}, "x-amazon-apigateway-integration": integration}
        return {
            "openapi": "3.0.1",
            "info": {"title": "api", "description": "", "version": "1"},
            "paths": {"/invoke": {"post": {**method, "security": [{"api_key": []}]}}, "/files/{name}": {"get": method}},
            "components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
            "x-amazon-apigateway-gateway-responses": self._responses,
        }

    def call(
        self, body: bytes = b"{}", *, key: str | None = "", method: str = "POST", path: str = "/invoke", **headers: str
    ) -> Answer:
        """One request; `key` None for none, "" for the tenant's."""
        sent = {name.replace("__", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["x-api-key"] = key or self.key
        return http_call(self.endpoint, method, f"/restapis/{self.api_id}/dev/_user_request_{path}", body, sent)
