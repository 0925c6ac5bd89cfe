"""The check of a history finds whatever is missing, changed, twice or invented in the centre's database."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import psycopg
import pytest

from benchmarks.fleet_gates import RECORDS, Gate
from benchmarks.fleet_history import Receipted, Written, judged, judged_in
from gate.audit.chain import chain_key
from gate.fleet.centre import store
from gate.fleet.centre.arrivals import ParcelCame
from gate.fleet.centre.collector import connect
from gate.fleet.centre.database import migrate
from gate.fleet.centre.partitions import Partitions
from gate.fleet.messages import Parcel, Row

GATES = (Gate(1), Gate(2))


def parcel_of(gate: Gate, log) -> ParcelCame:
    rows = tuple(Row(*row) for row in log.rows(0, 1000))
    parcel = Parcel(gate=gate.id, log=log.log_id(), start=log.start().hash, rows=rows)
    return ParcelCame(parcel=parcel, rows=tuple((row, day(row)) for row in rows), raw=b"")


def day(row: Row) -> date:
    return datetime.fromisoformat(row.at.decode()).date()


def written_by(gate: Gate, log) -> Written:
    head, start = log.head(), log.start().hash
    return Written(gate=gate.id, log=log.log_id(), key=chain_key(gate.secret), start=start, count=head.seq, head=head.hash)


async def filled(dsn: str, parcels: list[ParcelCame]) -> None:
    connection = await connect(dsn, "test")
    async with connection:
        await Partitions().ensure(connection, store.days(parcels))
        await store.prepare(connection)
        await store.store(connection, parcels)


@pytest.fixture(scope="module")
def database(postgres) -> str:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create database histories")
    return postgres.dsn_of("histories")


@pytest.fixture(scope="module")
def history(database):
    """Two gates with two travellers each, honestly stored; their journals."""
    migrate(database)
    journals, parcels = [], []
    for gate in GATES:
        log = gate.memory_log()
        for count in range(2):
            gate.one_traveller(log, count)
        journals.append(written_by(gate, log))
        parcels.append(parcel_of(gate, log))
    asyncio.run(filled(database, parcels))
    return journals


def receipts(journals: list[Written]) -> list[Receipted]:
    return [Receipted(gate=one.gate, log=one.log, through=one.count, hash=one.head) for one in journals]


def test_an_honest_history_is_accused_of_nothing(database, history):
    found = judged(database, history, receipts(history))
    assert found.findings == []
    assert (found.gates, found.events, found.receipts) == (2, 4 * RECORDS, 2)


INSERT = "insert into event (log_no, seq, day, at, boot, transaction, kind, body, previous, hash)"
TAMPERINGS = {
    "one in the middle is gone": "delete from event where log_no = 1 and seq = 7",
    "the last is gone": f"delete from event where log_no = 1 and seq = {2 * RECORDS}",
    "the first is gone": "delete from event where log_no = 1 and seq = 1",
    "a body was changed": "update event set body = body || ' '::bytea where log_no = 1 and seq = 9",
    "an instant was changed": "update event set at = at + interval '1 microsecond' where log_no = 1 and seq = 9",
    "a link was changed": "update event set previous = hash where log_no = 1 and seq = 9",
    "two have changed places": "update event set body = (select body from event where log_no = 1 and seq = 20) where log_no = 1 and seq = 6",
    "one is there twice": (
        f"{INSERT} select log_no, seq, '0001-01-01', at, boot, transaction, kind, body, previous, hash from event "
        "where log_no = 1 and seq = 3"
    ),
    "one was added": (
        f"{INSERT} select log_no, seq + 1, day, at, boot, transaction, kind, body, hash, hash from event "
        f"where log_no = 1 and seq = {2 * RECORDS}"
    ),
    "a log was invented": "insert into gate_log (gate, log, start, hash) values ('CGK.X', repeat('0', 16), ''::bytea, ''::bytea)",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_whatever_was_done_to_it_is_found(database, history, tampering):
    with psycopg.connect(database) as connection:
        connection.execute(
            "create table if not exists event_odd partition of event for values from ('0001-01-01') to ('0001-01-02')"
        )
        connection.execute(TAMPERINGS[tampering])
        assert judged_in(connection, history, receipts(history)).findings
        connection.rollback()


def test_a_receipt_for_what_is_not_there_is_found(database, history):
    one = history[0]
    for wrong in (
        Receipted(gate=one.gate, log=one.log, through=one.count + 1, hash=one.head),
        Receipted(gate=one.gate, log=one.log, through=3, hash=one.head),
        Receipted(gate=one.gate, log="0" * 16, through=3, hash=one.head),
    ):
        assert judged(database, history, [*receipts(history), wrong]).findings
