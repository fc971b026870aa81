"""A new world for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Nothing is set up in it."""
    with World.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def deployed(world: World) -> World:
    """Everything is set up in it."""
    world.set_up()
    return world
