"""Money from files: decimal dollars to exact integers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

__all__ = ["pico", "pico_per_token"]

_PICO = 10**12
_PER_TOKEN = 10**9  # USD per 1,000 tokens is 10^12 pico-USD per 10^3 tokens


def pico(usd: int | Decimal) -> int | None:
    """USD in pico-USD; None where `usd` is finer than that."""
    return _whole(usd, _PICO)


def pico_per_token(usd: int | Decimal) -> int | None:
    """USD per 1,000 tokens in pico-USD per token; None where it is finer than that."""
    return _whole(usd, _PER_TOKEN)


def _whole(usd: int | Decimal, factor: int) -> int | None:
    exact = Fraction(usd) * factor  # Fraction, because Decimal arithmetic rounds to its context
    return exact.numerator if exact.denominator == 1 else None
