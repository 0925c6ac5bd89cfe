"""pymodbus's own client, with its own settings, writing to a board that does what it is told: what a bad line makes of that.

The board is the plainest there is: it carries out each sound request to write one register (function 6) and answers with its echo.
"""

from __future__ import annotations

import os
import select
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import spread
from benchmarks.serial_links import FAULTS
from hardware.sim.relay import FaultRelay
from hardware.sim.terminal import Terminal

UNIT, REGISTER, WRITE_ONE, REQUEST_BYTES = 1, 0, 6, 8
BAUD = 115_200
SILENCE_S = 0.00175
"""What ends a frame above 19,200 baud."""


def crc(data: bytes) -> int:
    """CRC-16 of Modbus RTU."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


class PlainBoard:
    """A thread behind a pseudo-terminal. ``done``: how often each value was written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "board"
        self.done: Counter[int] = Counter()
        self._terminal = Terminal(self.path)
        self._stop = threading.Event()
        self._line = self._terminal.plug()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._terminal.unplug()

    def _run(self) -> None:
        frame = b""
        while not self._stop.is_set():
            if select.select([self._line], [], [], SILENCE_S if frame else 0.05)[0]:
                frame += os.read(self._line, 256)
            elif frame:
                self._carry_out(frame)
                frame = b""

    def _carry_out(self, frame: bytes) -> None:
        sound = len(frame) == REQUEST_BYTES and crc(frame[:-2]) == int.from_bytes(frame[-2:], "little")
        if sound and frame[:2] == bytes([UNIT, WRITE_ONE]):
            self.done[int.from_bytes(frame[4:6], "big")] += 1
            self._terminal.write(frame)


def measure(
    writes: int, *, faults: dict[str, float] | None = None, timeout_s: float | None = None, seed: int = 7
) -> dict[str, Any]:
    """``writes`` numbered writes, one after the other. ``timeout_s`` None: the client's own three seconds."""
    from pymodbus.client import ModbusSerialClient
    from pymodbus.exceptions import ModbusException

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serial-")))
        board = stack.enter_context(PlainBoard(folder))
        relay = stack.enter_context(FaultRelay(folder, board.path, seed=seed))
        client = ModbusSerialClient(str(relay.tty), baudrate=BAUD, **({} if timeout_s is None else {"timeout": timeout_s}))
        stack.callback(client.close)
        client.connect()
        relay.line(**(faults or {}))
        took, told_done = [], set[int]()
        for value in range(writes):
            begun = time.perf_counter()
            try:
                answer = client.write_register(REGISTER, value, device_id=UNIT)
                if not answer.isError():
                    told_done.add(value)
            except ModbusException:
                client.connect()
            took.append(1000 * (time.perf_counter() - begun))
        done = {value for value in range(writes) if board.done[value]}
        return {
            "orders": writes,
            "outcome_ms": spread(took),
            "duplicates": sum(board.done[value] - 1 for value in done),
            "told_done_but_not": len(told_done - done),
            "told_failed_but_done": len(done - told_done),
        }


def clean_and_faulty(writes: int) -> dict[str, Any]:
    """With the client's own settings, and with the timeout that users set."""
    return {
        "pymodbus client, its defaults": {"clean": measure(writes), "faulty": measure(writes // 4, faults=FAULTS)},
        "pymodbus client, timeout 0.1 s": {
            "clean": measure(writes, timeout_s=0.1),
            "faulty": measure(writes, faults=FAULTS, timeout_s=0.1),
        },
    }
