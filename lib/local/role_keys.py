"""Access keys of the roles that functions run with, so that a call tells who makes it."""

from __future__ import annotations

import hashlib

__all__ = ["PREFIX", "identity_of_key", "key_of_role", "role_of_key"]

# Of temporary credentials: docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
PREFIX = "ASIA"
_roles: dict[str, tuple[str, str]] = {}


def key_of_role(account: str, role: str) -> str:
    """The access key id, 20 characters, under which functions of this role call."""
    key = PREFIX + hashlib.sha256(f"{account}/{role}".encode()).hexdigest()[:16].upper()
    _roles[key] = (account, role)
    return key


def role_of_key(key: str) -> tuple[str, str] | None:
    """(account, role name) behind an access key id, None for anybody else's."""
    return _roles.get(key)


def identity_of_key(account: str, key: str) -> str:
    """The ARN of whoever calls with a key; anybody who is no function is the account's own user."""
    known = _roles.get(key)
    return f"arn:aws:sts::{known[0]}:assumed-role/{known[1]}/function" if known else f"arn:aws:iam::{account}:root"
