"""Both pages in a real browser while the real demonstration runs: what people see is what the lane does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(300)]

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
WATCH_S = 120


@pytest.fixture(scope="module")
def chromium(request):
    absent = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py")).absent
    if not CHROMIUM.exists():
        absent("there is no /usr/bin/chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def shoot(page, name: str) -> None:
    if folder := os.environ.get("AUTOGATE_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def open_when_served(page, address: str) -> None:
    from playwright.sync_api import Error

    deadline = time.monotonic() + 60
    while True:
        try:
            page.goto(address)
        except Error:
            assert time.monotonic() < deadline, f"nobody serves {address}"
            time.sleep(0.2)
        else:
            return


def test_the_pages_follow_the_lane(chromium, pages_performance):
    performance = pages_performance
    traveller = chromium.new_page(viewport={"width": 1080, "height": 1920})
    officer = chromium.new_page(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    for page in (traveller, officer):
        page.on("pageerror", lambda error: complaints.append(str(error)))
    open_when_served(traveller, f"http://127.0.0.1:{performance.ports[0]}/")
    open_when_served(officer, f"http://127.0.0.1:{performance.ports[1]}/")
    seen: list[str] = []
    told = ""
    deadline = time.monotonic() + WATCH_S
    while performance.plays() and time.monotonic() < deadline:
        word = traveller.evaluate("document.querySelector('main').dataset.screen || ''")
        if word and word != (seen[-1] if seen else ""):
            seen.append(word)
            shoot(traveller, f"demo-traveller-{len(seen):02}-{word}")
            shoot(officer, f"demo-officer-{len(seen):02}-{word}")
        if "FACE_NO_MATCH" not in told:
            told += officer.inner_text("body")
        time.sleep(0.03)
    performance.ended()
    assert complaints == []
    assert {"scan", "reading", "face", "open", "counter"} <= set(seen), seen
    assert {"lift", "enter"} & set(seen), seen
    for words in ("demo-1", "CGK", "EXIT_PERMIT_MISSING", "FACE_NO_MATCH", "UnsafeNoPad", "not for operation"):
        assert words in told, words
