"""A batch is stored whole or not at all; each record once; what does not continue a log never counts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from gate.fleet.centre.arrivals import Arrival, Refused, arrival
from gate.fleet.centre.collector import connect
from gate.fleet.centre.partitions import Partitions, ahead
from gate.fleet.centre.store import Stored, days, prepare, store
from gate.fleet.centre.verify import verify
from gate.outcome import Outcome


def now() -> datetime:
    return datetime.now(UTC)


class Centre:
    """What a collector does, without a broker."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], keys: Any, dsn: str) -> None:
        self.connection, self.keys, self.partitions, self.dsn = connection, keys, Partitions(), dsn

    async def take(self, *messages: tuple[str, bytes]) -> Stored:
        return await self.store([arrival(subject, raw, now(), self.keys, now) for subject, raw in messages])

    async def store(self, came: Sequence[Arrival]) -> Stored:
        await self.partitions.ensure(self.connection, days(came))
        return await store(self.connection, came)

    async def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(query, values)).fetchall()  # type: ignore[arg-type]

    async def through(self) -> int:
        return (await self.ask("select max(through) from gate_log"))[0][0]


@pytest.fixture
async def at_centre(centre: str, keys: Any) -> AsyncIterator[Centre]:
    connection = await connect(centre, "test")
    await prepare(connection)
    made = Centre(connection, keys, centre)
    await made.partitions.ensure(connection, ahead(now()))
    yield made
    await connection.close()


async def test_records_are_stored_as_they_are_and_receipted(gate: Any, at_centre: Centre) -> None:
    gate.write(5)
    stored = await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    assert (stored.events, stored.held[0].through, stored.held[0].hash) == (5, 5, gate.rows[-1].hash)
    assert [tuple(row[:2]) for row in await at_centre.ask("select seq, hash from event order by seq")] == [
        (row.seq, row.hash) for row in gate.rows
    ]


async def test_a_crossing_counts_when_what_came_before_it_is_there(gate: Any, at_centre: Centre) -> None:
    before, crossing, after = gate.write(3), gate.cross(), gate.write(2)
    ahead_of_turn = await at_centre.take((gate.subject("crossing"), gate.parcel([crossing])))
    assert ahead_of_turn.held == ()
    assert (await at_centre.take((gate.subject("record"), gate.parcel(before)))).held[0].through == 4
    assert (await at_centre.take((gate.subject("record"), gate.parcel(after)))).held[0].through == 6
    assert await at_centre.ask("select count(*) from pending") == [(0,)]
    [row] = await at_centre.ask("select gate, checkpoint, class, outcome, reasons, seconds, stages, transaction from crossing")
    assert row == ("CGK.D07", "CGK", "ordinary", "OPEN", [], 9.0, {"chip": 1800.0}, "t1")


async def test_any_order_any_cut_and_any_repetition_give_the_same_log(make_gate: Callable[..., Any], at_centre: Centre) -> None:
    dice = random.Random(7)
    gates = [make_gate(f"CGK.D{n:02}", f"{n:016x}") for n in range(4)]
    for each in gates:
        for n in range(20):
            each.write(dice.randrange(4))
            each.cross(f"t{n}")
    parcels = []
    for each in gates:
        rows = list(each.rows)
        while rows:
            part, rows = rows[: (cut := dice.randrange(1, 9))], rows[cut:]
            parcels += [(each.subject("record"), each.parcel(part))] * dice.choice([1, 1, 2])
    dice.shuffle(parcels)
    while parcels:
        some, parcels = parcels[: (cut := dice.randrange(1, 12))], parcels[cut:]
        await at_centre.take(*some)
    told = await at_centre.ask("select gate, through, hash from gate_log order by gate")
    assert told == [(each.name, len(each.rows), each.rows[-1].hash) for each in gates]
    assert (await at_centre.ask("select count(*) from event"))[0][0] == sum(len(each.rows) for each in gates)
    assert (await at_centre.ask("select count(*) from crossing"))[0][0] == 80
    assert verify(at_centre.dsn, grace_s=0).good


async def test_many_waiting_records_link_at_once_when_the_missing_one_comes(gate: Any, at_centre: Centre) -> None:
    gate.write(400)
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[1:])))
    assert await at_centre.through() == 0
    stored = await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[:1])))
    assert stored.held[0].through == 400
    assert await at_centre.ask("select count(*) from pending") == [(0,)]


async def test_the_same_records_again_are_receipted_again_and_stored_once(gate: Any, at_centre: Centre) -> None:
    gate.write(3)
    raw = gate.parcel(gate.rows)
    await at_centre.take((gate.subject("record"), raw))
    again = await at_centre.take((gate.subject("record"), raw))
    assert (again.events, again.forks, again.held[0].through) == (0, 0, 3)


