"""What is usual for a tenant in these hours: a digest of its baseline, carried by its counter item.

The scheduled function makes it from the 8 weeks of the baseline (lambda_function/baseline.py) and puts it into the
counter item, so that the answer of the settling write holds all that the judgement needs: no further read, no cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any

__all__ = ["SLOTS", "Usual", "amounts_of", "code_of"]

SLOTS = 3  # hours that a digest covers: its own and two more, should the schedule be late

_LAYOUT = Struct(">IHHHI15H")
_UNIT = 10**6  # pico-USD: a millionth of a dollar an hour is as fine as habits are known


class Usual:
    """Amounts are pico-USD; `usual`, `high` and `spread` are those of `SLOTS` hours from `start` on.

    `start` is hours since the epoch, `history` the hours of history, at most 8 weeks of them. `usual` is the middle of
    an hour's spend, `high` the largest `usual` of it and its neighbours, `spread` its usual deviation. `odd` is by how
    much the tenant rarely exceeds its usual hour, `peak` what it rarely exceeds in an hour, `burst` in 5 minutes.
    `day` and `week` were spent in the 24 and 168 hours before `start`; `rest` is usual from `start` to the day's end.
    `growth` is the steady growth a week in thousandths, 0 if there is none, `rise` that of all the weeks known, and
    `told_until` the hour until which growth is being told.
    """

    start: int
    history: int
    growth: int
    rise: int
    told_until: int
    usual: tuple[int, int, int]
    high: tuple[int, int, int]
    spread: tuple[int, int, int]
    odd: int
    peak: int
    burst: int
    day: int
    week: int
    rest: int

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def encode(self) -> bytes:
        """44 bytes; amounts are rounded down by at most a thousandth."""
        counts = (self.start, self.history, self.growth, self.rise, self.told_until)
        amounts = (
            *self.usual, *self.high, *self.spread,
            self.odd, self.peak, self.burst, self.day, self.week, self.rest,
        )  # fmt: skip
        return _LAYOUT.pack(*counts, *map(code_of, amounts))

    @classmethod
    def decode(cls, data: bytes) -> Usual:
        """The inverse of `encode`."""
        start, history, growth, rise, told_until, *codes = _LAYOUT.unpack(data)
        a = amounts_of(codes)
        return cls(
            start=start, history=history, growth=growth, rise=rise, told_until=told_until,
            usual=(a[0], a[1], a[2]), high=(a[3], a[4], a[5]), spread=(a[6], a[7], a[8]),
            odd=a[9], peak=a[10], burst=a[11], day=a[12], week=a[13], rest=a[14],
        )  # fmt: skip


def code_of(amount: int) -> int:
    """16 bits for pico-USD: 11 of mantissa, 5 of exponent, in millionths of a dollar; up to 4 million dollars."""
    units = max(amount, 0) // _UNIT
    shift = units.bit_length() - 11
    if shift <= 0:
        return units
    return (shift << 11) | (units >> shift) if shift < 32 else 0xFFFF


def amounts_of(codes: Iterable[int]) -> list[int]:
    """Pico-USD of codes; the inverse of `code_of` but for rounding."""
    return [(code & 2047) * _UNIT << (code >> 11) for code in codes]
