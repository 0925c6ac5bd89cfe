"""A panel that lies: what it says without the key is worth nothing, and no bytes of it end the process that listens."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from hardware.sim.osdp_pd import PluggedInPanel
from hardware.sim.terminal import Terminal

ID, CAPABILITIES, CHALLENGE = 0x61, 0x62, 0x76
ACK, NAK, PDID, PDCAP, LSTATR, ISTATR, CCRYPT, RMAC = 0x40, 0x41, 0x45, 0x46, 0x48, 0x49, 0x76, 0x78
SECURE, LAMP = bytes((9, 1, 1)), bytes((4, 1, 1))
"""IEC 60839-11-5, osdp_PDCAP: function code, compliance, number of items."""
IDENTITY = bytes(12)

SECONDS = 2.0
"""So long the gate listens to all of them at once; after 1.5 s without a channel it says so."""

LISTENER = """
import json, sys, time
from pathlib import Path
from hardware.controller.serial_port import SerialPort
from hardware.osdp import OsdpPanel
from hardware.osdp_key import read_key
key, until, believed = read_key(Path(sys.argv[1])), time.monotonic() + float(sys.argv[2]), set()
panels = {path: OsdpPanel(lambda path=path: SerialPort(path), 0, key) for path in sys.argv[3:]}
while time.monotonic() < until:
    told = {path: panel.work(0.001) for path, panel in panels.items()}
    believed |= {path for path, status in told.items() if status.shown or status.assistance or status.tamper}
print(json.dumps({Path(path).name: {"fault": status.fault, "believed": path in believed} for path, status in told.items()}))
"""


def crc(data: bytes) -> bytes:
    """IEC 60839-11-5: CCITT polynomial, starting at 0x1D0F."""
    register = 0x1D0F
    for octet in data:
        register ^= octet << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
        register &= 0xFFFF
    return register.to_bytes(2, "little")


def frame(sequence: int, reply: int, data: bytes = b"", *, block: bytes = b"") -> bytes:
    control = sequence | 0x04 | (0x08 if block else 0)
    length = 8 + len(block) + len(data)
    head = bytes((0x53, 0x80)) + length.to_bytes(2, "little") + bytes((control,))
    return head + block + bytes((reply,)) + data + crc(head + block + bytes((reply,)) + data)


def split(heard: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames, and what is left."""
    frames = []
    while (start := heard.find(b"\x53")) >= 0 and len(heard) >= start + 4:
        length = int.from_bytes(heard[start + 2 : start + 4], "little")
        if len(heard) < start + length:
            break
        frames.append(heard[start : start + length])
        heard = heard[start + length :]
    return frames, heard


class Liar:
    """A device on the line that knows no key: ``answer`` gets the sequence number and the command, and says what comes back."""

    def __init__(self, link: Path, answer: Callable[[int, int], bytes]) -> None:
        self._terminal, self._answer = Terminal(link), answer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._terminal.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._terminal.unplug()

    def _run(self) -> None:
        heard = b""
        while not self._ended.wait(0.001):
            frames, heard = split(heard + self._terminal.read())
            for told in frames:
                block = told[5] if told[4] & 0x08 else 0
                self._terminal.write(self._answer(told[4] & 3, told[5 + block]))


