"""Serial readers of the machine readable zone to plug in, behind a pseudo-terminal. They know nothing of the code that listens to them.

``python -m hardware.sim.mrz_readers --profile NAME --tty-link PATH`` makes ``PATH`` such a reader; each line on its standard input is a zone
that is drawn through, its lines separated by blanks. It prints ``ready``, then whether each was sent, and ends with its input.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

from hardware.sim.terminal import Terminal

TICK_S = 0.005


class MrzDevice(Protocol):
    """What is inside the housing."""

    def hear(self, data: bytes) -> bytes:
        """Take what the host sent; what is answered."""
        ...

    def swipe(self, lines: Sequence[str]) -> bytes:
        """A document is drawn through; what is sent of it, nothing where the reader is not armed."""
        ...


class RteReader:
    """3M, Gemalto and Thales RTE67xx, native format, unsolicited: one message a read, no commands.

    Its length counts the bytes after itself up to ETX; the block check is the exclusive or of all after SOH up to ETX.
    """

    def __init__(self, *, block_check: bool = True, flag: bytes = b"0") -> None:
        self._block_check, self._flag = block_check, flag

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it takes no commands
        return b""

    def swipe(self, lines: Sequence[str]) -> bytes:
        width = 30 if len(lines) == 3 else 44
        three = [""] * (3 - len(lines)) + [line[:width].ljust(width, "_") for line in lines]  # the bottom line is line 3
        text = b"OU\x02" + self._flag + "".join(line + "\r" for line in three).encode() + b"\x03"
        counted = bytes((len(text) & 0x7F, len(text) >> 7)) + text
        check = 0
        for octet in counted:
            check ^= octet
        return b"\x01" + counted + (bytes((check,)) if self._block_check else b"")

    @staticmethod
    def misread() -> bytes:
        """What it sends where it could read nothing."""
        return b"\x01\x00\x00"


class ElyctisReader:
    """Elyctis IDBOX: asked, or reading continuously until it has read one zone."""

    def __init__(self) -> None:
        self.continuous = False
        self._lying: bytes = b""

    def hear(self, data: bytes) -> bytes:
        answer = b""
        while len(data) >= 3:
            length = int.from_bytes(data[1:3], "big")
            command, body, data = data[:1], data[3 : 3 + length], data[3 + length :]
            match command:
                case b"C":
                    self.continuous = body == b"\x01"
                    answer += b"C\x00\x00"
                case b"I":
                    answer += self._told()
                case b"V":
                    answer += b"V\x00\x04SIM1"
                case _:
                    pass
        return answer

    def swipe(self, lines: Sequence[str]) -> bytes:
        self._lying = "".join(line + "\r" for line in lines).encode()
        if not self.continuous:
            return b""
        self.continuous = False
        return b"S\x00\x01\x01" + self._told()  # that there is a card, first

    def _told(self) -> bytes:
        text, self._lying = self._lying, b""
        return b"I" + len(text).to_bytes(2, "big") + text


class HoneywellReader:
    """A Honeywell imager: reads zones once that is switched on, and after each trigger one."""

    def __init__(self, *, separator: str = "\r", suffix: str = "") -> None:
        self._separator, self._suffix = separator, suffix
        self._heard = b""
        self.reads_zones = self.triggered = False

    def hear(self, data: bytes) -> bytes:
        self._heard += data
        answer = b""
        while (start := self._heard.find(b"\x16")) >= 0 and len(self._heard) >= start + 3:
            command, self._heard = self._heard[start + 1 : start + 2], self._heard[start + 3 :]
            if command in b"TU":
                self.triggered = command == b"T"
            elif command == b"M":
                setting, ended, self._heard = self._heard.partition(b"!")
                if not ended:
                    self._heard = b"\x16M\r" + setting
                    break
                self.reads_zones |= setting == b"ocrena1"
                answer += setting + b"\x06!"
        return answer

    def swipe(self, lines: Sequence[str]) -> bytes:
        if not (self.reads_zones and self.triggered):
            return b""
        self.triggered = False
        return (self._separator.join(lines) + self._suffix).encode()


class SwipeReader:
    """A reader that types what it reads: ``before``, the lines with ``separator`` between, ``after``."""

    def __init__(self, *, separator: str = "\r", before: str = "", after: str = "\r") -> None:
        self._separator, self._before, self._after = separator, before, after

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it takes no commands
        return b""

    def swipe(self, lines: Sequence[str]) -> bytes:
        return (self._before + self._separator.join(lines) + self._after).encode()


DEVICES: dict[str, Callable[[], MrzDevice]] = {
    "rte": RteReader,
    "rte_unchecked": lambda: RteReader(block_check=False),
    "elyctis": ElyctisReader,
    "elyctis_polled": ElyctisReader,
    "honeywell": HoneywellReader,
    "framed": lambda: SwipeReader(before="\x02", after="\x03"),
    "lines": SwipeReader,
}
"""One of each kind, by the name of the profile that it is read with."""


class PluggedIn:
    """A device behind a pseudo-terminal, in a thread of its own, until it is left. ``device`` may be exchanged while unplugged."""

    def __init__(self, device: MrzDevice, link: Path) -> None:
        self.device = device
        self._terminal = Terminal(link)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader {link.name}", daemon=True)

    def __enter__(self) -> Self:
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.unplug()

    def plug(self) -> None:
        with self._lock:
            self._terminal.plug()

    def unplug(self) -> None:
        with self._lock:
            self._terminal.unplug()

    def swipe(self, lines: Sequence[str]) -> bool:
        """Draw a document through; whether anything was sent of it."""
        with self._lock:
            data = self.device.swipe(lines)
            self._terminal.write(data)
        return bool(data)

    def send(self, data: bytes) -> None:
        """Put bytes on the line as they are."""
        with self._lock:
            self._terminal.write(data)

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            with self._lock:
                self._terminal.write(self.device.hear(self._terminal.read()))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hardware.sim.mrz_readers", description="A serial reader of zones to plug in."
    )
    parser.add_argument("--profile", choices=sorted(DEVICES), required=True)
    parser.add_argument("--tty-link", type=Path, required=True)
    options = parser.parse_args()
    with PluggedIn(DEVICES[options.profile](), options.tty_link) as reader:
        print("ready", flush=True)
        for zone in sys.stdin:
            print("sent" if reader.swipe(zone.split()) else "not armed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
