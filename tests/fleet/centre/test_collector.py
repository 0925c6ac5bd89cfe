"""The collector end to end, with a real broker and a real database: nothing lost, nothing doubled, nothing receipted that is not there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import nats as nats_client
import psycopg
import pytest

from gate.fleet.centre import collector as module
from gate.fleet.centre.broker import connect, prepare
from gate.fleet.centre.collector import Collector
from gate.fleet.engines import RunningNats, RunningPostgres
from gate.fleet.messages import Receipt, believed


@asynccontextmanager
async def collecting(broker: RunningNats, dsn: str, keys: Any, signer: Any, name: str = "one") -> AsyncIterator[Collector]:
    client = await connect(broker.url, name)
    await prepare(client)
    stop, made = asyncio.Event(), Collector(client, dsn, keys, signer, name)
    task = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await task
        await client.close()


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.02)


class World:
    """A client as a gate has one, and the database to look into."""

    def __init__(self, client: Any, dsn: str, keys: Any) -> None:
        self.client, self.dsn, self.keys = client, dsn, keys

    async def send(self, gate: Any, kind: str, raw: bytes) -> None:
        await self.client.jetstream().publish(gate.subject(kind), raw, stream="EVENTS")

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    async def receipt(self, gate: Any) -> Receipt | None:
        try:
            told = await self.client.jetstream().get_last_msg("RECEIPTS", f"autogate-receipt.{gate.name}")
        except nats_client.js.errors.NotFoundError:
            return None
        return believed(told.data, Receipt, self.keys, "collector")

    async def receipted(self, gate: Any, through: int) -> bool:
        found = await self.receipt(gate)
        return found is not None and found.through == through and found.hash == gate.rows[through - 1].hash


@pytest.fixture
async def world(own_nats: RunningNats, centre: str, keys: Any) -> AsyncIterator[World]:
    client = await nats_client.connect(own_nats.url)
    yield World(client, centre, keys)
    await client.close()


async def test_what_a_gate_sends_is_committed_and_receipted(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any
) -> None:
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        gate.write(3)
        crossing = gate.cross()
        await world.send(gate, "crossing", gate.parcel([crossing]))
        await world.send(gate, "record", gate.parcel(gate.rows[:3]))
        await until(lambda: world.receipted(gate, 4))
        await world.send(gate, "checkpoint", gate.note())
        await world.client.publish(gate.subject("status"), gate.status())
        await until(lambda: asyncio.to_thread(lambda: world.ask("select count(*) from gate_status") == [(1,)]))
        await until(lambda: asyncio.to_thread(lambda: world.ask("select size from checkpoint") == [(4,)]))
    assert (await world.client.jetstream().stream_info("EVENTS")).state.messages == 0


async def test_what_is_not_believed_is_counted_and_never_stops_the_others(
    world: World, own_nats: RunningNats, gate: Any, make_gate: Any, keys: Any, collector_signer: Any
) -> None:
    other = make_gate("CGK.D08", "ab" * 8)
    gate.write(2)
    other.write(2)
    altered = bytearray(gate.parcel(gate.rows))
    altered[-70] ^= 1
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        for raw in (
            b"",
            b"\xc1" * 1000,
            bytes(altered),
            gate.parcel(gate.rows, format=2),
            other.parcel(other.rows),
            b"x" * (1 << 20),
        ):
            await world.send(gate, "record", raw)
        await world.send(gate, "record", gate.status())  # a message of another kind
        await world.send(other, "record", other.parcel(other.rows))
        await until(lambda: world.receipted(other, 2))
        await until(lambda: asyncio.to_thread(lambda: world.ask("select sum(count) from refusal") == [(7,)]))
    codes = dict(world.ask("select code, count from refusal where gate = 'CGK.D07'"))
    assert codes == {"malformed": 4, "forged": 1, "other_format": 1, "other_gate": 1}
    assert (await world.client.jetstream().stream_info("EVENTS")).state.messages == 0
    assert await world.receipt(gate) is None


async def test_a_gate_whose_key_was_revoked_is_heard_no_more(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any
) -> None:
    gate.write(2)
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        await world.send(gate, "record", gate.parcel(gate.rows[:1]))
        await until(lambda: world.receipted(gate, 1))
        keys.revoked.add(gate.name)
        await world.send(gate, "record", gate.parcel(gate.rows[1:]))
        await until(lambda: asyncio.to_thread(lambda: world.ask("select code from refusal") == [("revoked",)]))
    assert world.ask("select through from gate_log") == [(1,)]


async def test_a_database_that_is_killed_is_waited_for_and_nothing_is_receipted_meanwhile(
    world: World, own_nats: RunningNats, own_postgres: RunningPostgres, gate: Any, keys: Any, collector_signer: Any
) -> None:
    from gate.fleet.centre.database import migrate

    migrate(own_postgres.dsn)
    world.dsn = own_postgres.dsn
    gate.write(4)
    async with collecting(own_nats, world.dsn, keys, collector_signer) as made:
        await world.send(gate, "record", gate.parcel(gate.rows[:2]))
        await until(lambda: world.receipted(gate, 2))
        own_postgres.kill()
        await world.send(gate, "record", gate.parcel(gate.rows[2:]))

        async def told() -> bool:
            return "database" in made.problem

        await until(told)
        assert await world.receipted(gate, 2)
        await asyncio.to_thread(own_postgres.restart)
        await until(lambda: world.receipted(gate, 4))
    assert world.ask("select count(*), max(through) from event, gate_log") == [(4, 4)]


async def test_a_broker_that_is_killed_is_waited_for(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any
) -> None:
    gate.write(4)
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        await world.send(gate, "record", gate.parcel(gate.rows[:2]))
        await until(lambda: world.receipted(gate, 2))
        own_nats.kill()
        await asyncio.to_thread(own_nats.restart)
        client = await nats_client.connect(own_nats.url)
        await client.jetstream().publish(gate.subject("record"), gate.parcel(gate.rows[2:]))
        await until(lambda: world.receipted(gate, 4))
        await client.close()


async def test_a_broker_that_lost_its_disk_gets_its_streams_again(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any, tmp_path: Any
) -> None:
    import shutil

    gate.write(2)
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        own_nats.kill()
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        await asyncio.to_thread(own_nats.restart)

        async def sent() -> bool:
            try:
                await world.send(gate, "record", gate.parcel(gate.rows))
            except (nats_client.errors.Error, TimeoutError):
                return False
            return True

        await until(sent)
        await until(lambda: world.receipted(gate, 2))


async def test_one_killed_between_commit_and_acknowledgement_leaves_it_to_the_next(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.write(3)
    monkeypatch.setattr("gate.fleet.centre.broker.REDELIVER_S", 1.0)

    async def nothing(*_: Any, **__: Any) -> None:
        return

    with monkeypatch.context() as killed:  # it committed, and then was no more
        killed.setattr(module, "acknowledge", nothing)
        killed.setattr(module.Receipts, "give", nothing)
        async with collecting(own_nats, world.dsn, keys, collector_signer, "first"):
            await world.send(gate, "record", gate.parcel(gate.rows))
            await until(lambda: asyncio.to_thread(lambda: world.ask("select max(through) from gate_log") == [(3,)]))
    assert await world.receipt(gate) is None
    async with collecting(own_nats, world.dsn, keys, collector_signer, "second"):
        await until(lambda: world.receipted(gate, 3))
    assert world.ask("select count(*) from event") == [(3,)]


async def test_two_share_the_work_and_one_goes_on_alone(
    world: World, own_nats: RunningNats, make_gate: Any, keys: Any, collector_signer: Any
) -> None:
    gates = [make_gate(f"SUB.D{n:02}", f"{n:016x}") for n in range(8)]
    for each in gates:
        each.write(12)
    async with collecting(own_nats, world.dsn, keys, collector_signer, "a") as first:
        async with collecting(own_nats, world.dsn, keys, collector_signer, "b") as second:
            for start in range(0, 8, 2):
                for each in gates:
                    await world.send(each, "record", each.parcel(each.rows[start : start + 2]))
            for each in gates:
                await until(lambda each=each: world.receipted(each, 8))
            shared = first.events, second.events
        for each in gates:
            await world.send(each, "record", each.parcel(each.rows[8:]))
            await until(lambda each=each: world.receipted(each, 12))
    assert sum(shared) == 64
    assert world.ask("select count(*) from event") == [(96,)]


async def test_a_message_that_the_database_cannot_take_is_refused_alone(
    world: World,
    own_nats: RunningNats,
    gate: Any,
    make_gate: Any,
    keys: Any,
    collector_signer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever slips through what is examined before."""
    other = make_gate("CGK.D09", "cd" * 8)
    gate.write(1, transaction="nul")
    other.write(1)
    real = module.store

    async def choosy(connection: Any, came: Any) -> Any:
        if any(getattr(one, "parcel", None) and one.parcel.gate == gate.name for one in came):
            raise psycopg.DataError("it holds a NUL")
        return await real(connection, came)

    monkeypatch.setattr(module, "store", choosy)
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        await world.send(gate, "record", gate.parcel(gate.rows))
        await world.send(other, "record", other.parcel(other.rows))
        await until(lambda: world.receipted(other, 1))
        await until(lambda: asyncio.to_thread(lambda: world.ask("select gate, code from refusal") == [("CGK.D07", "malformed")]))
    assert (await world.client.jetstream().stream_info("EVENTS")).state.messages == 0


