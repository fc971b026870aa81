"""A new API key for a tenant while the old one still works, for a while."""

from __future__ import annotations

from lib.aws import Aws
from lib.config import Config
from lib.errors import StateError
from lib.names import TENANT_TAG, UNTIL_TAG, names_of
from lib.resources import keys, snapshot
from lib.state import State

__all__ = ["rotate_key"]


# A container that meets a key it does not know looks at the configuration early, but not within 2 seconds of its last
# look (lambda_function/snapshot.py): after this time every one of them can know the new key.
_SECONDS_TO_SPREAD = 3.0


def rotate_key(aws: Aws, config: Config, state: State, tenant: str, grace_seconds: int) -> str:
    """Make a key, let it in, then give the old one its end. Answers the new key's id.

    Every step can be the last: until the old key is given its end both work, and the next rotation or setup run
    goes on from there. The function learns a key it does not know at its first use, and refuses an ended one by the
    snapshot; the next setup run deletes it. Raises StateError where the tenant has no key yet.
    """
    names = names_of(config, aws.account)
    plan = state.group("usage_plan_ids").get(config.tenants[tenant].tier)
    old = sorted(key for key, kept in state.group("keys").items() if kept["tenant"] == tenant and not kept["until"])
    if plan is None or not old:
        raise StateError(f"Tenant {tenant} has no API key to rotate.", "Run setup.py first.")
    new = aws.write(
        "+", f"creating a new API key for {tenant}", "apigateway", "create_api_key", name=names.key(tenant),
        description=f"Key of tenant {tenant}", enabled=True, tags={**names.tags, TENANT_TAG: tenant},
    )["id"]  # fmt: skip
    aws.write(
        "+", f"putting it on plan {config.tenants[tenant].tier}", "apigateway", "create_usage_plan_key",
        usagePlanId=plan, keyId=new, keyType="API_KEY",
    )  # fmt: skip
    state.keep_in("keys", new, {"tenant": tenant, "until": None})
    snapshot.ensure(aws, config, state)
    if not aws.planning:
        aws.sleep(_SECONDS_TO_SPREAD)
    until = int(aws.clock()) + grace_seconds
    for key in old:
        arn = f"arn:{aws.partition}:apigateway:{aws.region}::/apikeys/{key}"
        aws.write(
            "~", f"ending the old key of {tenant} in {grace_seconds // 60} minutes", "apigateway", "tag_resource",
            resourceArn=arn, tags={UNTIL_TAG: str(until)},
        )  # fmt: skip
        state.keep_in("keys", key, {"tenant": tenant, "until": until})
    snapshot.ensure(aws, config, state)
    keys.ensure(aws, config, state)
    return str(new)
