"""The minute's look: levels come down after a calm time, silent tenants and pins included, and all together count."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_function.dynamodb import Unavailable
from lambda_function.ledger import DEPLOYMENT, WATCH_LIST, counter_key
from lambda_function.usual import Usual
from tests.levels_scene import NOON, USD, Scene


def levels(scene: Scene, minutes: int, tenant: str = "Acme", **more: Any) -> list[tuple[float, str]]:
    """Minute and level of each change that the schedule makes in so many minutes."""
    changes, begun = [], scene.now
    for _ in range(minutes):
        before = scene.item(tenant).get("level", "green")
        scene.minute(**more)
        after = scene.item(tenant).get("level", "green")
        if after != before:
            changes.append(((scene.now - begun) / 60, after))
    return changes


def raised(usd: float = 30, **tier: Any) -> Scene:
    scene = Scene(tier)
    scene.alerts().settled("Acme", scene.settle(usd), scene.snapshot)
    return scene


def test_a_silent_tenant_comes_down_after_the_calm_time_and_the_operator_hears_of_it() -> None:
    scene = raised()
    assert scene.item()["level"] == "red"
    # The last 5 minutes are calm from minute 9 on, when the bucket before has slid out; then 15 minutes of calm.
    ((minute, level),) = levels(scene, 40, active=())
    assert level == "green" and 20 <= minute <= 26
    assert scene.history() == [("green", "red"), ("red", "green")]
    subjects = [subject for subject, _ in scene.sns.mails()]
    assert subjects[1] == "[green] Acme: was red, calm for 15 minutes"
    assert "tenants" not in scene.table.items[WATCH_LIST] and "news" not in scene.item()


def test_spend_that_stays_near_the_line_holds_the_level() -> None:
    scene = raised(6)  # orange from 5 on: it stays so above 3.75
    for _ in range(60):
        scene.settle(0.45)
        scene.minute(0.5)
    assert scene.history() == [("green", "orange")] and "calm_at" not in scene.item()


def test_a_relapse_doubles_the_calm_time() -> None:
    scene = raised(30)
    ((first, _),) = levels(scene, 60, active=())
    scene.now += 900
    scene.alerts().settled("Acme", scene.settle(30), scene.snapshot)
    ((second, _),) = levels(scene, 90, active=())
    assert 13 <= second - first <= 17
    scene.now += 6 * 3600
    scene.alerts().settled("Acme", scene.settle(30), scene.snapshot)
    ((third, _),) = levels(scene, 90, active=())
    assert abs(third - first) <= 2, "after a long quiet time it is as at first"


def test_metrics_are_written_for_everybody_above_green_and_nobody_else() -> None:
    scene = raised()
    scene.minute(active=("Acme", "Globex"))
    assert [(line["TenantID"], line["AlertLevel"]) for line in scene.lines] == [("Acme", 3), (DEPLOYMENT, 2)]


def test_a_pinned_level_holds_and_ends_at_its_time() -> None:
    scene = Scene()
    scene.item().update(level="red", level_by="ops", level_until=int(NOON) + 600, pv=3)
    scene.table.items[WATCH_LIST] = {"pk": WATCH_LIST[0], "sk": WATCH_LIST[1], "tenants": {"Acme"}}
    assert levels(scene, 9, active=()) == []
    assert levels(scene, 5, active=()) == [(1, "green")]
    assert "level_until" not in scene.item()
    assert "the time for which the level was set by hand is over" in scene.sns.mails()[0][1]


def test_a_level_pinned_to_green_is_judged_again_when_its_time_is_over() -> None:
    scene = Scene()
    scene.item().update(level="green", level_by="ops", level_until=int(NOON) + 120, pv=3)
    alerts = scene.alerts()
    assert alerts.settled("Acme", scene.settle(30), scene.snapshot) == "green"
    scene.now += 121
    assert alerts.settled("Acme", scene.settle(0.01), scene.snapshot) == "red"


def test_habits_are_learned_from_the_roll_ups_and_kept_in_the_item() -> None:
    scene = Scene()
    scene.habits(2.0)
    done = scene.minute()
    usual = Usual.decode(scene.item()["usual"])
    assert done["baselines"] == 2  # Acme's, and that of all tenants together
    assert usual.history == 4 * 168 and abs(usual.usual[0] - 2 * USD) < 0.01 * USD
    assert scene.minute()["baselines"] == 0
    assert scene.minute(120)["baselines"] == 2
    assert Usual.decode(scene.item()["usual"]).start == int(scene.now) // 3600


def test_a_spike_above_habits_is_found_by_the_request_and_says_what_is_usual() -> None:
    scene = Scene()
    scene.habits(2.0)
    scene.minute()
    assert scene.alerts().settled("Acme", scene.settle(0.3), scene.snapshot) == "green"
    assert scene.alerts().settled("Acme", scene.settle(0.7), scene.snapshot) == "orange"
    subject, text = scene.sns.mails()[0]
    assert subject.startswith("[orange] Acme: spike: $1.1") and "the usual $0.17 at this hour" in text
    assert "usual $2.00" in text


def test_the_deployment_has_a_level_and_names_who_spends_most_above_usual() -> None:
    scene = Scene(monthly_budget=300 * USD)
    for tenant in ("Acme", "Globex"):
        scene.habits(1.0, tenant=tenant)
    scene.minute(active=("Acme", "Globex"))
    scene.item("Globex").update(level="red", level_until=int(NOON) + 10**6, pv=9)
    scene.now += 120
    scene.settle(40, "Globex")
    scene.settle(0.5, "Acme")
    scene.minute(active=("Acme", "Globex"))
    subject, text = scene.sns.mails()[-1]
    assert scene.table.items[counter_key(DEPLOYMENT)]["level"] == "red"
    assert subject.startswith("[red] All tenants together: ")
    parts = text[text.index("The largest parts") :].splitlines()[1:3]
    assert parts[0].split()[:2] == ["Globex", "$40.92"] and parts[0].endswith("96 %; usual $1.00")
    assert parts[1].split()[0] == "Acme"
    assert "Globex" not in str([form for form in scene.sns.published if form["TopicArn"] == "arn:acme"])


def test_the_deployment_counts_the_same_however_often_it_looks() -> None:
    scene = Scene()
    for tenant in ("Acme", "Globex", "_rehearsal"):
        scene.settle(0.25, tenant)
    seen = []
    for _ in range(3):
        scene.minute(active=("Acme", "Globex", "_rehearsal"))
        item = scene.table.items[counter_key(DEPLOYMENT)]
        seen.append((item["m_202611"], item["d_20261124"], item[f"h_{int(NOON) // 3600}"]))
    assert set(seen) == {(USD // 2,) * 3}
    scene.minute(60 * 24 * 40, active=())
    item = scene.table.items[counter_key(DEPLOYMENT)]
    assert not [name for name in item if name.startswith(("f_", "h_", "d_", "m_")) and item[name]]


def test_the_month_before_the_first_look_comes_from_the_daily_sums() -> None:
    scene = Scene()
    for day, tenant, cost in (("02", "Acme", 3), ("02", "Globex", 4), ("23", "Acme", 5), ("23", "_rehearsal", 100)):
        pk, sk = "D#202611", f"{day}#{tenant}#p#v"
        scene.table.items[pk, sk] = {"pk": pk, "sk": sk, "cost": cost * USD}
    scene.settle(1)
    scene.minute()
    assert scene.table.items[counter_key(DEPLOYMENT)]["m_202611"] == 13 * USD


def test_a_tenant_that_left_the_configuration_is_left_alone() -> None:
    scene = Scene()
    scene.settle(50, "Gone")
    scene.minute(active=("Gone",))
    assert "level" not in scene.item("Gone")


def test_one_tenants_failure_does_not_keep_the_others_from_being_looked_at() -> None:
    scene = Scene()
    scene.settle(50, "Globex")
    scene.settle(50, "Acme")
    failed: list[bool] = []

    def fail_once(operation: str, phase: str) -> None:
        if operation == "update" and phase == "before" and not failed:
            failed.append(True)
            raise Unavailable("throttled", sent=False)

    scene.minute(active=("Acme", "Globex"))  # learns
    for tenant in ("Acme", "Globex"):
        scene.item(tenant).pop("level", None)
    scene.table.interrupt = fail_once
    with pytest.raises(Unavailable):
        scene.minute(active=("Acme", "Globex"))
    assert scene.item("Globex").get("level") == "red"
