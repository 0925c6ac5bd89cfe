"""No proof while anything of the lane hangs: the loop, the log, a thread of the link. Proof again once it goes on."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from gate.audit.log import AuditLog, AuditWriter
from gate.clock import SystemClock
from gate.processes import watchdog
from gate.processes.watchdog import Watchdog
from hardware.controller import host
from hardware.controller.host import GateLink
from hardware.ports import DeviceError, DeviceLost


class Link:
    hangs = ""

    def stuck(self) -> str:
        return self.hangs


class Lane:
    """A watchdog around parts that the test can stop."""

    def __init__(self, address: str) -> None:
        self.link = Link()
        self.loop_turns, self.log_takes = asyncio.Event(), asyncio.Event()
        self.loop_turns.set()
        self.log_takes.set()
        self.asked = 0
        self.watchdog = Watchdog(
            address,
            handled=lambda: self._ask(self.loop_turns),
            durable=lambda: self._ask(self.log_takes),
            link=self.link,
            status=lambda: "idle",
        )

    def _ask(self, event: asyncio.Event) -> asyncio.Future[None]:
        self.asked += 1

        async def answered() -> None:
            await event.wait()

        return asyncio.ensure_future(answered())


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


@pytest.fixture
async def lane(tmp_path, manager, monkeypatch):
    monkeypatch.setattr(watchdog, "PROVE_EVERY_S", 0.01)
    monkeypatch.setattr(watchdog, "PATIENCE_S", 0.05)
    lane = Lane(str(tmp_path / "notify"))
    running = asyncio.create_task(lane.watchdog.run())
    yield lane
    running.cancel()


def heard(manager: socket.socket) -> int:
    count = 0
    while True:
        try:
            assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=idle"
        except BlockingIOError:
            return count
        count += 1


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("part", ["loop", "log", "gate-link"])
async def test_proof_stops_while_a_part_hangs_and_comes_again(lane, manager, part, capsys):
    await until(lambda: heard(manager) > 0)
    event = {"loop": lane.loop_turns, "log": lane.log_takes}.get(part)
    if event:
        event.clear()
    else:
        lane.link.hangs = part
    await until(lambda: lane.watchdog.stuck == part)
    heard(manager)
    asked = lane.asked
    await asyncio.sleep(0.3)
    assert heard(manager) == 0
    if event:
        assert lane.asked <= asked + 8, "questions pile up behind one that hangs"
        event.set()
    lane.link.hangs = ""
    await until(lambda: heard(manager) > 0)
    assert lane.watchdog.stuck == ""
    assert capsys.readouterr().err.count(f"{part} hangs") == 1


async def test_a_log_whose_disk_hangs_is_not_caught_up(tmp_path):
    log = AuditWriter(AuditLog(tmp_path / "audit", b"k" * 32))
    disk = threading.Event()
    log._log._insert = lambda _: disk.wait(5)  # type: ignore[method-assign] # a write that does not return
    appending = asyncio.create_task(log.append("event", "", b"{}", SystemClock().wall(), 0.0))
    await asyncio.sleep(0.01)
    caught_up = asyncio.ensure_future(log.caught_up())
    await asyncio.wait({caught_up}, timeout=0.1)
    assert not caught_up.done()
    disk.set()
    await caught_up
    await appending
    await asyncio.to_thread(log.close)


class Port:
    """A serial line whose driver can hang."""

    def __init__(self) -> None:
        self.reads, self.writes = threading.Event(), threading.Event()
        self.reads.set()
        self.writes.set()

    def read(self, limit: int, timeout: float) -> bytes:
        time.sleep(0.001)
        self.reads.wait(5)
        return b""

    def write(self, data: bytes) -> None:
        self.writes.wait(5)

    def close(self) -> None: ...


def eventually(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("which", ["reads", "writes"])
def test_a_thread_of_the_link_that_hangs_in_the_driver_is_named(monkeypatch, which):
    monkeypatch.setattr(host, "STUCK_S", 0.1)
    port = Port()
    link = GateLink(lambda: port, b"k" * 32, SystemClock(), lambda _: None)
    link.start()
    eventually(lambda: link.stuck() == "")
    getattr(port, which).clear()
    eventually(lambda: link.stuck() == {"reads": "gate-link", "writes": "gate-link-writer"}[which])
    getattr(port, which).set()
    eventually(lambda: link.stuck() == "")
    link.close()


def test_a_thread_that_hangs_in_the_driver_keeps_no_lane_from_ending_and_nothing_is_renewed_meanwhile(monkeypatch):
    monkeypatch.setattr(host, "STUCK_S", 0.1)
    port = Port()
    link = GateLink(lambda: port, b"k" * 32, SystemClock(), lambda _: None)
    link.start()
    eventually(lambda: link._session is not None)
    port.reads.clear()
    eventually(lambda: link.stuck() == "gate-link")
    link.close()
    assert link._thread.is_alive()
    renewed: list[int] = []
    monkeypatch.setattr(link._session, "renew", renewed.append)
    link.renew()
    assert not renewed
    port.reads.set()
    link._thread.join()


def test_a_controller_that_is_away_is_no_thread_that_hangs(monkeypatch):
    monkeypatch.setattr(host, "STUCK_S", 1.0)

    def absent() -> Port:
        raise DeviceError("tty", "absent")

    link = GateLink(absent, b"k" * 32, SystemClock(), lambda _: None)  # type: ignore[arg-type] # never opened
    link.start()
    time.sleep(1.2)
    assert link.stuck() == ""
    link.close()


def test_damaged_frames_are_counted_over_all_sessions():
    class Noisy(Port):
        """Says one damaged frame, then goes."""

        said = False

        def read(self, limit: int, timeout: float) -> bytes:
            if self.said:
                raise DeviceLost("tty", "gone")
            self.said = True
            return b"\x05\x01\x02\x03\x04\x00"

    link = GateLink(Noisy, b"k" * 32, SystemClock(), lambda _: None)
    link.start()
    eventually(lambda: link.damaged_frames >= 2)
    link.close()
