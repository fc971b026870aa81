"""Pico-USD as people and HTTP headers read them."""

from __future__ import annotations

__all__ = ["usd"]

_PICO = 10**12


def usd(pico: int) -> str:
    """`pico` (10^-12 USD) as a plain decimal of USD, exact: no exponent, no trailing zeros, "0" for nothing."""
    whole, part = divmod(abs(pico), _PICO)
    text = f"{whole}.{part:012d}".rstrip("0").rstrip(".") if part else str(whole)
    return f"-{text}" if pico < 0 else text