@pytest.mark.parametrize("later_day", [False, True])
async def test_another_record_under_a_number_that_was_taken_is_a_fork(
    make_gate: Callable[..., Any], gate: Any, at_centre: Centre, later_day: bool
) -> None:
    gate.write(4)
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    gate.rows = gate.rows[:2]
    if later_day:
        gate.at += timedelta(days=1)
    raw = gate.parcel(gate.write(1, body=b'{"what":"something else"}'))
    stored = await at_centre.take((gate.subject("record"), raw))
    assert (stored.forks, await at_centre.through()) == (1, 4)
    [(seq, evidence)] = await at_centre.ask("select seq, evidence from fork")
    assert (seq, evidence) == (3, raw)
    assert (await at_centre.ask("select count(*) from event where seq = 3")) == [(1,)]
    assert not verify(at_centre.dsn).good


async def test_a_record_that_does_not_continue_the_log_is_no_part_of_it(
    gate: Any, make_gate: Callable[..., Any], at_centre: Centre
) -> None:
    other = make_gate()
    other.signer, other.start = gate.signer, gate.start
    gate.write(6)
    other.write(6, body=b'{"what":"another story"}')
    await at_centre.take((gate.subject("record"), gate.parcel(other.rows[3:4])))  # ahead of its turn, and of another story
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[:3])))
    assert await at_centre.through() == 3
    assert await at_centre.ask("select seq, held, told from fork") == [(4, gate.rows[2].hash, other.rows[3].hash)]
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[3:])))
    assert await at_centre.through() == 6
    assert (await at_centre.ask("select hash from event where seq = 4")) == [(gate.rows[3].hash,)]


async def test_a_long_story_ahead_that_continues_nothing_stops_nobody(
    gate: Any, make_gate: Callable[..., Any], at_centre: Centre
) -> None:
    other = make_gate()
    other.signer, other.start = gate.signer, gate.start
    gate.write(5)
    other.write(200, body=b'{"what":"another story"}')
    await at_centre.take((gate.subject("record"), gate.parcel(other.rows[3:])))
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[:3])))
    assert await at_centre.ask("select seq from fork") == [(4,)]
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[3:4])))
    assert await at_centre.ask("select seq from fork order by seq") == [(4,), (5,)]
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows[4:])))
    assert await at_centre.through() == 5


async def test_a_log_that_begins_anew_under_its_old_name_is_a_fork(gate: Any, at_centre: Centre) -> None:
    gate.write(2)
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    stored = await at_centre.take((gate.subject("record"), gate.parcel(gate.write(1), start=b"x" * 32)))
    assert (stored.forks, await at_centre.through()) == (1, 2)


async def test_a_gate_that_signs_for_what_it_did_not_send_is_found_at_once(
    gate: Any, make_gate: Callable[..., Any], at_centre: Centre
) -> None:
    other = make_gate()
    other.signer, other.start, other.auditor = gate.signer, gate.start, gate.auditor
    gate.write(2)
    other.write(2, body=b'{"what":"another story"}')
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)), (gate.subject("checkpoint"), gate.note()))
    assert await at_centre.ask("select * from fork") == []
    await at_centre.take((gate.subject("checkpoint"), gate.note()))  # the same again
    await at_centre.take((gate.subject("checkpoint"), gate.note(1)))
    assert await at_centre.ask("select * from fork") == []
    assert (await at_centre.take((gate.subject("checkpoint"), other.note()))).forks == 2
    assert sorted(await at_centre.ask("select seq, what from fork")) == [
        (2, "the gate signed for another record than it sent"),
        (2, "the gate signed two checkpoints of that size"),
    ]


async def test_a_wrong_clock_makes_no_partitions_without_end(gate: Any, at_centre: Centre) -> None:
    count = "select count(*) from pg_partition_tree('event') where isleaf"
    before = await at_centre.ask(count)
    for days_off in (-9000, 40, 3000, 100_000):
        gate.at = now() + timedelta(days=days_off)
        gate.write(1)
    gate.at = now()
    gate.write(1)
    stored = await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    assert stored.held[0].through == 5
    assert await at_centre.ask(count) == before
    again = await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    assert again.forks == 0
    assert ("clock", "CGK.D07") in await at_centre.ask("select kind, gate from condition")
    assert verify(at_centre.dsn).good


