"""tenants.py level: what an operator sets by hand is announced like any other change, and ends at its time."""

from __future__ import annotations

from typing import Any

from lambda_function.ledger import WATCH_LIST
from lib.items import plain, typed
from lib.standing import set_level
from tests.levels_scene import Scene


class AwsDouble:
    """The three calls of set_level, on the scene's table."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def clock(self) -> float:
        return self.scene.now

    def read(self, service: str, operation: str, **given: Any) -> Any:
        assert (service, operation) == ("dynamodb", "get_item")
        key = plain(given["Key"])
        found = self.scene.table.items.get((key["pk"], key["sk"]))
        return {"Item": typed(found)} if found else {}

    def write(self, sign: str, sentence: str, service: str, operation: str, **given: Any) -> Any:
        if operation == "put_item":
            self.scene.table.put(plain(given["Item"]))
            return {}
        key, values = plain(given["Key"]), plain(given["ExpressionAttributeValues"])
        self.scene.table.update(
            (key["pk"], key["sk"]), given["UpdateExpression"], values=values,
            names=given.get("ExpressionAttributeNames", {}),
        )  # fmt: skip
        return {}


def by_hand(scene: Scene, level: str, until: int | None) -> None:
    aws: Any = AwsDouble(scene)
    set_level(aws, "ledger", "Acme", level, who="ops", reason="a load test", until=until)


def test_a_level_set_by_hand_is_announced_within_a_minute_and_once() -> None:
    scene = Scene()
    scene.settle(0.5)
    by_hand(scene, "red", int(scene.now) + 7200)
    for _ in range(3):
        scene.minute(active=())
    ((subject, text),) = scene.sns.mails()
    assert subject == "[red] Acme: a load test"
    assert "set by hand by ops" in text and "last 5 minutes" in text and "$0.50" in text
    assert scene.history() == [("green", "red")] and "news" not in scene.item()


def test_back_to_green_by_hand_is_announced_too_and_leaves_the_watch_list() -> None:
    scene = Scene()
    scene.alerts().settled("Acme", scene.settle(30), scene.snapshot)
    scene.now += 60
    by_hand(scene, "green", int(scene.now) + 7200)
    assert scene.alerts().settled("Acme", scene.settle(30), scene.snapshot) == "green", "the operator has said so"
    for _ in range(3):
        scene.minute(active=())
    assert [subject.split("]")[0] for subject, _ in scene.sns.mails()] == ["[red", "[green"]
    assert "tenants" not in scene.table.items[WATCH_LIST]


def test_auto_gives_the_level_back_to_the_judgement_at_once() -> None:
    scene = Scene()
    by_hand(scene, "red", int(scene.now) + 7200)
    scene.now += 60
    by_hand(scene, "green", None)
    assert scene.alerts().settled("Acme", scene.settle(2.5), scene.snapshot) == "yellow"
