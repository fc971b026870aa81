"""Cost Explorer, from what the embedded Bedrock served.

Simpler than AWS in time: costs are there at once (AWS: about a day later), a tag key can be activated as soon as a
profile carries it (AWS: up to 24 hours after its first use), and it groups from the moment it is active on. As at AWS,
a key that is not active groups nothing: all its costs are under "Key$". Supported are the filters and groups that
concern us: SERVICE, REGION, LINKED_ACCOUNT and tags, with And, Or and Not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from moto.ce import urls
from moto.ce.responses import CostExplorerResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from lib.local import clock
from lib.local.bills import cost_of
from lib.local.profile_tags import tag_keys_in_use
from lib.local.served import Served, served_by

__all__ = ["CostsEndpoint", "install"]

SERVICE = "Amazon Bedrock"
COSTS = ("AmortizedCost", "BlendedCost", "NetAmortizedCost", "NetUnblendedCost", "UnblendedCost")
METRICS = (*COSTS, "UsageQuantity")
MOST_TAGS = 20

Test = Callable[[Served], bool]


class Invalid(ServiceException):
    code = "ValidationException"


class CostsEndpoint(CostExplorerResponse):
    """moto's Cost Explorer with costs and cost-allocation tags."""

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    @property
    def _active(self) -> dict[str, float]:
        """Active tag keys and since when."""
        found: dict[str, float] = self.ce_backend.__dict__.setdefault("local_active_tags", {})
        return found

    def _known(self) -> set[str]:
        """Keys that billing has seen: on profiles now, or on calls that were served."""
        used = {key for served in served_by(self.current_account) for key in served.tags}
        before: set[str] = self.ce_backend.__dict__.setdefault("local_known_tags", set())
        return used | tag_keys_in_use(self.current_account) | before

    def list_cost_allocation_tags(self) -> ActionResult:
        status, keys, kind = self._get_param("Status"), self._get_param("TagKeys"), self._get_param("Type")
        found = [
            {"TagKey": key, "Type": "UserDefined", "Status": "Active" if key in self._active else "Inactive"}
            for key in sorted(self._known())
            if (not keys or key in keys) and kind in (None, "UserDefined")
        ]
        found = [tag for tag in found if status in (None, tag["Status"])]
        first, most = int(self._get_param("NextToken") or 0), int(self._get_param("MaxResults") or 100)
        token = str(first + most) if len(found) > first + most else None
        return ActionResult({"CostAllocationTags": found[first : first + most], "NextToken": token})

    def update_cost_allocation_tags_status(self) -> ActionResult:
        asked = self._get_param("CostAllocationTagsStatus") or []
        if not 1 <= len(asked) <= MOST_TAGS:
            raise Invalid(f"CostAllocationTagsStatus must have 1 to {MOST_TAGS} members.")
        known, errors = self._known(), []
        self.ce_backend.local_known_tags |= known  # a key stays known to billing when its profiles are gone
        for entry in asked:
            key = entry["TagKey"]
            if key not in known:
                errors.append({"TagKey": key, "Code": "TagKeysNotFoundException", "Message": "Tag key not found."})
            elif entry["Status"] == "Active":
                self._active.setdefault(key, clock.now())
            else:
                self._active.pop(key, None)
        return ActionResult({"Errors": errors})

    def get_cost_and_usage(self) -> ActionResult:
        granularity, metrics = self._get_param("Granularity"), self._get_param("Metrics") or []
        if granularity not in ("DAILY", "MONTHLY"):
            raise Invalid("Granularity must be DAILY or MONTHLY.")
        if not metrics or any(metric not in METRICS for metric in metrics):
            raise Invalid(f"Metrics must be some of {', '.join(METRICS)}.")
        groups = self._get_param("GroupBy") or []
        if len(groups) > 2:
            raise Invalid("At most two GroupBy are allowed.")
        keep = self._filter(self._get_param("Filter") or {})
        calls = [served for served in served_by(self.current_account) if keep(served)]
        results = []
        for first, last in _spans(self._get_param("TimePeriod") or {}, granularity):
            start, end = _midnight(first), _midnight(last)
            within = [served for served in calls if start <= served.at < end]
            grouped: dict[tuple[str, ...], list[Served]] = {}
            for served in within:
                grouped.setdefault(tuple(self._key(group, served) for group in groups), []).append(served)
            results.append(
                {
                    "TimePeriod": {"Start": str(first), "End": str(last)},
                    "Total": {} if groups else _amounts(within, metrics),
                    "Groups": [
                        {"Keys": list(keys), "Metrics": _amounts(members, metrics)}
                        for keys, members in sorted(grouped.items())
                        if groups
                    ],
                    "Estimated": end > clock.now() - 86_400,
                }
            )
        return ActionResult({"ResultsByTime": results, "GroupDefinitions": groups, "DimensionValueAttributes": []})

    def _tag(self, key: str, served: Served) -> str | None:
        since = self._active.get(key)
        return None if since is None or served.at < since else served.tags.get(key)

    def _key(self, group: Mapping[str, str], served: Served) -> str:
        kind, key = group.get("Type"), group.get("Key", "")
        if kind == "TAG":
            return f"{key}${self._tag(key, served) or ''}"
        if kind == "DIMENSION":
            return _dimension(key, served)
        raise Invalid(f"GroupBy of type {kind} is not supported by the embedded AWS.")

    def _filter(self, expression: Mapping[str, Any]) -> Test:
        if not expression:
            return lambda _: True
        if len(expression) != 1:
            raise Invalid("Filter must have exactly one root: And, Or, Not, Dimensions or Tags.")
        ((kind, inner),) = expression.items()
        if kind == "Not":
            refused = self._filter(inner)
            return lambda served: not refused(served)
        if kind in ("And", "Or"):
            tests = [self._filter(one) for one in inner]
            together = all if kind == "And" else any
            return lambda served: together(test(served) for test in tests)
        if kind not in ("Dimensions", "Tags"):
            raise Invalid(f"Filter by {kind} is not supported by the embedded AWS.")
        key, values = inner.get("Key", ""), inner.get("Values") or []
        absent = "ABSENT" in (inner.get("MatchOptions") or [])
        if kind == "Dimensions":
            return lambda served: _dimension(key, served) in values
        if absent:
            return lambda served: self._tag(key, served) is None
        return lambda served: (self._tag(key, served) or "") in values


