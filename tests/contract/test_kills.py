"""Killed at any call, before AWS did it or after, and run again: complete, no duplicate, no orphan.

A process that dies leaves AWS and the state file, nothing else. So two moments between which neither changed are the
same place to die (a read, for example, before and after). Every moment of every walk is tried, each place once.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lib.errors import ProjectError
from lib.rehearsal import Reply
from tests.contract.world import Document, Fault, Killed, World

SHARES = 6
READS = ("Describe", "Get", "List", "Head", "BatchGet", "Query", "Scan")


class Journey(NamedTuple):
    """What is there before the run that is killed, and which run that is."""

    prepare: Callable[[World], object]
    run: Callable[..., Any]


def changed(config: Document) -> None:
    """A profile less, one more, one retagged, one of another model; a new contact, bucket and topic."""
    search, chat, letters = config["profiles"]
    search["model_id"] = "us.amazon.nova-lite-v1:0"
    chat["tags"][1] = {"key": "Team", "value": "support"}
    letters.update(name="notes", description="Profile notes")
    config.update(s3_bucket_name="another-bucket", sns_topic_name="OtherAlarms", cost_alarm_threshold=7)
    config["tenants"]["Acme"]["contact_email"] = "noc@acme.com"


def into_change(world: World) -> None:
    world.set_up()
    world.configure(changed)


JOURNEYS = {
    "setup": Journey(lambda world: None, World.set_up),
    "change": Journey(into_change, World.set_up),
    "rehearsal": Journey(World.set_up, World.rehearse),
    "teardown": Journey(World.set_up, World.tear_down),
    "teardown-after-change": Journey(into_change, World.tear_down),
}


class Place(NamedTuple):
    """Before or after the call of that number, from 1."""

    at: int
    after: bool
    call: str

    def __str__(self) -> str:
        return f"killed {'after' if self.after else 'before'} call {self.at}, {self.call}"


class Undisturbed(NamedTuple):
    """The journey without a death: the places to die on it, all its calls, and what there is at its end."""

    places: list[Place]
    calls: list[str]
    census: dict[str, list[str]]


def _mutates(call: str) -> bool:
    return not call.partition(".")[2].startswith(READS)


@functools.cache
def undisturbed(name: str, folder: Path) -> Undisturbed:
    places: dict[tuple[int, bytes], Place] = {}
    with fresh(folder) as world:
        JOURNEYS[name].prepare(world)
        mutations = 0

        def remember(at: int, after: bool) -> None:
            nonlocal mutations
            call = world.calls[-1]
            mutations += after and _mutates(call)
            state = world.state_path.read_bytes() if world.state_path.exists() else b""
            places.setdefault((mutations, state), Place(at, after, call))

        JOURNEYS[name].run(world, fault=remember)
        return Undisturbed(list(places.values()), world.calls, world.census())


def killer(place: Place) -> Fault:
    """Die there."""

    def die(number: int, answered: bool) -> None:
        if (number, answered) == (place.at, place.after):
            raise Killed

    return die


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", JOURNEYS)
def test_the_next_run_completes_what_died(name: str, share: int, folder: Path, tmp_path: Path) -> None:
    journey, expected = JOURNEYS[name], undisturbed(name, folder)
    assert len(expected.places) > len([call for call in expected.calls if _mutates(call)]) > 0
    for place in expected.places[share::SHARES]:
        with fresh(tmp_path) as world:
            journey.prepare(world)
            with pytest.raises(Killed):
                journey.run(world, fault=killer(place))
            journey.run(world)
            assert world.census() == expected.census, place
            assert journey.run(world, planning=True) == [], place


@contextmanager
def fresh(folder: Path) -> Iterator[World]:
    """A world without state."""
    with World.open(folder) as world:
        world.state_path.unlink(missing_ok=True)
        yield world


def test_a_rehearsal_leaves_nothing(deployed: World) -> None:
    census, state = deployed.census(), deployed.state_path.read_text()
    signs = [change.sign for change in deployed.rehearse()]
    assert signs == ["+", "+", "~", "-", "~", "-"]
    assert deployed.census() == census
    assert json.loads(deployed.state_path.read_text()) == json.loads(state)
    resolved = deployed.client("s3").get_object(Bucket=deployed.names.bucket, Key=deployed.names.config_key)["Body"]
    assert "_rehearsal" not in resolved.read().decode()


def test_a_rehearsal_that_fails_leaves_nothing_and_says_where_to_look(deployed: World) -> None:
    census = deployed.census()
    deployed.wall = lambda key, request: Reply(200, "")
    with pytest.raises(ProjectError, match="none was refused") as caught:
        deployed.rehearse()
    assert "/aws/lambda/InvokeBedrockFunction" in caught.value.hint
    assert deployed.census() == census
