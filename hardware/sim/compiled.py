"""The reference firmware in C, as a process: pins and clock from here, over a socket of records (``hardware/firmware/posix.c`` says which).

The serial line is the process's own once it is handed over; before that, bytes go in and out of the records, in the caller's time.
"""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

from hardware.controller.messages import NONCE_BYTES
from hardware.controller.protocol import Door, Signal
from hardware.controller.session import check_key
from hardware.ports import DeviceError
from hardware.sim.interlock import Drive, Inputs, LeafSensors, Outputs

PROGRAM = Path(__file__).resolve().parents[2] / "build" / "firmware" / "gate-firmware"
"""Where ``make firmware`` puts it."""
CHECKED = PROGRAM.with_name("gate-firmware-checked")
"""The same with the address and undefined behaviour sanitizers: any misstep ends it."""
MODBUS = PROGRAM.with_name("modbus-controller")
"""Its safety logic and pins behind registers, served by libmodbus (``docs/modbus.md``)."""
MODBUS_CHECKED = PROGRAM.with_name("modbus-controller-checked")
NAME = "autogate reference firmware 1"

_DRIVES = (Drive.SHUT, Drive.OPEN, Drive.STOP, Drive.FREE)
_CROSSINGS = 8
_UNCERTAIN = 0xFF
_RECORD = 1 << 17
_PIECE = 1 << 15
_ANSWER = struct.Struct("<BBBBII")
_ANSWER_S = 5.0
_STOP_S = 5.0


class CompiledFirmware:
    """One gate controller, as :class:`hardware.sim.firmware.Firmware` is one. It raises DeviceError where the process is gone."""

    def __init__(self, key: bytes, inputs: Inputs, program: Path = PROGRAM) -> None:
        """Start the process. Raises DeviceError where it was not built, ValueError on a key that is too short."""
        check_key(key)
        self.refused_hosts = self.rejected_frames = 0
        plant, firmware = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plant.settimeout(_ANSWER_S)
        self._plant = plant
        try:
            self._process = subprocess.Popen([program], stdin=firmware.fileno())
        except OSError as error:
            plant.close()
            raise DeviceError(str(program), "the firmware in C is not there", _remedy(program)) from error
        finally:
            firmware.close()
        self.power_on(key, inputs)

    def power_on(self, key: bytes, inputs: Inputs) -> None:
        """As after a loss of power: nothing survives but a line that is plugged in."""
        self._out = bytearray()
        self._ask(b"P" + _pins(inputs) + key)

    def tick(self, now_ms: int, inputs: Inputs) -> Outputs:
        entry, exit_, signal, turn_back = self._ask(b"T" + _time(now_ms) + _pins(inputs))
        return Outputs(entry=_DRIVES[entry], exit=_DRIVES[exit_], signal=Signal(signal), turn_back=bool(turn_back))

    def receive(self, data: bytes, now_ms: int) -> None:
        """Bytes that came over the line, where none is plugged in."""
        for at in range(0, len(data), _PIECE):
            self._ask(b"R" + _time(now_ms) + data[at : at + _PIECE])

    def transmit(self) -> bytes:
        """What is to go onto the line, where none is plugged in."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def plug(self, line: int) -> None:
        """Hand over the line, a descriptor: from now on the process alone reads and writes it."""
        self._ask(b"L", line)

    def unplug(self) -> None:
        self._ask(b"L")

    def fix_nonce(self, nonce: bytes) -> None:
        """Fix the device's nonces from now on, for conversations that must repeat to the byte."""
        assert len(nonce) == NONCE_BYTES
        self._ask(b"N" + nonce)

    def close(self) -> None:
        """End the process; again is harmless."""
        self._plant.close()  # its standard input
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, record: bytes, descriptor: int | None = None) -> tuple[int, int, int, int]:
        try:
            if descriptor is None:
                self._plant.send(record)
            else:
                socket.send_fds(self._plant, [record], [descriptor])
            answer = self._plant.recv(_RECORD)
        except OSError as error:
            raise DeviceError("firmware in C", "its process does not answer") from error
        if len(answer) < _ANSWER.size:
            raise DeviceError("firmware in C", "its process ended", "see its messages above")
        *pins, self.refused_hosts, self.rejected_frames = _ANSWER.unpack_from(answer)
        self._out += answer[_ANSWER.size :]
        entry, exit_, signal, turn_back = pins
        return entry, exit_, signal, turn_back


def _remedy(program: Path) -> str:
    if program in (MODBUS, MODBUS_CHECKED):
        return "build it: make modbus-controller, which needs libmodbus (Debian: libmodbus-dev)"
    return "build it: make firmware"


def _time(now_ms: int) -> bytes:
    return now_ms.to_bytes(8, "little")


def _pins(inputs: Inputs) -> bytes:
    crossings = [each.door << 1 | each.inwards for each in inputs.crossings[:_CROSSINGS]]
    switches = (inputs.object_left, inputs.fire, inputs.mains)
    occupancy = _UNCERTAIN if inputs.occupancy is None else min(inputs.occupancy, _UNCERTAIN - 1)
    leaves = b"".join(_leaf(inputs.leaf(door)) for door in Door)
    return leaves + bytes([occupancy, *switches, len(crossings), *crossings]).ljust(5 + _CROSSINGS, b"\x00")


def _leaf(sensors: LeafSensors) -> bytes:
    return bytes([sensors.bolted, sensors.wide, sensors.clear])
