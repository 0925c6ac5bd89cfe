"""Live first, the snapshot where the registry is away, and nobody where the registry is there and lies."""

from __future__ import annotations

import asyncio
import io
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from joserfc.jwk import OKPKey

from gate.evidence import CheckResult, Direction, Fact
from gate.registries import (
    arrival_declaration,
    connected_one,
    exit_permit,
    issuance,
    lost_and_stolen,
    stay_permit,
    watchlist,
)
from gate.registries.base import FALLBACK, Contract, Found, NotListed, RegistryAnswer, Unavailable, Why
from gate.registries.names import ListedPerson, PersonQuery
from gate.registries.offline import Stored, WithSnapshot
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import published
from gate.registries.snapshot_store import SnapshotStore

START = datetime(2024, 6, 19, 21, 15, tzinfo=UTC)
SIGNER = OKPKey.generate_key("Ed25519", private=True)
GATE = "dps-d03"
DAY = date(2024, 6, 20)
BOOK = {"issuing_state": "IDN", "document_number": "X1"}
CROSSING = BOOK | {"date": DAY, "direction": Direction.DEPARTURE, "checkpoint": "DPS"}
ACTIVE = {"status": "active", "document_class": "ordinary"}
QUESTION = issuance.IssuanceQuestion(**BOOK)


class Live:
    """A registry that gives one answer."""

    def __init__(self, answer: RegistryAnswer[Any] | Why, delay_s: float = 0.0) -> None:
        self.answer = Unavailable(source="issuance", why=answer, latency_ms=1.0) if isinstance(answer, str) else answer
        self.delay_s, self.closed = delay_s, False

    async def ask(self, _question: Any) -> Any:
        await asyncio.sleep(self.delay_s)
        return self.answer

    async def close(self) -> None:
        self.closed = True


