"""The console in a real browser: what a newcomer sees and can do, by mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import browser, foreign_requests, log, needs_browser
from tests.e2e.stack import Stack, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser, needs_browser]

TOKENS_ALARM = "BedrockTokensPerMinuteAlarm-acme-web-search-bot"
# Every text on the page against the first opaque background behind it, by WCAG 2.2's formula; those below 4.5.
FAINT = """
const parsed = (text) => text.match(/[\\d.]+/g).map(Number);
const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const colour = parsed(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll("body *")].filter((e) => !e.closest("svg, script") && e.offsetParent &&
  [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).flatMap((e) => {
    const [a, b] = [light(parsed(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    return ratio < 4.5 ? [`${e.tagName}.${e.className} "${e.textContent.slice(0, 40)}" ${ratio.toFixed(2)}`] : [];
  });
"""
# Elements that stick out to the right, unless something around them scrolls.
WIDE = """
return [...document.querySelectorAll("body *")]
  .filter((e) => e.offsetParent && !e.closest(".scroll, svg, .skip, .plot"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.tagName + "." + e.className);
"""
CHART_SUM = """
const plot = document.querySelector(`[data-title="${arguments[0]}"] .plot`);
return plot.data ? plot.data.flatMap((trace) => [...trace.y]).reduce((sum, y) => sum + y, 0) : 0;
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("console"))
    made.set_up("--no-rehearsal")
    yield made
    made.tear_down()


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[webdriver.Chrome]:
    with browser() as driver:
        opened(driver, stack)
        yield driver


def opened(driver: webdriver.Chrome, stack: Stack) -> None:
    """The console, with its tenants and widgets there."""
    driver.get(f"{stack.deployed['endpoint_url']}/_console")
    eventually(lambda: driver.find_elements(By.CSS_SELECTOR, "#tenants article"))
    eventually(lambda: driver.find_elements(By.CSS_SELECTOR, "#dashboard article"))


def text_of(driver: webdriver.Chrome, selector: str) -> str:
    """What stands there, read at once: the page may draw it anew at any time."""
    found = driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
    return str(found)


def run(driver: webdriver.Chrome, script: str, *arguments: Any) -> Any:
    """A script's value."""
    return driver.execute_script(script, *arguments)


def spent_today(driver: webdriver.Chrome, tenant: str) -> float:
    """What the tenant's card shows, in USD."""
    return float(text_of(driver, f'[data-tenant="{tenant}"] [data-spent="day"]').strip("$") or 0)


def send(driver: webdriver.Chrome, text: str) -> str:
    """Send a message by the form; what the page then says."""
    run(driver, "document.getElementById('send-text').value = arguments[0]", text)
    run(driver, "document.getElementById('outcome').textContent = ''")
    driver.find_element(By.CSS_SELECTOR, "#send button").click()
    return str(eventually(lambda: (said := text_of(driver, "#outcome")) != "Sending…" and said))


def test_the_page_loads_without_errors_and_asks_nobody_else(page: webdriver.Chrome) -> None:
    cards = [card.get_attribute("data-tenant") for card in page.find_elements(By.CSS_SELECTOR, "#tenants article")]
    assert sorted(str(card) for card in cards) == ["Acme", "Globex"]
    assert [entry for entry in log(page, "browser") if entry["level"] == "SEVERE"] == []
    assert foreign_requests(page) == []


def test_every_control_and_region_has_a_name(page: webdriver.Chrome) -> None:
    controls = page.find_elements(By.CSS_SELECTOR, "main :is(select, input, textarea, button, section, article)")
    unnamed = [one.get_attribute("outerHTML") for one in controls if one.is_displayed() and not one.accessible_name]
    assert unnamed == []
    headings = page.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4")
    levels = [int(heading.tag_name[1]) for heading in headings if heading.is_displayed()]
    assert levels[0] == 1 and all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_a_request_costs_and_the_cost_appears_in_answer_bar_and_chart(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, '[data-pick="Globex"]').click()
    assert page.find_element(By.ID, "send-tenant").get_attribute("value") == "Globex"
    assert send(page, "word " * 400 + "[[tokens=150]]").startswith("Cost $")
    cost = float(text_of(page, '[data-header="x-cost-usd"]'))
    assert cost > 0
    assert text_of(page, '[data-header="x-inference-profile"]').startswith("globex-")
    assert eventually(lambda: spent_today(page, "Globex")) == pytest.approx(cost, rel=0.01)
    charted = eventually(lambda: run(page, CHART_SUM, "Tenant: cost per 5 minutes (USD)"))
    assert charted == pytest.approx(cost, rel=1e-9)


def test_looking_at_the_page_is_not_traffic(stack: Stack, page: webdriver.Chrome) -> None:
    def invocations() -> float:
        now = stack.admin("GET", "/_local/clock")["now"]
        answer = stack.aws("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="Invocations", StartTime=now - 3600, EndTime=now + 60, Period=3600,
            Statistics=["Sum"], Dimensions=[{"Name": "FunctionName", "Value": "InvokeBedrockFunction"}],
        )  # fmt: skip
        return sum(float(point["Sum"]) for point in answer["Datapoints"])

    before = invocations()
    assert before > 0
    for _ in range(5):
        stack.admin("GET", "/_console/overview")
        stack.admin("GET", "/_console/dashboard?minutes=60")
    assert invocations() == before


def test_an_alarm_turns_red_and_its_mail_can_be_opened(stack: Stack, page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, '[data-pick="Acme"]').click()
    assert send(page, "word " * 4000).startswith("Cost $")
    # The alarm looks at whole minutes.
    offset = stack.admin("GET", "/_local/clock")["offset"]
    stack.admin("POST", "/_local/clock", {"offset": offset + 60})
    row = f'[data-alarm="{TOKENS_ALARM}"]'
    eventually(lambda: run(page, f"return document.querySelector('{row}').dataset.state") == "ALARM")
    red = run(page, f"return getComputedStyle(document.querySelector('{row} .level')).color")
    assert red == run(page, "return getComputedStyle(document.querySelector('#summary dd.red')).color")
    focus = (
        "const mail = [...document.querySelectorAll('#mails [data-mail]')].find(one =>"
        " one.innerText.includes(arguments[0])); mail?.focus(); return Boolean(mail)"
    )
    eventually(lambda: run(page, focus, TOKENS_ALARM))
    page.switch_to.active_element.send_keys(Keys.ENTER)
    eventually(lambda: run(page, "return document.getElementById('mail').open"))
    assert TOKENS_ALARM in text_of(page, "#mail-text")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    eventually(lambda: not run(page, "return document.getElementById('mail').open"))


def test_a_refusal_is_told_in_words(stack: Stack, page: webdriver.Chrome) -> None:
    stack.run("tenants.py", "suspend", "Globex", "--reason", "unpaid")
    page.find_element(By.CSS_SELECTOR, '[data-pick="Globex"]').click()
    assert "403 TenantSuspended" in send(page, "Hello?")
    eventually(lambda: "Suspended" in text_of(page, '[data-tenant="Globex"]'))
    stack.run("tenants.py", "resume", "Globex")
    eventually(lambda: "Suspended" not in text_of(page, '[data-tenant="Globex"]'))


def test_the_keyboard_alone_sends_a_request(stack: Stack) -> None:
    with browser() as driver:
        opened(driver, stack)
        for key in ("send-tenant", "send-text", "send-tokens"):
            for _ in range(40):
                if driver.switch_to.active_element.get_attribute("id") == key:
                    break
                driver.switch_to.active_element.send_keys(Keys.TAB)
            assert driver.switch_to.active_element.get_attribute("id") == key
            assert run(driver, "return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        driver.switch_to.active_element.send_keys(Keys.ENTER)
        assert eventually(lambda: (said := text_of(driver, "#outcome")) != "Sending…" and said).startswith("Cost $")


@pytest.mark.parametrize("width", [320, 375, 768, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(stack: Stack, width: int, scheme: str) -> None:
    with browser(width, 800, scheme=scheme) as driver:
        opened(driver, stack)
        eventually(lambda: driver.find_elements(By.CSS_SELECTOR, "#dashboard .main-svg"))
        assert run(driver, "return document.documentElement.scrollWidth") <= width
        assert run(driver, WIDE) == []
        assert run(driver, FAINT) == []
        dark = run(driver, "return getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
        assert dark is (scheme == "dark")


@pytest.mark.parametrize("tenant", ["Acme", "Globex"])
def test_a_variable_chooses_what_is_drawn(page: webdriver.Chrome, tenant: str) -> None:
    run(
        page,
        "const select = document.getElementById('variable-tenant'); select.value = arguments[0];"
        "select.dispatchEvent(new Event('change'))",
        tenant,
    )
    spent = eventually(lambda: spent_today(page, tenant))
    title = "Tenant: cost per 5 minutes (USD)"
    eventually(lambda: run(page, CHART_SUM, title) == pytest.approx(spent, rel=0.01))


def test_files_outside_the_page_are_not_served(stack: Stack, tmp_path: Path) -> None:
    url = f"{stack.deployed['endpoint_url']}/_console/"
    for path in ("../console.py", "%2e%2e/console.py", "mail?file=../config.json", "nothing.js"):
        answer = stack.http("GET", url + path, {}, None)
        assert answer.status == 404 or answer.body["subject"] == "This mail is gone."
