"""Throttling and AWS's own faults are finished by retries; published rates are never exceeded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.errors import AwsError
from lib.local.door import Refused, Visit
from tests.contract.world import World

SHARES = 4
WALKS = {"setup": World.set_up, "teardown": World.tear_down}


def prepared(world: World, name: str) -> Callable[..., Any]:
    if name == "teardown":
        world.set_up()
    return WALKS[name]


def failure() -> Refused:
    return Refused("InternalFailure", "An internal error.", 500)


class EverySecond:
    """Turns away the first try of each call."""

    def __init__(self, refusal: Callable[[Visit], Refused]) -> None:
        self.refusal = refusal
        self.turned_away = 0
        self._due = True

    def __call__(self, visit: Visit, applied: bool) -> None:
        if applied:
            return
        due, self._due = self._due, not self._due
        if due:
            self.turned_away += 1
            raise self.refusal(visit)


@pytest.mark.parametrize("name", WALKS)
def test_every_call_may_be_throttled_once(world: World, name: str) -> None:
    walk = prepared(world, name)
    planned = walk(world, planning=True)
    guard = EverySecond(lambda visit: Refused.throttled(visit.service))
    with world.guarded(guard):
        assert walk(world) == planned
    assert guard.turned_away > len(planned)
    assert walk(world, planning=True) == []


class FailingOnce:
    """Answers 500 to the first try of some changes and to every second read; `applied` says whether AWS did it."""

    def __init__(self, world: World, sentences: list[str], *, applied: bool) -> None:
        self.world = world
        self.left = set(sentences)
        self.applied = applied

    def __call__(self, visit: Visit, applied: bool) -> None:
        if applied == self.applied and self.world.changing in self.left:
            self.left.remove(self.world.changing)
            raise failure()


def undisturbed(folder: Path) -> dict[str, list[str]]:
    with World.open(folder) as world:
        world.set_up()
        return world.census()


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("applied", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize("name", WALKS)
def test_every_change_may_fail_or_lose_its_answer(
    world: World, name: str, applied: bool, share: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    walk = prepared(world, name)
    sentences = [change.sentence for change in walk(world, planning=True)]
    guard = FailingOnce(world, sentences[share::SHARES], applied=applied)
    world.changing = ""
    with world.guarded(guard):
        walk(world)
    assert not guard.left
    assert walk(world, planning=True) == []
    if name == "setup":
        assert world.census() == undisturbed(tmp_path_factory.mktemp("undisturbed"))


def test_every_read_may_fail_once(deployed: World) -> None:
    guard = EverySecond(lambda visit: failure())
    with deployed.guarded(guard):
        assert deployed.set_up() == []
    assert guard.turned_away > 50


@pytest.mark.parametrize("refusal", [failure(), Refused("Throttling", "Rate exceeded", 400)], ids=["fault", "throttle"])
def test_what_never_passes_ends_in_one_sentence(world: World, refusal: Refused) -> None:
    def refuse(visit: Visit, applied: bool) -> None:
        if visit.operation == "CreateTopic":
            raise refusal

    with world.guarded(refuse), pytest.raises(AwsError, match=r"while creating topic .* Run|run ") as caught:
        world.set_up()
    assert str(caught.value).count("\n") == 0
    world.set_up()
    assert world.set_up() == []


# Calls and seconds, as AWS publishes them for an account and Region.
# docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
RATES = {
    ("apigateway", "*"): (10, 1),
    ("apigateway", "CreateApiKey"): (5, 1),
    ("apigateway", "CreateDeployment"): (1, 5),
    ("apigateway", "DeleteApiKey"): (5, 1),
    ("apigateway", "DeleteRestApi"): (1, 30),
    ("apigateway", "GetResources"): (5, 2),
    ("apigateway", "ImportRestApi"): (1, 3),
    ("apigateway", "PutRestApi"): (1, 1),
    ("apigateway", "UpdateUsagePlan"): (1, 20),
    ("cloudwatch", "DeleteAlarms"): (3, 1),
    ("cloudwatch", "PutMetricAlarm"): (3, 1),
}


@pytest.mark.parametrize("name", WALKS)
def test_published_rates_are_kept(world: World, name: str) -> None:
    """Even where a call takes no time at all, and the first try of each is thrown away."""
    world.paced = True
    walk = prepared(world, name)
    moments: dict[tuple[str, str], list[float]] = defaultdict(list)

    def watch(visit: Visit, applied: bool) -> None:
        if not applied:
            for operation in (visit.operation, "*"):
                moments[visit.service, operation].append(world.now)

    throttled = EverySecond(lambda visit: Refused.throttled(visit.service))
    with world.guarded(watch), world.guarded(throttled):
        walk(world)
    for key, (calls, seconds) in RATES.items():
        times = moments[key]
        assert all(last - first > seconds - 1e-6 for first, last in zip(times, times[calls:], strict=False)), key
    assert len(moments["apigateway", "*"]) > 10
