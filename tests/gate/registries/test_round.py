"""Who is asked about whom, what two registries say of one official book, and how the lane waits for it all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.evidence import VOCABULARY, CheckResult, Direction, Fact, successful
from gate.processes import messages as m
from gate.records import SopStage, SopTrail
from gate.registries.answers import Answers, facts_asked
from gate.registries.asking import AskedRegistries
from gate.registries.base import Found, NotListed, Unavailable
from gate.registries.connected_one import ConnectedOneRecord, ConnectedOneReply
from gate.registries.exit_permit import ExitPermitReply
from gate.registries.issuance import IssuanceRecord, IssuanceReply, IssuanceStage
from gate.registries.official import official_answers
from gate.registries.round import RegistryRound

NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # 3 March in Jakarta
AS_OF = NOW - timedelta(seconds=5)


def read(*, state: str = "IDN", nationality: str = "citizen", transaction: str = "t-1") -> m.MrzRead:
    return m.MrzRead(
        transaction=transaction,
        facts={"nationality": successful(nationality)},
        issuing_state=state,
        document_code="P",
        document_number="X1",
        primary_identifier="CONTOH",
        secondary_identifier="",
        date_of_birth="800101",
        sex="F",
    )


class Registry:
    """Remembers what it was asked; says nothing."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, []

    async def ask(self, question: Any) -> Any:
        self.asked.append(question)
        await asyncio.sleep(0)
        return Unavailable(source=self.name, why="timeout", latency_ms=1.0)

    async def close(self) -> None: ...


NAMES = ("connected_one", "issuance", "exit_permit", "watchlist", "lost_and_stolen", "stay_permit", "arrival_declaration")


async def asked(document_class: str, direction: str, **how: Any) -> dict[str, list[Any]]:
    sources = {name: Registry(name) for name in NAMES}
    questions = RegistryRound(sources, "CGK").questions(read(**how), document_class, Direction(direction), NOW)
    answers = await asyncio.gather(*questions.values())
    told = {name for answer in answers for name in answer.facts}
    expected = facts_asked(
        home_book=how.get("state", "IDN") == "IDN",
        citizen=how.get("nationality", "citizen") == "citizen",
        document_class=document_class,
        direction=Direction(direction),
    )
    assert {name: set(answer.facts) for name, answer in zip(questions, answers, strict=True)} == {
        name: set(facts) for name, facts in expected.items()
    }
    assert told <= VOCABULARY.keys()
    return {name: source.asked for name, source in sources.items() if source.asked}


async def test_a_citizen_with_an_ordinary_book_leaves():
    questions = await asked("ordinary", "departure")
    assert questions.keys() == {"issuance", "watchlist", "lost_and_stolen"}
    assert [each.list for each in questions["watchlist"]] == ["pencegahan", "wanted"]


async def test_a_citizen_with_an_official_book_leaves_on_an_exit_permit_for_the_day_of_the_checkpoint():
    questions = await asked("service", "departure")
    assert questions.keys() == {"issuance", "connected_one", "watchlist", "lost_and_stolen", "exit_permit"}
    assert str(questions["exit_permit"][0].date) == "2026-03-03"


async def test_an_official_book_comes_home_without_one():
    questions = await asked("diplomatic", "arrival")
    assert questions.keys() == {"issuance", "connected_one", "watchlist", "lost_and_stolen", "arrival_declaration"}
    assert [each.list for each in questions["watchlist"]] == ["penangkalan", "wanted"]


@pytest.mark.parametrize("document_class", ["ordinary", "service"])
async def test_a_foreign_book_is_asked_about_where_foreign_books_are_known(document_class):
    questions = await asked(document_class, "arrival", state="UTO", nationality="foreigner")
    assert questions.keys() == {"stay_permit", "watchlist", "lost_and_stolen", "arrival_declaration"}


async def test_whoever_is_of_no_known_nationality_is_asked_for_a_permit():
    assert "stay_permit" in await asked("other", "departure", nationality="unknown")


async def test_a_registry_that_is_not_configured_is_not_asked_and_an_official_book_then_has_no_issuance():
    round_ = RegistryRound({"issuance": Registry("issuance")}, "CGK")
    questions = round_.questions(read(), "service", Direction.DEPARTURE, NOW)
    assert questions.keys() == {"issuance"}
    assert set((await questions["issuance"]).facts) == {"document_model"}


