"""What a tenant may do: its policy, what of it is in force at its alert level, and what one request would hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["DEFAULT_ACTIONS", "FEWEST_TOKENS", "Demand", "Hold", "Policy", "Terms", "hold", "terms"]

# Notifying is all that levels do by themselves; throttle, shorten and block are asked for in the tier.
DEFAULT_ACTIONS: Mapping[str, list[Any]] = {
    "yellow": ["notify_admin"],
    "orange": ["notify_admin"],
    "red": ["notify_admin", "notify_tenant"],
}
FEWEST_TOKENS = 64  # an answer that is clamped further is refused instead
# The maxTokens of a request when neither it, nor the tier, nor models.json names one.
_MAX_TOKENS = 4096
_CONCURRENT = 100
_MOST_CONCURRENT = 500
_NO_LEVELS: Mapping[str, Any] = {}


class Policy(NamedTuple):
    """A tenant's limits. Budgets are pico-USD in a calendar month and day of `timezone`; None is no limit.

    `actions` maps yellow, orange and red to lists of "notify_admin", "notify_tenant", "block", {"throttle": share} and
    {"shorten": tokens}; a level's list stands alone, nothing is inherited from the level below. `levels` holds
    threshold overrides as lambda_function/levels.py defines them.
    """

    tier: str = "default"
    timezone: str = "UTC"
    monthly_budget: int | None = None
    daily_budget: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent_requests: int = _CONCURRENT
    max_output_tokens: int | None = None
    over_budget: str = "reject"
    fail_open: bool = False
    actions: Mapping[str, list[Any]] = DEFAULT_ACTIONS
    levels: Mapping[str, Any] = _NO_LEVELS

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Policy:
        """The policy of a JSON object. What it leaves out has its default, level by level in `actions`.

        Keys of a later version are ignored: until its code is updated a function enforces what it always did. Raises
        ValueError where a number could not be a limit.
        """
        known = {name: value[name] for name in cls._fields if value.get(name) is not None}
        policy = cls(**{**known, "actions": {**DEFAULT_ACTIONS, **known.get("actions", {})}})
        for name in _NUMBERS:
            number = getattr(policy, name)
            if number is not None and (type(number) is not int or number < 0):
                raise ValueError(f"{name} must be a whole number, not {number!r}")
        if not 1 <= policy.max_concurrent_requests <= _MOST_CONCURRENT:
            raise ValueError(f"max_concurrent_requests must be 1 to {_MOST_CONCURRENT}")
        if policy.over_budget not in {"reject", "clamp"}:
            raise ValueError(f"over_budget must be reject or clamp, not {policy.over_budget!r}")
        return policy

    def to_json(self) -> dict[str, Any]:
        """The shortest object that `from_json` turns into this policy, with sorted keys."""
        own = {
            name: value
            for name, value in zip(self._fields, self, strict=True)
            if name in {"tier", "timezone"} or value != self._field_defaults[name]
        }
        if "actions" in own:
            own["actions"] = {k: v for k, v in sorted(self.actions.items()) if v != DEFAULT_ACTIONS.get(k)}
        return {name: own[name] for name in sorted(own)}

    @property
    def budgeted(self) -> bool:
        """Whether money is limited: then the cost of a request needs a proven bound."""
        return self.monthly_budget is not None or self.daily_budget is not None

    @property
    def limited(self) -> bool:
        """Whether anything is limited beyond the concurrency that everybody has."""
        return (
            self.budgeted
            or self.requests_per_minute is not None
            or self.tokens_per_minute is not None
            or self.max_concurrent_requests != _CONCURRENT
        )


_NUMBERS = (
    "monthly_budget", "daily_budget", "requests_per_minute", "tokens_per_minute", "max_concurrent_requests",
    "max_output_tokens",
)  # fmt: skip


class Demand(NamedTuple):
    """The worst case of one request before its maxTokens is settled.

    `input_tokens` is the bound of the input and `input_cost` its price in pico-USD, `output_price` pico-USD per output
    token, both at the dearest rates that may apply. `max_tokens` is the request's own maxTokens, `model_max` the
    `max_output_tokens` of models.json. `proven` says that the bound comes from the text, not from the model's context.
    """

    input_tokens: int
    input_cost: int
    output_price: int
    max_tokens: int | None = None
    model_max: int | None = None
    proven: bool = True


class Terms(NamedTuple):
    """What is in force for a tenant now. `version` is the counter item's `pv`, under which alone this holds."""

    version: int | None
    policy: Policy
    level: str = "green"
    suspended: str | None = None
    requests_per_minute: int | None = None  # throttled
    tokens_per_minute: int | None = None
    max_output_tokens: int | None = None  # shortened
    blocked: bool = False


class Hold(NamedTuple):
    """What a request would hold: pico-USD, tokens of input and output together, and the maxTokens to send."""

    amount: int
    tokens: int
    max_tokens: int


def terms(item: Mapping[str, Any] | None, policy: Policy) -> Terms:
    """The terms that a counter item states; `policy` is the item's own, parsed, or the snapshot's where it has none."""
    item = item or {}
    level = item.get("level", "green")
    share, shortened, blocked = 1.0, policy.max_output_tokens, False
    for action in policy.actions.get(level, ()):
        if action == "block":
            blocked = True
        elif isinstance(action, Mapping):
            share = min(share, action.get("throttle", 1.0))
            if "shorten" in action:
                shortened = min(action["shorten"], shortened or action["shorten"])
    return Terms(
        version=item.get("pv"),
        policy=policy,
        level=level,
        suspended=item.get("suspended"),
        requests_per_minute=_share(policy.requests_per_minute, share),
        tokens_per_minute=_share(policy.tokens_per_minute, share),
        max_output_tokens=shortened,
        blocked=blocked,
    )


def _share(limit: int | None, share: float) -> int | None:
    # Never down to nothing: a throttled tenant is slowed, a blocked one is blocked.
    return limit if not limit or share >= 1 else max(1, int(limit * share))


def hold(terms: Terms, demand: Demand, most: int | None = None) -> Hold:
    """What `demand` would hold under `terms`, its answer clamped to `most` tokens.

    A request that names no maxTokens gets the tier's, else the model's; one whose limit on tokens a minute is smaller
    than that gets what the limit has room for, because otherwise it could never pass. For the same reason a request
    whose bound is the model's context (an image has far fewer tokens) holds at most a whole minute's tokens.
    """
    limit = terms.tokens_per_minute
    longest = demand.max_tokens
    if longest is None:
        longest = demand.model_max or _MAX_TOKENS
        if limit is not None and FEWEST_TOKENS <= limit - demand.input_tokens < longest:
            longest = limit - demand.input_tokens
    if terms.max_output_tokens is not None:
        longest = min(longest, terms.max_output_tokens)
    if most is not None:
        longest = min(longest, most)
    longest = max(longest, 0)  # a negative maxTokens is the model's to refuse, and must not pay in
    tokens = demand.input_tokens + longest
    if limit is not None and not demand.proven:
        tokens = min(tokens, limit)
    return Hold(demand.input_cost + longest * demand.output_price, tokens, longest)
