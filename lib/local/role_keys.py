"""Access keys of the roles that functions run with, so that a call tells who makes it."""

from __future__ import annotations

import hashlib

__all__ = ["key_of_role", "role_of_key"]

_roles: dict[str, tuple[str, str]] = {}


def key_of_role(account: str, role: str) -> str:
    """The access key id under which functions of this role call."""
    key = "ASIA" + hashlib.sha256(f"{account}/{role}".encode()).hexdigest()[:16].upper()
    _roles[key] = (account, role)
    return key


def role_of_key(key: str) -> tuple[str, str] | None:
    """(account, role name) behind an access key id, None for anybody else's."""
    return _roles.get(key)
