"""The words of an announcement: a subject, a text that a person understands at a glance, the same for machines.

Pure. It names tenants and amounts; keys, prompts and answers are not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lambda_function.calendars import Calendar
from lambda_function.ledger import DEPLOYMENT
from lambda_function.level_numbers import LEVELS
from lambda_function.limits import Policy, terms
from lambda_function.money import usd
from lambda_function.wording import dollars, duration, percent, times

__all__ = ["News", "Text", "announcement", "audience", "digest", "measures", "moment", "sns_message"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SUBJECT = 99  # SNS: fewer than 100 ASCII characters, no line breaks
_MACHINES = ("email-json", "http", "https", "sqs", "lambda", "firehose")


class News(NamedTuple):
    """A change of level to be announced: `at` epoch milliseconds, `why` sentences, `numbers` as figures.py has them.

    `contributors` are (tenant, pico-USD in the last hour, usual ones or None), for all tenants together only.
    """

    tenant: str
    before: str
    after: str
    at: int
    by: str
    why: tuple[str, ...]
    numbers: Mapping[str, Any]
    contributors: tuple[tuple[str, int, int | None], ...] = ()

    @classmethod
    def from_text(cls, text: str) -> News:
        """The inverse of `to_text`."""
        value = json.loads(text)
        return cls(**{**value, "why": tuple(value["why"]), "contributors": tuple(map(tuple, value["contributors"]))})

    def to_text(self) -> str:
        """Compact JSON, the same for the same news."""
        return json.dumps(self._asdict(), separators=(",", ":"), sort_keys=True)

    @property
    def rises(self) -> bool:
        """Whether it became graver."""
        return LEVELS.index(self.after) > LEVELS.index(self.before)

    @property
    def name(self) -> str:
        """The tenant as people call it."""
        return "All tenants together" if self.tenant == DEPLOYMENT else self.tenant


def measures(policy: Policy, level: str) -> list[str]:
    """What `level` does to the tenant's requests, as sentences; nothing at most levels."""
    normal, now = terms({}, policy), terms({"level": level}, policy)
    if now.blocked:
        return ["all requests are refused (403 TenantSuspended)"]
    said = []
    for name, before, after in (
        ("requests", normal.requests_per_minute, now.requests_per_minute),
        ("tokens", normal.tokens_per_minute, now.tokens_per_minute),
    ):
        if before != after:
            said.append(f"at most {after:,} instead of {before:,} {name} per minute are admitted")
    if now.max_output_tokens != normal.max_output_tokens:
        said.append(f"answers are at most {now.max_output_tokens:,} tokens long")
    return said


