"""A gate controller on Modbus in virtual time: plant, the C controller under sanitizers, and the host's session on a line that a test may damage."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware.controller.link import LinkBroken, LinkUp
from hardware.controller.modbus_line import ModbusLine
from hardware.controller.modbus_session import ModbusSession
from hardware.controller.protocol import Close, CommandResult, Door, OpenEntry, Outcome, Purpose, Telemetry
from hardware.sim.compiled import MODBUS, MODBUS_CHECKED, CompiledFirmware
from hardware.sim.controller import SimulatedController
from hardware.sim.people import Manner, Place
from hardware.sim.plant import Plant

KEY = bytes(range(32))
BEGAN = 100.0
TICK_S = 0.01


def intact(data: bytes) -> list[bytes]:
    return [data]


class Bench:
    """Clock, serial port and plant in one: time passes while the host waits."""

    def __init__(self, firmware: CompiledFirmware) -> None:
        self.now, self._tick_at = BEGAN, BEGAN + TICK_S
        self.plant = Plant(self.now)
        self.firmware = firmware
        firmware.power_on(KEY, self.plant.sense())
        self.outputs = firmware.tick(0, self.plant.sense())
        self.to_device: Callable[[bytes], list[bytes]] = intact
        self.to_host: Callable[[bytes], list[bytes]] = intact
        self.line_in = bytearray()
        self.renewing = True
        self.events: list[object] = []
        self.broken: LinkBroken | None = None
        self._id = 0
        self.new_host()

    # --- clock and port --------------------------------------------------------------------------------------------------------

    def boot(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass without a host."""
        target = self.now + seconds
        while self._tick_at <= target:
            self.now = self._tick_at
            self._tick_at += TICK_S
            self.outputs = self.firmware.tick(self.ms, self.plant.step(self.now, self.outputs))
        self.now = target

    @property
    def ms(self) -> int:
        return round((self.now - BEGAN) * 1000)

    def read(self, limit: int, timeout: float) -> bytes:
        if not self.line_in:
            self.wait(timeout)
        data = bytes(self.line_in[:limit])
        del self.line_in[:limit]
        return data

    def write(self, data: bytes) -> None:
        for piece in self.to_device(data):
            self.firmware.receive(piece, self.ms)
        self.said()

    def said(self) -> None:
        for piece in self.to_host(self.firmware.transmit()):
            self.line_in += piece

    # --- host --------------------------------------------------------------------------------------------------------------------

    def new_host(self, unit: int = 1) -> ModbusSession:
        self.line = ModbusLine(self, unit, self)
        self.host: ModbusSession = ModbusSession(self.line, self)
        self.broken = None
        return self.host

    def cycle(self) -> None:
        began = self.now
        try:
            events = self.host.exchange(250 if self.renewing else 0)
        except LinkBroken as broken:
            self.broken = broken
            return
        self.events += events or []
        if events is not None and not self.host.waiting:
            self.wait(max(0.0, began + 0.05 - self.now))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Exchange for ``seconds``, or less if ``until`` comes true; whether it did."""
        end = self.now + seconds
        while self.now < end and not until() and self.broken is None:
            self.cycle()
        return until()

    def connect(self) -> Bench:
        assert self.run(1.0, until=lambda: self.host.up), self.broken
        return self

    def send(self, kind: type, **fields: object) -> int:
        self._id += 1
        self.host.submit(kind(command_id=self._id, **fields))
        return self._id

    def do(self, kind: type, **fields: object) -> Outcome:
        number = self.send(kind, **fields)
        assert self.run(2.0, until=lambda: bool(self.outcomes(number))), self.broken
        (outcome,) = self.outcomes(number)
        return outcome

    def outcomes(self, number: int) -> list[Outcome]:
        return [event.outcome for event in self.events if isinstance(event, CommandResult) and event.command_id == number]

    @property
    def seen(self) -> Telemetry:
        return next(event for event in reversed(self.events) if isinstance(event, Telemetry))

    def happened(self) -> list[object]:
        return [event for event in self.events if not isinstance(event, Telemetry | CommandResult | LinkUp)]

    def logged(self, what: str) -> list[float]:
        """When the plant noted ``what``, in its own seconds."""
        return [line["t"] for line in self.plant.log if line["what"] == what]

    @property
    def inside(self) -> int:
        return self.plant.count(Place.INSIDE)

    def admit(self) -> None:
        """Bring somebody inside, with both doors locked again."""
        self.plant.arrive(1, 0.5, Manner())
        assert self.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
        assert self.run(6, until=lambda: self.inside == 1)
        assert self.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        assert self.run(2, until=lambda: self.plant.leaves[Door.ENTRY].locked)


def there(program: Path) -> Path:
    """``program``, or a skip with the reason (a failure where every real component is required)."""
    if not program.exists():
        absent("the controller on Modbus is not built: make modbus-controller, with libmodbus-dev")
    return program


def absent(what: str) -> None:
    pytest.fail(what) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(what)


@pytest.fixture(scope="session")
def pymodbus() -> None:
    if importlib.util.find_spec("pymodbus") is None:
        absent("pymodbus is not installed: make setup-modbus")


@pytest.fixture(scope="module")
def firmware(pymodbus) -> Iterator[CompiledFirmware]:
    """One process, whose power each bench switches off and on."""
    firmware = CompiledFirmware(KEY, Plant(BEGAN).sense(), there(MODBUS_CHECKED))
    yield firmware
    firmware.close()


@pytest.fixture
def make_bench(firmware) -> Callable[[], Bench]:
    return lambda: Bench(firmware)


@pytest.fixture
def bench(make_bench) -> Bench:
    return make_bench().connect()


@pytest.fixture
def simulated(pymodbus, tmp_path: Path) -> Iterator[SimulatedController]:
    there(MODBUS)
    with SimulatedController(tmp_path, KEY, travel_s=0.2, firmware="modbus") as controller:
        yield controller
