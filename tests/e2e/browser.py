"""A real Chromium, Debian's, for the tests of pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

__all__ = ["browser", "foreign_requests", "log", "needs_browser"]

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REASON = "Chromium is not installed: apt-get install chromium chromium-driver"
needs_browser = pytest.mark.skipif(not (_CHROMIUM and _DRIVER), reason=REASON)


@contextmanager
def browser(width: int = 1280, height: int = 1000, *, scheme: str = "light") -> Iterator[webdriver.Chrome]:
    """A browser with a window of this size and the preferred colour scheme, closed at the end."""
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(_DRIVER))
    try:
        # A window is never narrower than 500 pixels, a device may be.
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wish = {"name": "prefers-color-scheme", "value": scheme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})
        yield driver
    finally:
        driver.quit()


def log(driver: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since the last call; `kind` is "browser", which is the page's console, or "performance"."""
    entries: list[dict[str, Any]] = driver.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def foreign_requests(driver: webdriver.Chrome) -> list[str]:
    """Every address that the page asked for outside this machine, since the last time this was called."""
    events = [json.loads(entry["message"])["message"] for entry in log(driver, "performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert urls, "the browser keeps no record of requests"
    return [url for url in urls if urlsplit(url).scheme in {"http", "https"} and urlsplit(url).hostname != "127.0.0.1"]