# --- two registries, one book ---------------------------------------------------------------------------------------------------

ISSUED = IssuanceRecord(status="active", document_class="service", chip=True, office="A", sop_version="SPPT-2014")
CAPTURED = ConnectedOneRecord(
    status="active", document_class="service", biometric_recorded=True, dg2_sha256="ab" * 32, capturing_office="B"
)


def found(source: str, reply: Any, *, snapshot: bool = False, as_of: datetime = AS_OF) -> Any:
    return Found(source=source, as_of=as_of, latency_ms=1.0, freshness_s=5.0, reply=reply, from_snapshot=snapshot)


def issued(*, snapshot: bool = False, as_of: datetime = AS_OF, **changed: Any) -> Any:
    record = IssuanceRecord(**{**{name: getattr(ISSUED, name) for name in ISSUED.__struct_fields__}, **changed})
    return found("issuance", IssuanceReply(answer="found", record=record), snapshot=snapshot, as_of=as_of)


def captured(*, snapshot: bool = False, as_of: datetime = AS_OF, **changed: Any) -> Any:
    record = ConnectedOneRecord(**{**{name: getattr(CAPTURED, name) for name in CAPTURED.__struct_fields__}, **changed})
    return found("connected_one", ConnectedOneReply(answer="found", record=record), snapshot=snapshot, as_of=as_of)


def absent(source: str) -> Any:
    return NotListed(source=source, as_of=AS_OF, latency_ms=1.0, freshness_s=5.0)


def silent(source: str) -> Any:
    return Unavailable(source=source, why="timeout", latency_ms=1.0)


@pytest.mark.parametrize(
    ("one", "other", "word", "code"),
    [
        (issued(), captured(), "active", ""),
        (issued(status="revoked"), captured(status="revoked"), "revoked", ""),
        (issued(document_class="diplomatic"), captured(document_class="diplomatic"), "class_mismatch", ""),
        (issued(replaced=True), captured(replaced=True), "replaced", ""),
        (absent("issuance"), absent("connected_one"), "not_found", ""),
        (issued(status="lost"), captured(), "unavailable", "contradictory"),
        (issued(document_class="ordinary"), captured(), "unavailable", "contradictory"),
        (issued(), captured(replaced=True), "unavailable", "contradictory"),
        (issued(), absent("connected_one"), "unavailable", "contradictory"),
        (issued(), silent("connected_one"), "unavailable", "timeout"),
        (silent("issuance"), captured(), "unavailable", "timeout"),
        (issued(status="revoked"), silent("connected_one"), "revoked", ""),
        (silent("issuance"), captured(status="lost"), "lost", ""),
        (issued(), captured(snapshot=True), "active_in_snapshot", ""),
        (issued(snapshot=True), captured(), "active_in_snapshot", ""),
        (issued(status="revoked"), captured(snapshot=True), "revoked", ""),
        (issued(), captured(snapshot=True, status="lost"), "lost", ""),
    ],
)
def test_good_news_counts_from_both_and_bad_news_from_either(one, other, word, code):
    fact = official_answers(one, other, "service").facts["issuance"]
    assert (fact.value, fact.code) == (word, code)
    assert (fact.result is CheckResult.SUCCESSFUL) == word.startswith("active")


@pytest.mark.parametrize("ages", [(10, 3600), (3600, 10)])
def test_of_two_snapshots_the_older_says_how_old_the_news_is(ages):
    one, other = (AS_OF - timedelta(seconds=age) for age in ages)
    fact = official_answers(issued(snapshot=True, as_of=one), captured(snapshot=True, as_of=other), "service").facts["issuance"]
    assert fact.as_of == AS_OF - timedelta(seconds=3600)


def test_a_live_answer_beside_a_snapshot_does_not_make_it_younger():
    fact = official_answers(issued(), captured(snapshot=True, as_of=AS_OF - timedelta(days=2)), "service").facts["issuance"]
    assert (fact.value, fact.as_of) == ("active_in_snapshot", AS_OF - timedelta(days=2))


