"""The outbox of crossings: on the disk before the door moves, told in order and once, whatever dies in between."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.kill_outbox import judged, run
from gate.evidence import Direction
from gate.registries.base import Found, Unavailable, Why
from gate.registries.crossing import CONTRACT, FILE_NAME, Crossing, CrossingOutbox, CrossingReply, OutboxError
from gate.registries.crossing_file import CrossingFile, Standing, standing
from gate.registries.crossing_sender import LONGEST_PAUSE_S, CrossingSender
from gate.registries.reference.crossings import Crossings
from gate.registries.sealed import SnapshotKey

KEY = SnapshotKey.derive(b"k" * 32)
AT = datetime(2024, 6, 19, 21, 15, tzinfo=UTC)


def crossing(transaction: str, document_number: str = "X0000001") -> Crossing:
    return Crossing(
        transaction=transaction,
        gate="cgk-1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        issuing_state="IDN",
        document_number=document_number,
        document_class="service",
        permitted_at=AT,
        rules_version="rules@1",
        tolerances=("IssuanceFromSnapshot",),
    )


@contextlib.asynccontextmanager
async def outbox(folder: Path, now: datetime = AT) -> AsyncIterator[CrossingOutbox]:
    opened = CrossingOutbox.open(folder / FILE_NAME, KEY, now)
    try:
        yield opened
    finally:
        await opened.close()


class Registry:
    """The reference server's registry; ``answers`` are given instead while there are any (an empty one: it takes the crossing)."""

    def __init__(self, *answers: Why | str) -> None:
        self.answers, self.told = list(answers), list[Crossing]()
        self._registry = Crossings()

    async def ask(self, question: Crossing) -> Any:
        why = self.answers.pop(0) if self.answers else ""
        if why:
            return Unavailable(source="crossing", why=why, latency_ms=0.0)  # type: ignore[arg-type]
        if not self._registry.record(question):
            return Unavailable(source="crossing", why="rejected", latency_ms=0.0)
        self.told.append(question)
        return Found(source="crossing", as_of=AT, latency_ms=0.0, freshness_s=0.0, reply=CrossingReply(answer="recorded"))

    async def close(self) -> None:
        pass


