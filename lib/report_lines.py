"""The lines that tell an operator what is deployed and how to call it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from lib.aws import Aws
from lib.config import Config
from lib.errors import StateError
from lib.state import State

__all__ = ["calling_line", "fetched_key", "key_value", "lasting_key", "tenant_lines"]

_HELLO = {"messages": [{"role": "user", "content": [{"text": "Say hello in five words."}]}]}


def tenant_lines(config: Config, state: State) -> Iterator[str]:
    """Each tenant with its profiles and their ids."""
    ids = state.group("profile_ids")
    for tenant in config.tenants.values():
        yield f"{tenant.name} (tier {tenant.tier})"
        for profile in config.profiles:
            if profile.tenant == tenant.name:
                yield f"  {ids.get(profile.name, '?'):14} {profile.name}  {profile.model_id}"


def lasting_key(state: State, tenant: str) -> str:
    """The id of the tenant's key that does not run out. Raises StateError where there is none."""
    for key_id, key in state.group("keys").items():
        if key["tenant"] == tenant and not key["until"]:
            return key_id
    raise StateError(f"No API key of tenant {tenant} is known.", "Run setup.py; tenants.py list shows who there is.")


def key_value(aws: Aws, state: State, tenant: str) -> str:
    """The secret itself, asked of AWS each time: it is kept nowhere."""
    answer = aws.read("apigateway", "get_api_key", apiKey=lasting_key(state, tenant), includeValue=True)
    if answer is None:
        raise StateError(f"The API key of tenant {tenant} is gone.", "Run setup.py to make a new one.")
    return str(answer["value"])


def calling_line(config: Config, state: State, tenant: str, key: str) -> str:
    """One curl line for the tenant's first profile; `key` is put as it stands between double quotes."""
    profile = next(profile for profile in config.profiles if profile.tenant == tenant)
    return (
        f'curl -sS -i {shlex.quote(str(state.get("api_url")) + "/invoke")} -H "x-api-key: {key}" '
        f"-H {shlex.quote('inference-profile-id: ' + profile.name)} -H 'content-type: application/json' "
        f"-d {shlex.quote(json.dumps(_HELLO))}"
    )


def fetched_key(config: Config, tenant: str) -> str:
    """For `calling_line`: the shell fetches the key itself, so that it lands in no history and no log."""
    return f"$(python tenants.py key {shlex.quote(tenant)} --config {shlex.quote(str(config.path))})"