HEADERS = (
    b"NATS/1.0 503\r\n\r\n",  # as the server says that something is missing
    b"NATS/1.0\r\nStatus: 409\r\n\r\n",
    b"NATS/1.0",
    b"NATS/1.0 \xff\xff\xff\r\n\r\n",
    b"NATS/1.0\r\nno header\r\n\r\n",
    b"\xff" * 40,
)


def published_as_told(port: int, subject: str, messages: list[tuple[bytes, bytes]]) -> None:
    """Headers and payloads, over a line of our own: no library would write such headers."""
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
        for headers, raw in messages:
            told = f"HPUB {subject} {len(headers)} {len(headers) + len(raw)}\r\n".encode()
            line.sendall(told + headers + raw + b"\r\n")
        line.sendall(b"PING\r\n")
        said = b""
        while b"PONG" not in said:
            said += line.recv(65_536)


async def test_headers_that_a_gate_makes_up_keep_nobody_waiting(
    world: World, own_nats: RunningNats, gate: Any, make_gate: Any, keys: Any, collector_signer: Any
) -> None:
    other = make_gate("CGK.D08", "ab" * 8)
    gate.write(len(HEADERS))
    other.write(1)
    messages = [(headers, gate.parcel([row])) for headers, row in zip(HEADERS, gate.rows, strict=True)]
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        await asyncio.to_thread(published_as_told, own_nats.port, gate.subject("record"), messages)
        await world.send(other, "record", other.parcel(other.rows))
        await until(lambda: world.receipted(other, 1))
        await until(lambda: world.receipted(gate, len(HEADERS)))
    assert (await world.client.jetstream().stream_info("EVENTS")).state.messages == 0


async def test_a_record_of_a_day_that_was_dropped_meanwhile_is_stored_and_not_refused(
    world: World, own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any
) -> None:
    gate.at -= timedelta(days=70)
    gate.write(2)
    async with collecting(own_nats, world.dsn, keys, collector_signer):
        await world.send(gate, "record", gate.parcel(gate.rows[:1]))
        await until(lambda: world.receipted(gate, 1))
        with psycopg.connect(world.dsn) as connection:
            connection.execute(f"drop table event_{gate.at:%Y%m%d}")
        await world.send(gate, "record", gate.parcel(gate.rows[1:]))
        await until(lambda: world.receipted(gate, 2))
    assert world.ask("select count(*) from refusal") == [(0,)]


async def test_the_service_manager_hears_that_it_is_ready_and_works(
    world: World, own_nats: RunningNats, keys: Any, collector_signer: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", str(tmp_path / "notify"))
        async with collecting(own_nats, world.dsn, keys, collector_signer):
            assert await asyncio.to_thread(manager.recv, 1024) == b"READY=1"
            assert (await asyncio.to_thread(manager.recv, 1024)).startswith(b"WATCHDOG=1\nSTATUS=")