def test_the_portrait_and_the_offices_go_along():
    stage = IssuanceStage(name="interview", office="A")
    answers = official_answers(issued(stages=(stage,)), captured(), "service")
    assert answers.portrait_sha256 == "ab" * 32
    assert answers.trail is not None
    assert (answers.trail.issuing_office, answers.trail.capturing_office) == ("A", "B")
    assert official_answers(issued(), captured(biometric_recorded=False), "service").facts["biometric_record"].value == "none"


STORIES = st.sampled_from(["active", "revoked", "lost"])


@given(STORIES, STORIES, st.booleans(), st.booleans())
def test_no_two_answers_open_unless_both_are_good(one, other, first, second):
    fact = official_answers(issued(status=one, snapshot=first), captured(status=other, snapshot=second), "service").facts[
        "issuance"
    ]
    assert fact.value.startswith("active") == (one == other == "active")


# --- the lane's end -------------------------------------------------------------------------------------------------------------


class Lane:
    def __init__(self, *, present: bool = True, limit_ms: int = 5000, configured: tuple[str, ...] = (*NAMES, "crossing")) -> None:
        self.told: list[Any] = []
        self.present = present
        self.asking = AskedRegistries(
            configured, self.told.append, lambda: self.present, gate="cgk-d07", checkpoint="CGK", limit_ms=limit_ms
        )

    def answer(self, registry: str, transaction: str = "t-1", **words: str) -> None:
        facts = {name: successful(word) for name, word in words.items()}
        self.asking.heard(m.RegistryAnswered(transaction=transaction, registry=registry, answers=Answers(facts=facts)))


async def test_each_answer_goes_to_its_question_and_no_registry_speaks_for_another():
    lane = Lane()
    questions = lane.asking.questions(read(), "service", Direction.DEPARTURE)
    assert [type(each) for each in lane.told] == [m.AskRegistries]
    lane.answer("exit_permit", issuance="active", exit_permit="valid", face="match")
    lane.answer("exit_permit", exit_permit="none")
    lane.answer("watchlist", transaction="another", wanted="clear")
    lane.answer("nobody", wanted="clear")
    assert {name: fact.value for name, fact in (await questions.pop("exit_permit")).facts.items()} == {"exit_permit": "valid"}
    lane.asking.gone()
    for answers in await asyncio.gather(*questions.values()):
        assert {(fact.value, fact.code) for fact in answers.facts.values()} <= {
            ("unavailable", "unreachable"),
            ("unknown", "unreachable"),
        }


LONG = "x" * 400_000
"""A worker's message may hold as much; the lane's own messages and records may not."""


async def test_neither_a_reader_nor_the_process_can_make_the_lane_say_too_much():
    lane = Lane()
    wordy = Fact(value="citizen", result=CheckResult.SUCCESSFUL, code=LONG)
    page = msgspec.structs.replace(
        read(), primary_identifier=LONG, document_number=LONG, facts={"nationality": wordy, LONG: wordy}
    )
    questions = lane.asking.questions(page, "service", Direction.DEPARTURE)
    assert len(msgspec.msgpack.encode(lane.told[0])) < 2_000
    stage = SopStage(name=LONG, at=None, office=LONG)
    trail = SopTrail(sop_version=LONG, issuing_office=LONG, stages=(stage,) * 1000, flags=(LONG,) * 1000)
    facts = {"issuance": Fact(value=LONG, code=LONG, source=LONG)}
    lane.asking.heard(m.RegistryAnswered(transaction="t-1", registry="issuance", answers=Answers(facts=facts, trail=trail)))
    assert len(msgspec.msgpack.encode(await questions.pop("issuance"))) < 20_000
    lane.asking.gone()
    await asyncio.gather(*questions.values())


async def test_without_the_process_nothing_is_waited_for():
    lane = Lane(present=False)
    questions = lane.asking.questions(read(), "ordinary", Direction.DEPARTURE)
    for answers in await asyncio.gather(*questions.values()):
        assert all(fact.result is CheckResult.ABORTED for fact in answers.facts.values())
    assert lane.told == []


async def test_a_process_that_says_nothing_is_a_timeout():
    lane = Lane(limit_ms=50, configured=("watchlist",))
    questions = lane.asking.questions(read(), "ordinary", Direction.DEPARTURE)
    facts = (await questions["watchlist"]).facts
    assert {(name, fact.value, fact.code) for name, fact in facts.items()} == {
        ("pencegahan", "unavailable", "timeout"),
        ("wanted", "unavailable", "timeout"),
    }


