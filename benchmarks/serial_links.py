"""One gate controller's link on a clean line and on a bad one: how long a command takes, and that it is done once. The links are the gate's own."""

from __future__ import annotations

import os
import pty
import queue
import random
import struct
import subprocess
import tempfile
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.machine import spread
from gate.clock import SystemClock
from hardware.controller.host import CommandIds, ControllerLink, GateLink
from hardware.controller.link import LinkDown, LinkUp
from hardware.controller.protocol import (
    RENEW_EVERY_MS,
    Close,
    CommandResult,
    Door,
    GateCommand,
    OpenEntry,
    Outcome,
    Purpose,
    SetSignal,
    Signal,
)
from hardware.controller.serial_port import SerialPort
from hardware.sim.controller import FirmwareKind, SimulatedController
from hardware.sim.relay import BAD_LINE, FaultRelay

KEY = bytes(range(32))
UNIT = 1
FAULTS = dict(BAD_LINE)
FRAME_BYTES = 32
"""About what a command takes on the gate-link."""
TRAVEL_S = 0.05
WAIT_S, PATIENCE_S = 10.0, 60.0
AGAIN_S = 0.01
UNPLUGGED_S = 0.1
APART_S = 0.02
"""Commands come when they come, not in step with the link's own exchanges."""
SETTLE_S = 0.03
"""Between two orders to the entry: three ticks of the controller, so that its log shows each."""


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """What happened to the orders of a bad line. Times in ms."""

    took: list[float] = field(default_factory=list)
    """From when an order was given until it was known to be done."""
    commands: int = 0
    """Commands to open that were sent: one an order, and one more where a session ended without an answer."""
    refused: int = 0
    sessions: int = 0


class Rig:
    """A controller, a line, a link to it, and the events that it tells."""

    def __init__(self, link: ControllerLink, events: queue.SimpleQueue[Any], controller: SimulatedController) -> None:
        self._link, self._events, self.controller = link, events, controller
        self._ids, self._seen = CommandIds(SystemClock()), 0.0

    def until_up(self) -> None:
        while not isinstance(self._events.get(timeout=PATIENCE_S), LinkUp):
            pass

    def signal(self) -> float:
        """Seconds from a command to the lamp to its outcome."""
        begun = time.perf_counter()
        outcome = self._answer(SetSignal(command_id=self._ids.next(), signal=Signal.GREEN_ARROW))
        took = time.perf_counter() - begun
        assert outcome is Outcome.EXECUTED, outcome
        return took

    def until_done(self, command: type[GateCommand], outcomes: Outcomes, **fields: Any) -> None:
        """Give an order as a lane does: a command that got no answer is given up with its session, and then ordered anew."""
        begun = time.perf_counter()
        while True:
            outcomes.commands += command is OpenEntry
            outcome = self._answer(command(command_id=self._ids.next(), **fields))
            if outcome is Outcome.EXECUTED:
                outcomes.took.append(1000 * (time.perf_counter() - begun))
                return
            if outcome is None:
                outcomes.sessions += 1
                self.until_up()
            outcomes.refused += outcome is not None
            time.sleep(AGAIN_S)

    def openings(self) -> int:
        """How often the entry began to open since the last question, by the plant's log."""
        log = [line for line in self.controller.control("state")["log"] if line["t"] > self._seen]
        self._seen = log[-1]["t"] if log else self._seen
        return sum(line["what"] == "entry opening" for line in log)

    def _answer(self, command: GateCommand) -> Outcome | None:
        """The outcome; None where the link was lost first."""
        self._link.send(command)
        while True:
            event = self._events.get(timeout=WAIT_S)
            if isinstance(event, CommandResult) and event.command_id == command.command_id:
                return event.outcome
            if isinstance(event, LinkDown):
                return None