class Pauses(list[float]):
    """Sleeps for no time, and remembers for how long."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


async def send_all(box: CrossingOutbox, registry: Registry, pauses: Pauses | None = None) -> None:
    sender = CrossingSender(box, registry, sleep=pauses if pauses is not None else Pauses(), dice=lambda: 1.0)
    while await sender.send_one():
        pass


def told(registry: Registry) -> list[tuple[str, str]]:
    return [(each.transaction, each.ended) for each in registry.told]


async def test_a_crossing_is_told_once_it_ended_and_then_forgotten(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await send_all(box, registry)
        assert registry.told == []
        assert await box.standing() == Standing(open=1)
        await box.passed("1", AT + timedelta(seconds=4))
        assert await box.standing() == Standing(waiting=1, oldest=AT + timedelta(seconds=4))
        await send_all(box, registry)
        assert await box.standing() == Standing()
    (only,) = registry.told
    assert only == msgspec.structs.replace(crossing("1"), ended="passed", ended_at=AT + timedelta(seconds=4))


async def test_a_voided_permit_is_no_crossing(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await box.voided("1")
        await box.passed("1", AT)
        await send_all(box, registry)
        await box.permitted(crossing("1"))
        await box.passed("1", AT)
        await box.voided("1")
        await send_all(box, registry)
    assert told(registry) == [("1", "passed")]


async def test_what_never_ended_is_uncertain_after_a_restart(tmp_path: Path) -> None:
    registry, later = Registry(), AT + timedelta(hours=1)
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
    async with outbox(tmp_path, later) as box:
        await box.passed("1", later)  # too late: it may have been told
        await send_all(box, registry)
    assert [(each.ended, each.ended_at) for each in registry.told] == [("uncertain", later)]


async def test_of_whom_nobody_can_say_whether_they_crossed_the_registry_hears_just_that(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await box.ended("1", "uncertain", AT + timedelta(seconds=9))
        await box.voided("1")
        await send_all(box, registry)
    assert [(each.ended, each.ended_at) for each in registry.told] == [("uncertain", AT + timedelta(seconds=9))]


async def test_the_next_permit_ends_one_that_never_ended(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        for name in ("1", "2"):
            await box.permitted(crossing(name))
        await box.passed("2", AT)
        await send_all(box, registry)
    assert told(registry) == [("1", "uncertain"), ("2", "passed")]


async def test_a_backlog_is_told_in_order_over_restarts(tmp_path: Path) -> None:
    registry = Registry(*(["unreachable", "timeout", "circuit_open"] * 3))
    names = [f"{number:03}" for number in range(30)]
    for batch in (names[:10], names[10:20], names[20:]):
        async with outbox(tmp_path) as box:
            for name in batch:
                await box.permitted(crossing(name))
                await box.passed(name, AT)
    async with outbox(tmp_path) as box:
        assert (await box.standing()).waiting == 30
        await send_all(box, registry)
    assert [each.transaction for each in registry.told] == names


async def test_an_answer_that_was_lost_doubles_nothing(tmp_path: Path) -> None:
    class Deaf(Registry):
        async def ask(self, question: Crossing) -> Any:
            answer = await super().ask(question)
            return Unavailable(source="crossing", why="timeout", latency_ms=0.0) if len(self.told) < 3 else answer

    registry = Deaf()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await box.passed("1", AT)
        await send_all(box, registry)
    assert told(registry) == [("1", "passed")] * 3  # and each time the registry had it already
    assert len(registry._registry._known) == 1


async def test_one_that_the_registry_will_never_take_blocks_nobody(tmp_path: Path) -> None:
    registry = Registry("rejected")
    async with outbox(tmp_path) as box:
        for name in ("1", "2"):
            await box.permitted(crossing(name))
            await box.passed(name, AT)
        await send_all(box, registry)
        assert told(registry) == [("2", "passed")]
        assert await box.standing() == Standing(aside=1)
        assert standing(tmp_path / FILE_NAME) == Standing(aside=1)
    async with outbox(tmp_path) as box:  # the next start tries it again
        await send_all(box, registry)
    assert told(registry) == [("2", "passed"), ("1", "passed")]


async def test_another_crossing_under_a_known_id_is_set_aside(tmp_path: Path) -> None:
    registry = Registry()
    for number in ("X0000001", "X0000002"):
        async with outbox(tmp_path) as box:
            await box.permitted(crossing("1", number))
            await box.passed("1", AT)
            await send_all(box, registry)
            aside = (await box.standing()).aside
    assert aside == 1
    assert [each.document_number for each in registry.told] == ["X0000001"]


@pytest.mark.parametrize("damage", ["UPDATE crossing SET sealed = zeroblob(64)", "UPDATE crossing SET at = 'never'"])
async def test_one_that_cannot_be_read_blocks_nobody(tmp_path: Path, damage: str) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await box.passed("1", AT)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as file:
        file.execute(damage)
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("2"))
        await box.passed("2", AT)
        await send_all(box, registry)
        assert (await box.standing()).aside == 1
    assert told(registry) == [("2", "passed")]


async def test_one_that_is_no_crossing_is_set_aside(tmp_path: Path) -> None:
    with contextlib.closing(CrossingFile(tmp_path / FILE_NAME, KEY, AT)) as file:
        file.permitted("1", b"{}", AT)
    async with outbox(tmp_path) as box:
        await send_all(box, Registry())
        assert await box.standing() == Standing(aside=1)


async def test_pauses_grow_while_the_registry_is_away_and_end_with_it(tmp_path: Path) -> None:
    registry, pauses = Registry(*["unreachable"] * 9, "", "timeout"), Pauses()
    async with outbox(tmp_path) as box:
        for name in ("1", "2"):
            await box.permitted(crossing(name))
            await box.passed(name, AT)
        await send_all(box, registry, pauses)
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S, 1]


async def test_the_sender_wakes_for_each_new_crossing(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        sending = asyncio.create_task(CrossingSender(box, registry).run())
        for name in ("1", "2", "3"):
            await box.permitted(crossing(name))
            await box.passed(name, AT)
            async with asyncio.timeout(10):
                while len(registry.told) < int(name):
                    await asyncio.sleep(0.005)
        sending.cancel()
        await asyncio.wait({sending})
    assert [each.transaction for each in registry.told] == ["1", "2", "3"]


# --- the disk ----------------------------------------------------------------------------------------------------------------------


async def test_a_disk_that_is_full_keeps_the_exit_shut(tmp_path: Path) -> None:
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        pages = box._file._file.execute("PRAGMA page_count").fetchone()[0]
        box._file._file.execute(f"PRAGMA max_page_count = {pages}")
        refused = 0
        for number in range(2, 60):
            try:
                await box.permitted(crossing(str(number)))
            except OutboxError:
                refused += 1
        assert refused
        assert (await box.standing()).open + (await box.standing()).waiting == 59 - refused
        box._file._file.execute("PRAGMA max_page_count = 100000")
        await box.permitted(crossing("again"))


async def test_a_permit_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    async with outbox(tmp_path) as box:
        with pytest.raises(OutboxError):
            await box.permitted(msgspec.structs.replace(crossing("1"), permitted_at=AT.replace(tzinfo=None)))
        assert await box.standing() == Standing()
        await box.permitted(crossing("1"))  # nothing of the refused one stands in the next one's way
        assert await box.standing() == Standing(open=1)


async def test_a_disk_that_was_full_for_a_while_is_no_end_of_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, dropped, refused = Registry(), CrossingFile.dropped, []

    def full_once(self: CrossingFile, *args: str) -> None:
        if not refused:
            refused.append(args)
            raise OutboxError("not recorded")
        dropped(self, *args)

    monkeypatch.setattr(CrossingFile, "dropped", full_once)
    pauses = Pauses()
    async with outbox(tmp_path) as box:
        sending = asyncio.create_task(CrossingSender(box, registry, sleep=pauses).run())
        for name in ("1", "2"):
            await box.permitted(crossing(name))
            await box.passed(name, AT)
        async with asyncio.timeout(10):
            while (await box.standing()).waiting:
                assert not sending.done(), "nobody tells any more"
                await asyncio.sleep(0.005)
        sending.cancel()
        await asyncio.wait({sending})
    assert told(registry) == [("1", "passed"), ("1", "passed"), ("2", "passed")]  # idempotent by its id
    assert pauses == [LONGEST_PAUSE_S]
    assert "not recorded" in capsys.readouterr().err


async def test_who_is_permitted_again_crosses_once(tmp_path: Path) -> None:
    """The lane's permit came to nothing while the traveller stood inside, and an officer lets them pass."""
    registry = Registry()
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("0"))
        await box.permitted(crossing("1"))
        by_officer = msgspec.structs.replace(crossing("1"), permitted_at=AT + timedelta(seconds=30))
        await box.permitted(by_officer)
        await box.passed("1", AT + timedelta(seconds=40))
        await send_all(box, registry)
    assert told(registry) == [("0", "uncertain"), ("1", "passed")]
    assert registry.told[1].permitted_at == by_officer.permitted_at