class Wall:
    """A clock to set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(folder=tmp_path, key=SnapshotKey.derive(b"k" * 32), gate=GATE)


def entry(record: dict[str, Any], number: str = "X1") -> bytes:
    return msgspec.json.encode({"issuing_state": "IDN", "document_number": number, "records": [record]})


def take(store: SnapshotStore, contract: Contract[Any], *lines: bytes, version: int = 1, as_of: datetime = START) -> None:
    until = as_of + timedelta(hours=72)
    raw = b"".join(published(lines, SIGNER, registry=contract.name, gate=store.gate, version=version, as_of=as_of, expires=until))
    store.take(contract, io.BytesIO(raw), SIGNER, as_of)


async def asked(
    store: SnapshotStore, wall: Wall, live: Live, question: Any = QUESTION, contract: Contract[Any] = issuance.CONTRACT
) -> Any:
    source: WithSnapshot[Any] = WithSnapshot(live, Stored(contract, store, wall), deadline_s=5.0)
    try:
        return await source.ask(question)
    finally:
        await source.close()


async def test_a_live_answer_needs_no_snapshot(store: SnapshotStore, wall: Wall) -> None:
    take(store, issuance.CONTRACT, entry(ACTIVE))
    known = NotListed(source="issuance", as_of=START, latency_ms=1.0, freshness_s=0.0)
    live = Live(known)
    assert await asked(store, wall, live) is known
    assert live.closed


@pytest.mark.parametrize(("older_s", "believed"), [(0, True), (60, True), (61, False), (-3600, True)])
async def test_a_live_answer_from_older_data_than_the_snapshots_was_rolled_back(
    store: SnapshotStore, wall: Wall, older_s: int, *, believed: bool
) -> None:
    take(store, issuance.CONTRACT, entry(ACTIVE | {"status": "revoked"}))
    active = issuance.IssuanceReply(answer="found", record=msgspec.convert(ACTIVE, issuance.IssuanceRecord))
    live: Found[Any] = Found(
        source="issuance", as_of=START - timedelta(seconds=older_s), latency_ms=1.0, freshness_s=0.0, reply=active
    )

    class Later(Live):
        """Answers once the snapshot was looked into, as a registry far away does."""

        async def ask(self, _question: Any) -> Any:
            await asyncio.wrap_future(source._thread.submit(lambda: None))
            return self.answer

    source: WithSnapshot[Any] = WithSnapshot(Later(live), Stored(issuance.CONTRACT, store, wall), deadline_s=5.0)
    answer = await source.ask(QUESTION)
    await source.close()
    assert (answer is live) is believed
    assert believed or answer.why == "rolled_back"


@pytest.mark.parametrize("why", sorted(get_args(Why)))
async def test_only_silence_lets_a_snapshot_speak(store: SnapshotStore, wall: Wall, why: Why) -> None:
    take(store, issuance.CONTRACT, entry(ACTIVE))
    wall.now += timedelta(hours=2)
    answer = await asked(store, wall, Live(why))
    if why in FALLBACK:
        assert (type(answer), answer.from_snapshot, answer.as_of, answer.freshness_s) == (Found, True, START, 7200.0)
        assert issuance.issuance_fact(answer, "ordinary") == Fact(
            value="active_in_snapshot", result=CheckResult.SUCCESSFUL, source="issuance", as_of=START
        )
    else:
        assert (type(answer), answer.why) == (Unavailable, why)


async def test_without_a_snapshot_silence_is_silence(store: SnapshotStore, wall: Wall) -> None:
    answer = await asked(store, wall, Live("timeout"))
    assert (answer.why, answer.source) == ("timeout", "issuance")


@pytest.mark.parametrize(
    ("shift", "why"),
    [
        (timedelta(hours=71, minutes=59, seconds=59), ""),
        (timedelta(hours=72), "expired"),
        (timedelta(seconds=-60), ""),
        (timedelta(seconds=-61), "clock"),  # set back, so that an old snapshot looks fresh
        (timedelta(days=-365), "clock"),
    ],
)
async def test_a_snapshot_speaks_for_as_long_as_its_registry_said(
    store: SnapshotStore, wall: Wall, shift: timedelta, why: str
) -> None:
    take(store, issuance.CONTRACT, entry(ACTIVE))
    wall.now += shift
    answer = await asked(store, wall, Live("unreachable"))
    assert getattr(answer, "why", "") == why
    assert getattr(answer, "freshness_s", 0.0) == (max(0.0, shift.total_seconds()) if not why else 0.0)


@pytest.mark.parametrize(
    ("contract", "question", "record", "fact", "known", "unknown"),
    [
        (
            issuance.CONTRACT,
            QUESTION,
            ACTIVE,
            lambda answer: issuance.issuance_fact(answer, "ordinary"),
            "active_in_snapshot",
            "not_found",
        ),
        (
            issuance.CONTRACT,
            QUESTION,
            ACTIVE | {"status": "revoked"},
            lambda answer: issuance.issuance_fact(answer, "ordinary"),
            "revoked",
            "not_found",
        ),
        (
            connected_one.CONTRACT,
            connected_one.ConnectedOneQuestion(**BOOK),
            {"status": "active", "document_class": "service", "biometric_recorded": True},
            connected_one.biometric_record_fact,
            "recorded_in_snapshot",
            "none",
        ),
        (
            exit_permit.CONTRACT,
            exit_permit.ExitPermitQuestion(**CROSSING, document_class="service"),
            {"document_class": "service", "valid_to": "2024-06-20"},
            exit_permit.exit_permit_fact,
            "valid_in_snapshot",
            "none",
        ),
        (
            exit_permit.CONTRACT,
            exit_permit.ExitPermitQuestion(**CROSSING, document_class="service"),
            {"document_class": "service", "valid_to": "2024-06-19"},
            exit_permit.exit_permit_fact,
            "expired",
            "none",
        ),
        (
            lost_and_stolen.CONTRACT,
            lost_and_stolen.LostAndStolenQuestion(**BOOK),
            {},
            lost_and_stolen.sltd_fact,
            "hit",
            "clear_in_snapshot",
        ),
        (
            stay_permit.CONTRACT,
            stay_permit.StayPermitQuestion(**CROSSING),
            {"kind": "e_voa", "valid_to": "2024-07-01"},
            stay_permit.stay_permit_fact,
            "valid_in_snapshot",
            "none",
        ),
        (
            arrival_declaration.CONTRACT,
            arrival_declaration.ArrivalDeclarationQuestion(**CROSSING),
            {"arrival": "2024-06-20"},
            arrival_declaration.declaration_fact,
            "declared_in_snapshot",
            "missing",
        ),
    ],
)
async def test_what_each_snapshot_says_of_a_book_and_of_one_that_is_not_in_it(
    store: SnapshotStore,
    wall: Wall,
    contract: Contract[Any],
    question: Any,
    record: dict[str, Any],
    fact: Any,
    known: str,
    unknown: str,
) -> None:
    live = Live("timeout")
    take(store, contract, entry(record))
    assert fact(await asked(store, wall, live, question, contract)).value == known
    take(store, contract, entry(record, "X2"), version=2)
    answer = await asked(store, wall, live, question, contract)
    assert (fact(answer).value, fact(answer).as_of) == (unknown, START)
    assert answer.from_snapshot


async def test_the_watchlist_is_searched_as_of_now(store: SnapshotStore, wall: Wall) -> None:
    """An entry that was made in a hurry lapses to the second, network or not; another list is another list."""
    listed = ListedPerson(
        list="pencegahan",
        primary_identifier="HARUMIKA",
        secondary_identifier="SENJA",
        birth="800101",
        sex="F",
        valid_from=START - timedelta(days=19),
        valid_to=START + timedelta(days=365),
        urgent=True,
    )
    take(store, watchlist.CONTRACT, msgspec.json.encode(listed))
    person = PersonQuery(primary_identifier="HARUMIKA", secondary_identifier="SENJA", birth="800101", sex="F", **BOOK)

    async def said(name: Any, at: datetime) -> str:
        wall.now = at
        question = watchlist.WatchlistQuestion(list=name, person=person)
        answer = await asked(store, wall, Live("unreachable"), question, watchlist.CONTRACT)
        assert answer.from_snapshot
        assert answer.as_of == START
        return watchlist.watchlist_fact(answer, name).value

    lapse = START + timedelta(days=1)
    assert await said("pencegahan", lapse - timedelta(seconds=1)) == "hit"
    assert await said("pencegahan", lapse) == "clear_in_snapshot"
    assert await said("penangkalan", START) == "clear_in_snapshot"


async def test_a_watchlist_that_was_tampered_with_is_no_clear_one(store: SnapshotStore, wall: Wall) -> None:
    take(store, watchlist.CONTRACT)
    raw = bytearray(store.path("watchlist").read_bytes())
    question = watchlist.WatchlistQuestion(
        list="wanted", person=PersonQuery(primary_identifier="CONTOH", birth="800101", sex="F", **BOOK)
    )
    store.path("watchlist").write_bytes(raw[: len(raw) // 2])
    answer = await asked(store, wall, Live("timeout"), question, watchlist.CONTRACT)
    assert answer.why in {"malformed", "forged"}


@pytest.mark.parametrize(("cut", "why"), [(100, "malformed"), (0, "malformed")])
async def test_a_damaged_snapshot_is_a_reason_and_not_an_absence(store: SnapshotStore, wall: Wall, cut: int, why: str) -> None:
    take(store, lost_and_stolen.CONTRACT, entry({}))
    path = store.path("lost_and_stolen")
    path.write_bytes(path.read_bytes()[:cut])
    question = lost_and_stolen.LostAndStolenQuestion(**BOOK)
    fact = lost_and_stolen.sltd_fact(await asked(store, wall, Live("timeout"), question, lost_and_stolen.CONTRACT))
    assert (fact.value, fact.code, fact.result) == ("unavailable", why, CheckResult.ABORTED)


async def test_a_mark_that_cannot_be_read_takes_no_live_answer_away(store: SnapshotStore, wall: Wall) -> None:
    take(store, issuance.CONTRACT, entry(ACTIVE))
    mark = store.folder / "issuance.mark"
    mark.unlink()
    mark.mkdir()
    assert (await asked(store, wall, Live("timeout"))).why == "rolled_back"
    source: WithSnapshot[Any] = WithSnapshot(Live("forged", delay_s=0.1), Stored(issuance.CONTRACT, store, wall), deadline_s=5.0)
    assert (await source.ask(QUESTION)).why == "forged"
    known = NotListed(source="issuance", as_of=START, latency_ms=1.0, freshness_s=0.0)
    source._live = Live(known, delay_s=0.1)
    assert await source.ask(QUESTION) is known
    await source.close()


async def test_a_newer_snapshot_speaks_from_the_next_question_on(store: SnapshotStore, wall: Wall) -> None:
    source: WithSnapshot[Any] = WithSnapshot(Live("unreachable"), Stored(issuance.CONTRACT, store, wall), deadline_s=5.0)
    try:
        words = [getattr(await source.ask(QUESTION), "why", "")]
        for version, record in enumerate((ACTIVE, ACTIVE | {"status": "lost"}, ACTIVE), 1):
            take(store, issuance.CONTRACT, entry(record), version=version)
            words.append(issuance.issuance_fact(await source.ask(QUESTION), "ordinary").value)
        store.path("issuance").unlink()
        words.append(getattr(await source.ask(QUESTION), "why", ""))
    finally:
        await source.close()
    assert words == ["unreachable", "active_in_snapshot", "lost", "active_in_snapshot", "unreachable"]


async def test_nothing_is_looked_up_on_the_loop(store: SnapshotStore, wall: Wall) -> None:
    seen: set[threading.Thread] = set()

    def judged(records: Any, question: Any) -> Any:
        seen.add(threading.current_thread())
        return issuance.judged(records, question)

    take(store, issuance.CONTRACT, entry(ACTIVE))
    await asked(store, wall, Live("error"), contract=replace(issuance.CONTRACT, judged=judged))
    assert len(seen) == 1
    assert threading.main_thread() not in seen


async def test_a_snapshot_that_takes_too_long_is_not_waited_for(store: SnapshotStore, wall: Wall) -> None:
    going_on = threading.Event()

    def judged(records: Any, question: Any) -> Any:
        going_on.wait(10)
        return issuance.judged(records, question)

    take(store, issuance.CONTRACT, entry(ACTIVE))
    slow = replace(issuance.CONTRACT, judged=judged)
    source: WithSnapshot[Any] = WithSnapshot(Live("timeout"), Stored(slow, store, wall), deadline_s=0.2)
    answer = await source.ask(QUESTION)
    going_on.set()
    await source.close()
    assert answer.why == "timeout"
