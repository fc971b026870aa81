"""Pico-USD as people and HTTP headers read them."""

from __future__ import annotations

__all__ = ["usd"]


def usd(pico: int) -> str:
    """`pico` (10^-12 USD) as a plain decimal of USD, exact: no exponent, no trailing zeros, "0" for nothing."""
    if pico < 0:
        return f"-{usd(-pico)}"
    digits = f"{pico:013d}"
    return f"{digits[:-12]}.{digits[-12:]}".rstrip("0").rstrip(".")