def _dimension(key: str, served: Served) -> str:
    values = {"SERVICE": SERVICE, "REGION": served.region, "LINKED_ACCOUNT": served.account}
    if key not in values:
        raise Invalid(f"The dimension {key} is not supported by the embedded AWS.")
    return values[key]


def _spans(period: Mapping[str, str], granularity: str) -> Iterator[tuple[date, date]]:
    """The days or months of a period; its end is excluded. A month is cut at the ends of the period."""
    try:
        first, last = (date.fromisoformat(str(period.get(key, ""))) for key in ("Start", "End"))
    except ValueError:
        raise Invalid("TimePeriod needs Start and End as YYYY-MM-DD.") from None
    if first >= last:
        raise Invalid("Start date (and hour) should be before end date (and hour)")
    while first < last:
        if granularity == "DAILY":
            following = first + timedelta(days=1)
        else:
            following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(following, last)
        first = following


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _amounts(calls: list[Served], metrics: list[str]) -> dict[str, dict[str, str]]:
    cost = sum((cost_of(served) for served in calls), Fraction(0))
    tokens = sum(c.input + c.output + c.cache_read + c.cache_write + c.cache_write_1h for c in calls)
    return {
        metric: {"Amount": str(tokens), "Unit": "N/A"}
        if metric == "UsageQuantity"
        else {"Amount": _decimal(cost), "Unit": "USD"}
        for metric in metrics
    }


def _decimal(amount: Fraction) -> str:
    """Plain decimal, exact: prices per token are whole multiples of 10^-12 USD."""
    picos = amount * 10**12
    scale = 12
    while picos.denominator != 1 and scale < 30:
        picos, scale = picos * 10, scale + 1
    text = format(Decimal(int(picos)).scaleb(-scale), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def install() -> None:
    """Put our endpoint in the place of moto's. Idempotent; before the first request."""
    urls.url_paths["{0}/$"] = CostsEndpoint.dispatch
