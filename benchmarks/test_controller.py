"""A command to its result over a pseudo-terminal to another process; floor: as many bytes to ``cat`` behind one and back."""

from __future__ import annotations

import os
import pty
import queue
import subprocess
import tty

import pytest

from gate.clock import SystemClock
from hardware.controller.host import CommandIds, GateLink
from hardware.controller.link import LinkUp
from hardware.controller.protocol import CommandResult, Outcome, SetSignal, Signal
from hardware.controller.serial_port import SerialPort
from hardware.sim.controller import SimulatedController

KEY = bytes(range(32))
WAIT_S = 10.0
FRAME_BYTES = 32
"""About what a sealed command takes on the line."""


@pytest.fixture
def link(tmp_path):
    events: queue.SimpleQueue = queue.SimpleQueue()
    with SimulatedController(tmp_path, KEY) as controller:
        connected = GateLink(lambda: SerialPort(str(controller.tty)), KEY, SystemClock(), events.put)
        connected.start()
        while not isinstance(events.get(timeout=WAIT_S), LinkUp):
            pass
        yield connected, events
        connected.close()


@pytest.mark.benchmark(group="controller: command → result on a pseudo-terminal")
def test_command_to_result(benchmark, link):
    connected, events = link
    ids = CommandIds(SystemClock())

    def round_trip() -> CommandResult:
        connected.send(SetSignal(command_id=ids.next(), signal=Signal.GREEN_ARROW))
        while not isinstance(event := events.get(timeout=WAIT_S), CommandResult):
            pass
        return event

    assert benchmark(round_trip).outcome is Outcome.EXECUTED


@pytest.mark.benchmark(group="controller: command → result on a pseudo-terminal")
def test_floor_bytes_to_cat_and_back(benchmark):
    master, slave = pty.openpty()
    tty.setraw(slave)
    with subprocess.Popen(["cat"], stdin=master, stdout=master) as cat:
        port = SerialPort(os.ttyname(slave))

        def echo() -> None:
            port.write(bytes(FRAME_BYTES))
            got = 0
            while got < FRAME_BYTES:
                got += len(port.read(FRAME_BYTES, WAIT_S))

        benchmark(echo)
        port.close()
        cat.terminate()
    os.close(slave)
    os.close(master)
