"""Profile versions in the ledger: reports group by the tags that a profile had when a request was made."""

from __future__ import annotations

from typing import Any

from lambda_function.ledger import profile_key
from lib.aws import Aws
from lib.config import Config
from lib.items import get_items, typed
from lib.names import names_of
from lib.planned import is_planned
from lib.snapshot_body import profile_version
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "ledger"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Write the version of each profile that is not there yet; older versions stay, because records name them."""
    table = names_of(config, aws.account).table
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for profile in config.profiles:
        pk, sk = profile_key(state.group("profile_ids")[profile.name], profile_version(profile))
        content = {"name": profile.name, "tenant": profile.tenant, "tags": profile.tag_map, "model": profile.model_id}
        wanted[pk, sk] = {"pk": pk, "sk": sk, **content}
    known = get_items(aws, table, [key for key in wanted if not is_planned(key[0])])
    found = {(item["pk"], item["sk"]): item for item in known}
    for key, item in wanted.items():
        if found.get(key) != item:
            aws.write(
                "~" if key in found else "+", f"writing version {key[1]} of profile {item['name']}", "dynamodb",
                "put_item", TableName=table, Item=typed(item),
            )  # fmt: skip


def remove(aws: Aws, config: Config, state: State) -> None:
    """Nothing: the items go with the table."""


def remaining(aws: Aws, config: Config) -> list[str]:
    """Nothing of its own: the table names them."""
    return []
