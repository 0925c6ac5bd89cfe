"""WCAG 2.2 AA, as far as axe-core can tell, on every state of every page that stands here. What it cannot tell is said in docs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from gate.decision import Outcome
from gate.evidence import CheckResult, Fact
from gate.processes.messages import TravellerView
from gate.ui.traveller.screens import GUIDANCE, SCREENS

pytestmark = pytest.mark.browser
PANELS = ((1080, 1920), (1920, 1080))


@pytest.fixture
def traveller(lane, traveller_address, open_page):
    """``traveller(size)`` → ``show(view)``, which waits until the page shows it. Still: axe-core sees a moment."""

    def open_(size):
        page = open_page(traveller_address, *size, reduced_motion="reduce")

        def show(view: TravellerView):
            lane.show(view)
            expect(page.locator("main")).to_have_attribute("data-screen", view.screen)
            words = GUIDANCE[view.guidance][0] if view.guidance else SCREENS[view.screen].id
            expect(page.locator("h1")).to_have_text(words)
            return page

        return show

    return open_


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_every_screen_of_the_travellers(size, traveller, violations):
    show = traveller(size)
    for word in SCREENS if size == PANELS[0] else ("scan", "face"):
        page = show(TravellerView(screen=word, progress=0.4))
        assert violations(page) == [], word


def test_everything_that_is_asked_before_the_camera(traveller, violations):
    show = traveller(PANELS[0])
    for word in GUIDANCE:
        page = show(TravellerView(screen="face", guidance=word))
        assert violations(page) == [], word


def test_what_a_traveller_chose(traveller, violations):
    show = traveller(PANELS[0])
    page = show(TravellerView(screen="retry", more_time=True))
    for name in ("still", "contrast"):
        page.locator(f"[data-does={name}]").click()
        assert violations(page) == [], name


def test_the_officers_page(lane, officer_address, open_page, sample, violations):
    page = open_page(officer_address, reduced_motion="reduce")
    failed = {"face": Fact(value="no_match", result=CheckResult.FAILED, score=0.2, threshold=0.5)}
    record = sample.record(8, Outcome.HOLD, "PA_SIGNATURE_OR_HASH_BAD", **failed)
    running = {"transaction": "CGK-1-000006", "stages": sample.stages(12, face="failed")}
    states = {
        "idle": sample.view(),
        "hold": sample.view(state="hold", occupancy="1", outcome=Outcome.COUNTER, reasons=("FACE_NO_MATCH",), **running),
        "fault": sample.view(state="fault", controller="fault", ended=(record,)),
    }
    for state, view in states.items():
        lane.show(view)
        expect(page.locator("#tiles")).to_be_visible()
        page.wait_for_timeout(100)
        found = violations(page)
        assert found == [], (state, *found)
    page.locator(f"[data-transaction='{record.transaction}']").click()
    expect(page.locator(".details")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
        ("document.body.style.color = '#24406f'", "color-contrast"),
        ("document.querySelector('button').replaceChildren()", "button-name"),
    ],
)
def test_a_page_that_is_spoilt_is_found(break_it, rule, traveller, violations):
    page = traveller(PANELS[0])(TravellerView(screen="scan"))
    page.evaluate(break_it)
    assert any(each.startswith(rule) for each in violations(page))