@contextmanager
def rig(kind: FirmwareKind, *, faults: dict[str, float] | None = None, seed: int = 7) -> Iterator[tuple[Rig, FaultRelay | None]]:
    """A running link to a controller of this kind, renewed as a lane does; with ``faults`` over a relay."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serial-")))
        controller = stack.enter_context(SimulatedController(folder, KEY, travel_s=TRAVEL_S, firmware=kind))
        relay = stack.enter_context(FaultRelay(folder, controller.tty, seed=seed)) if faults is not None else None
        path = str(relay.tty if relay else controller.tty)
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        link = _link(kind, path, events)
        stopped = threading.Event()

        def renew() -> None:
            while not stopped.wait(RENEW_EVERY_MS / 1000):
                link.renew()

        renewer = threading.Thread(target=renew)
        link.start()
        renewer.start()
        try:
            running = Rig(link, events, controller)
            running.until_up()
            if relay and faults:
                relay.line(**faults)
            yield running, relay
        finally:
            stopped.set()
            renewer.join()
            link.close()


def _link(kind: FirmwareKind, path: str, events: queue.SimpleQueue[Any]) -> ControllerLink:
    if kind == "modbus":
        from hardware.controller.modbus import UnsafeUnauthenticatedLink

        return UnsafeUnauthenticatedLink(lambda: SerialPort(path), UNIT, SystemClock(), events.put)
    return GateLink(lambda: SerialPort(path), KEY, SystemClock(), events.put)


def clean(kind: FirmwareKind, commands: int, *, over_relay: bool = False) -> dict[str, Any]:
    """Commands one after the other, as they come. ``executed_ms``: from the command to the answer to the frame that carried it, which a
    controller gives once it was carried out. ``outcome_ms``: until the caller was told the outcome; on the gate-link that is the answer.
    """
    with rig(kind, faults={} if over_relay else None) as (running, _):
        with written() if kind == "modbus" else nullcontext([]) as answered:
            begun, took = [], []
            for _ in range(commands):
                begun.append(time.perf_counter())
                took.append(1000 * running.signal())
                time.sleep(random.uniform(0, APART_S))
        executed = [1000 * (at - start) for at, start in zip(answered, begun, strict=True)] if answered else took
        return {"executed_ms": spread(executed), "outcome_ms": spread(took)}


def floor(times: int) -> dict[str, float]:
    """As many bytes as a command takes, to ``cat`` behind a pseudo-terminal and back; ms."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    took = []
    with subprocess.Popen(["cat"], stdin=master, stdout=master) as cat:
        port = SerialPort(os.ttyname(slave))
        for _ in range(times):
            begun, got = time.perf_counter(), 0
            port.write(bytes(FRAME_BYTES))
            while got < FRAME_BYTES:
                got += len(port.read(FRAME_BYTES, WAIT_S))
            took.append(1000 * (time.perf_counter() - begun))
            time.sleep(random.uniform(0, APART_S))
        port.close()
        cat.terminate()
    os.close(slave)
    os.close(master)
    return spread(took)


@contextmanager
def written() -> Iterator[list[float]]:
    """When each Modbus frame that carried a command for the first time was answered (perf_counter seconds)."""
    from hardware.controller.modbus_line import ModbusLine

    answered: list[float] = []
    ids: set[int] = set()
    original = ModbusLine.write

    def write(self: ModbusLine, address: int, registers: list[int]) -> None:
        original(self, address, registers)
        command_id = order_id(registers)
        if command_id and command_id not in ids:
            ids.add(command_id)
            answered.append(time.perf_counter())

    with patch.object(ModbusLine, "write", write):
        yield answered


def order_id(registers: Sequence[int]) -> int:
    """The command id in an order block; 0: it carries none."""
    from hardware.controller.modbus_map import ORDER_BLOCK

    names = [name for _, name, _ in ORDER_BLOCK.fields()]
    values = ORDER_BLOCK.form.unpack(struct.pack(f">{len(registers)}H", *registers))
    return int(dict(zip(names, values, strict=True))["command_id"])


def faulty(kind: FirmwareKind, orders: int, limit_ms: float, *, unplugged_every_s: float = 0.0) -> dict[str, Any]:
    """The entry opened and shut again, ``orders`` times, on a bad line: counts of the plant's own log.

    ``recovery_ms``: of the orders that took longer than ``limit_ms``, what the line did to them.
    """
    with rig(kind, faults=FAULTS) as (running, relay):
        assert relay is not None
        relay.hang_up(every_s=unplugged_every_s, for_s=UNPLUGGED_S)
        outcomes = Outcomes()
        effects = duplicates = missing = 0
        for _ in range(orders):
            commands = outcomes.commands
            running.until_done(OpenEntry, outcomes, purpose=Purpose.ADMIT)
            time.sleep(SETTLE_S)
            running.until_done(Close, outcomes, door=Door.ENTRY)
            time.sleep(SETTLE_S)
            opened = running.openings()
            effects += opened
            duplicates += max(0, opened - (outcomes.commands - commands))
            missing += not opened
        seen = running.controller.control("state")
        line = relay.state()
        slow = [took for took in outcomes.took if took > limit_ms]
        return {
            "orders": 2 * orders,
            "outcome_ms": spread(outcomes.took),
            "recovery_ms": spread(slow) if slow else {"n": 0},
            "effects": effects,
            "duplicates": duplicates,
            "missing": missing,
            "unsafe": seen["violations"],
            "unplugged": line["unplugged"],
            "sessions_lost": outcomes.sessions,
            "refused": outcomes.refused,
            "line": {
                name: line["device"].get(name, 0) + line["host"].get(name, 0) for name in ("bursts", "bytes", "flip", "drop")
            },
        }
