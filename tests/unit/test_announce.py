"""A crossing is written once and told once, whoever saw it and whatever crashed on the way."""

from __future__ import annotations

import json

import pytest

from lambda_function.alerts import Alerts
from lambda_function.dynamodb import ConditionFailed, Unavailable
from lambda_function.ledger import WATCH_LIST
from tests.levels_scene import Scene

RED_TELLS_TENANT = {
    "monthly_budget": 100 * 10**12, "requests_per_minute": 100, "max_output_tokens": 2000,
    "actions": {"red": ["notify_admin", "notify_tenant", {"throttle": 0.5}, {"shorten": 256}]},
}  # fmt: skip


def spend(scene: Scene, usd: float, alerts: Alerts | None = None, tenant: str = "Acme") -> str:
    return (alerts or scene.alerts()).settled(tenant, scene.settle(usd, tenant), scene.snapshot)


def test_a_crossing_reaches_the_table_the_history_the_watch_list_and_the_operator() -> None:
    scene = Scene()
    assert spend(scene, 0.5) == "green" and not scene.sns.published
    assert spend(scene, 2) == "yellow"
    item = scene.item()
    assert (item["level"], item["level_by"], item["level_at"], item["pv"]) == ("yellow", "auto", int(scene.now), 1)
    assert "news" not in item
    assert scene.table.items[WATCH_LIST]["tenants"] == {"Acme"}
    assert scene.history() == [("green", "yellow")]
    ((subject, text),) = scene.sns.mails()
    assert subject.startswith("[yellow] Acme: $2.50 in 5 minutes, 2.5 times the alarm threshold")
    assert "Acme went from green to yellow on Tue 24 Nov 2026 at 12:00 (UTC)." in text
    assert 'python tenants.py level Acme green --for 2h --reason "..."' in text


def test_while_nothing_changes_the_table_is_not_touched() -> None:
    scene = Scene(RED_TELLS_TENANT)
    alerts = scene.alerts()
    for _ in range(50):
        spend(scene, 0.001, alerts)
    assert not scene.table.writes


def test_the_tenant_gets_a_text_of_its_own_with_what_was_done_and_no_operators_command() -> None:
    scene = Scene(RED_TELLS_TENANT)
    assert spend(scene, 60) == "red"
    ((_, text),) = scene.sns.mails("acme")
    for said in (
        "at most 50 instead of 100 requests per minute", "answers are at most 256 tokens long",
        "the operator and the tenant told", "budget $100.00, 60 % used", "the monthly budget ends on",
    ):  # fmt: skip
        assert said in text
    assert "tenants.py" not in text
    assert "tenants.py" in scene.sns.mails()[0][1]


def test_machines_get_the_same_as_an_object_with_exact_money() -> None:
    scene = Scene(RED_TELLS_TENANT)
    spend(scene, 60.000000000001)
    message = json.loads(scene.sns.published[0]["Message"])
    machine = json.loads(message["sqs"])
    assert machine == json.loads(message["lambda"])
    assert (machine["tenant"], machine["from"], machine["to"]) == ("Acme", "green", "red")
    assert machine["usd"]["month"] == "60.000000000001" and machine["usd"]["month_budget"] == "100"
    assert machine["month_reset"] == "2026-12-01T00:00:00+00:00"


def test_of_64_callers_who_see_the_same_line_crossed_one_tells() -> None:
    scene = Scene()
    seen = [scene.settle(0.05) for _ in range(64)]
    containers = [scene.alerts() for _ in seen]
    levels = [alerts.settled("Acme", item, scene.snapshot) for alerts, item in zip(containers, seen, strict=True)]
    assert levels[0] == "green" and levels[-1] == "yellow"
    assert len(scene.sns.published) == 1 and scene.history() == [("green", "yellow")]


def test_a_caller_with_newer_numbers_goes_further_than_the_one_before_it() -> None:
    scene = Scene()
    low = scene.settle(2.5)
    high = scene.settle(30)
    first, second = scene.alerts(), scene.alerts()
    assert first.settled("Acme", low, scene.snapshot) == "yellow"
    assert second.settled("Acme", high, scene.snapshot) == "red"
    assert scene.history() == [("green", "yellow"), ("yellow", "red")]


