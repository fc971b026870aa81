"""What AWS's error answers mean to us: missing, denied, passing, and the sentence a person reads."""

from __future__ import annotations

from botocore.exceptions import ClientError

from lib.errors import AccessDenied, AwsError

__all__ = ["code_of", "is_missing", "is_passing", "is_throttled", "remedy", "translated"]

_MISSING = frozenset({
    "404", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NoSuchTagSet", "NoSuchTagSetError",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchLifecycleConfiguration", "NoSuchBucketPolicy", "ServerSideEncryptionConfigurationNotFoundError",
    "NotFound", "NotFoundException", "ResourceNotFoundException", "ResourceNotFound", "DashboardNotFoundError",
    "PolicyNotFoundException", "NoSuchResourceException",
})  # fmt: skip
_DENIED = frozenset({
    "403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
    "UnauthorizedOperation", "UnauthorizedException", "InvalidClientTokenId", "UnrecognizedClientException",
    "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
})  # fmt: skip
_THROTTLED = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "PriorRequestNotComplete", "LimitExceededFault",
    "ProvisionedThroughputExceededException", "OperationAborted", "ConcurrentModificationException",
})  # fmt: skip


def is_missing(error: ClientError) -> bool:
    """The thing asked for does not exist. A 403 never means that."""
    return code_of(error) in _MISSING and _status(error) != 403


def is_throttled(error: ClientError) -> bool:
    """AWS did nothing and wants us to come back later."""
    return code_of(error) in _THROTTLED or _status(error) == 429


def is_passing(error: ClientError) -> bool:
    """Throttled, or AWS's own fault: the same call may succeed later."""
    return is_throttled(error) or _status(error) >= 500


def code_of(error: ClientError) -> str:
    """AWS's error code, e.g. "ThrottlingException"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def translated(error: ClientError, sentence: str) -> AwsError:
    """Our exception for AWS's answer; `sentence` completes "while ..."."""
    code = code_of(error)
    text = str(error.response.get("Error", {}).get("Message", "")).strip()
    kind = AccessDenied if code in _DENIED or _status(error) == 403 else AwsError
    return kind(f"AWS answered {code} while {sentence}: {text}", remedy(code), code)


def remedy(code: str) -> str:
    """What a person can do about an error code."""
    if code.startswith("Expired"):
        return "Sign in again; the credentials have expired."
    if code in {"NoCredentialsError", "PartialCredentialsError", "InvalidClientTokenId", "UnrecognizedClientException"}:
        return "Give AWS credentials (aws configure, AWS_PROFILE or --profile), or use --local."
    if code in _DENIED:
        return "Ask for this permission, then run the command again; it goes on from here."
    if code in _THROTTLED:
        return "AWS is throttling this account; run the command again in a minute."
    return "Run the command again; what is already done stays done."
