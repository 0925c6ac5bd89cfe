"""The drill: a gate is stolen with all its keys. Broker and collector refuse it at once, its name goes on with another key and another log, and
nobody else notices. With the real broker, the real database and the real collector.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from gate.fleet.centre.broker import prepare
from gate.fleet.centre.collector import Collector
from gate.fleet.centre.database import migrate
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import Parcel, Receipt, Row, believed, message_id, receipt_subject, sealed, subject

STOLEN, OTHER = "CGK.D07", "CGK.D08"
WAIT_S = 20.0


class Log:
    """Of a gate, in memory; its hashes link, and that is all that the centre can check without the gate's own key."""

    def __init__(self, member, log):
        self.member, self.log, self.rows = member, log, []
        self.start = hashlib.sha256(log.encode()).digest()

    def parcel(self, count):
        for _ in range(count):
            seq, previous = len(self.rows) + 1, self.rows[-1].hash if self.rows else self.start
            at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat().encode()
            self.rows.append(
                Row(seq, at, 1.0, b"", b"event", b"{}", previous, hashlib.sha256(previous + at + bytes([seq])).digest())
            )
        return Parcel(gate=self.member.entry.name, log=self.log, start=self.start, rows=tuple(self.rows[-count:]))

    async def publish(self, client, count):
        parcel = self.parcel(count)
        where = subject(parcel.gate, "record")
        await client.jetstream().publish(where, sealed(self.member.signer, parcel), headers={"Nats-Msg-Id": message_id(parcel)})


@contextlib.asynccontextmanager
async def collecting(brokered, database, keys):
    """A collector at work."""
    stop = asyncio.Event()
    async with brokered.connected("jakarta") as client:
        await prepare(client, most_bytes=32 << 20)
        work = asyncio.create_task(Collector(client, database, keys, brokered.members["jakarta"].signer, "jakarta").run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(work, WAIT_S)


async def until(database, question, expected):
    """Wait until the database answers ``expected``."""
    found = None
    async with asyncio.timeout(WAIT_S):
        while found != expected:
            await asyncio.sleep(0.05)
            async with await psycopg.AsyncConnection.connect(database) as connection:
                found = await (await connection.execute(question)).fetchall()


HELD = "select gate, log, through from gate_log order by gate, log"


@pytest.mark.timeout(120)
async def test_a_stolen_gates_records_are_refused_counted_and_told_and_its_successor_is_believed(brokered, database, monkeypatch):
    monkeypatch.setattr("gate.fleet.centre.collector.HOUSE_S", 0.2)
    migrate(database)
    folder = brokered.folder
    keys = FileKeys(folder.keys, people=folder.people)
    thief, other = Log(brokered.members[STOLEN], "a" * 16), Log(brokered.members[OTHER], "b" * 16)

    async with brokered.connected(OTHER) as neighbour:
        async with brokered.connected(STOLEN) as gate:
            async with collecting(brokered, database, keys):
                await thief.publish(gate, 3)
                await other.publish(neighbour, 2)
                await until(database, HELD, [(STOLEN, "a" * 16, 3), (OTHER, "b" * 16, 2)])
            await thief.publish(gate, 2)  # waits in the broker while the theft is found out
            assert brokered.revoke(STOLEN)
            async with asyncio.timeout(WAIT_S):
                while gate.is_connected:
                    await asyncio.sleep(0.05)
        async with collecting(brokered, database, keys):
            receipts = await neighbour.subscribe(receipt_subject(OTHER))
            await other.publish(neighbour, 1)
            await until(database, "select gate, code, count from refusal", [(STOLEN, "revoked", 1)])
            await until(database, HELD, [(STOLEN, "a" * 16, 3), (OTHER, "b" * 16, 3)])
            await until(database, "select kind, gate from alert where closed is null and kind = 'forged'", [("forged", STOLEN)])
            raw = (await receipts.next_msg(timeout=WAIT_S)).data
            assert believed(raw, Receipt, keys, "collector").gate == OTHER

            successor = Log(brokered.admit(STOLEN, as_="successor"), "c" * 16)
            async with asyncio.timeout(WAIT_S):
                while True:
                    with contextlib.suppress(Exception):  # until the server has read its configuration
                        async with brokered.connected("successor") as gate:
                            await successor.publish(gate, 4)
                            break
            await until(database, HELD, [(STOLEN, "a" * 16, 3), (STOLEN, "c" * 16, 4), (OTHER, "b" * 16, 3)])