@pytest.mark.parametrize("write", range(1, 7))
def test_a_finder_that_dies_at_any_write_leaves_the_news_to_the_schedule(write: int) -> None:
    class Killed(BaseException):
        pass

    scene = Scene()
    count = 0

    def kill(operation: str, phase: str) -> None:
        nonlocal count
        count += phase == "after"
        if phase == "after" and count == write:
            raise Killed

    scene.table.interrupt = kill
    try:
        spend(scene, 2.5)
        died = False
    except Killed:
        died = True
    scene.table.interrupt = lambda operation, phase: None
    for _ in range(4):
        scene.minute()
    assert died == (write <= 6)
    assert scene.history() == [("green", "yellow")]
    # Killed right between SNS and the note that it was told, a mail may come twice; never not at all.
    assert 1 <= len(scene.sns.published) <= (2 if write in (4, 5) else 1)
    assert "news" not in scene.item()


@pytest.mark.parametrize(("outage", "mails"), [("unsent", 1), ("500", 1), ("lost", 1)])
def test_a_mail_that_sns_did_not_take_goes_out_later_and_one_of_unknown_fate_is_not_repeated(
    outage: str, mails: int
) -> None:
    scene = Scene()
    scene.sns.outages = [outage]
    assert spend(scene, 2.5) == "yellow"
    for _ in range(5):
        scene.minute()
    assert len(scene.sns.published) == mails and "news" not in scene.item()


def test_a_table_out_of_reach_fails_no_request() -> None:
    scene = Scene()
    item = scene.settle(2.5)

    def fail(operation: str, phase: str) -> None:
        raise Unavailable("no answer", sent=False)

    scene.table.interrupt = fail
    assert scene.alerts().settled("Acme", item, scene.snapshot) == "green"
    scene.table.interrupt = lambda operation, phase: None
    scene.minute()  # the schedule finds the same
    assert scene.item()["level"] == "yellow" and len(scene.sns.published) == 1


def test_one_mail_a_level_in_15_minutes_and_a_digest_of_the_rest() -> None:
    scene = Scene()
    item = scene.item()
    for count in range(4):
        item.update(level="green", pv=10 + count)
        spend(scene, 2.5 + 10 * count)
        scene.now += 61
        item = scene.item()
        for name in [name for name in item if name.startswith(("f_", "h_"))]:
            del item[name]
    raised = [change[1] for change in scene.history()]
    mailed = [subject.split("]")[0][1:] for subject, _ in scene.sns.mails()]
    assert raised == ["yellow", "orange", "red", "red"] and mailed == ["yellow", "orange", "red"]
    scene.minute(5)
    assert len(scene.sns.mails()) == 3, "not yet"
    for _ in range(20):
        scene.minute()
    digests = [(subject, text) for subject, text in scene.sns.mails() if "held back" in subject]
    assert len(digests) == 1 and "1 change of level held back" in digests[0][0]
    assert "12:03: green to red" in digests[0][1]
    assert "digests" not in scene.table.items[WATCH_LIST]


def test_reserved_tenants_raise_nothing() -> None:
    scene = Scene()
    assert spend(scene, 500, tenant="_rehearsal") == "green"
    assert not scene.sns.published and not scene.table.writes


def test_a_change_by_hand_wins_over_a_judgement_that_was_under_way() -> None:
    scene = Scene()
    stale = scene.settle(2.5)
    scene.item().update(level="red", pv=7, level_by="ops", level_until=int(scene.now) + 3600)
    assert scene.alerts().settled("Acme", stale, scene.snapshot) == "red"
    assert scene.item()["level"] == "red" and not scene.sns.published


def test_the_text_is_whole_in_every_protocol() -> None:
    scene = Scene()
    spend(scene, 2.5)
    message = json.loads(scene.sns.published[0]["Message"])
    assert message["default"] == message["email"] and set(message) > {"default", "email", "sqs", "lambda", "https"}
    assert len(scene.sns.published[0]["Message"]) < 256 * 1024


def test_condition_failed_without_an_item_is_no_crash() -> None:
    scene = Scene()
    item = scene.settle(2.5)

    def vanish(operation: str, phase: str) -> None:
        if operation == "update" and phase == "before":
            raise ConditionFailed(None)

    scene.table.interrupt = vanish
    assert scene.alerts().settled("Acme", item, scene.snapshot) == "green"
