"""A virtual chip in a virtual reader: serves it to vpcd, so that any PC/SC program can read it.

vpcd (of vsmartcard) is a driver that shows pcscd the readers "Virtual PCD 00 00" and "… 00 01" and listens on 127.0.0.1:35963 and
:35964 for the chips to lie in them: a connection is a chip in the field. A message has its length before it, two bytes; one of a
single byte is a control (0 power off, 1 power on, 2 reset, 4 send the ATR), any other a command APDU.

``python -m hardware.sim.vpcd --specimen DIR`` serves a folder of files until its standard input closes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import socket
import sys
import threading
from pathlib import Path
from typing import Self

from hardware.ports import DeviceError, Transceiver

HOST, PORT = "127.0.0.1", 35963
"""Where vpcd listens for the chip in its first slot; its second slot is on the next port."""
SLOTS = 2
ATTEMPT_S = 0.1
"""How often to knock where no vpcd listens, and how long to wait for a chip that may come back."""
ABSENT_S = 0.5
"""How long the field stays empty after a chip: pcscd looks every 0.4 s, and is at a loss over one that was swapped in between."""
CLOSE_S = 5.0
"""How long a slow chip may keep the thread at the end."""
TAG = 13
"""Bytes that the longest compact TLV in the historical bytes can hold beside its header and the category indicator."""


def atr(historical: bytes = b"") -> bytes:
    """The answer to reset by which PC/SC part 3 §3.1.3.2.3 shows a chip of ISO/IEC 14443-4 with at most 15 historical bytes."""
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    check = 0
    for octet in body:
        check ^= octet
    return b"\x3b" + body + bytes([check])


def run_atr(secret: str) -> bytes:
    """The ATR of the chips of one run: issuer data (ISO/IEC 7816-4 §8.1.1) made with the run's secret: it guards against accidents."""
    tag = hmac.digest(secret.encode(), b"autogate virtual chip", hashlib.sha256)[:TAG]
    return atr(bytes([0x80, 0x50 | TAG]) + tag)


def slot_port(reader: str) -> int:
    """The port on which vpcd waits for the chip of the reader with this PC/SC name. Raises DeviceError for any other reader."""
    slots = {f"Virtual PCD 00 {slot:02d}": PORT + slot for slot in range(SLOTS)}
    if reader not in slots:
        raise DeviceError(reader, "not a virtual reader", f"name one of: {', '.join(slots)}")
    return slots[reader]


class VirtualSlot:
    """One slot of vpcd and the chip that lies in it, if any. A thread of its own serves it; the rest is for any thread.

    A chip that is lost (TagLost) is out of the field until its own ``reconnect`` says that it is back.
    """

    def __init__(self, answer_to_reset: bytes, port: int = PORT) -> None:
        """Raises DeviceError where another process of this machine has the slot."""
        self._atr, self._port = answer_to_reset, port
        self._claim = socket.socket(socket.AF_UNIX)
        try:
            self._claim.bind(f"\0autogate vpcd {port}")  # a name that goes with the process
        except OSError as error:
            self._claim.close()
            raise DeviceError(
                f"vpcd port {port}", "another virtual chip lies there", "use the other slot, or end that process"
            ) from error
        self._changed = threading.Condition()
        self._chip: Transceiver | None = None
        self._line: socket.socket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"vpcd {port}", daemon=True)
        self._thread.start()

    def place(self, chip: Transceiver | None) -> None:
        """Lay ``chip`` into the field, in place of the one that lies there; None: take it away."""
        with self._changed:
            self._chip = chip
            self._hang_up()
            self._changed.notify_all()

    def close(self) -> None:
        """Take the chip away and end the thread; again is harmless."""
        self._closed.set()
        self.place(None)
        self._thread.join(CLOSE_S)
        self._claim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        """Lay down each chip that is placed, and lay it down again after each loss that it survives."""
        served: Transceiver | None = None
        while (chip := self._next()) is not None:
            if chip is served and not chip.reconnect(ATTEMPT_S):
                self._closed.wait(ATTEMPT_S)
                continue
            if (line := self._connect(chip)) is None:
                self._closed.wait(ATTEMPT_S)
                continue
            served = chip
            with line:
                self._converse(line, chip)
            self._closed.wait(ABSENT_S)

    def _next(self) -> Transceiver | None:
        with self._changed:
            self._changed.wait_for(lambda: self._chip is not None or self._closed.is_set())
            return None if self._closed.is_set() else self._chip

    def _connect(self, chip: Transceiver) -> socket.socket | None:
        """The connection by which ``chip`` lies in the field; None where nobody listens, or it was taken away meanwhile."""
        try:
            line = socket.create_connection((HOST, self._port), ATTEMPT_S)
        except OSError:
            return None
        line.settimeout(None)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            if self._chip is not chip:
                line.close()
                return None
            self._line = line
        return line

    def _converse(self, line: socket.socket, chip: Transceiver) -> None:
        """Answer vpcd until the line breaks, the chip is lost or was taken away."""
        used = False
        try:
            while True:
                message = _receive(line)
                match message:
                    case b"\x04":
                        _send(line, self._atr)
                    case b"\x01" | b"\x02" if used:
                        used = not chip.reconnect(0.0)
                    case b"\x00" | b"\x01" | b"\x02":
                        pass
                    case _:
                        used = True
                        answer = chip.transceive(message)
                        if not answer:
                            return  # vpcd knows no such message
                        _send(line, answer)
        except (OSError, EOFError, DeviceError, OverflowError):  # the last: an answer longer than vpcd's length field can say
            return

    def _hang_up(self) -> None:
        """End the conversation from another thread."""
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(OSError):  # it ended by itself
                line.shutdown(socket.SHUT_RDWR)


def _send(line: socket.socket, message: bytes) -> None:
    line.sendall(len(message).to_bytes(2) + message)


def _receive(line: socket.socket) -> bytes:
    return _exactly(line, int.from_bytes(_exactly(line, 2)))


def _exactly(line: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # it does not last: without, an APDU waits 40 ms for an ACK
        part = line.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def main() -> int:
    """Serve a specimen until the standard input closes or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m hardware.sim.vpcd", description="A specimen in a virtual PC/SC reader.")
    parser.add_argument("--specimen", type=Path, required=True, help="folder with its files (hardware/sim/specimen.py)")
    parser.add_argument("--reader", default="Virtual PCD 00 00")
    parser.add_argument("--kbit-s", type=float, help="pace the chip as on the air: 106, 212, 424 or 848")
    options = parser.parse_args()

    from hardware.emrtd.errors import ChipError
    from hardware.sim.chip import LinkModel
    from hardware.sim.specimen import load_specimen

    try:
        specimen, port = load_specimen(options.specimen), slot_port(options.reader)
    except (DeviceError, ChipError) as error:
        print(f"vpcd: {error}", file=sys.stderr)
        return 2
    with VirtualSlot(atr(), port) as slot:
        slot.place(specimen.chip(LinkModel(kbit_s=options.kbit_s) if options.kbit_s else None))
        print(f"{', '.join(specimen.files)} in {options.reader}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
