"""Cost-allocation tags: without them AWS's bill does not tell tenants apart."""

from __future__ import annotations

from lib.aws import Aws
from lib.config import Config
from lib.errors import AwsError
from lib.names import PROFILE_TAG
from lib.state import State

__all__ = ["NAME", "ensure", "remaining", "remove"]

NAME = "cost-allocation tags"

_MOST_A_CALL = 20  # UpdateCostAllocationTagsStatus and ListCostAllocationTags


def ensure(aws: Aws, config: Config, state: State) -> None:
    """Activate the tag keys in use that billing has seen; remember which it has not.

    Only the payer account may do this. One that may not goes on with `cost_tags` = {"denied": true} in state, and
    setup says so at the end. Keys appear up to 24 h after their first use.
    """
    # Ours names the profile, so that the bill can be compared with the ledger profile by profile.
    keys = sorted({PROFILE_TAG} | {key for profile in config.profiles for key, _ in profile.tags})
    try:
        seen = {tag["TagKey"]: tag["Status"] for tag in _listed(aws, keys)}
        inactive = [key for key in keys if seen.get(key) == "Inactive"]
        for start in range(0, len(inactive), _MOST_A_CALL):
            batch = inactive[start : start + _MOST_A_CALL]
            aws.write(
                "~", f"activating cost-allocation tags {', '.join(batch)}", "ce", "update_cost_allocation_tags_status",
                CostAllocationTagsStatus=[{"TagKey": key, "Status": "Active"} for key in batch],
            )  # fmt: skip
    except AwsError as error:
        # Billing belongs to another account, or is closed to us: the stack works without it.
        state.keep("cost_tags", {"refused": error.code or "unreachable"})
        return
    unseen = [key for key in keys if key not in seen]
    state.keep("cost_tags", {"unseen": unseen} if unseen else {})


def remove(aws: Aws, config: Config, state: State) -> None:
    """Leave billing as it is: deactivating a tag would blank past reports, and other stacks may use the key."""
    state.forget("cost_tags")


def remaining(aws: Aws, config: Config) -> list[str]:
    """Nothing: an active tag key is a setting of the account, not a resource of ours."""
    return []


def _listed(aws: Aws, keys: list[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for start in range(0, len(keys), _MOST_A_CALL):
        batch = keys[start : start + _MOST_A_CALL]
        found += aws.pages("ce", "list_cost_allocation_tags", "CostAllocationTags", TagKeys=batch, Type="UserDefined")
    return found
