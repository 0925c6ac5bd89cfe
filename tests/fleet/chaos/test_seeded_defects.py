"""A collector that speaks too early, or writes over what it has, turns the checks red; an honest one does not."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.fleet_gates import Gate, collector_signer, write_keys
from benchmarks.fleet_generator import Line
from benchmarks.fleet_history import History, judged, read_receipts
from benchmarks.fleet_outboxes import Running
from benchmarks.fleet_promises import Promises
from benchmarks.fleet_relay import HOST, Faults, Relay
from gate.config_sections import Fleet
from gate.fleet.centre import store
from gate.fleet.centre.arrivals import ParcelCame, arrival
from gate.fleet.centre.broker import acknowledge, connect, prepare
from gate.fleet.centre.collector import Collector
from gate.fleet.centre.database import migrate
from gate.fleet.centre.store import Held
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import Parcel, Row, message_id, sealed, subject

GATES = [Gate(number) for number in range(700, 708)]
EARLY_S = 0.3
"""For so long a collector that speaks too early leaves it at words."""


class Fleet8:
    """Eight light gates, one collector behind a relay that watches its promises."""

    def __init__(self, folder: Path, url: str, dsn: str, promises: Promises) -> None:
        self.dsn, self.promises, self.receipts = dsn, promises, io.StringIO()
        self._keys, self._folder = folder / "keys.json", folder
        config = Fleet(url=url, signing_key=Path("none"), keys=self._keys)
        keys = FileKeys(self._keys)
        self.gates = [Running.light(gate, folder, keys, 1000.0) for gate in GATES]
        self.line = Line(config, self.gates, self.receipts)
        self.beside: list[asyncio.Task[None]] = []

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():
                for task in self.beside:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)

    async def tells_another_story(self) -> None:
        """The first gate, under the numbers that it has used; returns once the centre has looked at it."""
        gate, before = self.gates[0].gate, len(self.receipts.getvalue())
        log = gate.memory_log()
        gate.one_traveller(log, 99)
        rows = tuple(Row(*row) for row in log.rows(0, 1000))
        parcel = Parcel(gate=gate.id, log=log.log_id(), start=log.start().hash, rows=rows)
        await self.line._send(subject(gate.id, "record"), sealed(gate.signer, parcel), message_id(parcel))
        await self.until(lambda: gate.id in self.receipts.getvalue()[before:])

    def history(self) -> History:
        file = self._folder / "receipts"
        file.write_text(self.receipts.getvalue(), encoding="ascii")
        return judged(self.dsn, [one.written() for one in self.gates], read_receipts([file]))


@pytest.fixture
def fleet(own_nats, database, tmp_path):
    """Of a collector class: everything running, two travellers of each gate acknowledged."""

    @asynccontextmanager
    async def running(kind: type[Collector]):
        migrate(database)
        write_keys(tmp_path / "keys.json", GATES)
        promises = Promises(database, every=1)
        relay = Relay(own_nats.port, Faults(lost=0, doubled=0, late=0), 1, promises.saw)
        client = await connect(f"nats://{HOST}:{await relay.start()}", "c")
        await prepare(client)
        keys, stop = FileKeys(tmp_path / "keys.json"), asyncio.Event()
        collector = asyncio.create_task(kind(client, database, keys, collector_signer(), "c").run(stop))
        eight = Fleet8(tmp_path, own_nats.url, database, promises)
        line = asyncio.create_task(eight.line.run())
        eight.beside = [collector, line]
        try:
            for _ in range(2):  # while the first ones come, the database makes partitions, and answers nobody
                for one in eight.gates:
                    await one.one_traveller()
                await eight.until(lambda: not any(one.outstanding for one in eight.gates))
            yield eight
        finally:
            line.cancel()
            stop.set()
            await asyncio.gather(line, collector, return_exceptions=True)
            await client.close()
            await relay.close()
            promises.close()

    return running


class AcksBeforeItCommits(Collector):
    async def _take_in(self, messages):
        await acknowledge(messages)
        await asyncio.sleep(EARLY_S)
        await super()._take_in(messages)


class SpeaksBeforeItCommits(Collector):
    """Its receipts say what it is going to have."""

    async def _take_in(self, messages):
        came = [arrival(one.subject, one.data, one.metadata.timestamp, self._keys, self._clock) for one in messages]
        last = [(one.parcel, one.parcel.rows[-1]) for one in came if isinstance(one, ParcelCame)]
        await self._receipts.give([Held(gate=of.gate, log=of.log, through=row.seq, hash=row.hash) for of, row in last])
        await asyncio.sleep(EARLY_S)
        await super()._take_in(messages)


async def test_an_honest_collector_keeps_every_promise(fleet):
    async with fleet(Collector) as eight:
        pass
    assert eight.promises.broken == []
    assert eight.promises.looked["acks"] > 0
    assert eight.promises.looked["receipts"] > 0
    assert eight.history().findings == []


@pytest.mark.parametrize(("kind", "what"), [(AcksBeforeItCommits, "ack "), (SpeaksBeforeItCommits, "receipt ")])
async def test_a_collector_that_speaks_before_its_commit_is_found_out(fleet, kind, what):
    async with fleet(kind) as eight:
        pass
    assert any(broken.startswith(what) for broken in eight.promises.broken)


async def overwriting(connection, logs):
    """``on conflict do update``: what came last counts."""
    for log in logs.values():
        for row, day in [*log.chain.new.values(), *log.chain.seen]:
            columns = store._columns(log.no, day, row)
            await connection.execute(
                "insert into event (log_no, seq, day, at, boot, transaction, kind, body, previous, hash) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
                "on conflict (log_no, seq, day) do update set body = excluded.body, hash = excluded.hash, previous = excluded.previous",
                columns,
            )


@pytest.mark.parametrize("overwrites", [False, True])
async def test_a_collector_that_writes_over_what_it_has_is_found_out(fleet, monkeypatch, overwrites):
    """A gate tells another story under the same numbers: the centre keeps the first one."""
    if overwrites:
        monkeypatch.setattr(store, "_put_events", overwriting)
    async with fleet(Collector) as eight:
        await eight.tells_another_story()
    assert bool(eight.history().findings) is overwrites
