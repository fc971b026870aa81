"""Numbers and reasons as people say them."""

from __future__ import annotations

from typing import Any

from lambda_function.signals import Rule

__all__ = ["dollars", "duration", "percent", "reason_of", "times"]

_CENT = 10**10
_PERIODS = {5: "5 minutes", 60: "the last hour"}


def dollars(pico: int) -> str:
    """$1,234.50; below ten cents as many digits as tell something: $0.0042."""
    if pico >= 10 * _CENT or pico <= 0:
        whole, cents = divmod((pico + _CENT // 2) // _CENT, 100)
        return f"${whole:,}.{cents:02d}"
    places = min(12, 15 - len(str(pico)))
    unit = 10 ** (12 - places)
    text = f"{(pico + unit // 2) // unit:0{places + 1}d}"
    return f"${text[:-places]}.{text[-places:]}".rstrip("0")


def percent(part: int, whole: int) -> str:
    """93 %; "0 %" of nothing."""
    return f"{part * 100 // whole if whole else 0} %"


def times(part: int, whole: int) -> str:
    """6.2 times; without decimals from 10 on."""
    tenths = part * 10 // max(whole, 1)
    return f"{tenths // 10}.{tenths % 10} times" if tenths < 100 else f"{tenths // 10:,} times"


def duration(seconds: int) -> str:
    """The two largest units that matter: 3 days 4 hours, 2 hours 5 minutes, 40 minutes, less than a minute."""
    if seconds < 60:
        return "less than a minute"
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    first, second = (
        ((days, "day"), (hours, "hour")) if days else ((hours, "hour"), (minutes, "minute")) if hours
        else ((minutes, "minute"), (0, ""))
    )  # fmt: skip
    parts = [f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in (first, second) if count]
    return " ".join(parts)


def reason_of(rule: Rule) -> str:
    """Why `rule` speaks for its level, as a sentence without a full stop."""
    return _SENTENCES[rule.kind](rule.facts)


def _budget(facts: tuple[Any, ...]) -> str:
    name, limit, used, _, left, rest, growing = facts
    text = f"{percent(used, limit)} of the {_ADJECTIVES[name]} budget of {dollars(limit)} is used"
    if used >= limit:
        return f"the {_ADJECTIVES[name]} budget of {dollars(limit)} is used up, {duration(left)} before it begins anew"
    if rest:
        ends = (limit - used) * left // rest
        text += f"; at the usual pace it ends in {duration(ends)}, {duration(left - ends)} before it begins anew"
    return f"{text} (steady growth, no jump)" if growing else text


def _burn(facts: tuple[Any, ...]) -> str:
    name, limit, used, length, _, long, slow, short, fast = facts
    rate = times(slow * length, limit * long * 60)
    left = max(0, limit - used) * long * 60 // max(slow, 1)
    return (
        f"the {_ADJECTIVES[name]} budget burns {rate} as fast as it may: {dollars(slow)} within {duration(long * 60)}, "
        f"{dollars(fast)} of it in the last {duration(short * 60)}; at this pace it ends in {duration(left)}"
    )


def _spike(facts: tuple[Any, ...]) -> str:
    minutes, spent, usual = facts
    said = f"spike: {dollars(spent)} in {_PERIODS[minutes]}"
    if not usual:
        return f"{said}, where nothing is usual at this hour of this weekday"
    return f"{said}, {times(spent, usual)} the usual {dollars(usual)} at this hour of this weekday"


def _growth(facts: tuple[Any, ...]) -> str:
    a_week, rise, week = facts
    return (
        f"growth: spend rises steadily by {a_week / 10:.1f} % a week, {rise // 10} % over the weeks known, to "
        f"{dollars(week)} in the last week; it is no jump"
    )


def _rate(facts: tuple[Any, ...]) -> str:
    name, count, limit = facts
    return f"{count:,} of {limit:,} {name} per minute for three minutes: the limit is about to refuse requests"


def _threshold(facts: tuple[Any, ...]) -> str:
    name, amount, threshold = facts
    if name == "cost":
        said = f"{dollars(amount)} in 5 minutes, {times(amount, threshold)} the alarm threshold of {dollars(threshold)}"
    else:
        said = f"{amount:,} {name} a minute, {times(amount, threshold)} the alarm threshold of {threshold:,}"
    return f"{said}; there is too little history to say what is usual"


_ADJECTIVES = {"month": "monthly", "day": "daily"}
_SENTENCES = {
    "budget": _budget, "burn": _burn, "spike": _spike, "growth": _growth, "rate": _rate, "threshold": _threshold,
}  # fmt: skip