def announcement(news: News, policy: Policy, calendar: Calendar, held: Iterable[str] = (), *, operator: bool) -> Text:
    """The announcement of `news` to the operator, or to the tenant itself.

    `held` are lines about changes that were not mailed at the time.
    """
    when = moment(calendar, news.at // 1000)
    lines = [f"{news.name} went from {news.before} to {news.after} on {when} ({calendar.zone}).", "", "Why"]
    lines += [f"  - {reason}" for reason in news.why]
    if news.by != "auto":
        lines.append(f"  - set by hand by {news.by}")
    lines += ["", "Spent", *_table(news.numbers), *_outlook(news.numbers, calendar)]
    if operator and news.contributors:
        lines += ["", "The largest parts of it in the last hour", *_contributors(news)]
    lines += ["", "Done", *(f"  - {line}" for line in _done(news, policy))]
    lines += ["", "What now", *(f"  - {line}" for line in _next(news, policy, operator=operator))]
    held = tuple(held)
    if held:
        lines += ["", "Not mailed at the time, so as not to flood you", *(f"  - {line}" for line in held)]
    subject = f"[{news.after}] {news.name}: {news.why[0] if news.rises else f'was {news.before}, {news.why[0]}'}"
    return Text(_short(subject), "\n".join(lines) + "\n", _machine(news, policy, calendar, operator=operator))


def digest(tenant: str, level: str, held: Iterable[str]) -> Text:
    """A mail about changes that were held back, once the time to be quiet is over."""
    held = tuple(held)
    subject = f"[{level}] {tenant}: {len(held)} change{'s' if len(held) != 1 else ''} of level held back"
    lines = [
        f"{tenant} is {level} now. In the last minutes its level changed more often than is mailed:", "",
        *(f"  - {line}" for line in held),
    ]  # fmt: skip
    return Text(_short(subject), "\n".join(lines) + "\n", {"tenant": tenant, "level": level, "held_back": list(held)})


class Text(NamedTuple):
    """What goes out: a subject of SNS's alphabet, a text for people, an object for machines."""

    subject: str
    body: str
    machine: Mapping[str, Any]


def sns_message(text: Text) -> str:
    """The Message of a Publish with MessageStructure=json: people get the text, machines the object."""
    machine = json.dumps(text.machine, separators=(",", ":"))
    return json.dumps({"default": text.body, "email": text.body, **dict.fromkeys(_MACHINES, machine)})


def moment(calendar: Calendar, at: int) -> str:
    """Tue 24 Nov 2026 at 14:32, local."""
    year, month, day = calendar.date(at)
    weekday = _DAYS[calendar.hour_of_week(at) // 24]
    return f"{weekday} {day} {_MONTHS[month - 1]} {year} at {calendar.iso(at)[11:16]}"


def _table(numbers: Mapping[str, Any]) -> list[str]:
    usual_hour = numbers.get("usual_hour")
    rows = [
        ("last 5 minutes", numbers["five_minutes"], None if usual_hour is None else usual_hour // 12, None),
        ("last hour", numbers["hour"], usual_hour, None),
        ("today", numbers["day"], numbers.get("usual_day"), numbers.get("day_budget")),
        ("this month", numbers["month"], None, numbers.get("month_budget")),
    ]
    lines = []
    for name, spent, usual, budget in rows:
        notes = []
        if usual is not None:
            notes.append(f"usual {dollars(usual)}" + (f", {times(spent, usual)} that" if usual else ""))
        if budget is not None:
            notes.append(f"budget {dollars(budget)}, {percent(spent, budget)} used")
        lines.append(f"  {name:<15}{dollars(spent):>12}   {'; '.join(notes)}".rstrip())
    return lines


def _outlook(numbers: Mapping[str, Any], calendar: Calendar) -> list[str]:
    lines = []
    if "ends_at" in numbers:
        name, ends = numbers["ends_budget"], numbers["ends_at"]
        early = duration(numbers[f"{name}_reset"] - ends)
        lines.append(
            f"At the pace of the last hour the {_ADJECTIVES[name]} budget ends on {moment(calendar, ends)}, "
            f"{early} before it begins anew."
        )
    elif "month_budget" in numbers or "day_budget" in numbers:
        lines.append("At the pace of the last hour no budget ends before it begins anew.")
    if "usual_hour" not in numbers:
        lines.append(
            f"There are {duration(numbers['history_hours'] * 3600) if numbers['history_hours'] else 'no hours'} of "
            "history, too few to say what is usual."
        )
    return lines


def _contributors(news: News) -> list[str]:
    whole = news.numbers["hour"]
    return [
        f"  {name:<25}{dollars(spent):>12}   {percent(spent, whole)}"
        + ("" if usual is None else f"; usual {dollars(usual)}")
        for name, spent, usual in news.contributors
    ]


def _done(news: News, policy: Policy) -> list[str]:
    told = audience(news, policy)
    lines = [f"{' and '.join(told)} told"] if told else ["nobody was told by mail: the tier does not ask for it"]
    before, after = measures(policy, news.before), measures(policy, news.after)
    lines += after
    if before and not after:
        lines.append("limits are back to normal")
    return lines


def audience(news: News, policy: Policy) -> list[str]:
    """Who is told: those that the graver of the two levels names."""
    actions = policy.actions.get(news.after if news.rises else news.before, ())
    names = {"notify_admin": "the operator", "notify_tenant": "the tenant"}
    return [said for name, said in names.items() if name in actions]


def _next(news: News, policy: Policy, *, operator: bool) -> list[str]:
    lines = []
    if news.after != "green" and news.by == "auto":
        lines.append("the level falls by itself once spend stays calm")
    if news.tenant == DEPLOYMENT:
        return lines or ["nothing"]
    if not operator:
        return [*lines, "your operator can set the level by hand"]
    tenant = f'"{news.tenant}"' if " " in news.tenant else news.tenant
    if news.after != "green":
        lines.append(f'undo it by hand: python tenants.py level {tenant} green --for 2h --reason "..."')
    lines.append(f"look closer: python tenants.py show {tenant}")
    return lines


def _machine(news: News, policy: Policy, calendar: Calendar, *, operator: bool) -> dict[str, Any]:
    amounts = {name: usd(value) for name, value in news.numbers.items() if name in _MONEY}
    instants = {name: calendar.iso(value) for name, value in news.numbers.items() if name in _INSTANTS}
    value: dict[str, Any] = {
        "tenant": news.tenant, "from": news.before, "to": news.after, "at": calendar.iso(news.at // 1000),
        "by": news.by, "why": list(news.why), "usd": amounts, **instants,
        "history_hours": news.numbers["history_hours"], "measures": measures(policy, news.after),
    }  # fmt: skip
    if operator and news.contributors:
        value["contributors"] = [
            {"tenant": name, "hour_usd": usd(spent), "usual_hour_usd": None if usual is None else usd(usual)}
            for name, spent, usual in news.contributors
        ]
    return value


def _short(subject: str) -> str:
    plain = subject.encode("ascii", "replace").decode()
    plain = "".join(letter if " " <= letter <= "~" else " " for letter in plain)
    return plain if len(plain) <= _SUBJECT else f"{plain[: _SUBJECT - 3]}..."


_ADJECTIVES = {"month": "monthly", "day": "daily"}
_MONEY = {"five_minutes", "hour", "day", "month", "month_budget", "day_budget", "usual_hour", "usual_day"}
_INSTANTS = {"ends_at", "month_reset", "day_reset"}
