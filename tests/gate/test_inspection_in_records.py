"""The checks of the electronic proof on their way into the record and onto the officer's page: bounded, in words, decided by nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.chain import encode
from gate.audit.log import MAX_BODY
from gate.evidence import CheckResult, Direction
from gate.processes.bounds import LONGEST_WORD, MOST_CHECKS, bounded_inspection
from gate.processes.messages import OfficerView
from gate.records import InspectionCheck, TransactionRecord
from gate.transaction import Transaction
from gate.ui import words
from gate.ui.officer import present
from pki.inspection_record import CHECKS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = st.text(max_size=3 * LONGEST_WORD)
ANY_CHECK = st.builds(
    InspectionCheck,
    step=st.integers(-5, 1 << 60),
    name=TEXT,
    group=TEXT,
    result=st.sampled_from(CheckResult),
    code=TEXT,
    detail=TEXT,
)


def record(checks=()) -> TransactionRecord:
    running = Transaction(
        transaction="0" * 32, lane="l", checkpoint="CGK", direction=Direction.DEPARTURE, started=NOW, boot=1.0, profile="demo"
    )
    running.inspection = bounded_inspection(checks)
    return running.record(NOW, {}, demonstration=True)


def page(ended: TransactionRecord) -> list:
    view = OfficerView(
        lane="l",
        checkpoint="CGK",
        direction="departure",
        profile="demo",
        state="idle",
        controller="ready",
        entry="locked",
        exit="locked",
        occupancy="0",
        ended=(ended,),
    )
    [shown] = msgspec.json.decode(present.encode(view)["ended"])
    return shown["checks"]


@given(st.lists(ANY_CHECK, max_size=3 * MOST_CHECKS))
def test_whatever_a_lying_reader_calls_its_checks_the_record_stays_small(checks):
    ended = record(checks)
    assert len(ended.inspection) <= MOST_CHECKS
    assert len(encode(ended)) < MAX_BODY // 2
    assert page(ended)[-1]["name"] == list(words.INSPECTION) or not ended.inspection


def test_record_of_before_there_was_an_inspection_still_reads():
    body = msgspec.to_builtins(record())
    del body["inspection"]
    assert msgspec.convert(body, TransactionRecord).inspection == ()


def test_every_check_has_words_and_its_result_on_the_page():
    assert words.INSPECTION_STEPS.keys() == {check.name for check in CHECKS.values()}
    checks = [
        InspectionCheck(step=number, name=check.name, group=check.group, result=CheckResult.FAILED, code="CODE")
        for number, check in CHECKS.items()
    ]
    shown = page(record(checks))[-1]["checks"]
    assert [step["name"] for step in shown] == [list(words.INSPECTION_STEPS[check.name]) for check in CHECKS.values()]
    assert {(step["tone"], step["code"]) for step in shown} == {("bad", "CODE")}


def test_without_a_chip_there_is_no_group_of_checks_on_the_page():
    assert list(words.INSPECTION) not in [group["name"] for group in page(record())]
