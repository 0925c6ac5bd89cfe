"""The lane's own work: deciding, making durable (floor: the disk's fsync), a message to and fro (floor: bytes over the same socket)."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.audit.log import AuditLog, encode
from gate.decision import Outcome, decide_entry, decide_exit
from gate.evidence import Evidence, Stage
from gate.lane import Event, Lane, View, step
from gate.policy.schema import load_rules
from gate.policy.survey.samples import satisfying
from gate.processes import channel
from gate.processes.messages import DocumentChecked
from gate.records import DecisionRecord

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
RULES = load_rules()
PORTRAIT = bytes(15_000)


def clean(stage: Stage) -> Evidence:
    """Evidence on which the ordinary traveller's grant opens."""
    grant = next(grant for grant in RULES.grants if grant.entry.id == f"citizen-ordinary-departure-{stage}")
    return satisfying(grant, NOW)


@pytest.mark.benchmark(group="gate: decisions and table")
@pytest.mark.parametrize("stage", Stage)
def test_decide(benchmark, stage):
    decide = decide_entry if stage is Stage.ENTRY else decide_exit
    assert benchmark(decide, clean(stage), RULES, NOW).outcome is Outcome.OPEN


@pytest.mark.benchmark(group="gate: decisions and table")
def test_step_of_the_lane_table(benchmark):
    benchmark(step, Lane(), Event.PLANT, View())


@pytest.mark.benchmark(group="gate: durable")
def test_append_a_permit(benchmark, disk: Path):
    evidence = clean(Stage.EXIT)
    record = DecisionRecord(at=NOW, evidence=evidence, decision=decide_exit(evidence, RULES, NOW))
    log = AuditLog(disk / "audit.sqlite3", b"k" * 32)
    benchmark(log.append, "permit", "t-1", record, NOW, 1.0)
    benchmark.extra_info["bytes"] = len(encode(record))
    log.close()


@pytest.mark.benchmark(group="gate: durable")
def test_floor_write_and_fsync(benchmark, disk: Path):
    """As many bytes as SQLite's log gets for a permit: two pages of 4 KiB and their headers."""
    file = os.open(disk / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def durable() -> None:
        os.write(file, bytes(2 * (4096 + 24)))
        os.fdatasync(file)

    benchmark(durable)
    os.close(file)


class Ends:
    """A server that sends everything back, and a client, on one loop."""

    def __init__(self, path: Path) -> None:
        self.loop, self.path = asyncio.new_event_loop(), path

    def run(self, work):
        return self.loop.run_until_complete(work)

    async def messages(self):
        async def back(_join, peer) -> None:
            while True:
                await peer.send(await peer.receive())

        self.server = await channel.serve(self.path, "s", back)
        return await channel.connect(self.path, "reader", channel.role_secret("s", "reader"))

    async def streams(self):
        async def back(reader, writer) -> None:
            while data := await reader.read(1 << 16):
                writer.write(data)
            writer.close()

        self.server = await asyncio.start_unix_server(back, self.path)
        return await asyncio.open_unix_connection(self.path)


@pytest.fixture
def ends(tmp_path: Path):
    both = Ends(tmp_path / "sock")
    yield both
    both.server.close()
    both.run(asyncio.sleep(0.05))
    both.loop.close()


@pytest.mark.benchmark(group="gate: a message of 15 kB to and fro")
def test_channel_round_trip(benchmark, ends):
    client = ends.run(ends.messages())
    message = DocumentChecked(transaction="t", facts={}, stages=(), portrait=PORTRAIT, last_byte_boot=1.0)

    async def round_trip():
        await client.send(message)
        return await client.receive()

    assert benchmark(lambda: ends.run(round_trip())) == message
    ends.run(client.close())


@pytest.mark.benchmark(group="gate: a message of 15 kB to and fro")
def test_floor_bare_stream_round_trip(benchmark, ends):
    reader, writer = ends.run(ends.streams())

    async def round_trip() -> bytes:
        writer.write(PORTRAIT)
        return await reader.readexactly(len(PORTRAIT))

    assert benchmark(lambda: ends.run(round_trip())) == PORTRAIT
    writer.close()
