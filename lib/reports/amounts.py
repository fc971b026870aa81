"""Pico-USD rounded for eyes; `lambda_function.money.usd` is the exact spelling."""

from __future__ import annotations

__all__ = ["rounded", "signed"]

_PICO = 10**12


def rounded(amount: int) -> str:
    """To the cent above a dollar, to four digits that count below: for eyes only."""
    if abs(amount) >= _PICO or amount == 0:
        cents = (abs(amount) * 100 + _PICO // 2) // _PICO
        return f"{'-' if amount < 0 else ''}{cents // 100:,}.{cents % 100:02d}"
    return f"{amount / _PICO:.4g}" if abs(amount) >= _PICO // 10**4 else f"{amount / _PICO:.2e}"


def signed(amount: int) -> str:
    """`rounded` with its sign."""
    return f"+{rounded(amount)}" if amount > 0 else rounded(amount)
