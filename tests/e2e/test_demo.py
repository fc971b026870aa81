"""setup.py --local --demo: a newcomer sees a runaway tenant stopped, and its neighbour undisturbed, typing nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.stack import Stack, eventually

pytestmark = pytest.mark.e2e


def test_the_runaway_is_warned_of_and_stopped(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    told = stack.set_up("--no-rehearsal", "--demo").stderr
    try:
        assert "Globex is red now" in told and "Globex is refused with 402 BudgetExceeded" in told
        tenants = {tenant["name"]: tenant for tenant in stack.admin("GET", "/_console/overview")["tenants"]}
        day = tenants["Globex"]["usage"]["budgets"]["day"]
        assert 0.98 * float(day["limit_usd"]) < float(day["spent_usd"]) <= float(day["limit_usd"])
        assert tenants["Globex"]["usage"]["level"] == "red" and tenants["Globex"]["refused"] > 50
        # No limit of its own or of its neighbour's stops Acme; a busy machine may be late to check one, which is a 503.
        assert tenants["Acme"]["usage"]["level"] == "green" and "Acme is refused with 4" not in told
        assert stack.invoke("Globex", inference_profile_id="globex-document-summary").status == 402
        assert stack.invoke("Acme", inference_profile_id="acme-support-chat").status == 200
        mails = eventually(lambda: stack.admin("GET", "/_local/mail")["mails"])
        subjects = [(mail["to"], mail["subject"]) for mail in mails]
        assert any("it@globex.example" in to and subject.startswith("[red] Globex") for to, subject in subjects)
        assert any("BedrockTokenCostAlarm-globex-document-summary" in subject for _, subject in subjects)
    finally:
        stack.tear_down()
