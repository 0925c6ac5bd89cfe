"""Every contract, against the reference server over TLS: the words, the facts, and what stands in no fact."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gate.evidence import VOCABULARY, CheckResult, Direction, Fact
from gate.registries.arrival_declaration import ArrivalDeclarationQuestion, declaration_fact
from gate.registries.base import Found, NotListed, Unavailable
from gate.registries.connected_one import ConnectedOneQuestion, biometric_record_fact
from gate.registries.exit_permit import ExitPermitQuestion, exit_permit_fact
from gate.registries.issuance import IssuanceQuestion, document_model_fact, issuance_fact, trail
from gate.registries.lost_and_stolen import LostAndStolenQuestion, sltd_fact
from gate.registries.names import PersonQuery
from gate.registries.official import official_answers
from gate.registries.stay_permit import StayPermitQuestion, stay_permit_fact
from gate.registries.watchlist import WatchlistQuestion, watchlist_fact

DAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
PERSON = PersonQuery(primary_identifier="SIMANJUNTAK HUTAPEA", secondary_identifier="TIURMAIDA", birth="800101", sex="F")


def at(number: str, direction: str = "departure", checkpoint: str = "CGK", state: str = "UTO") -> dict[str, Any]:
    crossing = {"date": DAY, "direction": Direction(direction), "checkpoint": checkpoint}
    return {"issuing_state": state, "document_number": number} | crossing


@pytest.mark.parametrize(
    ("number", "expected_class", "word", "model"),
    [
        ("X1", "ordinary", "active", "chip_expected"),
        ("X1", "service", "class_mismatch", "chip_expected"),
        ("L1", "ordinary", "lost", "chip_expected"),
        ("R1", "ordinary", "replaced", "chip_expected"),
        ("C1", "ordinary", "active", "chipless"),
        ("X2", "ordinary", "not_found", "unknown"),
    ],
)
async def test_issuance(registries: Any, number: str, expected_class: str, word: str, model: str) -> None:
    answer = await registries.ask("issuance", IssuanceQuestion(issuing_state="IDN", document_number=number))
    fact = issuance_fact(answer, expected_class)
    assert (fact.value, fact.result is CheckResult.SUCCESSFUL, fact.source) == (word, word == "active", "issuance")
    assert fact.as_of is not None
    assert document_model_fact(answer).value == model
    assert isinstance(answer, NotListed if word == "not_found" else Found)


async def test_the_stage_log_becomes_a_trail_and_no_fact(registries: Any) -> None:
    stages = [{"name": "interview", "at": "2025-11-03T09:00:00+07:00", "office": "Kanim Contoh"}]
    record = {"status": "active", "document_class": "ordinary", "sop_version": "SPPT-2014", "stages": stages}
    registries.tell(books={"issuance": [{"issuing_state": "IDN", "document_number": "T1", "records": [record]}]})
    answer = await registries.ask("issuance", IssuanceQuestion(issuing_state="IDN", document_number="T1"))
    told = trail(answer)
    assert told is not None
    assert [(stage.name, stage.office) for stage in told.stages] == [("interview", "Kanim Contoh")]


async def test_biometric_record(registries: Any) -> None:
    recorded = await registries.ask("connected_one", ConnectedOneQuestion(issuing_state="IDN", document_number="S1"))
    unknown = await registries.ask("connected_one", ConnectedOneQuestion(issuing_state="IDN", document_number="S9"))
    assert [biometric_record_fact(each).value for each in (recorded, unknown)] == ["recorded", "none"]
    assert recorded.reply.record.dg2_sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("number", "document_class", "checkpoint", "direction", "word"),
    [
        ("S1", "service", "CGK", "departure", "valid"),  # on its last day
        ("S1", "diplomatic", "CGK", "departure", "mismatch"),
        ("S1", "service", "DPS", "departure", "mismatch"),
        ("S1", "service", "CGK", "arrival", "mismatch"),
        ("S2", "service", "CGK", "departure", "expired"),
        ("S3", "service", "CGK", "departure", "used"),
        ("S4", "service", "CGK", "departure", "valid"),  # a multiple one is never used up
        ("S5", "service", "CGK", "departure", "mismatch"),  # not yet
        ("X1", "service", "CGK", "departure", "none"),
    ],
)
async def test_exit_permit(registries: Any, number: str, document_class: Any, checkpoint: str, direction: str, word: str) -> None:
    question = ExitPermitQuestion(**at(number, direction, checkpoint, "IDN"), document_class=document_class)
    fact = exit_permit_fact(await registries.ask("exit_permit", question))
    assert (fact.value, fact.result is CheckResult.SUCCESSFUL) == (word, word == "valid")


@pytest.mark.parametrize(
    ("number", "direction", "word"),
    [
        ("V1", "arrival", "valid"),
        ("V1", "departure", "valid"),
        ("V2", "arrival", "none"),  # it ended yesterday
        ("V2", "departure", "overstay"),
        ("V3", "arrival", "no_reentry"),
        ("V3", "departure", "no_reentry"),
        ("V4", "arrival", "valid"),
        ("V5", "arrival", "abtc"),
        ("V9", "arrival", "none"),
    ],
)
async def test_stay_permit(registries: Any, number: str, direction: str, word: str) -> None:
    fact = stay_permit_fact(await registries.ask("stay_permit", StayPermitQuestion(**at(number, direction))))
    assert (fact.value, fact.result is CheckResult.SUCCESSFUL) == (word, word == "valid")


async def test_a_declaration_for_yesterdays_late_flight_counts_and_none_does_not(registries: Any) -> None:
    declared = await registries.ask("arrival_declaration", ArrivalDeclarationQuestion(**at("V1", "arrival")))
    missing = await registries.ask("arrival_declaration", ArrivalDeclarationQuestion(**at("V2", "arrival")))
    assert [declaration_fact(each).value for each in (declared, missing)] == ["declared", "missing"]


async def test_lost_and_stolen(registries: Any) -> None:
    hit = await registries.ask("lost_and_stolen", LostAndStolenQuestion(issuing_state="UTO", document_number="U1"))
    clear = await registries.ask("lost_and_stolen", LostAndStolenQuestion(issuing_state="UTO", document_number="U2"))
    assert [sltd_fact(each).value for each in (hit, clear)] == ["hit", "clear"]
    assert isinstance(clear, NotListed)


async def test_each_list_is_asked_alone_and_never_taken_for_another(registries: Any) -> None:
    answers = {
        name: await registries.ask("watchlist", WatchlistQuestion(list=name, person=PERSON))
        for name in ("pencegahan", "penangkalan", "wanted")
    }
    assert {name: watchlist_fact(answer, name).value for name, answer in answers.items()} == {
        "pencegahan": "hit",
        "penangkalan": "clear",
        "wanted": "clear",
    }
    assert watchlist_fact(answers["wanted"], "pencegahan").value == "unavailable"


@pytest.mark.parametrize("why", ["timeout", "unreachable", "refused", "error", "malformed", "stale", "forged", "circuit_open"])
def test_no_answer_is_an_aborted_check_with_its_cause_never_a_clean_word(why: Any) -> None:
    nothing = Unavailable(source="s", why=why, latency_ms=1.0)
    facts: dict[str, Fact] = {
        "issuance": issuance_fact(nothing, "ordinary"),
        "biometric_record": biometric_record_fact(nothing),
        "exit_permit": exit_permit_fact(nothing),
        "pencegahan": watchlist_fact(nothing, "pencegahan"),
        "sltd": sltd_fact(nothing),
        "stay_permit": stay_permit_fact(nothing),
        "declaration": declaration_fact(nothing),
    }
    for name, fact in facts.items():
        assert (fact.value, fact.result, fact.code) == ("unavailable", CheckResult.ABORTED, why)
        assert fact.value in VOCABULARY[name]
    assert (document_model_fact(nothing).value, document_model_fact(nothing).code) == ("unknown", why)


def test_a_list_that_is_merely_silent_is_not_clear() -> None:
    nothing = NotListed(source="watchlist", as_of=NOW, latency_ms=1.0, freshness_s=0.0)
    assert watchlist_fact(nothing, "wanted").value == "unavailable"


def test_good_news_out_of_a_snapshot_says_so_and_bad_news_does_not() -> None:
    absent = NotListed(source="s", as_of=NOW, latency_ms=1.0, freshness_s=0.0, from_snapshot=True)
    assert sltd_fact(absent).value == "clear_in_snapshot"
    assert sltd_fact(absent).as_of == NOW
    assert issuance_fact(absent, "ordinary").value == "not_found"
    assert exit_permit_fact(absent).value == "none"
    assert {sltd_fact(absent).value, "not_found"} <= {*VOCABULARY["sltd"], *VOCABULARY["issuance"]}


async def test_two_registries_that_contradict_each_other_are_no_answer(registries: Any) -> None:
    registries.tell(connected_one={"deny": True})
    book = {"issuing_state": "IDN", "document_number": "S1"}
    issued = await registries.ask("issuance", IssuanceQuestion(**book))
    captured = await registries.ask("connected_one", ConnectedOneQuestion(**book))
    facts = official_answers(issued, captured, "service").facts
    assert (facts["issuance"].value, facts["issuance"].code) == ("unavailable", "contradictory")
    registries.tell()
    captured = await registries.ask("connected_one", ConnectedOneQuestion(**book))
    assert official_answers(issued, captured, "service").facts["issuance"].value == "active"
