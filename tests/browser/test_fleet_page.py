"""The fleet page in Chromium: who gets in, what stands on one screen, what a hostile gate writes there, and what axe-core finds. No database runs here."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import uvicorn
from playwright.sync_api import expect

from gate.console.passwords import hashed
from gate.console.roster import Roster, Viewer
from gate.console.sessions import Sessions
from gate.fleet.page.app import COOKIE, FleetPage
from gate.fleet.page.figures import SLOT, Alert, Books, Fleet, Gate, Hour, Slot
from gate.ui.feed import NewestView
from gate.ui.serve import listen

pytestmark = pytest.mark.browser
NOW = datetime.now(UTC)
SLOTTED = NOW.replace(minute=NOW.minute // 30 * 30, second=0, microsecond=0)
WORDS = "many words and a number 7"
NIA = Viewer(name="nia", role="auditor", password=hashed(WORDS), since=date(2020, 1, 1), until=date(2099, 1, 1))
BANKS = (("CGK", "dep", 5), ("CGK", "arr", 5), ("DPS", "dep", 5), ("DPS", "arr", 5))
VERSIONS = {"software": "1.4.0", "rules": "2026-11 sha256:5f0c2a", "trust": "000012", "config": "of its own"}


def gate(airport: str, bank: str, number: int, **changes) -> Gate:
    made = Gate(
        gate=f"{airport}.{bank}-{number}",
        heard=NOW,
        state="idle",
        direction={"dep": "departure", "arr": "arrival"}[bank],
        troubles=(),
        waiting_s=0.0,
        behind=number,
        versions=VERSIONS,
        freshness={"watchlist": (NOW - timedelta(hours=2)).isoformat()},
        days_left=21.0,
    )
    return replace(made, **changes)


def fleet(**changes) -> Fleet:
    gates = {
        each.gate: each
        for airport, bank, count in BANKS
        for each in (gate(airport, bank, number) for number in range(1, count + 1))
    }
    for name, told in changes.items():
        gates[name.replace("_", ".", 1).replace("_", "-")] = told
    slots = [
        Slot(airport=airport, at=SLOTTED - back * SLOT, crossings=90 + 7 * back, passed=80 + 6 * back)
        for airport in ("CGK", "DPS")
        for back in range(20)
    ]
    books = (
        ("OPEN", (), 190),
        ("COUNTER", ("NO_BIOMETRIC_RECORD",), 31),
        ("SECONDARY", ("EXIT_PERMIT_MISSING",), 22),
        ("COUNTER", ("CHIPLESS_BOOK",), 4),
    )
    return Fleet(
        at=NOW,
        gates=tuple(gates.values()),
        slots=tuple(slots),
        hours=tuple(
            Hour(airport=airport, crossings=312, passed=289, median_s=9.1, p95_s=17.4, sealed=40) for airport in ("CGK", "DPS")
        ),
        books=tuple(Books(airport="CGK", outcome=outcome, reasons=reasons, crossings=count) for outcome, reasons, count in books),
        alerts=(Alert(code="silent", gate="CGK.dep-4", opened=NOW - timedelta(minutes=6), detail=""),),
        collected=NOW,
    )


BUSY = {
    "CGK_dep_2": gate("CGK", "dep", 2, state="hold", waiting_s=75.0),
    "CGK_dep_4": gate("CGK", "dep", 4, heard=NOW - timedelta(minutes=6)),
    "CGK_arr_1": gate("CGK", "arr", 1, state="fault", troubles=("controller: sensors disagree",)),
    "DPS_dep_3": gate("DPS", "dep", 3, behind=48_312, versions=VERSIONS | {"rules": "2026-10 sha256:000000"}),
    "DPS_arr_5": gate("DPS", "arr", 5, heard=None, state="", versions={}, freshness={}, days_left=None),
}


class Bench:
    """The real application before a fleet that stands still. Runs in a thread with a loop of its own."""

    def __init__(self) -> None:
        listener = listen(0)
        self.address = f"http://localhost:{listener.getsockname()[1]}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(listener),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self, listener) -> None:
        self._loop = asyncio.get_running_loop()
        self.feed: NewestView[Fleet] = NewestView()
        self.feed.show(fleet(**BUSY))
        roster = Roster(format=1, version=1, officers=(), viewers=(NIA,))
        self.sessions = Sessions(lambda: roster, datetime.now, self.address)
        app = FleetPage(self.feed, self.sessions, self.address).app()
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self._ready.set()
        await self._server.serve(sockets=[listener])

    def show(self, told: Fleet | None) -> None:
        async def work() -> None:
            self.feed.show(told)

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(5)

    def stop(self) -> None:
        self.feed.close()
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture(scope="module")
def bench():
    running = Bench()
    yield running
    running.stop()


@pytest.fixture
def signed_in(browser, bench):
    """``signed_in(width, height, scheme)`` → the page as a viewer sees it."""
    contexts = []
    bench.show(fleet(**BUSY))

    def open_(width: int = 1280, height: int = 800, scheme: str = "light"):
        contexts.append(context := browser.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        token = bench.sessions.open_viewer((NIA, True))
        context.add_cookies([{"name": COOKIE, "value": token, "url": bench.address}])
        page = context.new_page()
        page.goto(bench.address)
        page.locator(".tile").first.wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()


def test_nobody_sees_anything_without_a_password_and_with_it_everything(browser, bench, violations):
    context = browser.browser.new_context()
    page = context.new_page()
    page.goto(bench.address)
    assert page.locator(".tile, .card, svg").count() == 0
    assert violations(page) == []
    assert page.evaluate("fetch('/events').then((answer) => answer.status)") == 401
    page.locator("#viewer").fill("nia")
    page.locator("#password").fill("not the words")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="Wrong name or password").wait_for()
    page.locator("#password").fill(WORDS)
    page.keyboard.press("Enter")
    page.locator(".tile").first.wait_for()
    page.locator("#signout").click()
    page.locator("#password-form").wait_for()
    assert page.locator(".tile").count() == 0
    context.close()


def test_two_airports_stand_on_one_screen(signed_in, shoot):
    page = signed_in()
    tiles = page.locator(".tile").all()
    assert len(tiles) == 20
    assert all((box := tile.bounding_box())["y"] + box["height"] <= 800 for tile in tiles)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert [each.inner_text().split()[0] for each in page.locator("#map h2").all()] == ["CGK", "DPS"]
    shoot(page, "fleet-page")
    shoot(signed_in(scheme="dark"), "fleet-page-dark")
    shoot(signed_in(820, 1180), "fleet-page-tablet")


def test_a_tile_says_who_waits_what_is_silent_what_differs_and_what_is_behind(signed_in):
    page = signed_in()

    def tile(name: str):
        return page.locator(f'.tile[data-key="{name}"]')

    assert re.search(r"\b\d+:\d\d\b", tile("CGK.dep-2").inner_text()), "for how long"
    assert "waits" in tile("CGK.dep-2").get_attribute("class")
    assert "Silent" in tile("CGK.dep-4").inner_text()
    assert "Fault" in tile("CGK.arr-1").inner_text()
    assert "≠ Aturan" in tile("DPS.dep-3").inner_text()
    assert "48\N{NARROW NO-BREAK SPACE}000" in tile("DPS.dep-3").inner_text()
    assert "Never heard" in tile("DPS.arr-5").inner_text()


def test_a_tile_opens_by_the_keyboard_and_stays_open_while_figures_change(signed_in, bench):
    page = signed_in()
    summary = page.locator('.tile[data-key="CGK.arr-1"] summary')
    summary.focus()
    page.keyboard.press("Enter")
    page.locator('.tile[data-key="CGK.arr-1"] .troubles', has_text="sensors disagree").wait_for()
    bench.show(fleet(**BUSY, CGK_arr_2=gate("CGK", "arr", 2, state="exit_open")))
    page.locator('.tile[data-key="CGK.arr-2"]', has_text="Serving").wait_for()
    assert page.locator('.tile[data-key="CGK.arr-1"]').get_attribute("open") is not None
    assert page.evaluate("document.activeElement.closest('.tile').dataset.key") == "CGK.arr-1"


def test_what_a_gate_says_is_text(signed_in, bench):
    hostile = "<img src=x onerror=document.title='taken'>"
    told = gate(
        "CGK",
        "arr",
        3,
        troubles=(hostile,),
        state=hostile,
        versions={"rules": hostile, hostile: hostile},
        freshness={hostile: NOW.isoformat()},
    )
    page = signed_in()
    bench.show(replace(fleet(CGK_arr_3=told), alerts=(Alert(code=hostile, gate="CGK.arr-3", opened=NOW, detail=hostile),)))
    page.locator("#alerts", has_text="<img").wait_for()
    page.reload()
    page.locator('.tile[data-key="CGK.arr-3"]', has_text="<img").wait_for()
    assert page.locator("main img").count() == 0
    assert "taken" not in page.title()


def test_figures_that_are_old_are_called_so(signed_in, bench):
    page = signed_in()
    bench.show(None)
    page.locator("#said", has_text="The database does not answer").wait_for()
    assert page.locator(".tile").count() == 20
    bench.show(fleet())
    expect(page.locator("#said")).to_be_empty()


def test_a_gate_that_joins_comes_onto_the_page(signed_in, bench):
    page = signed_in()
    more = fleet(**BUSY)
    bench.show(replace(more, gates=(*more.gates, replace(gate("CGK", "dep", 1), gate="SUB.dep-1"))))
    page.locator('.tile[data-key="SUB.dep-1"]').wait_for()


@pytest.mark.parametrize(("size", "scheme"), [((1280, 800), "light"), ((820, 1180), "dark"), ((1280, 800), "dark")])
def test_axe_finds_nothing(signed_in, violations, size, scheme):
    page = signed_in(*size, scheme)
    page.locator('.tile[data-key="CGK.arr-1"] summary').click()
    page.locator(".troubles").first.wait_for()
    assert violations(page) == []


def test_nothing_comes_from_elsewhere_and_no_script_stands_in_the_page(bench, open_page):
    page = open_page(bench.address)
    assert page.locator("script:not([src])").count() == 0
    assert page.locator("[style], [onclick]").count() == 0