@pytest.mark.parametrize("ended", ["passed", "uncertain"])
async def test_two_crossings_under_one_id_are_refused(tmp_path: Path, ended: str) -> None:
    async with outbox(tmp_path) as box:
        await box.permitted(crossing("1"))
        await (box.passed("1", AT) if ended == "passed" else box.permitted(crossing("2")))
        with pytest.raises(OutboxError):
            await box.permitted(crossing("1"))
        assert await box.standing() == Standing(open=int(ended == "uncertain"), waiting=1, oldest=AT)


async def test_there_is_one_writer(tmp_path: Path) -> None:
    async with outbox(tmp_path):
        with pytest.raises(OutboxError):
            CrossingOutbox.open(tmp_path / FILE_NAME, KEY, AT)


async def test_a_stolen_disk_names_nobody(tmp_path: Path) -> None:
    registry = Registry()
    async with outbox(tmp_path) as box:
        for number in range(40):
            await box.permitted(crossing(str(number), f"X{number:07}"))
            await box.passed(str(number), AT)
        stolen = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"passed" in stolen
        for word in (*(f"X{number:07}" for number in range(40)), "service", "DEPARTURE", "departure", "IssuanceFromSnapshot"):
            assert word.encode() not in stolen
        rows = [sealed for (sealed,) in box._file._file.execute("SELECT sealed FROM crossing")]
        await send_all(box, registry)
        stolen = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert len(registry.told) == len(rows) == 40
    assert not any(row in stolen for row in rows)  # what was told is gone, its sealed bytes too


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(raw=st.binary(min_size=1, max_size=300))
def test_any_file_is_an_outbox_or_an_error(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / FILE_NAME
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    path.write_bytes(raw)
    with contextlib.suppress(OutboxError):
        CrossingFile(path, KEY, AT).close()
    with contextlib.suppress(OutboxError):
        standing(path)


def test_no_outbox_owes_nothing(tmp_path: Path) -> None:
    assert standing(tmp_path / FILE_NAME) == Standing()


def test_the_contract_takes_what_the_outbox_tells() -> None:
    assert CONTRACT.question is Crossing
    assert repr(crossing("1", "X7654321")).find("X7654321") == -1


def test_the_judge_of_the_kills_sees_each_fault_that_it_counts() -> None:
    noted = {1: "E", 2: "E", 3: "V", 4: "P", 5: "B", 6: "v"}
    clean = judged(noted, [(1, "passed"), (2, "passed"), (4, "uncertain")])
    assert not any(clean[fault] for fault in ("lost", "invented", "doubled", "disordered"))
    spoilt = judged(noted, [(2, "passed"), (1, "uncertain"), (1, "uncertain"), (3, "passed"), (9, "passed")])
    assert {fault: spoilt[fault] for fault in ("lost", "invented", "doubled", "disordered")} == {
        "lost": 2,
        "invented": 2,
        "doubled": 1,
        "disordered": 1,
    }


def test_fifty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    report = run(tmp_path, kills=50, seed=7)
    assert {name: report[name] for name in ("lost", "invented", "doubled", "disordered", "aside")} == dict.fromkeys(
        ("lost", "invented", "doubled", "disordered", "aside"), 0
    )
    assert report["passed"] > 0
    assert report["told"] >= report["passed"]
