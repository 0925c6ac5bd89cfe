"""The fleet's process beside a lane that only listens, a real broker and a centre of a few lines: the log gets there, whatever ends meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from edge_gate import GATE, TwoKeys, directory_file

from gate.config import load
from gate.fleet.centre.broker import prepare
from gate.fleet.messages import CheckpointNote, Parcel, Status, believed, receipt_subject, subject
from gate.fleet.outbox import CROSSING
from gate.fleet.receipts import FILE_NAME
from gate.processes.channel import Channel, ChannelClosed, role_secret, serve
from gate.processes.messages import FleetReport, Histogram, Join, LaneHealth
from gate.profiles import DEMO_MARKER

nats = pytest.importorskip("nats")

LIMIT_S = 30.0
CONFIG = """\
profile = "demo"
state_dir = "state"
[lane]
id = "D07"
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
[fleet]
url = "{url}"
signing_key = "fleet.key"
keys = "keys.json"
"""
EMPTY = Histogram(bounds=(0.001,), counts=(0, 0), total=0.0)
HEALTH = LaneHealth(
    state="idle",
    in_service=True,
    causes=(),
    stuck="",
    outcomes={},
    stages={},
    link_losses={},
    damaged_frames=0,
    loop_lag=EMPTY,
    queue=0,
    clock_trusted=True,
    devices={},
    joins={},
    uptime_s=1.0,
    versions={"rules": "R1"},
)


class Lane:
    """Tells how it does, and keeps what it hears."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.heard = folder / "lane.sock", list[FleetReport]()
        self.health = HEALTH

    async def __aenter__(self) -> Self:
        self.server = await serve(self.socket, "secret", self._peer)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _peer(self, join: Join, channel: Channel) -> None:
        assert join.role == "fleet"
        telling = asyncio.create_task(self._tell(channel))
        with contextlib.suppress(ChannelClosed):
            while True:
                message = await channel.receive()
                assert isinstance(message, FleetReport)
                self.heard.append(message)
        telling.cancel()

    async def _tell(self, channel: Channel) -> None:
        while True:
            channel.tell(self.health)
            await asyncio.sleep(0.1)


class Centre:
    """Takes what comes to its own connection, and acknowledges what it is told to."""

    def __init__(self, gate: Any, url: str) -> None:
        self.gate, self.url = gate, url
        self.rows: dict[int, Any] = {}
        self.order: list[str] = []
        self.notes: list[CheckpointNote] = []
        self.statuses: list[Status] = []
        self.acknowledges = True

    async def __aenter__(self) -> Self:
        self.client = await nats.connect(self.url, reconnect_time_wait=0.1, max_reconnect_attempts=-1, error_cb=self._said)
        await prepare(self.client)
        self.taking = asyncio.create_task(self._take())
        await self.client.subscribe(subject(GATE, "status"), cb=self._status)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.taking.cancel()
        await asyncio.gather(self.taking, return_exceptions=True)
        await self.client.close()

    async def _said(self, error: Exception) -> None:
        pass

    async def _status(self, message: Any) -> None:
        self.statuses.append(believed(message.data, Status, TwoKeys(), "gate"))

    async def _take(self) -> None:
        stream, kinds = self.client.jetstream(), ("crossing", "record", "checkpoint")
        pulls = {kind: await stream.pull_subscribe_bind(kind, "EVENTS") for kind in kinds}
        while True:
            with contextlib.suppress(nats.errors.Error):
                for kind in kinds:
                    await self._pull(kind, pulls[kind])
                if self.acknowledges and self.through:
                    await self.client.publish(receipt_subject(GATE), self.gate.receipt(self.through))

    async def _pull(self, kind: str, pulled: Any) -> None:
        with contextlib.suppress(TimeoutError):
            for message in await pulled.fetch(20, timeout=0.05):
                self._keep(kind, message.data)
                await message.ack()

    def _keep(self, kind: str, raw: bytes) -> None:
        self.order.append(kind)
        if kind == "checkpoint":
            self.notes.append(believed(raw, CheckpointNote, TwoKeys(), "gate"))
            return
        for row in believed(raw, Parcel, TwoKeys(), "gate").rows:
            self.rows.setdefault(row.seq, row)

    @property
    def through(self) -> int:
        return next(number for number in range(1, len(self.rows) + 2) if number not in self.rows) - 1


