"""Gates' tallies at the centre: each day of a gate once, whatever comes and however often, and no gate counts what cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.chain import encode
from gate.audit.tally import KIND, MOST_COUNTS
from gate.evidence import Direction
from gate.fleet.centre import alerts
from gate.fleet.centre.arrivals import Refused, arrival
from gate.fleet.centre.collector import connect
from gate.fleet.centre.partitions import ODD, Partitions, ahead
from gate.fleet.centre.retention import drop
from gate.fleet.centre.store import days, prepare, store
from gate.fleet.centre.tallies import tally_in
from gate.fleet.centre.verify import verify
from gate.records import Tally, TallyCount

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
YESTERDAY = TODAY - DAY


def count(passed: bool, number: int, document_class: str = "", cause: str = "") -> TallyCount:
    since = YESTERDAY - 3 * DAY
    return TallyCount(
        direction=Direction.DEPARTURE, passed=passed, since=since, document_class=document_class, cause=cause, count=number
    )


def tally(day: date = YESTERDAY, *counts: TallyCount) -> bytes:
    counts = counts or (count(True, 400), count(True, 12, "service"), count(False, 30), count(False, 4, "diplomatic", "other"))
    counts = tuple(each for each in counts if each.since <= day)
    return encode(Tally(day=day, demonstration=False, unread=2, counts=counts))


class Centre:
    """What a collector does, without a broker."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], keys: Any) -> None:
        self.connection, self.keys, self.partitions = connection, keys, Partitions()

    async def take(self, gate: Any, rows: Any) -> Any:
        came = [arrival(gate.subject("record"), gate.parcel(rows), datetime.now(UTC), self.keys, lambda: datetime.now(UTC))]
        assert not isinstance(came[0], Refused)
        await self.partitions.ensure(self.connection, days(came))
        return await store(self.connection, came)

    async def ask(self, query: str) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(query)).fetchall()  # type: ignore[arg-type] # constants of this file


@pytest.fixture
async def at_centre(centre: str, keys: Any) -> AsyncIterator[Centre]:
    connection = await connect(centre, "test")
    await prepare(connection)
    made = Centre(connection, keys)
    await made.partitions.ensure(connection, ahead(datetime.now(UTC)))
    yield made
    await connection.close()


async def test_a_tally_is_kept_with_its_record_and_once_however_often_it_comes(gate: Any, at_centre: Centre, centre: str) -> None:
    gate.write(2)
    gate.write(1, KIND, tally())
    for _ in range(3):
        stored = await at_centre.take(gate, gate.rows)
    assert stored.held[0].through == 3
    [(name, day, place, seq, unread, counts)] = await at_centre.ask(
        "select gate, day, checkpoint, seq, unread, counts from tally"
    )
    assert (name, day, place, seq, unread) == ("CGK.D07", YESTERDAY, "CGK", 3, 2)
    assert [(each["passed"], each["document_class"], each["cause"], each["count"]) for each in counts] == [
        (True, "", "", 400),
        (True, "service", "", 12),
        (False, "", "", 30),
        (False, "diplomatic", "other", 4),
    ]
    assert await at_centre.ask("select count(*) from refusal") == [(0,)]
    assert verify(centre, grace_s=0).good


async def test_records_that_come_once_more_after_the_bookkeeping_was_set_back_are_no_second_tally(
    gate: Any, at_centre: Centre
) -> None:
    gate.write(1, KIND, tally())
    await at_centre.take(gate, gate.rows)
    await at_centre.connection.execute("update gate_log set through = 0, hash = start")
    await at_centre.take(gate, gate.rows)
    assert await at_centre.ask("select count(*) from refusal") == [(0,)]
    assert await at_centre.ask("select count(*) from tally") == [(1,)]


async def test_a_second_tally_of_a_day_is_refused_told_of_and_keeps_nobody_waiting(
    gate: Any, at_centre: Centre, centre: str
) -> None:
    gate.write(1, KIND, tally())
    gate.write(1, KIND, tally(YESTERDAY, count(True, 40_000), count(True, 40_000, "diplomatic")))
    gate.write(1, KIND, tally(YESTERDAY - DAY))
    stored = await at_centre.take(gate, gate.rows)
    assert stored.held[0].through == 3
    assert await at_centre.ask("select seq from tally order by day desc") == [(1,), (3,)]
    [(code, what)] = await at_centre.ask("select code, what from refusal where gate = 'CGK.D07'")
    assert code == "malformed"
    assert what == "a tally, record 2: another one of that day is here"
    await alerts.look(at_centre.connection)
    assert await at_centre.ask("select kind, gate from alert where kind = 'refused'") == [("refused", "CGK.D07")]
    assert verify(centre, grace_s=0).good