async def test_a_fork_is_shown_by_the_message_that_told_it(make_gate: Callable[..., Any], gate: Any, at_centre: Centre) -> None:
    """And not by the honest one which came with it."""
    other = make_gate()
    other.signer, other.start = gate.signer, gate.start
    gate.write(2)
    other.write(1)
    other.write(1, body=b'{"what":"another story"}')
    honest, lying = gate.parcel(gate.rows), other.parcel(other.rows)
    await at_centre.take((gate.subject("record"), honest), (gate.subject("record"), lying))
    assert await at_centre.ask("select seq, evidence from fork") == [(2, lying)]


async def test_forks_without_end_are_not_kept_without_end(
    make_gate: Callable[..., Any], gate: Any, at_centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gate.fleet.centre.bookkeeping.MOST_FORKS", 5)
    gate.write(8)
    await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    told = []
    for number in range(3):
        other = make_gate()
        other.signer, other.start = gate.signer, gate.start
        other.write(8, body=b'{"what":"story %d"}' % number)
        told.append(other.parcel(other.rows))
        assert (await at_centre.take((gate.subject("record"), told[-1]))).forks == 8
    assert await at_centre.ask("select count(*) from fork") == [(5,)]
    assert await at_centre.ask("select seq, evidence from fork where evidence <> ''") == [(1, told[0])]
    await at_centre.take((gate.subject("record"), told[0]))
    assert await at_centre.ask("select sum(count) from fork") == [(10,)]


async def test_a_day_is_made_beside_whoever_reads_for_long(gate: Any, at_centre: Centre) -> None:
    gate.at = now() - timedelta(days=60)
    gate.write(2)
    with psycopg.connect(at_centre.dsn) as reader:
        reader.execute("select count(*) from event, crossing")
        async with asyncio.timeout(20):
            await at_centre.take((gate.subject("record"), gate.parcel(gate.rows)))
    assert await at_centre.through() == 2
    await Partitions().ensure(at_centre.connection, {gate.at.date()})
    name = f"event_{gate.at:%Y%m%d}"
    indexes = "select count(*) from pg_indexes where tablename = %s"
    assert await at_centre.ask(indexes, name) == [(1,)]
    assert await at_centre.ask(f"select count(*) from {name}") == [(2,)]


async def test_a_batch_that_the_database_cannot_take_leaves_nothing(gate: Any, at_centre: Centre) -> None:
    gate.write(2)
    [came] = [arrival(gate.subject("record"), gate.parcel(gate.rows), now(), at_centre.keys, now)]
    bad = Refused(gate="", code="malformed", what="\0", sample=b"")
    with pytest.raises(psycopg.DataError):
        await at_centre.store([came, bad])
    assert await at_centre.ask("select count(*) from event") == [(0,)]
    assert (await at_centre.store([came])).held[0].through == 2


async def test_two_that_store_the_same_logs_at_once_neither_lose_nor_double(
    make_gate: Callable[..., Any], at_centre: Centre
) -> None:
    gates = [make_gate(f"DPS.D{n:02}", f"{n:016x}") for n in range(6)]
    for each in gates:
        each.write(30)
    other = Centre(await connect(at_centre.dsn, "other"), at_centre.keys, at_centre.dsn)
    await prepare(other.connection)

    async def feed(one: Centre, seed: int) -> None:
        dice = random.Random(seed)
        for first in range(0, 30, 5):
            order = dice.sample(gates, len(gates))
            await one.take(*((each.subject("record"), each.parcel(each.rows[first : first + 5])) for each in order))

    await asyncio.gather(feed(at_centre, 1), feed(other, 2))
    await other.connection.close()
    assert await at_centre.ask("select count(*), min(through), max(through) from gate_log") == [(6, 30, 30)]
    assert await at_centre.ask("select count(*) from event") == [(180,)]


async def test_refusals_are_counted_by_gate_and_code(gate: Any, make_gate: Callable[..., Any], at_centre: Centre) -> None:
    stranger = make_gate("CGK.D08", "ff" * 8)
    gate.write(1)
    raw = gate.parcel(gate.rows)
    stored = await at_centre.take(
        (gate.subject("record"), b"nonsense"), (gate.subject("record"), b"other"), (stranger.subject("record"), raw), ("a.b", raw)
    )
    assert stored.held == ()
    told = await at_centre.ask("select gate, code, count, first_sample <> last_sample from refusal order by gate, code")
    assert told == [("", "malformed", 1, False), ("CGK.D07", "malformed", 2, True), ("CGK.D08", "other_gate", 1, False)]


async def test_an_outcome_other_than_open_keeps_its_reasons(gate: Any, at_centre: Centre) -> None:
    gate.cross(outcome=Outcome.COUNTER, document_class="diplomatic")
    await at_centre.take((gate.subject("crossing"), gate.parcel(gate.rows)))
    assert await at_centre.ask("select class, reasons from crossing") == [("diplomatic", ["face_no_match"])]
