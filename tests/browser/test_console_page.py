"""The console's page before twelve lanes: who is first, what a role is shown, what the keyboard does, and what axe-core finds. No lane runs here."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import expect

from gate.console.acts import offered
from gate.console.app import COOKIE, Console
from gate.console.assertion import encoded
from gate.console.lanes import Bank, Shown
from gate.console.roster import Officer, Roster
from gate.console.sessions import Sessions
from gate.evidence import CheckResult, Fact
from gate.outcome import Outcome
from gate.processes.officer_messages import CaseShown, ConsoleView
from gate.ui.serve import listen

pytestmark = pytest.mark.browser
STATES = (
    "idle",
    "hold",
    "capture",
    "document",
    "hold",
    "fault",
    "exit_open",
    "idle",
    "hold",
    "out_of_service",
    "entry_open",
    "idle",
)
REFERRED = {
    1: (Outcome.SECONDARY, "EXIT_PERMIT_MISSING"),
    4: (Outcome.HOLD, "PA_SIGNATURE_OR_HASH_BAD"),
    8: (Outcome.COUNTER, "NO_TRUST_ANCHOR"),
}
ZONE = (("document_number", "S0000001"), ("primary_identifier", "CONTOH"), ("date_of_birth", "800229"))
FACTS = {
    "mrz": Fact(value="read", result=CheckResult.SUCCESSFUL),
    "exit_permit": Fact(value="none", result=CheckResult.FAILED),
    "revocation": Fact(value="unknown", result=CheckResult.UNDETERMINED),
}


def name(number: int) -> str:
    return f"T3-D-{number:02}"


class Bench:
    """The real application before lanes that stand still. Runs in a thread with a loop of its own."""

    def __init__(self) -> None:
        listener = listen(0)
        self.address = f"http://localhost:{listener.getsockname()[1]}"
        public = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        days = {"since": date.today() - timedelta(days=1), "until": date.today() + timedelta(days=1)}  # noqa: DTZ011 - of this machine
        self._officers = {
            role: Officer(name=role, role=role, credential=encoded(os.urandom(16)), key=encoded(public), **days)
            for role in ("officer", "supervisor", "engineer", "auditor")
        }
        self.looked: list[tuple[str, str]] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(listener),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self, listener) -> None:
        self._loop = asyncio.get_running_loop()
        self.bank = Bank([Path(f"/nowhere/{number}") for number in range(len(STATES))])
        for number, state in enumerate(STATES):
            self._put(number, state)
            self.bank.lanes[number].case = self._case
        self.bank.publish()
        self.sessions = Sessions(lambda: Roster(format=1, version=1, officers=()), datetime.now, self.address)
        console = Console(self.bank, self.sessions, self.address)
        self._server = uvicorn.Server(uvicorn.Config(console.app(), log_level="warning", lifespan="off"))
        self._ready.set()
        await self._server.serve(sockets=[listener])

    async def _case(self, transaction: str, officer: str) -> CaseShown:
        self.looked.append((transaction, officer))
        return CaseShown(request=1, transaction=transaction, zone=ZONE, facts=FACTS)

    def _put(self, number: int, state: str, **changes) -> None:
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        told = {"troubles": ("controller: sensors disagree",)} if state == "fault" else {}
        if state == "hold":
            outcome, reason = REFERRED[number]
            told = {"transaction": f"{number:032x}", "document_class": "service", "exit_permit": "none", "occupancy": "1"}
            told |= {"outcome": outcome, "reasons": (reason,)}
        view = ConsoleView(
            lane=name(number),
            checkpoint="CGK",
            direction="departure",
            profile="demo",
            state=state,
            since=boot,
            supervised=True,
            watching=dict.fromkeys(self._officers, boot + 1500),
            offers=offered(state),
            **told,
        )
        came = time.time() - 20 * (number + 1)
        self.bank.lanes[number].shown = Shown(name=name(number), view=msgspec.structs.replace(view, **changes), came=came)

    def change(self, number: int, state: str, **changes) -> None:
        async def work() -> None:
            self._put(number, state, **changes)
            self.bank.publish()

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(5)

    def cookie(self, role: str) -> dict[str, str]:
        token = self.sessions.open(self._officers[role])
        return {"name": COOKIE, "value": token, "url": self.address}

    def stop(self) -> None:
        self.bank.close()
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture(scope="module")
def bench():
    running = Bench()
    yield running
    running.stop()


@pytest.fixture
def at(browser, bench):
    """``at(role)`` → the page as that role sees it."""
    contexts = []

    def open_(role: str, width: int = 1280, height: int = 800):
        contexts.append(context := browser.browser.new_context(viewport={"width": width, "height": height}))
        context.add_cookies([bench.cookie(role)])
        page = context.new_page()
        page.goto(bench.address)
        page.locator(f'.tile[data-lane="{name(11)}"]').wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()


def test_the_most_urgent_is_first_and_every_lane_is_on_the_screen(at, shoot):
    page = at("officer")
    queue = [item.get_attribute("data-lane") for item in page.locator("#queue button").all()]
    assert queue == [name(5), name(4), name(1), name(8)], "a fault, HOLD, SECONDARY, counter"
    assert page.locator(".tile").count() == len(STATES)
    assert all(tile.bounding_box()["y"] + tile.bounding_box()["height"] <= 860 for tile in page.locator(".tile").all())
    assert "sensors disagree" in page.locator(f'.tile[data-lane="{name(5)}"]').inner_text()
    shoot(page, "console-bank")


def test_one_key_each(at, bench):
    page = at("officer")
    desk = page.locator("#desk")
    page.keyboard.press("3")
    expect(desk).to_have_attribute("data-lane", name(1))
    page.keyboard.press("o")
    page.locator("#zone dd", has_text="S0000001").wait_for()
    assert bench.looked[-1] == (f"{1:032x}", "officer")
    assert page.locator("#zone dd", has_text="80-02-29").count() == 1
    assert page.locator("#checks .check.bad").count() == page.locator("#checks .check.warn").count() == 1
    page.keyboard.press("p")
    expect(page.locator("#ask")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator("#why input:checked")).to_have_attribute("value", "DOCUMENT_EXAMINED")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('#ask').open && !document.activeElement.closest('input')")
    page.keyboard.press("j")
    expect(desk).to_have_attribute("data-lane", name(2))
    expect(page.locator("#zone dd")).to_have_count(0)  # another lane, another traveller
    page.locator("#shortcuts").click()
    expect(page.locator("#shortcuts")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("k")
    page.keyboard.press("3")
    assert desk.get_attribute("data-lane") == name(2), "keys are off"


def test_who_was_looked_at_leaves_the_screen_with_the_case(at, bench):
    page = at("supervisor")
    page.keyboard.press("2")
    page.keyboard.press("o")
    page.locator("#zone dd").first.wait_for()
    bench.change(4, "eject")
    page.locator(f'.tile[data-lane="{name(4)}"][data-state="eject"]').wait_for()
    assert page.locator("#zone dd").count() == 0
    assert "S0000001" not in page.content()
    bench.change(4, "hold")


def test_a_role_sees_and_does_what_is_its_own(at):
    actions = {}
    for role in ("officer", "supervisor", "engineer", "auditor"):
        page = at(role)
        page.locator(f'.tile[data-lane="{name(5)}"]').click()
        actions[role] = [button.get_attribute("data-action") for button in page.locator("#acts button").all()]
        page.locator(f'.tile[data-lane="{name(1)}"]').click()
        assert page.locator("#open").is_visible() is (role in {"officer", "supervisor"})
        assert page.locator("#case").is_visible() is (role != "engineer")
        assert page.locator("#watch").is_visible() is (role in {"officer", "supervisor"})
    assert actions == {
        "officer": ["close", "open"],
        "supervisor": ["close", "open", "reset"],
        "engineer": ["close"],
        "auditor": [],
    }


def test_a_lane_whose_name_and_troubles_are_markup_is_text(at, bench):
    bench.change(7, "idle", troubles=("<img src=x onerror=alert(1)>",))
    page = at("officer")
    page.locator(f'.tile[data-lane="{name(7)}"]', has_text="<img").wait_for()
    assert page.locator(".tile img").count() == 0
    bench.change(7, "idle")


def test_axe_finds_nothing(browser, bench, at, violations):
    fresh = browser.browser.new_context()
    page = fresh.new_page()
    page.goto(bench.address)
    page.locator("#enter").wait_for()
    assert violations(page) == []
    fresh.close()
    for size in ((1280, 800), (820, 1180)):
        page = at("officer", *size)
        assert violations(page) == [], size
        page.locator(f'.tile[data-lane="{name(1)}"]').click()
        page.locator("#open").click()
        page.locator("#zone dd").first.wait_for()
        assert violations(page) == [], size
        page.keyboard.press("p")
        assert violations(page) == [], size