async def test_another_log_of_the_gate_tells_no_day_again(make_gate: Any, at_centre: Centre) -> None:
    for log in ("00112233445566aa", "00112233445566bb"):
        one = make_gate("CGK.D07", log)
        one.write(1, KIND, tally())
        await at_centre.take(one, one.rows)
    assert await at_centre.ask("select count(*) from tally") == [(1,)]
    assert await at_centre.ask("select count from refusal") == [(1,)]


async def test_two_gates_tell_of_the_same_day(make_gate: Any, at_centre: Centre) -> None:
    for name, log in (("CGK.D07", "00112233445566aa"), ("DPS.D07", "00112233445566bb")):
        one = make_gate(name, log)
        one.write(1, KIND, tally())
        await at_centre.take(one, one.rows)
    assert await at_centre.ask("select gate from tally order by gate") == [("CGK.D07",), ("DPS.D07",)]


HOSTILE = {
    "ten to the nine": tally(YESTERDAY, count(True, 10**9)),
    "more than a database counts": tally().replace(b":400", b":" + b"9" * 30),
    "unknown words": tally(YESTERDAY, count(True, 400), count(True, 20, "royal")),
    "as many rows as a message holds": tally(YESTERDAY, *[count(False, 20, "service", f"{n}") for n in range(7_000)]),
    "a day in the future": tally(TODAY + 2 * DAY),
    "a day of long ago": tally(date(1, 1, 1)),
    "no day": tally().replace(YESTERDAY.isoformat().encode(), b"2026-13-45"),
    "few people": tally(YESTERDAY, count(True, 3), count(True, 1, "diplomatic")),
    "no tally": b'{"what":"nothing"}',
    "no JSON": b"\xff{",
    "no end": b"[" * 100_000,
    "NUL": tally(YESTERDAY, count(True, 400), count(True, 20, "serv\0ice")),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_tally_counts_for_nothing_is_told_of_and_keeps_nobody_waiting(
    gate: Any, at_centre: Centre, what: str
) -> None:
    gate.write(1, KIND, HOSTILE[what])
    gate.write(1, KIND, tally())
    stored = await at_centre.take(gate, gate.rows)
    assert stored.held[0].through == 2
    assert await at_centre.ask("select seq from tally") == [(2,)]
    assert await at_centre.ask("select code, count from refusal") == [("malformed", 1)]


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: tally()[:-1] + tail))
def test_any_bytes_are_a_tally_or_refused_in_words(raw: bytes) -> None:
    told = tally_in(raw, TODAY)
    assert isinstance(told, str) or len(told.counts) <= MOST_COUNTS


def test_a_record_of_no_day_that_can_be_tells_nothing() -> None:
    assert isinstance(tally_in(tally(), ODD), str)
    assert isinstance(tally_in(tally(), TODAY), Tally)


async def test_one_that_came_ahead_and_does_not_continue_the_log_goes_with_its_record(gate: Any, at_centre: Centre) -> None:
    gate.write(1)
    first = list(gate.rows)
    gate.write(1, body=b'{"what":"another"}')
    gate.write(1, KIND, tally())
    last = gate.rows[2]
    gate.rows = first
    gate.write(1, body=b'{"what":"the right one"}')
    await at_centre.take(gate, [last])
    assert await at_centre.ask("select seq from tally") == [(3,)]
    await at_centre.take(gate, gate.rows)
    assert await at_centre.ask("select seq from tally") == []


async def test_tallies_go_with_the_records_of_their_days(gate: Any, at_centre: Centre, centre: str) -> None:
    gate.write(1, KIND, tally(YESTERDAY - DAY))
    gate.write(1, KIND, tally())
    await at_centre.take(gate, gate.rows)
    with psycopg.connect(centre, autocommit=True) as connection:
        drop(connection, YESTERDAY)
    assert await at_centre.ask("select day from tally") == [(YESTERDAY,)]
