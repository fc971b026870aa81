"""The door of the embedded AWS: every request of every service passes here, with its service and operation known.

Guards (pacing, control faults) may turn a request away before it is carried out, or lose its answer after.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from moto.core import errors
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.s3.responses import S3Response

__all__ = ["Dropped", "Refused", "Visit", "guards", "install"]

# How services say "too fast": code and HTTP status.
THROTTLES = {
    "apigateway": ("TooManyRequestsException", 429),
    "lambda": ("TooManyRequestsException", 429),
    "service-quotas": ("TooManyRequestsException", 400),
    "s3": ("SlowDown", 503),
    "sns": ("Throttled", 429),
    "cloudwatch": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "bedrock": ("ThrottlingException", 429),
    "bedrock-runtime": ("ThrottlingException", 429),
    "scheduler": ("ThrottlingException", 429),
}


class Dropped(ConnectionResetError):
    """The connection breaks without an answer; cheroot closes the socket silently on this errno."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "dropped by a control fault")


class Refused(Exception):
    """The request is answered with an AWS error."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status

    @classmethod
    def throttled(cls, service: str) -> Refused:
        """Too fast, in the words of the service."""
        code, status = THROTTLES.get(service, ("ThrottlingException", 400))
        return cls(code, "Rate exceeded", status)


class Visit(NamedTuple):
    """One request: whose, of which service (boto3's name), and which operation (PutMetricAlarm)."""

    account: str
    region: str
    service: str
    operation: str


# Called in order with the visit; before the request is carried out, or (`applied` true) after.
guards: list[Callable[[Visit, bool], None]] = []


class _Error(ServiceException):
    """An error of whatever service is asked; moto would look for the model of "core" if it were its own class."""


def _guarded(moto: Callable[..., Any]) -> Callable[..., Any]:
    def pass_door(response: Any, *args: Any) -> Any:
        if not guards:
            return moto(response, *args)
        operation = str(response._get_action() or response.method)
        visit = Visit(response.current_account, response.region, response.boto3_service_name, operation)
        try:
            for guard in guards:
                guard(visit, False)
            result = moto(response, *args)
            for guard in guards:
                guard(visit, True)
        except Refused as refusal:
            _, headers, body = response.serialized(ActionResult(_Error(refusal.code, refusal.message)))
            return refusal.status, {**headers, "status": str(refusal.status)}, body
        return result

    return pass_door


_moto_call_action = BaseResponse.call_action
_moto_bucket_response = S3Response._bucket_response
_moto_key_response = S3Response._key_response


def install() -> None:
    """Stand at the door. Idempotent."""
    for code in ("InternalFailure", *(code for code, _ in THROTTLES.values()), "ThrottlingException"):
        if code not in errors.COMMON_ERROR_CODES:  # else moto warns that a service's model lacks it
            errors.COMMON_ERROR_CODES.append(code)
    BaseResponse.call_action = _guarded(_moto_call_action)
    S3Response._bucket_response = _guarded(_moto_bucket_response)
    S3Response._key_response = _guarded(_moto_key_response)
