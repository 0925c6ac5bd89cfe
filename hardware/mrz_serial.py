"""Readers of the machine readable zone on a serial line: swipe and half-page readers that read it by themselves, and say its text.

One is a :class:`hardware.ports.DocumentScanner` without chip and pictures; :class:`hardware.document_scanner.ScannerWithPcsc` adds a chip.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hardware.controller.serial_port import SerialPort
from hardware.mrz_frames import (
    CR,
    FRAMED,
    LINES,
    PIECE,
    RTE,
    RTE_UNCHECKED,
    SYN,
    TLV,
    Framer,
    Refused,
    Wire,
    ZoneText,
)
from hardware.ports import BytePort, DeviceError, ScannedDocument

GAP_S = 0.1
"""Silence that ends a message: a hundred characters' time at 9600 baud."""
RETRY_S = 0.25
"""Between two attempts at a line that is gone."""
LIES_S = 20.0
"""How long a document counts as present after it was drawn through: nothing tells when its holder puts it away."""

NO_ZONE = Refused(reason="no_zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one kind of reader is spoken to. ``start`` is sent once it is there; ``arm`` then, after each message and every ``again_s``
    seconds besides (None: not); ``disarm`` at the end.
    """

    wire: Wire = field(repr=False)
    baud: int = 9600
    start: bytes = b""
    arm: bytes = b""
    again_s: float | None = None
    disarm: bytes = b""


def honeywell_setting(name: str) -> bytes:
    """A menu command of an imager, not kept over a loss of power."""
    return SYN + b"M" + CR + name.encode("ascii") + b"!"


PROFILES: dict[str, Profile] = {
    "rte": Profile(wire=RTE),
    "rte_unchecked": Profile(wire=RTE_UNCHECKED),
    # Continuous reading ends by itself with each zone read.
    "elyctis": Profile(wire=TLV, arm=b"C\x00\x01\x01", again_s=5.0, disarm=b"C\x00\x01\x00"),
    "elyctis_polled": Profile(wire=TLV, arm=b"I\x00\x00", again_s=0.25),
    "honeywell": Profile(
        wire=LINES,
        baud=115_200,
        start=honeywell_setting("ocrena1") + honeywell_setting("ocrats2"),
        arm=SYN + b"T" + CR,
        again_s=5.0,
        disarm=SYN + b"U" + CR,
    ),
    "framed": Profile(wire=FRAMED),
    "lines": Profile(wire=LINES),
}
"""By the name that a configuration gives."""


def open_reader(path: str, name: str, baud: int | None = None, *, lies_s: float = LIES_S) -> SerialMrzReader:
    """The reader at ``path``, which need not be there yet. Raises DeviceError for a profile that is none."""
    if name not in PROFILES:
        raise DeviceError(path, f"no profile {name!r}", f"use one of {', '.join(sorted(PROFILES))}")
    profile = PROFILES[name]
    return SerialMrzReader(lambda: SerialPort(path, baud or profile.baud), profile, lies_s=lies_s)


class SerialMrzReader:
    """A :class:`hardware.ports.DocumentScanner`. A line that goes is opened again and the reader armed anew, while somebody waits.

    ``refused`` is the last message that was no zone, for who wants to say why nothing came; None once a zone did.
    """

    def __init__(self, open_port: Callable[[], BytePort], profile: Profile, *, lies_s: float = LIES_S) -> None:
        self._open_port, self._profile, self._lies_s = open_port, profile, lies_s
        self._port: BytePort | None = None
        self._framer = Framer(profile.wire)
        self._lying: ZoneText | None = None
        self._next: ZoneText | None = None
        self._armed = self._put_away = 0.0
        self.refused: Refused | None = None

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        """As the port says. Raises DeviceError where the line is still gone when ``timeout`` has passed."""
        self._lying = None
        self._listen_until(time.monotonic() + timeout)
        if self._next is None:
            return None
        self._lying, self._next = self._next, None
        self._put_away = time.monotonic() + self._lies_s
        return ScannedDocument(mrz_lines=self._lying.lines, chip=None)

    def wait_for_removal(self, timeout: float) -> bool:
        """As the port says: true once another document was read, or ``lies_s`` after this one last was."""
        deadline = time.monotonic() + timeout
        while (now := time.monotonic()) < self._put_away:
            self._listen_until(min(deadline, self._put_away))
            if self._next is not None:
                break
            if now >= deadline:
                return False
        return True

    def close(self) -> None:
        """Disarm the reader and let go of the line; again is harmless."""
        port, self._port = self._port, None
        if port is not None:
            try:
                port.write(self._profile.disarm)
            except DeviceError:
                pass  # gone already
            finally:
                port.close()

    def _listen_until(self, deadline: float) -> None:
        while self._next is None:
            left = deadline - time.monotonic()
            try:
                self._listen(max(0.0, left))
            except DeviceError:
                self._hang_up()
                if left <= RETRY_S:
                    raise
                time.sleep(RETRY_S)
            else:
                if left <= 0:
                    return

    def _listen(self, left: float) -> None:
        port = self._port or self._connect()
        if self._profile.again_s is not None and time.monotonic() - self._armed > self._profile.again_s:
            self._arm(port)
        data = port.read(PIECE, GAP_S if self._framer.pending else min(left, GAP_S))
        for one in self._framer.feed(data) if data else self._framer.quiet():
            match one:
                case ZoneText():
                    self.refused = None
                    self._read(one)
                case Refused():
                    self.refused = one
            if one != NO_ZONE:  # to that the answer would come at once, and so on for ever
                self._arm(port)

    def _read(self, zone: ZoneText) -> None:
        """Who lies there may be read again and again; that is no other document."""
        if zone == self._lying:
            self._put_away = time.monotonic() + self._lies_s
        else:
            self._next = zone

    def _connect(self) -> BytePort:
        self._port = port = self._open_port()
        self._framer = Framer(self._profile.wire)
        port.write(self._profile.start)
        self._arm(port)
        return port

    def _arm(self, port: BytePort) -> None:
        port.write(self._profile.arm)
        self._armed = time.monotonic()

    def _hang_up(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