async def test_the_next_traveller_hears_nothing_of_the_one_before():
    lane = Lane(configured=("watchlist",))
    before = lane.asking.questions(read(), "ordinary", Direction.DEPARTURE)
    after = lane.asking.questions(read(transaction="t-2"), "ordinary", Direction.DEPARTURE)
    lane.answer("watchlist", transaction="t-1", wanted="hit")
    lane.answer("watchlist", transaction="t-2", wanted="clear")
    assert (await before["watchlist"]).facts["wanted"].value == "unavailable"
    assert {name: fact.value for name, fact in (await after["watchlist"]).facts.items()} == {"wanted": "clear"}


async def test_a_digest_that_is_none_and_a_trail_of_another_book_do_not_come_through():
    lane = Lane(configured=("issuance",))
    questions = lane.asking.questions(read(), "service", Direction.DEPARTURE)
    answers = Answers(facts={"issuance": Fact(value="active")}, portrait_sha256="é" * 64)
    lane.asking.heard(m.RegistryAnswered(transaction="t-1", registry="issuance", answers=answers))
    assert (await questions["issuance"]).portrait_sha256 == ""


async def permit(lane: Lane, transaction: str = "t-1") -> asyncio.Task[bool]:
    how = {"rules_version": "r-1", "tolerances": ("NoCrl",), "at": NOW}
    task = asyncio.create_task(lane.asking.permitted(transaction, **how))
    await asyncio.sleep(0)
    return task


async def test_what_was_said_of_a_traveller_is_forgotten_with_them():
    lane = Lane()
    questions = lane.asking.questions(read(), "service", Direction.DEPARTURE)
    lane.answer("issuance", issuance="active")
    assert (await questions.pop("issuance")).facts
    lane.asking.ended("t-1", "voided", at=NOW)
    assert not lane.asking._waiting
    for answers in await asyncio.gather(*questions.values()):
        assert {fact.code for fact in answers.facts.values()} == {"unreachable"}


@pytest.mark.parametrize("durable", [True, False])
async def test_a_crossing_is_permitted_once_it_is_written_down(durable):
    lane = Lane()
    questions = lane.asking.questions(read(), "service", Direction.DEPARTURE)
    waiting = await permit(lane)
    crossing = lane.told[-1].crossing
    assert (crossing.transaction, crossing.document_number, crossing.gate, crossing.tolerances) == (
        "t-1",
        "X1",
        "cgk-d07",
        ("NoCrl",),
    )
    assert not waiting.done()
    lane.answer("crossing")  # a word that is not about the disk
    lane.asking.heard(m.CrossingDurable(transaction="t-2", durable=True))
    await asyncio.sleep(0)
    assert not waiting.done()
    lane.asking.heard(m.CrossingDurable(transaction="t-1", durable=durable))
    assert await waiting is durable
    lane.asking.ended("t-1", "uncertain", at=NOW)
    assert lane.told[-1] == m.CrossingEnded(transaction="t-1", end="uncertain", at=NOW)
    for question in questions.values():
        question.close()


@pytest.mark.parametrize("how", ["never asked", "another", "gone", "dies"])
async def test_a_crossing_that_nobody_wrote_down_is_not_permitted(how):
    lane = Lane(present=how != "gone")
    if how != "never asked":
        for question in lane.asking.questions(read(), "ordinary", Direction.DEPARTURE).values():
            question.close()
    waiting = await permit(lane, "t-9" if how == "another" else "t-1")
    if how == "dies":
        lane.asking.gone()
    assert await waiting is False


async def test_where_no_registry_keeps_crossings_none_is_waited_for():
    assert await (await permit(Lane(configured=("issuance",)))) is True


def test_what_the_registries_may_say_is_in_the_vocabulary():
    assert set(ExitPermitReply.__annotations__) == {"answer"}
    for direction in Direction:
        for document_class in ("ordinary", "service"):
            for names in facts_asked(home_book=True, citizen=False, document_class=document_class, direction=direction).values():
                assert set(names) <= VOCABULARY.keys()
