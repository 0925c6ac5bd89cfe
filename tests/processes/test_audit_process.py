"""The audit's own process, as the service starts it, beside a lane that only listens."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.audit.command import opened
from gate.audit.fields import sealed, taken
from gate.audit.keyring import Keyring
from gate.audit.keys import VERIFIER_FILE, make_key, read_verifier
from gate.audit.ledger import ledger_lines
from gate.audit.log import FILE_NAME, AuditLog
from gate.audit.note import Checkpoint
from gate.audit.verify import Evidence, verify_log
from gate.clock import civil_date
from gate.processes.channel import Channel, ChannelClosed, serve
from gate.processes.messages import AuditReport, Join, TellTally
from gate.profiles import DEMO_MARKER
from gate.runtime import Runtime

pytestmark = pytest.mark.processes
KEY = b"k" * 32
LIMIT_S = 30.0
CONFIG = """\
profile = "demo"
state_dir = "state"
[lane]
id = "L1"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "world"
[camera]
kind = "simulator"
address = "world"
[controller]
device = "run/controller.tty"
[face]
pack = "demo"
packs_dir = "packs"
[trust]
store = "trust"
[audit]
key = "audit.key"
witness = "{seen}"
"""


@pytest.fixture
def gate(tmp_path):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / DEMO_MARKER).touch()
    (tmp_path / "state").mkdir()
    make_key(tmp_path / "audit.key")
    (tmp_path / "gate.toml").write_text(CONFIG.format(seen=tmp_path / "seen"))
    runtime = Runtime.create()
    yield tmp_path, runtime
    runtime.remove()


def write(folder: Path, count: int) -> None:
    log = AuditLog(folder / "state" / FILE_NAME, KEY)
    for number in range(count):
        log.append("event", f"t-{number}", b"{}", datetime.now(UTC), 1.0)
    log.close()


def sizes(folder: Path) -> list[int]:
    seen = folder / "seen"
    return [Checkpoint.parse(note.text).size for _, note in ledger_lines(seen)] if seen.exists() else []


class Lane:
    """What the process said; hanging up ends it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[object] = asyncio.Queue()
        self.over = asyncio.Event()

    async def peer(self, join: Join, channel: Channel) -> None:
        assert join.role == "audit"
        listening = asyncio.create_task(self._listen(channel))
        await self.over.wait()
        listening.cancel()

    async def _listen(self, channel: Channel) -> None:
        with contextlib.suppress(ChannelClosed):
            while True:
                self.heard.put_nowait(await channel.receive())


@contextlib.asynccontextmanager
async def running(gate) -> AsyncIterator[Lane]:
    folder, runtime = gate
    lane = Lane()
    server = await serve(runtime.lane_socket, runtime.secret, lane.peer)
    command = [sys.executable, "-m", "gate.processes.audit", "--config", folder / "gate.toml", "--runtime", runtime.folder]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield lane
        lane.over.set()
        assert await asyncio.wait_for(process.wait(), LIMIT_S) == 0
    finally:
        lane.over.set()
        server.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(what, limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not what():
            await asyncio.sleep(0.02)


async def test_it_signs_has_witnessed_and_signs_once_more_when_the_lane_has_closed_its_log(gate):
    folder, _ = gate
    write(folder, 3)
    async with running(gate):
        await until(lambda: sizes(folder) == [3])
        write(folder, 2)
    assert sizes(folder)[-1] == 5
    key = read_verifier(folder / "state" / VERIFIER_FILE)
    assert key.name == "autogate/L1"
    with opened(folder / "state", KEY) as (log, tree):
        assert verify_log(log, tree, Evidence(gate=key, ledger=folder / "seen")).findings == ()


async def test_it_tells_the_lane_of_a_log_that_was_changed(gate):
    folder, _ = gate
    write(folder, 4)
    async with running(gate):
        await until(lambda: sizes(folder) == [4])
    with contextlib.closing(sqlite3.connect(folder / "state" / FILE_NAME)) as log:
        log.execute("DELETE FROM record WHERE seq > 2")
        log.commit()
    async with running(gate) as lane:
        report = await asyncio.wait_for(lane.heard.get(), LIMIT_S)
    assert isinstance(report, AuditReport)
    assert report.bent
    assert "cut off" in report.problem
    assert sizes(folder) == [4]


SEALS = """\
sealing_key = "sealing.key"
[fleet]
url = "nats://127.0.0.1:4222"
signing_key = "fleet.key"
keys = "keys.json"
"""
CROSSED = b'{"direction":"departure","document_class":"service","outcome":"OPEN","reasons":[],"demonstration":true}'


async def test_of_a_day_that_is_over_it_tells_the_lane_how_many_official_books_came(gate):
    folder, _ = gate
    sealing, config = folder / "sealing.key", folder / "gate.toml"
    sealing.write_text("5a" * 32)
    sealing.chmod(0o600)
    config.write_text(config.read_text() + SEALS)
    at = datetime.now(UTC) - timedelta(days=2)
    log = AuditLog(folder / "state" / FILE_NAME, KEY)
    with Keyring.of(folder / "state", sealing, "make") as ring:
        clear, parts = taken("transaction", CROSSED)
        for number in range(23):
            boxes = {kind: ring.seal(f"t-{number}", "transaction", kind, plain, at.date()) for kind, plain in parts.items()}
            log.append("transaction", f"t-{number}", sealed(clear, boxes), at, 1.0)
    log.close()
    async with running(gate) as lane:
        told = await asyncio.wait_for(lane.heard.get(), LIMIT_S)
    assert isinstance(told, TellTally)
    assert told.tally.day == civil_date(at, "CGK")
    assert [(each.document_class, each.passed, each.count) for each in told.tally.counts] == [
        ("", True, 23),
        ("service", True, 23),
    ]
