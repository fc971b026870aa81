"""AWS in three verbs: `read`, `write`, `settle`.

Resource code never calls a client itself, so that planning, applying and the embedded AWS are the same code with
another `Aws`. A `before-call` handler refuses any mutation that did not come through `write`, in every mode.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.validate import ParamValidator

from lib.answers import code_of, is_missing, is_passing, is_throttled, remedy, translated
from lib.errors import AwsError, NotReady
from lib.planned import is_planned, planned_output

__all__ = ["Aws", "Change", "Uncertain"]

Sign = Literal["+", "~", "-"]

_READS = ("describe_", "get_", "list_", "head_", "batch_get_", "query", "scan", "simulate_")
# Doing these twice makes two or is refused, so after an unknown outcome we look again rather than send again.
_NOT_IDEMPOTENT = frozenset({
    "import_rest_api", "create_rest_api", "create_api_key", "create_usage_plan", "create_usage_plan_key",
    "create_deployment", "create_bucket", "create_table", "delete_table", "update_table", "update_time_to_live",
    "create_inference_profile", "create_role", "create_log_group", "create_function", "update_function_code",
    "update_function_configuration", "add_permission", "update_item", "update_usage_plan", "delete_usage_plan",
    "delete_rest_api",
})  # fmt: skip
# Published control-plane rates, in seconds between calls; "*" stands for all calls of a service together.
# docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
# docs.aws.amazon.com/general/latest/gr/sns.html
_SECONDS_BETWEEN = {
    ("apigateway", "*"): 0.1,
    ("apigateway", "import_rest_api"): 3.0,
    ("apigateway", "put_rest_api"): 1.0,
    ("apigateway", "delete_rest_api"): 30.0,
    ("apigateway", "create_deployment"): 5.0,
    ("apigateway", "create_api_key"): 0.2,
    ("apigateway", "delete_api_key"): 0.2,
    ("apigateway", "get_resources"): 0.4,
    ("apigateway", "update_usage_plan"): 20.0,
    ("cloudwatch", "put_metric_alarm"): 1 / 3,
    ("cloudwatch", "delete_alarms"): 1 / 3,
    ("sns", "list_tags_for_resource"): 0.1,
    ("sns", "tag_resource"): 0.1,
    # Not published; half of what other creating calls of control planes are given.
    ("bedrock", "create_inference_profile"): 0.5,
}
_BROKEN_CONNECTION = (ConnectionError, HTTPClientError)
_ATTEMPTS = 8
_PATIENCE_SECONDS = 3.0


class Change(NamedTuple):
    """One mutation: `sign` is + (create), ~ (update) or - (delete); `sentence` completes "while ..."."""

    sign: Sign
    sentence: str


class Uncertain(AwsError):
    """AWS may or may not have done it; looking again tells. A step that meets this is simply walked again."""


class Aws:
    """The place changes happen: an account and Region, or a plan of one.

    `planning` makes `write` only say what it would do. `paced` keeps mutations under AWS's published rates.
    `announce` hears each change, `tell` each sentence that is no change but worth knowing.
    `trace` hears each call's name, never its parameters: some of them are secrets.
    """

    def __init__(
        self,
        session: Any,
        *,
        endpoint_url: str | None = None,
        planning: bool = False,
        paced: bool = True,
        announce: Callable[[Change], None] = lambda change: None,
        tell: Callable[[str], None] = lambda sentence: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.session = session
        self.region: str = session.region_name
        self.partition: str = session.get_partition_for_region(self.region)
        self.endpoint_url = endpoint_url
        self.planning = planning
        self.changes: list[Change] = []
        self.sleep = sleep
        self.clock = clock
        self._paced = paced
        self._announce = announce
        self._tell = tell
        self._passing: Callable[[ClientError], bool] | None = None
        self._patience_ends = 0.0
        self._jitter = jitter
        self._trace = trace
        self._clients: dict[str, Any] = {}
        self._next_call: dict[tuple[str, str], float] = {}
        self._writing = False
        self._account = ""

    @property
    def account(self) -> str:
        """The twelve digits of the account whose credentials we hold."""
        if not self._account:
            identity = self.read("sts", "get_caller_identity")
            self._account = str(identity["Account"]) if identity else ""
        return self._account

    def client(self, service: str) -> Any:
        """A botocore client, for waiters and paginators; its mutations are refused outside `write`."""
        if service not in self._clients:
            config = ClientConfig(
                retries={"total_max_attempts": 1},  # `_call` retries, with the injected sleep
                connect_timeout=5,
                read_timeout=60,
                s3={"addressing_style": "path" if self.endpoint_url else "auto"},
            )
            client = self.session.client(service, endpoint_url=self.endpoint_url, config=config)
            names = {api: method for method, api in client.meta.method_to_api_mapping.items()}

            def refuse_unannounced(model: Any, **_: Any) -> None:
                method = names.get(model.name, model.name)
                if not self._writing and not method.startswith(_READS):
                    raise AssertionError(f"{service}.{method} changes AWS outside Aws.write")

            client.meta.events.register("before-call", refuse_unannounced)
            self._clients[service] = client
        return self._clients[service]

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any] | None:
        """What AWS answers, or None where there is nothing. Raises AccessDenied on 403, never None."""
        assert operation.startswith(_READS), f"{operation} is not a read"
        if is_planned(parameters):
            return None
        sentence = f"reading {service} {operation.replace('_', ' ')}"
        try:
            return self._call(sentence, service, operation, parameters, again=True)
        except ClientError as error:
            if is_missing(error):
                return None
            raise translated(error, sentence) from error

    def pages(self, service: str, operation: str, key: str, /, **parameters: Any) -> Iterator[Any]:
        """Every item of a paged listing; nothing where the thing listed does not exist."""
        if is_planned(parameters):
            return
        client = self.client(service)
        if not client.can_paginate(operation):
            yield from (self.read(service, operation, **parameters) or {}).get(key, [])
            return
        paginator = client.get_paginator(operation)
        # A paginator's own calls are not retried by botocore here, so it drives ours instead.
        paginator._method = lambda **page: self.read(service, operation, **page) or {}
        for page in paginator.paginate(**parameters):
            yield from page.get(key) or []

    def write(self, sign: Sign, sentence: str, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Change AWS, or say so while planning. `sentence` completes "while ...", e.g. "creating topic Alarms".

        Deleting what is already gone answers {}. Raises Uncertain where a non-idempotent call's outcome is unknown.
        """
        change = Change(sign, sentence)
        client = self.client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        if self.planning:
            report = ParamValidator().validate(parameters, model.input_shape) if model.input_shape else None
            if report is not None and report.has_errors():
                raise AssertionError(f"{service}.{operation}: {report.generate_report()}")
            self.changes.append(change)
            self._announce(change)
            return planned_output(model.output_shape)
        self._announce(change)
        with self._allowed():
            try:
                answer = self._call(sentence, service, operation, parameters, again=operation not in _NOT_IDEMPOTENT)
            except ClientError as error:
                if sign == "-" and is_missing(error):
                    answer = {}
                else:
                    raise translated(error, sentence) from error
        self.changes.append(change)
        return answer

    def settle(self, sentence: str, ready: Callable[[], bool], *, seconds: float = 120, every: float = 1) -> None:
        """Wait until `ready()`; NotReady after `seconds`. While planning there is nothing to wait for."""
        if self.planning:
            return
        deadline = self.clock() + seconds
        while not ready():
            if self.clock() >= deadline:
                raise NotReady(f"Gave up {sentence} after {seconds:.0f} s.", "Run the command again to go on.")
            self.sleep(every)

    def note(self, sentence: str) -> None:
        """Tell the operator something that changes nothing: what we wait for, what we could not find out."""
        self._tell(sentence)

    @contextmanager
    def patient(self, passing: Callable[[ClientError], bool], seconds: float) -> Iterator[None]:
        """Within the block, wait out refusals that `passing` recognises, for up to `seconds` altogether.

        For changes that AWS needs time to believe, e.g. a role just made that Lambda cannot assume yet.
        """
        self._passing, self._patience_ends = passing, self.clock() + seconds
        try:
            yield
        finally:
            self._passing = None

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        self._writing = True
        try:
            yield
        finally:
            self._writing = False

    def _call(
        self, sentence: str, service: str, operation: str, parameters: dict[str, Any], *, again: bool
    ) -> dict[str, Any]:
        """One call with retries. Throttling is always retried; an unknown outcome only if `again`."""
        method = getattr(self.client(service), operation)
        attempt = 0
        while True:
            attempt += 1
            self._pace(service, operation)
            if self._trace:
                self._trace(f"    {service}.{operation} (attempt {attempt})")
            try:
                answer: dict[str, Any] = method(**parameters)
                return answer
            except ClientError as error:
                if self._passing and self._passing(error) and self.clock() < self._patience_ends:
                    attempt = 0
                    self.sleep(_PATIENCE_SECONDS)
                    continue
                if not is_passing(error):
                    raise
                if not is_throttled(error) and not again:
                    raise Uncertain(
                        f"AWS answered {code_of(error)} while {sentence}.", "Run the command again."
                    ) from error
                if attempt == _ATTEMPTS:
                    raise
            except BotoCoreError as error:
                if not isinstance(error, _BROKEN_CONNECTION):
                    raise AwsError(
                        f"Could not call AWS while {sentence}: {error}", remedy(type(error).__name__)
                    ) from error
                if not again:
                    raise Uncertain(f"The connection broke while {sentence}.", "Run the command again.") from error
                if attempt == _ATTEMPTS:
                    raise AwsError(
                        f"No answer from AWS while {sentence}.", "Check the network and run again."
                    ) from error
            # "Full jitter": aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
            self.sleep(min(20.0, 0.5 * 2**attempt) * self._jitter())

    def _pace(self, service: str, operation: str) -> None:
        if not self._paced:
            return
        gaps = {key: _SECONDS_BETWEEN[key] for key in ((service, operation), (service, "*")) if key in _SECONDS_BETWEEN}
        wait = max((self._next_call.get(key, 0.0) for key in gaps), default=0.0) - self.clock()
        if wait > 0:
            self.sleep(wait)
        now = self.clock()
        self._next_call.update({key: now + gap for key, gap in gaps.items()})
