"""A serial device as a BytePort (pyserial)."""

from __future__ import annotations

import termios

import serial

from hardware.ports import DeviceError, DeviceLost

BAUD = 115_200
_WRITE_TIMEOUT_S = 2.0
"""A line that takes nothing for this long is dead. Long, for pyserial also blames the line when its thread was held up so long;
nobody waits for it (``host.py`` writes in a thread of its own), and a lease lapses by itself in the meantime.
"""


_GONE = (serial.SerialException, OSError, TypeError, termios.error)
"""What pyserial lets through when a device goes: TypeError on a port closed meanwhile, termios.error between open and flush."""


class SerialPort:
    """An open serial line, 8N1, held exclusively. Reading and writing may happen in two threads."""

    def __init__(self, path: str, baud: int = BAUD) -> None:
        """Open ``path``. Raises DeviceError if it is missing, taken or forbidden."""
        self._path = path
        try:
            self._serial = serial.Serial(path, baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            raise DeviceError(path, "the serial port cannot be opened", _remedy(error)) from error

    def read(self, limit: int, timeout: float) -> bytes:
        """Return 1…``limit`` bytes as soon as any are there, ``b""`` after ``timeout`` seconds. Raises DeviceLost."""
        try:
            if self._serial.timeout != timeout:
                self._serial.timeout = timeout
            first = self._serial.read(1)
            waiting = min(self._serial.in_waiting, limit - 1) if first else 0
            data: bytes = first + self._serial.read(waiting)
        except _GONE as error:
            raise DeviceLost(self._path, f"the serial device is gone: {error}", "plug it in again") from error
        return data

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises DeviceLost."""
        try:
            self._serial.write(data)
        except _GONE as error:
            raise DeviceLost(self._path, f"the serial device is gone: {error}", "plug it in again") from error

    def close(self) -> None:
        """Close the line; again is harmless."""
        try:
            self._serial.close()
        except _GONE:
            return  # gone already


def _remedy(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == 2:
        return "plug it in, or correct the path in the configuration"
    if number in (11, 16):
        return "another program holds it: stop that program"
    if number == 13:
        return "add this user to the group of the device"
    return str(error).replace("\n", " ")
