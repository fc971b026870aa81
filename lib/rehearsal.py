"""Proof that limits bite: a canary tenant with a budget of one cent is driven over it, against the deployed stack.

The reserved tenant `_rehearsal` borrows an existing profile under a key of its own. Reports, alarms and mails leave it
out. Key, counters and its place in the resolved configuration go when it ends, and on the next run after a crash; the
records of its requests stay, because that cent was really spent and a reconciliation has to know.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from lambda_function.ledger import counter_key
from lambda_function.money import usd
from lib.aws import Aws
from lib.config import Config, Profile
from lib.errors import ProjectError
from lib.items import get_item, typed
from lib.names import REHEARSAL, TENANT_TAG, names_of
from lib.resources import snapshot
from lib.state import State

__all__ = ["BUDGET", "TENANT", "Call", "Reply", "forget", "rehearse"]

TENANT = REHEARSAL
BUDGET = 10**10  # pico-USD: one cent
_CALLERS = 8
_MOST_REQUESTS = 96
_ANSWER_TOKENS = 64
_MOST_BYTES = 400_000
_SECONDS_TO_SPREAD = 120.0  # until API Gateway knows a new key everywhere


class Reply(NamedTuple):
    """What the canary gets: HTTP status and the error's code, "" on success."""

    status: int
    code: str


Call = Callable[[str, dict[str, Any]], Reply]  # (API key, Converse request) -> reply


def rehearse(aws: Aws, config: Config, state: State, call: Call) -> str:
    """Drive the canary over its budget; answers a sentence on how it went. Raises ProjectError where no limit acts."""
    forget(aws, config, state)
    profile = min(config.profiles, key=lambda profile: int(config.prices[profile.model_id]["input_cost"]))
    state.keep("rehearsal", {"profile": profile.name, "budget": BUDGET})
    try:
        key = _enter(aws, config, state)
        return _driven(aws, config, key, _request(config, profile), call)
    finally:
        forget(aws, config, state)


def forget(aws: Aws, config: Config, state: State) -> None:
    """Remove what a rehearsal leaves behind, finished or not."""
    names = names_of(config, aws.account)
    begun = state.group("rehearsal")
    for key_id, key in state.group("keys").items():
        if key["tenant"] == TENANT:
            aws.write("-", "deleting the rehearsal's API key", "apigateway", "delete_api_key", apiKey=key_id)
            state.forget_in("keys", key_id)
    state.forget("rehearsal")
    if begun:
        snapshot.ensure(aws, config, state)
    pk, sk = counter_key(TENANT)
    if get_item(aws, names.table, pk, sk) is not None:
        aws.write(
            "-", "deleting the rehearsal's counters", "dynamodb", "delete_item",
            TableName=names.table, Key=typed({"pk": pk, "sk": sk}),
        )  # fmt: skip


def _enter(aws: Aws, config: Config, state: State) -> str:
    """Let the canary in; its key's value, which goes nowhere else."""
    names = names_of(config, aws.account)
    key = aws.write(
        "+", "creating the rehearsal's API key", "apigateway", "create_api_key", name=names.key(TENANT),
        description="Temporary: setup proves that limits bite", enabled=True, tags={**names.tags, TENANT_TAG: TENANT},
    )  # fmt: skip
    state.keep_in("keys", key["id"], {"tenant": TENANT, "until": None})
    aws.write(
        "+", "putting it on a usage plan", "apigateway", "create_usage_plan_key",
        usagePlanId=next(iter(state.group("usage_plan_ids").values())), keyId=key["id"], keyType="API_KEY",
    )  # fmt: skip
    snapshot.ensure(aws, config, state)
    return str(key["value"])


def _request(config: Config, profile: Profile) -> dict[str, Any]:
    """A request whose worst case is about a fifth of the budget, at the model's own prices."""
    row = config.prices[profile.model_id]
    room = BUDGET // 5 - _ANSWER_TOKENS * int(row["output_cost"])
    most = min(_MOST_BYTES, 3 * int(row.get("max_input_tokens") or _MOST_BYTES))
    size = max(5, min(most, room // max(1, int(row["input_cost"]))))
    text = ("word " * (size // 5 + 1))[:size]
    return {
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": _ANSWER_TOKENS},
    }


def _driven(aws: Aws, config: Config, key: str, request: dict[str, Any], call: Call) -> str:
    deadline = aws.clock() + _SECONDS_TO_SPREAD
    served, stopped = 0, False
    callers = _CALLERS
    while not stopped and served < _MOST_REQUESTS:
        with ThreadPoolExecutor(callers) as pool:
            replies = list(pool.map(lambda _: call(key, request), range(callers)))
        if all(reply.status == 403 for reply in replies) and aws.clock() < deadline:
            aws.sleep(2.0)
            continue
        served += sum(reply.status == 200 for reply in replies)
        # First all at once, to the edge; then one by one, until what is settled leaves no room.
        stopped = callers == 1 and replies[0].code == "BudgetExceeded"
        callers = 1 if any(reply.code == "BudgetExceeded" for reply in replies) else callers
        strange = [reply for reply in replies if reply.status not in {200, 402, 429}]
        if strange:
            raise _failed(config, aws, f"a request was answered {strange[0].status} {strange[0].code}")
    spent = _spent(aws, config)
    if not stopped:
        raise _failed(config, aws, f"{served} requests passed and none was refused at a budget of {usd(BUDGET)} USD")
    if spent > BUDGET:
        raise _failed(config, aws, f"{usd(spent)} USD were spent of a budget of {usd(BUDGET)}")
    return f"Limits bite: a rehearsal was stopped at {usd(spent)} of {usd(BUDGET)} USD after {served} requests."


def _spent(aws: Aws, config: Config) -> int:
    pk, sk = counter_key(TENANT)
    item = get_item(aws, names_of(config, aws.account).table, pk, sk) or {}
    return max((value for name, value in item.items() if name.startswith("m_")), default=0)


def _failed(config: Config, aws: Aws, what: str) -> ProjectError:
    names = names_of(config, aws.account)
    return ProjectError(
        f"The rehearsal failed: {what}.",
        f"Budgets may not hold. Look at log group {names.log_group(names.function)} and at item T#{TENANT} of table "
        f"{names.table}; --no-rehearsal leaves this proof out.",
    )
