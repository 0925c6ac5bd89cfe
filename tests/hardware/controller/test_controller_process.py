"""The whole way: GateLink, pyserial, a pseudo-terminal, the controller as a process. Safety is read from the plant's own log."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hardware.controller.frame import FrameDecoder
from hardware.controller.host import CommandIds, GateLink
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.messages import Confirm, Hello, dictionary_hash
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    Leaf,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)
from hardware.controller.serial_port import SerialPort
from hardware.controller.session import HOST, Agreement, handshake_in, plain_frame
from hardware.ports import DeviceError, DeviceLost

pytestmark = pytest.mark.processes


class BootClock:
    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Host:
    """A lane that does as it is told: renews every 50 ms while ``renewing``, keeps every event."""

    def __init__(self, tty, key: bytes) -> None:
        self.events: list[object] = []
        self.news = threading.Condition()
        self.renewing = True
        self.ids = CommandIds(BootClock())
        self.link = GateLink(lambda: SerialPort(str(tty)), key, BootClock(), self._note)
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew)

    def __enter__(self):
        self.link.start()
        self._renewer.start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._renewer.join()
        self.link.close()

    def _renew(self) -> None:
        while not self._closing.wait(0.05):
            if self.renewing:
                self.link.renew()

    def _note(self, event: object) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def wait(self, wanted, since: int = 0):
        """The first event from number ``since`` on for which ``wanted`` holds."""
        found: list[object] = []

        def there() -> bool:
            found[:] = [event for event in self.events[since:] if wanted(event)]
            return bool(found)

        with self.news:
            assert self.news.wait_for(there, 10), self.events[-5:]
            return found[0]

    def up(self, since: int = 0) -> LinkUp:
        return self.wait(lambda event: isinstance(event, LinkUp), since)

    def do(self, kind: type, **fields: object) -> Outcome:
        number, since = self.ids.next(), len(self.events)
        self.link.send(kind(command_id=number, **fields))
        return self.wait(lambda event: isinstance(event, CommandResult) and event.command_id == number, since).outcome

    def see(self, **seen: object) -> Telemetry:
        """Wait for news from the sensors that show ``seen``."""
        match = lambda event: isinstance(event, Telemetry) and all(getattr(event, name) == value for name, value in seen.items())
        return self.wait(match, len(self.events))

    def open_until(self, passage: Passage, kind: type, **fields: object) -> None:
        """Open a door until somebody went through; again where a busy machine let the lease lapse."""
        since = len(self.events)
        for _ in range(20):
            if self.do(kind, **fields) is Outcome.EXECUTED:
                with self.news:
                    if self.news.wait_for(lambda: passage in self.events[since:], 1.5):
                        return
        pytest.fail(f"nobody passed: {self.events[-5:]}")

    def admit(self, simulated) -> None:
        simulated.control("arrive", walk_in_s=0.2, walk_out_s=0.2, react_s=0)
        self.open_until(Passage(door=Door.ENTRY, inwards=True), OpenEntry, purpose=Purpose.ADMIT)
        assert self.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        self.see(entry=Leaf.LOCKED)


@pytest.fixture
def host(simulated, key):
    with Host(simulated.tty, key) as host:
        host.up()
        yield host


def logged(simulated, what: str) -> list[float]:
    return [line["t"] for line in simulated.control("state")["log"] if line["what"] == what]


def eventually(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_traveller_passes_and_a_lapsed_exit_locks_itself(simulated, host):
    host.admit(simulated)
    host.renewing = False
    assert host.do(OpenExit, lease_ms=50) is Outcome.EXECUTED
    host.wait(lambda event: event == LeaseLapsed(door=Door.EXIT))
    host.renewing = True
    host.see(exit=Leaf.LOCKED)
    assert logged(simulated, "exit open") == []  # it turned back in mid-travel
    host.open_until(Passage(door=Door.EXIT, inwards=False), OpenExit)
    host.see(exit=Leaf.LOCKED, occupancy=0)
    assert simulated.control("state")["violations"] == []


HOST_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[3])
from test_controller_process import Close, Door, Host, OpenEntry, Purpose
host = Host(sys.argv[1], bytes.fromhex(sys.argv[2]))
with host:
    host.up()
    print("up", flush=True)
    for line in sys.stdin:
        outcome = host.do(OpenEntry, purpose=Purpose.ADMIT) if line == "open\\n" else host.do(Close, door=Door.ENTRY)
        print(outcome.name, flush=True)
"""


