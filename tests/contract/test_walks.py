"""The law every step obeys: plan is apply, twice is empty, what is lost is found, what is removed is gone."""

from __future__ import annotations

from tests.contract.world import World


def test_a_plan_changes_nothing(world: World) -> None:
    assert world.set_up(planning=True)
    assert not any(world.census().values())
    assert not world.state_path.exists()


def test_what_is_planned_is_what_happens(world: World) -> None:
    planned = world.set_up(planning=True)
    assert planned == world.set_up()
    assert {change.sign for change in planned} >= {"+"}
    teardown = world.tear_down(planning=True)
    assert teardown == world.tear_down()
    assert {change.sign for change in teardown} <= {"-", "~"}


def test_a_second_run_changes_nothing(deployed: World) -> None:
    before = deployed.state_path.read_bytes()
    assert deployed.set_up() == []
    assert deployed.set_up(planning=True) == []
    assert deployed.state_path.read_bytes() == before


def test_lost_state_is_found_again(deployed: World) -> None:
    before, there = deployed.state_path.read_bytes(), deployed.census()
    deployed.state_path.unlink()
    assert deployed.set_up(planning=True) == []
    assert deployed.set_up() == []
    assert deployed.state_path.read_bytes() == before
    assert deployed.census() == there


def test_teardown_leaves_nothing_with_and_without_state(deployed: World) -> None:
    assert deployed.remaining()
    deployed.state_path.unlink()
    deployed.tear_down()
    assert deployed.remaining() == []
    assert not any(deployed.census().values())
    assert deployed.tear_down() == []


def test_setup_works_again_after_teardown(deployed: World) -> None:
    there = deployed.census()
    deployed.tear_down()
    deployed.set_up()
    assert deployed.census() == there
    assert deployed.set_up() == []
