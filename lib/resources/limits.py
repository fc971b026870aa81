"""Each tenant's limits, in its counter item: a request is admitted under what stands there, whatever is cached."""

from __future__ import annotations

import json

from lambda_function.ledger import counter_key
from lib.aws import Aws
from lib.config import Config
from lib.items import get_items, typed
from lib.names import names_of
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "limits"


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Write the policy of each tenant whose item says otherwise, and count its version up.

    Items of tenants that are no longer configured stay: they are history, and their keys are gone.
    """
    table = names_of(config, aws.account).table
    keys = {counter_key(name): name for name in config.tenants}
    found = {(item["pk"], item["sk"]): item.get("policy") for item in get_items(aws, table, keys)}
    for key, name in keys.items():
        policy = json.dumps(config.tenants[name].policy.to_json(), sort_keys=True, separators=(",", ":"))
        if found.get(key) != policy:
            aws.write(
                "~" if found.get(key) else "+", f"setting the limits of {name}", "dynamodb", "update_item",
                TableName=table, Key=typed({"pk": key[0], "sk": key[1]}),
                UpdateExpression="SET policy = :policy ADD pv :one",
                ExpressionAttributeValues=typed({":policy": policy, ":one": 1}),
            )  # fmt: skip


def remove(aws: Aws, config: Config, state: State) -> None:
    """Nothing: the items go with the table."""


def remaining(aws: Aws, config: Config) -> list[str]:
    """Nothing of its own: the table names them."""
    return []