async def until(what: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not what():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def now(gate):
    gate.start = datetime.now(UTC)


@contextlib.asynccontextmanager
async def running(gate: Any, url: str, lane: Lane, more: str = ""):
    """The process; SIGTERM ends it in good order where it still runs."""
    root = gate.folder.parent
    (root / "trust").mkdir(exist_ok=True)
    (root / "trust" / DEMO_MARKER).touch()
    (root / "gate.toml").write_text(CONFIG.format(url=url) + more)
    (root / "fleet.secret").write_text(role_secret("secret", "fleet"))
    if not (root / "keys.json").exists():
        directory_file(root / "keys.json")
        write_gate_key(root / "fleet.key")
    assert load(root / "gate.toml").fleet
    named = ["--config", root / "gate.toml", "--lane", lane.socket, "--secret-file", root / "fleet.secret"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gate.processes.fleet", *named)
    try:
        yield process
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), LIMIT_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def write_gate_key(path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from edge_gate import GATE_SIGNER

    path.write_bytes(GATE_SIGNER.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def kept(gate: Any) -> int:
    """Up to which record the gate keeps a receipt."""
    file = gate.folder / FILE_NAME
    if not file.exists():
        return 0
    outbox = gate.outbox()
    return outbox.through


async def test_the_log_gets_to_the_centre_and_its_receipts_come_back(gate, own_nats):
    gate.write(["permit", "event", CROSSING] * 20)
    async with Lane(gate.folder.parent) as lane, Centre(gate, own_nats.url) as centre, running(gate, own_nats.url, lane):
        await until(lambda: centre.through == 60 and kept(gate) == 60)
        gate.write([CROSSING, "event"])
        await until(lambda: kept(gate) == 62)
        assert [tuple(msgspec.structs.astuple(centre.rows[seq])) for seq in sorted(centre.rows)] == gate.rows()
        assert centre.order[0] == "crossing"
        await until(lambda: any(each.state == "idle" for each in centre.statuses))
        newest = centre.statuses[-1]
        assert (newest.versions["rules"], newest.troubles) == ("R1", ())
        lane.health = msgspec.structs.replace(HEALTH, state="hold", causes=("vision: camera: gone",))
        await until(lambda: centre.statuses[-1].state == "hold")
        assert centre.statuses[-1].troubles == ("vision: camera: gone",)
    assert [report.problem for report in lane.heard] == [""]


async def test_nothing_is_lost_where_the_broker_is_killed_and_the_process_and_where_the_lane_is_away(gate, own_nats):
    gate.write(["event", CROSSING] * 10)
    async with Lane(gate.folder.parent) as lane, Centre(gate, own_nats.url) as centre:
        centre.acknowledges = False
        async with running(gate, own_nats.url, lane) as process:
            await until(lambda: centre.through == 20)
            own_nats.kill()
            gate.write(["event", CROSSING] * 10)
            await asyncio.sleep(0.3)
            own_nats.restart()
            await until(lambda: centre.through == 40)
            process.kill()
            await process.wait()
        gate.write(["event"])
        centre.acknowledges = True
        async with running(gate, own_nats.url, lane):
            await until(lambda: kept(gate) == 41)
    async with Centre(gate, own_nats.url) as centre, running(gate, own_nats.url, Lane(gate.folder.parent)):
        centre.rows = dict.fromkeys(range(1, 42))
        gate.write([CROSSING])
        await until(lambda: kept(gate) == 42)
        assert centre.statuses[-1].troubles == ("the lane does not answer",)


async def test_a_receipt_that_was_given_while_the_gate_was_away_is_asked_for(gate, own_nats):
    gate.write(["event"] * 30)
    async with Lane(gate.folder.parent) as lane, Centre(gate, own_nats.url) as centre:
        centre.taking.cancel()
        await centre.client.publish(receipt_subject(GATE), gate.receipt(30))
        await centre.client.flush()
        async with running(gate, own_nats.url, lane):
            await until(lambda: kept(gate) == 30)
        state = await centre.client.jetstream().stream_info("EVENTS")
    assert state.state.messages == 0, "what the centre holds does not go again"


async def test_a_fork_at_the_centre_is_told_to_officers_and_what_it_lost_goes_again(gate, own_nats):
    gate.start -= timedelta(days=1)
    gate.write(["event"] * 4)
    async with Lane(gate.folder.parent) as lane, Centre(gate, own_nats.url) as centre, running(gate, own_nats.url, lane):
        await until(lambda: kept(gate) == 4)
        await centre.client.publish(receipt_subject(GATE), gate.receipt(4, hash=b"\1" * 32))
        await until(lambda: any("record 4 is not the one in this log" in report.problem for report in lane.heard))
        gate.write(["event"])
        await until(lambda: kept(gate) == 5)
        await until(lambda: lane.heard[-1].problem == "")
        centre.acknowledges = False
        centre.rows = {seq: row for seq, row in centre.rows.items() if seq <= 3}
        later = datetime(2026, 11, 21, tzinfo=UTC).isoformat()
        await centre.client.publish(receipt_subject(GATE), gate.receipt(3, at=later))
        await until(lambda: centre.through == 5)


async def test_keys_that_cannot_be_read_end_the_process_with_a_line(gate, own_nats, capfd):
    lane = Lane(gate.folder.parent)
    (gate.folder.parent / "keys.json").write_text("{}")
    async with running(gate, own_nats.url, lane) as process:
        assert await asyncio.wait_for(process.wait(), LIMIT_S) == 2
    assert "fleet: fleet.keys: " in capfd.readouterr().err


async def test_without_a_broker_officers_hear_what_the_centre_lacks_and_since_when(gate):
    gate.start = datetime(2026, 11, 20, 6, tzinfo=UTC)
    gate.write(["event"] * 7)
    async with Lane(gate.folder.parent) as lane, running(gate, "nats://127.0.0.1:9", lane):
        await until(lambda: lane.heard and "Connect call failed" in lane.heard[-1].problem)
    assert "7 records not received since 2026-11-20 06:00 UTC (" in lane.heard[-1].problem


async def test_what_cannot_come_down_keeps_nothing_from_going_up(gate, own_nats):
    gate.write(["event"] * 3)
    async with (
        Lane(gate.folder.parent) as lane,
        Centre(gate, own_nats.url) as centre,
        running(gate, own_nats.url, lane, 'updates = "no-such-folder"\n'),
    ):
        await until(lambda: kept(gate) == 3)
        await until(lambda: any(each.startswith("updates: ") for told in centre.statuses for each in told.troubles))