def pretend(capabilities: bytes, rest: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    """A proper start, then ``rest``."""
    start = {ID: (PDID, IDENTITY), CAPABILITIES: (PDCAP, capabilities)}
    return lambda sequence, asked: frame(sequence, *start[asked]) if asked in start else rest(sequence, asked)


def tells_tales(sequence: int, _asked: int) -> bytes:
    return frame(sequence, LSTATR, b"\1\0")


LIES = {
    "says_it_has_no_secure_channel": pretend(LAMP, tells_tales),
    "reports_in_plain_text": pretend(SECURE + LAMP, tells_tales),
    "acknowledges_everything": pretend(SECURE + LAMP, lambda sequence, _: frame(sequence, ACK)),
    "refuses_everything": lambda sequence, _: frame(sequence, NAK, b"\3"),
    "makes_up_a_cryptogram": pretend(
        SECURE + LAMP,
        lambda sequence, asked: (
            frame(sequence, CCRYPT, bytes(32), block=b"\3\x12\1")
            if asked == CHALLENGE
            else frame(sequence, RMAC, bytes(16), block=b"\3\x14\1")
        ),
    ),
    "offers_the_default_key": pretend(SECURE, lambda sequence, _: frame(sequence, CCRYPT, bytes(32), block=b"\3\x12\0")),
    "says_it_is_busy_for_ever": pretend(SECURE, lambda _sequence, _asked: frame(0, 0x79)),
    "announces_more_than_comes": lambda sequence, _: frame(sequence, PDID, bytes(100))[:20],
    "names_a_hundred_inputs": pretend(SECURE + bytes((1, 4, 255)), lambda sequence, _: frame(sequence, ISTATR, b"\1" * 100)),
}


def noise(seed: int) -> Callable[[int, int], bytes]:
    """Any bytes: some bare, some in frames that check, some where a proper start should be."""
    dice = random.Random(seed)

    def answer(sequence: int, asked: int) -> bytes:
        data = dice.randbytes(dice.choice((0, 1, 2, 12, 16, 32, 60, 247)))
        block = bytes((dice.choice((0, 2, 3, 255)), dice.randrange(0x10, 0x1A), 1))
        answers = (data, frame(sequence, dice.randrange(256), data), frame(sequence, dice.randrange(256), data, block=block))
        return dice.choice((*answers, pretend(SECURE + LAMP, tells_tales)(sequence, asked)))

    return answer


NOISES = {f"noise_{seed}": noise(seed) for seed in range(4)}


@pytest.fixture(scope="module")
def recording(kit, tmp_path_factory) -> list[bytes]:
    """What an honest device answered in a session that it believed and that believed it."""
    folder, heard = tmp_path_factory.mktemp("recording"), bytearray()
    key_file = kit.key_file(folder / "panel.key")
    with PluggedInPanel(folder / "tty", key_file) as device:
        panel = kit.panel(device.tty, key_file)
        read = panel._line.read
        panel._line.read = lambda limit: (taken := read(limit), heard.extend(taken))[0]
        kit.shows(panel, lamp="green")
        device.happen("press")
        kit.until(panel, lambda status: status.assistance)
        panel.close()
    frames, _ = split(bytes(heard))
    return [key_file.read_bytes(), *frames]


@pytest.fixture(scope="module")
def believed(kit, recording, tmp_path_factory) -> dict[str, dict[str, object]]:
    """What a process that listens to all the liars at once makes of each."""
    folder = tmp_path_factory.mktemp("liars")
    key_file = folder / "panel.key"
    key_file.write_bytes(recording[0])
    key_file.chmod(0o600)
    again = itertools.cycle(recording[1:])
    with contextlib.ExitStack() as stack:
        for name, answer in (LIES | NOISES | {"replay": lambda *_: next(again)}).items():
            stack.enter_context(Liar(folder / name, answer))
        ttys = [str(folder / name) for name in (*LIES, *NOISES, "replay")]
        command = [sys.executable, "-c", LISTENER, str(key_file), str(SECONDS), *ttys]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("lie", LIES)
def test_a_panel_without_the_key_is_not_believed_and_officers_are_told(believed, lie):
    assert believed[lie]["fault"]
    assert not believed[lie]["believed"]


@pytest.mark.parametrize("name", NOISES)
def test_any_bytes_in_answer_end_no_process_and_are_not_believed(believed, name):
    assert not believed[name]["believed"]


def test_a_session_that_was_recorded_opens_no_other(believed, recording):
    """Its cryptogram was for another challenge, under the same key."""
    assert len(recording) > 6
    assert believed["replay"]["fault"]
    assert not believed["replay"]["believed"]