def test_a_killed_host_leaves_nobody_shut_in_and_the_exit_shut(simulated, key):
    arguments = [sys.executable, "-c", HOST_PROGRAM, str(simulated.tty), key.hex(), str(Path(__file__).parent)]
    program = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout.readline() == "up\n"
        simulated.control("arrive", walk_in_s=0.2, walk_out_s=0.2, react_s=0)
        _tell(program, "open")
        eventually(lambda: simulated.control("state")["inside"] == 1)
        _tell(program, "close")
        eventually(lambda: len(logged(simulated, "entry locked")) == 2)
    finally:
        program.kill()  # SIGKILL: no farewell
        program.communicate()
    killed = time.monotonic()
    eventually(lambda: simulated.control("state")["ejected"] == 1, 10 - (time.monotonic() - killed))
    state = simulated.control("state")
    assert (state["inside"], state["left"], state["violations"]) == (0, 0, [])
    assert logged(simulated, "exit opening") == []


def _tell(program: subprocess.Popen, word: str) -> None:
    program.stdin.write(word + "\n")
    program.stdin.flush()
    assert program.stdout.readline() == "EXECUTED\n"


def test_an_unplugged_controller_is_noticed_works_on_and_comes_back_under_another_name(simulated, host):
    before, uptime = simulated.tty.readlink(), host.see().uptime_ms
    since = len(host.events)
    simulated.control("unplug")
    assert host.wait(lambda event: isinstance(event, LinkDown), since).reason is DownReason.PORT
    assert host.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXPIRED
    simulated.control("plug")
    host.up(since)
    assert simulated.tty.readlink() != before
    assert host.see().uptime_ms > uptime
    assert host.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXECUTED


def test_fire_is_seen_with_both_doors_released(simulated, host):
    simulated.control("fire", on=True)
    host.see(emergency=True, entry=Leaf.RELEASED, exit=Leaf.RELEASED)
    assert host.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.REFUSED_EMERGENCY


def test_neither_end_accepts_the_other_without_the_key(simulated, key):
    with Host(simulated.tty, bytes(32)) as stranger:
        assert stranger.wait(lambda event: isinstance(event, LinkDown)).reason is DownReason.FOREIGN_DEVICE
    port = SerialPort(str(simulated.tty))  # a host that skips its own check
    port.write(plain_frame(Hello(nonce=bytes(16), dictionary=dictionary_hash())))
    decoder, frames = FrameDecoder(), []
    eventually(lambda: frames.extend(decoder.feed(port.read(4096, 0.1))) or frames)
    welcome = handshake_in(frames[0])
    forged = Agreement(
        key=bytes(32), host_nonce=bytes(16), device_nonce=welcome.nonce, dictionary=welcome.dictionary, firmware=welcome.firmware
    )
    port.write(plain_frame(Confirm(proof=forged.proof(HOST))))
    eventually(lambda: simulated.control("state")["refused_hosts"] == 1)
    assert port.read(4096, 0.2) == b""  # no telemetry for strangers
    port.write(b"\x00noise\xff" * 50)
    port.close()
    with Host(simulated.tty, key) as host:  # neither noise nor strangers hinder the right one
        host.up()


def test_a_missing_port_is_told_once_with_its_remedy(tmp_path, key):
    with pytest.raises(DeviceError, match="plug it in"):
        SerialPort(str(tmp_path / "none"))
    with Host(tmp_path / "none", key) as host:
        assert host.wait(lambda event: isinstance(event, LinkDown)).reason is DownReason.PORT
        time.sleep(0.6)  # two more tries
        assert len(host.events) == 1
    assert host.events[-1].reason is DownReason.CLOSED


def test_a_port_is_held_by_one_program(simulated):
    first = SerialPort(str(simulated.tty))
    with pytest.raises(DeviceError, match="another program holds it"):
        SerialPort(str(simulated.tty))
    simulated.control("unplug")
    with pytest.raises(DeviceLost):
        first.read(10, 1.0)
    with pytest.raises(DeviceLost):
        first.write(b"x")
    first.close()
    first.close()
    with pytest.raises(DeviceLost):
        first.read(1, 0.01)


def test_orders_that_make_no_sense_are_answered_and_change_nothing(simulated):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(simulated._socket))
    answers = client.makefile("rb")
    for line in (
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"do":"fly"}',
        b'{"do":"fire"}',
        b'{"do":"obstruct","door":"roof","on":true}',
        b'{"do":"arrive","people":"x"}',
    ):
        client.sendall(line + b"\n")
        assert json.loads(answers.readline())["ok"] is False
    client.close()
    answers.close()
    assert simulated.control("state")["waiting"] == 0


def test_the_controller_ends_with_whoever_started_it(simulated):
    pid = simulated.pid
    process = simulated._process
    simulated.stop()
    assert process.returncode == 0
    assert pid is not None
    assert not simulated.tty.is_symlink()
    with pytest.raises(DeviceError):
        simulated.control("state")


def test_command_ids_of_two_processes_never_meet():
    first, second = CommandIds(BootClock()), CommandIds(BootClock())
    ids = [first.next() for _ in range(1000)] + [second.next() for _ in range(1000)]
    assert len(set(ids)) == 2000
    assert max(ids) < 2**64
