"""Requests in flight and the windows they count in, as a tenant's counter item holds them.

The sets `inflight` and `swept` carry whole entries: the amount, and the windows it is held in, are known from the item
alone, so that anybody can settle for an owner that died. A window's identity is part of its attribute's name, so no
write ever rolls a window over, and a late settle lands in the window of its reserve.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from lambda_function.calendars import civil

__all__ = [
    "MOST_PICO", "MOST_TOKENS", "Entry", "Windows", "amounts", "closed_windows", "decode_entries", "decode_entry",
    "encode_entry", "held_by", "windows",
]  # fmt: skip

_DAY = 86400
# A window is closed only this long after its end: clocks differ, and a write may arrive late.
_GRACE = 120
_LAST_ZONE = -12 * 3600  # where a date ends last
# Closed 5-minute and hourly buckets that the alert levels still look at; with them the item stays below 1 KB, one
# write unit.
_FIVES_KEPT = 13
_HOURS_KEPT = 7

# Request id, start, hold, amount, tokens, profile id, offset in minutes: 48 bytes, 64 in base64.
_ENTRY = Struct(">16sIHQI12sh")
MOST_PICO = 2**64 - 1
MOST_TOKENS = 2**32 - 1


class Entry(NamedTuple):
    """A request in flight, as the binary sets `inflight` and `swept` hold it: enough to settle it from the item alone.

    `start` is epoch seconds, `hold` the seconds after which the sweeper may settle it, `amount` pico-USD and `tokens`
    what is held, `offset` the tenant's seconds east of UTC at `start`, so that its windows never depend on the zone
    that the tenant has by the time it is settled.
    """

    request_id: str
    start: int
    hold: int
    amount: int
    tokens: int
    profile_id: str
    offset: int

    @property
    def expiry(self) -> int:
        """Epoch seconds from which on the sweeper settles it."""
        return self.start + self.hold


class Windows(NamedTuple):
    """The counter attributes that a request counts in: attribute names, by the instant of its reserve."""

    month: str  # pico-USD held: settled and reserved
    day: str
    requests: str  # admitted in the minute
    tokens: str  # held in the minute
    five: str  # pico-USD settled in the 5 minutes
    hour: str  # pico-USD settled in the hour


@lru_cache(256)  # a request asks several times for its own
def windows(start: int, offset: int) -> Windows:
    """The windows of a request that reserved at `start`, in a zone then `offset` seconds east of UTC."""
    month, day = _dates((start + offset) // _DAY)
    minute = start // 60
    return Windows(month, day, f"q_{minute}", f"k_{minute}", f"f_{start // 300}", f"h_{start // 3600}")


@lru_cache(16)
def _dates(days: int) -> tuple[str, str]:
    year, month, day = civil(days)
    return f"m_{year:04d}{month:02d}", f"d_{year:04d}{month:02d}{day:02d}"


def encode_entry(entry: Entry) -> bytes:
    """48 bytes. ValueError if the request id is no UUID; struct.error if a number is out of range."""
    request_id, start, hold, amount, tokens, profile_id, offset = entry
    identity = bytes.fromhex(request_id.replace("-", ""))
    if len(identity) != 16:
        raise ValueError("a request id is a UUID")
    return _ENTRY.pack(identity, start, hold, amount, tokens, profile_id.encode(), offset // 60)


def decode_entry(data: bytes) -> Entry:
    """The inverse of `encode_entry`; the request id in its canonical form."""
    identity, start, hold, amount, tokens, profile_id, minutes = _ENTRY.unpack(data)
    digits = identity.hex()
    request_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return Entry(request_id, start, hold, amount, tokens, profile_id.rstrip(b"\0").decode(), minutes * 60)


def held_by(data: bytes) -> tuple[Windows, int, int]:
    """The windows of an entry, the pico-USD and the tokens that it holds: all that settling takes."""
    _, start, _, amount, tokens, _, minutes = _ENTRY.unpack(data)
    return windows(start, minutes * 60), amount, tokens


def decode_entries(item: Mapping[str, Any] | None, name: str = "inflight") -> list[Entry]:
    """The entries of a counter item's set `name`, oldest first."""
    return sorted(map(decode_entry, (item or {}).get(name, ())), key=lambda entry: (entry.start, entry.request_id))


def amounts(item: Mapping[str, Any] | None, window: str) -> tuple[int, int]:
    """Pico-USD settled and reserved in a month's or day's `window` of a counter item."""
    reserved = sum(entry.amount for entry in decode_entries(item) if window in windows(entry.start, entry.offset)[:2])
    return (item or {}).get(window, 0) - reserved, reserved


def closed_windows(item: Mapping[str, Any], now: float) -> list[str]:
    """The window attributes of `item`, an answer of `now`, that nothing will ever be added to: safe to remove.

    They ended before `_GRACE`, a date everywhere on Earth, so that no reserve still under way can be in them, whatever
    zone it believes the tenant to have; and no entry that may still be settled counts in them.
    """
    floors = windows(int(now) - _GRACE, _LAST_ZONE)
    oldest = {name[0]: int(name[2:]) for name in floors}
    oldest["f"] -= _FIVES_KEPT
    oldest["h"] -= _HOURS_KEPT
    closed = [name for name in item if name[1:2] == "_" and int(name[2:]) < oldest.get(name[0], 0)]
    if closed and (item.keys() & {"inflight", "swept"}):
        held: set[str] = set()
        for name in ("inflight", "swept"):
            for entry in item.get(name, ()):
                held.update(held_by(entry)[0])
        closed = [name for name in closed if name not in held]
    return closed
