"""A lane in virtual time: plant, firmware (in Python and in C) and host session on a line that a test may damage. No thread, no clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from hardware.controller.link import HostSession, LinkBroken
from hardware.controller.protocol import Close, CommandResult, Door, OpenEntry, OpenExit, Outcome, Purpose
from hardware.sim.compiled import CHECKED, PROGRAM, CompiledFirmware
from hardware.sim.controller import SimulatedController
from hardware.sim.firmware import Device, Firmware
from hardware.sim.interlock import Inputs
from hardware.sim.people import Manner, Place
from hardware.sim.plant import Plant

KEY = bytes(range(32))
TICK_S = 0.01


def intact(data: bytes) -> list[bytes]:
    return [data]


Build = Callable[[bytes, Inputs], Device]


class Bench:
    def __init__(self, build: Build = Firmware, *, host_key: bytes = KEY, tick_s: float = TICK_S) -> None:
        self.now, self.tick_s = 100.0, tick_s
        self.plant = Plant(self.now)
        self.firmware = build(KEY, self.plant.sense())
        self.outputs = self.firmware.tick(0, self.plant.sense())
        self.host_key = host_key
        self.host: HostSession | None = None
        self.renewing = True
        self.to_device: Callable[[bytes], list[bytes]] = intact
        self.to_host: Callable[[bytes], list[bytes]] = intact
        self.events: list[object] = []
        self.broken: LinkBroken | None = None
        self._id = 0

    @property
    def ms(self) -> int:
        return round((self.now - 100.0) * 1000)

    def new_host(self) -> None:
        self.host, self.broken = HostSession(self.host_key, self.now), None

    def connect(self) -> Bench:
        self.new_host()
        assert self.run(0.5, until=lambda: self.host is not None and self.host.up)
        return self

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let ``seconds`` pass, or less if ``until`` comes true; whether it did."""
        for _ in range(round(seconds / self.tick_s)):
            if until():
                return True
            self.step()
        return until()

    def step(self) -> None:
        self.now += self.tick_s
        inputs = self.plant.step(self.now, self.outputs)
        self.outputs = self.firmware.tick(self.ms, inputs)
        if self.host is None:
            self.firmware.transmit()
            return
        try:
            self._exchange(self.host)
        except LinkBroken as broken:
            self.host, self.broken = None, broken

    def _exchange(self, host: HostSession) -> None:
        if self.renewing and self.ms % 50 < self.tick_s * 1000:
            host.renew(250)
        host.poll(self.now)
        for _ in range(3):  # question, answer, acknowledgement within a tick
            for data in self.to_device(host.outgoing()):
                self.firmware.receive(data, self.ms)
            for data in self.to_host(self.firmware.transmit()):
                self.events += host.receive(data, self.now)

    def arrive(self, people: int = 1, **manner: object) -> None:
        self.plant.arrive(people, 0.5, Manner(**manner))

    def next_id(self) -> int:
        self._id += 1
        return self._id

    def send(self, kind: type, **fields: object) -> int:
        command = kind(command_id=self.next_id(), **fields)
        assert self.host is not None
        self.host.submit(command, self.now)
        return command.command_id

    def do(self, kind: type, **fields: object) -> Outcome:
        """Send a command and wait for its outcome."""
        number = self.send(kind, **fields)
        assert self.run(1.0, until=lambda: bool(self.outcomes(number)))
        return self.outcomes(number)[0]

    def outcomes(self, number: int) -> list[Outcome]:
        return [event.outcome for event in self.events if isinstance(event, CommandResult) and event.command_id == number]

    def said(self, what: str) -> list[float]:
        """When the plant logged ``what``."""
        return [line["t"] for line in self.plant.log if line["what"] == what]

    @property
    def inside(self) -> int:
        return self.plant.count(Place.INSIDE)

    def admit(self, people: int = 1) -> None:
        """Bring somebody inside, with both doors locked again."""
        self.arrive(people)
        assert self.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
        assert self.run(6, until=lambda: self.inside == people)
        assert self.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        assert self.run(2, until=lambda: self.plant.leaves[Door.ENTRY].locked)

    def let_out(self) -> None:
        assert self.do(OpenExit) is Outcome.EXECUTED

    def hold_exit(self, how: str) -> None:
        """Bring somebody inside, and an exit that was just beginning to open for them and cannot shut: nobody fits through."""
        self.admit()
        self.renewing = False
        assert self.do(OpenExit, lease_ms=100) is Outcome.EXECUTED
        self.run(0.05)
        setattr(self.plant.leaves[Door.EXIT], how, True)
        self.run(0.1)
        self.renewing = True


def there(program: Path) -> Path:
    """``program``, or a skip with the reason (a failure where every real component is required)."""
    if not program.exists():
        what = "the firmware in C is not built: make firmware"
        pytest.fail(what) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(what)
    return program


@pytest.fixture(scope="session")
def built() -> Callable[[Path], Path]:
    return there


@pytest.fixture(scope="module")
def power_on() -> Iterator[Build]:
    """The C firmware, sanitizers on: one process, whose power a test switches off and on. One of it at a time."""
    process: list[CompiledFirmware] = []

    def build(key: bytes, inputs: Inputs) -> CompiledFirmware:
        if process:
            process[0].power_on(key, inputs)
        else:
            process.append(CompiledFirmware(key, inputs, there(CHECKED)))
        return process[0]

    yield build
    for each in process:
        each.close()


@pytest.fixture(params=["python", "c"])
def build(request) -> Build:
    return request.getfixturevalue("power_on") if request.param == "c" else Firmware


@pytest.fixture
def bench(build) -> Bench:
    return Bench(build).connect()


@pytest.fixture
def make_bench(build) -> Callable[..., Bench]:
    return partial(Bench, build)


@pytest.fixture
def python_bench() -> Bench:
    """With the firmware whose inside a test may reach into."""
    return Bench().connect()


@pytest.fixture
def key() -> bytes:
    return KEY


@pytest.fixture(params=["python", "c"])
def simulated(tmp_path: Path, request):
    if request.param == "c":
        there(PROGRAM)
    with SimulatedController(tmp_path, KEY, travel_s=0.2, firmware=request.param) as controller:
        yield controller
