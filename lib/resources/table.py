"""The ledger: one DynamoDB table of counters, records, roll-ups and histories."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lambda_function.ledger import INDEX
from lib.answers import code_of
from lib.aws import Aws
from lib.config import Config
from lib.errors import AwsError, ProjectError
from lib.names import Names, names_of
from lib.ownership import claim, is_tagged, tag_map
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "table"

_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
_INDEX = {
    "IndexName": INDEX,
    "KeySchema": [{"AttributeName": INDEX, "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
_ATTRIBUTES = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", INDEX)]
_TTL = "ttl"
_WAIT_SECONDS = 600  # AWS names no limit; an index over existing items takes longest


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Create the table or complete it, part by part. Raises ProjectError for a table of this name that is not ours."""
    names = names_of(config, aws.account)
    table = _described(aws, names)
    if table is not None and table["TableStatus"] == "DELETING":
        aws.settle(f"waiting for table {names.table} to be gone", lambda: _described(aws, names) is None, seconds=600)
        table = None
    new = table is None
    if table is None:
        # Before the call: for some seconds a new table answers without its tags.
        state.keep("table", names.table)
        aws.write(
            "+", f"creating table {names.table}", "dynamodb", "create_table", TableName=names.table, KeySchema=_KEYS,
            AttributeDefinitions=_ATTRIBUTES, BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=[_INDEX],
            DeletionProtectionEnabled=False, Tags=names.tag_list,
        )  # fmt: skip
    else:
        _claim(aws, names, state, table)
    state.keep("table", names.table)
    _settle(aws, names)
    if table is not None:
        _repair(aws, names, table)
    _complete(aws, names, new=new)


def remove(aws: Aws, config: Config, state: State) -> None:
    """Delete the table with everything in it, and wait until it is gone."""
    names = names_of(config, aws.account)
    table = _described(aws, names)
    if table is not None and (is_tagged(_tags(aws, table), names) or state.get("table") == names.table):
        if table.get("DeletionProtectionEnabled"):
            # Somebody switched it on by hand and had a reason.
            raise ProjectError(
                f"Table {names.table} has deletion protection.", "Switch it off, then run unsetup.py again."
            )
        if table["TableStatus"] != "DELETING":
            _settle(aws, names)
            aws.write("-", f"deleting table {names.table}", "dynamodb", "delete_table", TableName=names.table)
        aws.settle(f"waiting for table {names.table} to be gone", lambda: _described(aws, names) is None, seconds=600)
    state.forget("table")


def remaining(aws: Aws, config: Config) -> list[str]:
    """The table, if it carries our tag."""
    names = names_of(config, aws.account)
    table = _described(aws, names)
    return [f"table {names.table}"] if table is not None and is_tagged(_tags(aws, table), names) else []


def _described(aws: Aws, names: Names) -> dict[str, Any] | None:
    answer = aws.read("dynamodb", "describe_table", TableName=names.table)
    return answer["Table"] if answer else None


def _tags(aws: Aws, table: dict[str, Any]) -> dict[str, str]:
    return tag_map(aws.pages("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=table["TableArn"]))


def _settle(aws: Aws, names: Names) -> None:
    def ready() -> bool:
        table = _described(aws, names) or {}
        indexes = table.get("GlobalSecondaryIndexes", [])
        return table.get("TableStatus") == "ACTIVE" and all(index["IndexStatus"] == "ACTIVE" for index in indexes)

    aws.settle(f"waiting for table {names.table}", ready, seconds=_WAIT_SECONDS)


def _claim(aws: Aws, names: Names, state: State, table: dict[str, Any]) -> None:
    untagged = claim(
        f"table {names.table}", _tags(aws, table), names,
        recorded=state.get("table") == names.table, remedy="Choose another lambda_function_name",
    )  # fmt: skip
    if untagged:
        aws.write(
            "~", f"tagging table {names.table}", "dynamodb", "tag_resource",
            ResourceArn=table["TableArn"], Tags=names.tag_list,
        )  # fmt: skip


def _repair(aws: Aws, names: Names, table: dict[str, Any]) -> None:
    """What creating sets, for a table that somebody changed since."""
    if sorted(table["KeySchema"], key=str) != sorted(_KEYS, key=str):
        raise AwsError(f"Table {names.table} has other keys than ours.", "Move its data away and delete it.")
    if table.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST":
        aws.write(
            "~", f"setting table {names.table} to on-demand", "dynamodb", "update_table",
            TableName=names.table, BillingMode="PAY_PER_REQUEST",
        )  # fmt: skip
        _settle(aws, names)
    if INDEX not in {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}:
        aws.write(
            "~", f"adding index {INDEX} to table {names.table}", "dynamodb", "update_table",
            TableName=names.table, AttributeDefinitions=_ATTRIBUTES, GlobalSecondaryIndexUpdates=[{"Create": _INDEX}],
        )  # fmt: skip
        _settle(aws, names)


def _complete(aws: Aws, names: Names, *, new: bool) -> None:
    """What creating cannot set."""
    answer = None if new else aws.read("dynamodb", "describe_time_to_live", TableName=names.table)
    expiry = (answer or {}).get("TimeToLiveDescription", {})
    if expiry.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"} or expiry.get("AttributeName") != _TTL:
        aws.write(
            "~", f"setting time to live of table {names.table}", "dynamodb", "update_time_to_live",
            TableName=names.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": _TTL},
        )  # fmt: skip
    answer = None if new else aws.read("dynamodb", "describe_continuous_backups", TableName=names.table)
    backups = (answer or {}).get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    if backups.get("PointInTimeRecoveryStatus") != "ENABLED":
        with aws.patient(_backups_come_soon, 120):
            aws.write(
                "~", f"setting point-in-time recovery of table {names.table}", "dynamodb",
                "update_continuous_backups", TableName=names.table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )  # fmt: skip


def _backups_come_soon(error: ClientError) -> bool:
    # A table is ACTIVE some seconds before its backups can be configured.
    return code_of(error) == "ContinuousBackupsUnavailableException"
