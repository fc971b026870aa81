"""IAM's size limits of roles, which moto does not know.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from typing import Any

from moto.iam.models import IAMBackend

from lib.local.door import Refused

__all__ = ["install"]

INLINE_CHARACTERS = 10_240  # all inline policies of a role together, white space not counted
TRUST_CHARACTERS = 2048

_moto_put_role_policy = IAMBackend.put_role_policy
_moto_create_role = IAMBackend.create_role


def install() -> None:
    """Check sizes. Idempotent."""
    IAMBackend.put_role_policy = _put_role_policy
    IAMBackend.create_role = _create_role


def _put_role_policy(self: Any, role_name: str, policy_name: str, policy_json: str) -> None:
    held = dict(self.get_role(role_name).policies)
    held[policy_name] = policy_json
    if sum(_length(document) for document in held.values()) > INLINE_CHARACTERS:
        raise Refused(
            "LimitExceeded", f"Maximum policy size of {INLINE_CHARACTERS} bytes exceeded for role {role_name}", 409
        )
    _moto_put_role_policy(self, role_name, policy_name, policy_json)


def _create_role(self: Any, role_name: str, assume_role_policy_document: str, *rest: Any, **named: Any) -> Any:
    if _length(assume_role_policy_document) > TRUST_CHARACTERS:
        raise Refused("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {TRUST_CHARACTERS}", 409)
    return _moto_create_role(self, role_name, assume_role_policy_document, *rest, **named)


def _length(document: str) -> int:
    return len("".join(document.split()))
