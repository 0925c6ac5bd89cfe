"""The trial report in Chromium: readable by everybody, nothing fetched, no script, and whole on paper."""

from datetime import timedelta

import msgspec
import pytest

from gate.outcome import Outcome
from gate.report.trial_page import render_trial

pytestmark = pytest.mark.browser
REASONS = ("FACE_NO_MATCH", "CHIP_UNREADABLE", "EXIT_PERMIT_MISSING", "PA_SIGNATURE_OR_HASH_BAD")
A4 = 673
"""Width of what can be printed on: the paper less its margins, in CSS pixels."""


def days(sample, *, demonstration):
    for number in range(160):
        reasons = (REASONS[number // 8 % 4],) if number % 8 == 0 else ()
        book = ("ordinary", "ordinary", "ordinary", "service", "diplomatic")[number % 5]
        made = sample.record(
            number, Outcome.COUNTER if reasons else Outcome.OPEN, *reasons, document_class=book, seconds=7 + number % 9
        )
        later = timedelta(days=number % 3, hours=number % 7)
        yield msgspec.structs.replace(
            made, started=made.started + later, ended=made.ended + later, demonstration=demonstration, lane=f"lane-{number % 2}"
        )


@pytest.fixture(params=[True, False], ids=["demonstration", "field"])
def address(request, sample, tmp_path):
    file = tmp_path / "trial.html"
    file.write_text(render_trial(days(sample, demonstration=request.param)), encoding="utf-8")
    return file.as_uri()


def test_everybody_can_read_it(address, open_page, violations, shoot):
    page = open_page(address, width=1120)
    assert violations(page) == []
    assert page.locator("svg[role=img]").count() >= 4
    assert all(
        label for label in page.locator("svg[role=img]").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    )
    shoot(page, "trial-report")


def test_nothing_is_wider_than_the_paper(address, open_page):
    page = open_page(address, width=A4, media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= A4
    sticking_out = (
        "all => all.filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"
    )
    assert page.locator("table, svg").evaluate_all(sticking_out) == []
    labels = "all => all.filter(one => { const box = one.getBBox(), whole = one.ownerSVGElement.viewBox.baseVal; return box.x < -1 || box.x + box.width > whole.width + 1 }).map(one => one.textContent)"
    assert page.locator("svg.chart text").evaluate_all(labels) == []
    assert page.locator("script").count() == 0
