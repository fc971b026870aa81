"""The aims of speed, as ratios measured in this run. What disturbs a run raises them, so the best of three counts.

A share above its ceiling fails: something got slower. One between aim and ceiling is reported as an expected failure,
with its figure: the aim still stands.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench import cold_start, handler, resolve

_RUNS = 3


def hold(share: Callable[[], float], aim: float, ceiling: float) -> None:
    """Measure up to three times, until the aim is reached."""
    shares: list[float] = []
    while len(shares) < _RUNS and (not shares or min(shares) > aim):
        shares.append(share())
    assert min(shares) <= ceiling
    if min(shares) > aim:
        pytest.xfail(f"{min(shares):.3f} is above the aim of {aim}")


@pytest.mark.parametrize(
    ("name", "aim", "ceiling"),
    [
        (handler.WIRE, 0.05, 0.08),
        (handler.WITHOUT_COUNTERS, 0.15, 0.18),
        (handler.WITHOUT_RECORD, 0.30, 0.36),
        (handler.WHOLE, 0.33, 0.40),
    ],
)
def test_the_handler_costs_a_fraction_of_bare_boto3(name: str, aim: float, ceiling: float) -> None:
    def share() -> float:
        found = handler.measure(blocks=11, each=20)
        return found[name] / found[handler.BARE]

    hold(share, aim, ceiling)


def test_a_cold_start_costs_a_fraction_of_boto3s() -> None:
    def share() -> float:
        found = cold_start.measure(rounds=5)
        return found[cold_start.HANDLER] / found[cold_start.BARE]

    hold(share, aim=0.25, ceiling=0.30)


def test_resolving_costs_the_same_with_any_number_of_profiles() -> None:
    def share() -> float:
        return max(many / few for few, many in resolve.measure(blocks=11).values())

    hold(share, aim=1.25, ceiling=1.25)
