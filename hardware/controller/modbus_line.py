"""Questions and answers of Modbus RTU on a serial line: one at a time, each answered or not in time. No session, no meaning of registers.

pymodbus builds the requests and reads the answers. Its client is not used: it asks again by itself, and takes whatever answer comes next for the
one to its question. Here nothing is asked twice, the line must be quiet before a question, and an answer must be of this unit and function, of the length
that the question asks for, with a CRC that fits. What a late answer of the same shape would be worth, the session decides by its beat.
"""

from __future__ import annotations

import importlib
import logging
import struct
from typing import TYPE_CHECKING

from hardware.ports import BytePort, Clock, DeviceError

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

LEAST_BAUD = 38_400
"""Order and status with their answers are 104 bytes: with the silences between them 31 of the 50 ms that there are for them."""
ANSWER_S = 0.04
"""An answer that has not come by then is none. At 115,200 baud question, silence and answer take 9 ms; a controller has 20 for itself."""
SILENCE_S = 0.00175
"""Between an answer and the next question: the end of a frame, above 19,200 baud (Modbus over serial line V1.02 §2.5.1.1)."""
_NOISE_S = 0.03
"""Longest wait for a line to become quiet; then the question is asked into the noise, and fails if that goes on."""
_READ_BYTES = 512
_READ_S = 0.005
_EXCEPTION_BYTES, _WRITTEN_BYTES, _READ_OVERHEAD = 5, 8, 5
_EXCEPTION_BIT = 0x80
_OTHER = "a damaged answer, or one to another question"


class NoAnswer(Exception):
    """The question has no answer that can be used. Whether the controller heard it is not known."""


class AnswerIsException(NoAnswer):
    """The controller answers that it will not (Modbus application protocol V1.1b3 §7)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


def load_pymodbus() -> None:
    """Load it now, for it takes a tenth of a second, and have it write no log. Raises DeviceError where it is not installed."""
    try:
        importlib.import_module("pymodbus.framer")
    except ImportError as error:
        raise DeviceError("controller", "Modbus needs pymodbus", "make setup-modbus, or install autogate[modbus]") from error
    logging.getLogger("pymodbus").setLevel(
        logging.CRITICAL + 1
    )  # it has a line for each bad answer: the wire must not fill the disk


class ModbusLine:
    """One unit on a serial line. One thread."""

    def __init__(self, port: BytePort, unit: int, clock: Clock) -> None:
        """``unit``: 1 … 247. Raises DeviceError where pymodbus is not installed."""
        load_pymodbus()
        from pymodbus.exceptions import ModbusException
        from pymodbus.framer import FramerRTU
        from pymodbus.pdu import DecodePDU, register_message

        self._pdu, self._framer, self._error = register_message, FramerRTU(DecodePDU(False)), ModbusException
        self._port, self._unit, self._clock = port, unit, clock
        self._busy_until = 0.0

    def read(self, address: int, count: int) -> tuple[int, ...]:
        """The input registers from ``address`` on (function 4). Raises NoAnswer, DeviceLost."""
        request = self._pdu.ReadInputRegistersRequest(address=address, count=count, dev_id=self._unit)
        answer = self._ask(request, _READ_OVERHEAD + 2 * count)
        registers = tuple(getattr(answer, "registers", ()))
        if not isinstance(answer, self._pdu.ReadInputRegistersResponse) or len(registers) != count:
            raise NoAnswer(_OTHER)
        return registers

    def write(self, address: int, registers: list[int]) -> None:
        """Write holding registers in one frame (function 16). Raises NoAnswer, and then it may have been done or not; DeviceLost."""
        request = self._pdu.WriteMultipleRegistersRequest(address=address, registers=registers, dev_id=self._unit)
        answer = self._ask(request, _WRITTEN_BYTES)
        if not isinstance(answer, self._pdu.WriteMultipleRegistersResponse) or (answer.address, answer.count) != (
            address,
            len(registers),
        ):
            raise NoAnswer(_OTHER)

    def _ask(self, request: ModbusPDU, expected: int) -> ModbusPDU:
        question = self._framer.buildFrame(request)
        self._become_quiet()
        self._port.write(question)
        data, length, deadline = bytearray(), expected, self._clock.boot() + ANSWER_S
        while (len(data) < length or question.startswith(data)) and self._clock.boot() < deadline:
            data += self._port.read(_READ_BYTES, _READ_S)
            if data.startswith(question):
                del data[: len(question)]  # a line that echoes
            length = _EXCEPTION_BYTES if len(data) > 1 and data[1] & _EXCEPTION_BIT else expected
        self._busy_until = self._clock.boot() + SILENCE_S
        if len(data) < length:
            raise NoAnswer(f"no answer within {ANSWER_S * 1000:.0f} ms")
        return self._answer(bytes(data[:length]))

    def _answer(self, frame: bytes) -> ModbusPDU:
        """Raises NoAnswer where ``frame`` is no whole answer of this unit."""
        try:
            _, answer = self._framer.handleFrame(frame, self._unit, 0)
        except (self._error, struct.error, IndexError, ValueError):  # what pymodbus lets through of a frame whose CRC fits
            answer = None
        if answer is None:
            raise NoAnswer(_OTHER)
        if answer.isError():
            raise AnswerIsException(answer.exception_code)
        return answer

    def _become_quiet(self) -> None:
        """Drop what still comes (a late answer, noise) until the line was silent as long as a frame's end."""
        deadline = self._clock.boot() + _NOISE_S
        while self._port.read(_READ_BYTES, max(0.0, self._busy_until - self._clock.boot())):
            self._busy_until = self._clock.boot() + SILENCE_S
            if self._clock.boot() > deadline:
                return
