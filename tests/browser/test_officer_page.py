"""What an officer sees in a real browser: the lane, the referral and what to check, the past transactions and their checks."""

import pytest
from playwright.sync_api import expect

from gate.decision import Outcome
from gate.evidence import CheckResult, Fact
from gate.ui.reasons import REASONS

pytestmark = pytest.mark.browser


def test_a_referral_shows_its_reasons_in_words_and_what_to_check(lane, officer_address, open_page, sample, shoot):
    changes = {"state": "hold", "occupancy": "1", "transaction": "CGK-1-000006", "stages": sample.stages(12, face="failed")}
    lane.show(sample.view(**changes, outcome=Outcome.COUNTER, reasons=("FACE_NO_MATCH", "MORE_THAN_ONE_PERSON")))
    page = open_page(officer_address)
    panel = page.locator("#referral")
    for code in ("FACE_NO_MATCH", "MORE_THAN_ONE_PERSON"):
        expect(panel).to_contain_text(code)
        for words in (REASONS[code].words, *REASONS[code].checks):
            for text in words:
                expect(panel).to_contain_text(text)
    expect(panel).to_contain_text("COUNTER")
    expect(page.locator("#running .bar")).to_have_count(12)
    expect(page.locator("#tiles")).to_contain_text("Menunggu petugas")
    expect(page.locator("#warnings")).to_contain_text("demonstration recogniser, not for operation")
    shoot(page, "officer-referral")


def test_parallel_stages_lie_beneath_each_other_in_time(lane, officer_address, open_page, sample):
    lane.show(sample.view(state="capture", occupancy="1", transaction="CGK-1-000007", stages=sample.stages(9)))
    page = open_page(officer_address)
    expect(page.locator("#running .bar")).to_have_count(9)
    bars = page.evaluate(  # in one go: the page draws the running timeline anew four times a second
        """() => [...document.querySelectorAll("#running .bar")].map((bar) => {
            const {x, y, width} = bar.getBoundingClientRect();
            return [bar.textContent, {x, y, width}];
        })"""
    )
    boxes = {text.rsplit(" ", 2)[0]: box for text, box in bars}
    chip, signature, walking = boxes["chip"], boxes["passive authentication"], boxes["walk in"]
    assert chip["x"] < signature["x"] < chip["x"] + chip["width"] < walking["x"] + 2
    assert signature["y"] != chip["y"]


def test_a_past_transaction_opens_into_its_stages_and_its_check_tree(lane, officer_address, open_page, sample, shoot):
    failed = {
        "passive_authentication": Fact(value="rejected", result=CheckResult.FAILED, code="HASH_MISMATCH_DG2"),
        "revocation": Fact(value="stale_crl", result=CheckResult.UNDETERMINED),
    }
    record = sample.record(8, Outcome.HOLD, "PA_SIGNATURE_OR_HASH_BAD", **failed)
    lane.show(sample.view(ended=(record, *sample.view().ended)))
    page = open_page(officer_address)
    button = page.locator(f"[data-transaction='{record.transaction}']")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".details .bar")).to_have_count(len(record.stages))
    for name, tone, word in (
        ("Passive authentication", "bad", "failed"),
        ("Certificate revocation", "warn", "undetermined"),
        ("Machine readable zone", "good", "successful"),
        ("Presentation attack detection", "grey", "not supported"),
        ("Issuance record", "grey", "not performed"),
    ):
        row = page.locator(".tree li", has_text=name)
        expect(row.locator(f".result.{tone}")).to_contain_text(word)
    expect(page.locator(".tree")).to_contain_text("score 0.710 / threshold 0.530")
    expect(page.locator(".tree")).to_contain_text("HASH_MISMATCH_DG2")
    shoot(page, "officer-details")


def test_hostile_text_in_a_view_stays_text(lane, officer_address, open_page, sample):
    evil = "<script>window.owned=1</script><img src=x onerror=window.owned=1>"
    lane.show(
        sample.view(
            lane=evil,
            profile=evil,
            state=evil,
            controller=evil,
            warnings=(evil,),
            transaction=evil,
            outcome=Outcome.HOLD,
            reasons=(evil,),
            stages=(),
            ended=(sample.record(9, Outcome.COUNTER, evil, document_class=evil, face=Fact(code=evil, source=evil)),),
        )
    )
    page = open_page(officer_address)
    expect(page.locator("#referral")).to_contain_text(evil)
    page.locator("#ended button").first.click()  # the newest; those of other tests stand below it
    expect(page.locator(".tree")).to_contain_text(evil)
    assert page.evaluate("window.owned") is None
    assert page.locator("body script, body img[src=x]").count() == 0


def test_a_lane_that_dies_is_called_unreachable(lane, officer_address, open_page, sample, shoot):
    lane.show(sample.view())
    page = open_page(officer_address)
    expect(page.locator("#unreachable")).to_be_hidden()
    shoot(page, "officer-idle")
    lane.stop()
    expect(page.locator("#unreachable")).to_be_visible()
    expect(page.locator("#unreachable")).to_contain_text("Lane process unreachable")
    shoot(page, "officer-unreachable")
    lane.start()
    expect(page.locator("#unreachable")).to_be_hidden(timeout=8000)
