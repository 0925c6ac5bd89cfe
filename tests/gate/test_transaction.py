"""A transaction takes each fact only from the process whose business it is, once, and only from the vocabulary."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gate.decision import Outcome
from gate.evidence import NOT_PERFORMED, VOCABULARY, CheckResult, Direction, Fact
from gate.transaction import CHANGING, WITNESS, Transaction

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def transaction() -> Transaction:
    return Transaction(
        transaction="0" * 32,
        lane="lane-1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=NOW,
        boot=100.0,
        profile="demo",
    )


def good(name: str) -> Fact:
    return Fact(value=VOCABULARY[name][0], result=CheckResult.SUCCESSFUL)


def test_every_fact_has_exactly_one_witness():
    assert set(WITNESS) == set(VOCABULARY)


@pytest.mark.parametrize("name", sorted(VOCABULARY))
@pytest.mark.parametrize("liar", ["reader", "vision"])
def test_a_worker_cannot_speak_of_what_is_not_its_business(transaction: Transaction, name: str, liar: str):
    transaction.learn(liar, {name: good(name)})
    expected = WITNESS[name] == liar or name == "profile"
    assert (transaction.value(name) != NOT_PERFORMED) == expected


def test_a_fact_once_told_cannot_be_taken_back(transaction: Transaction):
    transaction.learn("vision", {"face": Fact(value="no_match", result=CheckResult.FAILED)})
    transaction.learn("vision", {"face": good("face")})
    assert transaction.value("face") == "no_match"


def test_the_gates_own_state_is_read_afresh(transaction: Transaction):
    for word in ("ready", "lost"):
        transaction.learn("lane", {"controller": Fact(value=word)})
        assert transaction.value("controller") == word
    assert "face" not in CHANGING


def test_a_word_outside_the_vocabulary_is_not_performed(transaction: Transaction):
    transaction.learn("vision", {"face": Fact(value="MATCH", result=CheckResult.SUCCESSFUL), "mood": Fact(value="good")})
    fact = transaction.evidence(NOW).facts["face"]
    assert (fact.value, fact.code) == (NOT_PERFORMED, "malformed")
    assert "mood" not in transaction.evidence(NOW).facts


def test_evidence_carries_the_date_of_the_checkpoint(transaction: Transaction):
    late = datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert str(transaction.evidence(late).civil_date) == "2026-11-23"  # 01:00 in Jakarta


def test_without_a_decision_the_record_refers(transaction: Transaction):
    record = transaction.record(NOW, {}, demonstration=True)
    assert (record.outcome, record.reasons) == (Outcome.COUNTER, ("NO_DECISION",))


def test_stages_count_from_the_document_and_are_in_order(transaction: Transaction):
    transaction.stage("second", 100.5, 100.75, "x")
    transaction.stage("first", 100.25, 100.5, "x")
    assert [(stage.name, stage.start_ms, stage.duration_ms) for stage in transaction.stages] == [
        ("first", 250.0, 250.0),
        ("second", 500.0, 250.0),
    ]
