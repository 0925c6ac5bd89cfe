"""Alerts open when something is wrong and close when it no more is; forks and gates that were taken away are people's to settle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from gate.fleet.centre.alerts import alerts, look, settle
from gate.fleet.centre.arrivals import arrival
from gate.fleet.centre.collector import connect
from gate.fleet.centre.partitions import Partitions, ahead
from gate.fleet.centre.store import days, prepare, store


class Centre:
    def __init__(self, dsn: str, keys: Any, connection: Any) -> None:
        self.dsn, self.keys, self.connection = dsn, keys, connection

    async def take(self, subject: str, raw: bytes) -> None:
        now = lambda: datetime.now(UTC)
        came = [arrival(subject, raw, now(), self.keys, now)]
        await Partitions().ensure(self.connection, days(came))
        await store(self.connection, came)

    async def change(self, statement: str) -> None:
        assert (await self.connection.execute(statement)).rowcount > 0

    async def open(self) -> list[tuple[str, str]]:
        await look(self.connection)
        with psycopg.connect(self.dsn) as connection:
            return [(each.kind, each.gate) for each in alerts(connection)]


@pytest.fixture
async def at_centre(centre: str, keys: Any) -> AsyncIterator[Centre]:
    connection = await connect(centre, "test")
    await prepare(connection)
    await Partitions().ensure(connection, ahead(datetime.now(UTC)))
    yield Centre(centre, keys, connection)
    await connection.close()


async def test_a_gate_that_says_nothing_for_a_minute_is_silent_until_it_speaks(gate: Any, at_centre: Centre) -> None:
    await at_centre.take(gate.subject("status"), gate.status())
    assert await at_centre.open() == []
    await at_centre.change("update gate_status set told = told - interval '61 seconds'")
    assert ("silent", gate.name) in await at_centre.open()
    await at_centre.take(gate.subject("status"), gate.status())
    assert await at_centre.open() == []
    with psycopg.connect(at_centre.dsn) as connection:
        assert [each.kind for each in alerts(connection, closed=True) if each.closed]


async def test_records_that_stay_away_make_a_gate_late(gate: Any, at_centre: Centre) -> None:
    gate.write(3)
    await at_centre.take(gate.subject("status"), gate.status())
    assert await at_centre.open() == []
    await at_centre.change("update gate_status set behind_since = now() - interval '6 minutes'")
    assert await at_centre.open() == [("late", gate.name)]
    await at_centre.take(gate.subject("record"), gate.parcel(gate.rows))
    assert await at_centre.open() == []
    await at_centre.take(gate.subject("status"), gate.status())
    assert (await (await at_centre.connection.execute("select behind_since from gate_status")).fetchall()) == [(None,)]


async def test_a_missing_record_is_a_gap_until_it_comes(gate: Any, at_centre: Centre) -> None:
    gate.write(3)
    await at_centre.take(gate.subject("record"), gate.parcel(gate.rows[1:]))
    assert await at_centre.open() == []
    await at_centre.change("update pending set received = now() - interval '6 minutes'")
    await at_centre.change("update gate_log set moved = now() - interval '6 minutes'")
    assert await at_centre.open() == [("gap", gate.name)]
    await at_centre.take(gate.subject("record"), gate.parcel(gate.rows[:1]))
    assert await at_centre.open() == []


async def test_a_fork_stays_open_until_somebody_settles_it(gate: Any, at_centre: Centre) -> None:
    gate.write(2)
    await at_centre.take(gate.subject("record"), gate.parcel(gate.rows))
    gate.rows = gate.rows[:1]
    await at_centre.take(gate.subject("record"), gate.parcel(gate.write(1, body=b"{}")))
    assert await at_centre.open() == [("fork", gate.name)] == await at_centre.open()
    with psycopg.connect(at_centre.dsn) as connection:
        [found] = alerts(connection)
        assert settle(connection, found.id)
        assert not settle(connection, found.id)
    assert await at_centre.open() == []


async def test_a_gate_that_was_taken_away_is_settled(gate: Any, at_centre: Centre) -> None:
    await at_centre.take(gate.subject("status"), gate.status())
    await at_centre.change("update gate_status set told = told - interval '1 day', at = at - interval '1 day'")
    await at_centre.open()
    with psycopg.connect(at_centre.dsn) as connection:
        [found] = alerts(connection)
        settle(connection, found.id)
    assert await at_centre.open() == []


async def test_a_clock_that_is_off_is_told(gate: Any, at_centre: Centre) -> None:
    ahead_of_time = (datetime.now(UTC) + timedelta(minutes=3)).isoformat()
    await at_centre.take(gate.subject("status"), gate.status(at=ahead_of_time))
    assert await at_centre.open() == [("clock", gate.name)]


async def test_an_older_status_sent_again_changes_nothing(gate: Any, at_centre: Centre) -> None:
    old, new = gate.status(state="idle"), gate.status(state="fault")
    for raw in (new, old):
        await at_centre.take(gate.subject("status"), raw)
    assert (await (await at_centre.connection.execute("select state from gate_status")).fetchall()) == [("fault",)]


async def test_a_gate_whose_clock_was_far_ahead_is_heard_when_it_is_set_right(gate: Any, at_centre: Centre) -> None:
    async def told() -> Any:
        return await (await at_centre.connection.execute("select state from gate_status")).fetchone()

    await at_centre.take(gate.subject("status"), gate.status(at="2099-01-01T00:00:00+00:00", state="fault"))
    right = gate.status(state="idle")
    await at_centre.take(gate.subject("status"), right)
    assert await told() == ("idle",)
    assert await at_centre.open() == []
    await at_centre.take(gate.subject("status"), gate.status(state="hold"))
    await at_centre.take(gate.subject("status"), right)
    assert await told() == ("hold",), "and an old one sent again still says nothing"


async def test_forgeries_are_told_apart_from_what_is_merely_malformed(gate: Any, at_centre: Centre) -> None:
    gate.write(1)
    raw = bytearray(gate.parcel(gate.rows))
    raw[-1] ^= 1
    await at_centre.take(gate.subject("record"), bytes(raw))
    await at_centre.take(gate.subject("record"), b"nonsense")
    assert sorted(await at_centre.open()) == [("forged", gate.name), ("refused", gate.name)]
    await at_centre.change("update refusal set last = now() - interval '2 hours'")
    assert await at_centre.open() == []
