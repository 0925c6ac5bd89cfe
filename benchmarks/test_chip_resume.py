"""A tag that is lost once, at a thousand places: what the reader does over again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from benchmarks.chip_line import SEED, passport, read
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.tlv import MAX_HEADER
from hardware.ports import TagLost
from hardware.sim.chip import VirtualPassport

CUTS = 1000
P256 = 12
"""The curve that takes least time: what is counted is the same on all."""
KINDS = {
    f"{access}, {length} length": (pace, length == "extended")
    for access, pace in {"BAC": "", "PACE GM": "2.4", "PACE IM": "4.4", "PACE CAM": "6.4"}.items()
    for length in ("extended", "short")
}
FREE = frozenset({"EF.CardAccess", "EF.ATR/INFO"})
"""Read in the clear before access control: part of entering again."""


class Counting(VirtualPassport):
    """Keeps which parts of which files it gave."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.given: list[tuple[str, int, int]] = []

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        part = super()._part(file, offset, command)
        if part.data and self._name not in FREE:
            self.given.append((self._name, offset, len(part.data)))
        return part


@dataclass
class Cut:
    """A line that is lost once, at exchange ``at``: ``heard``, with the answer on its way back, or with the command on its way there."""

    chip: VirtualPassport
    at: int = -1
    heard: bool = True
    count: int = field(default=-1)

    def transceive(self, command: bytes) -> bytes:
        self.count += 1
        if self.count == self.at and not self.heard:
            raise TagLost("cut", "the command was lost")
        answer = self.chip.transceive(command)
        if self.count == self.at:
            raise TagLost("cut", "the answer was lost")
        return answer

    def reconnect(self, timeout: float) -> bool:
        return self.chip.reconnect(timeout)


def make(kind: str) -> Counting:
    pace, extended = KINDS[kind]
    chip = passport(pace, P256, kind=Counting, active=True, chip_parameters=P256, extended_length=extended)
    assert isinstance(chip, Counting)
    return chip


def places() -> list[tuple[str, int, bool]]:
    """A thousand of all places, each once: kind of chip, exchange, and which way it was lost."""
    every = []
    for kind in KINDS:
        whole = Cut(make(kind))
        read(whole)
        every += [(kind, at, heard) for at in range(whole.count + 1) for heard in (True, False)]
    assert len(every) >= CUTS
    return random.Random(SEED).sample(every, CUTS)


def repeated(chip: Counting, at_most: int) -> int:
    """Parts given more than once; a header that is compared and the bytes that try out new keys are none."""
    parts = [part for part in chip.given if part[2] > at_most]
    return len(parts) - len({(name, offset) for name, offset, _ in parts})


def outcome(kind: str, at: int, *, heard: bool) -> tuple[int, int]:
    """Runs of access control and parts beyond those of a reading without a loss. Fails where the reading is not the true one."""
    chip = make(kind)
    data = read(Cut(chip, at, heard))
    contents = {name: bytes(content) for name, content in data.files.items()}
    assert contents == {name: content for name, content in chip.files.items() if name in contents}
    assert {"EF.SOD", "DG1", "DG2", "DG14", "DG15", "EF.COM"} <= contents.keys()
    assert data.chip_authentication is not None
    assert data.chip_authentication.succeeded
    assert data.active_authentication is not None
    assert data.active_authentication.response
    return data.access.sessions - 1, repeated(chip, MAX_HEADER)


@pytest.mark.timeout(300)  # a thousand readings
@pytest.mark.benchmark(group="chip: a tag lost at a thousand places")
def test_resume(benchmark):
    cuts = places()
    outcomes = benchmark.pedantic(lambda: [outcome(kind, at, heard=heard) for kind, at, heard in cuts], rounds=1)
    good = sum(sessions <= 1 and parts <= 1 for sessions, parts in outcomes)
    benchmark.extra_info |= {
        "places": len(outcomes),
        "re-authentications, most": max(sessions for sessions, _ in outcomes),
        "repeated parts, most": max(parts for _, parts in outcomes),
        "at most one of each": f"{good} of {len(outcomes)}",
    }
    assert good == CUTS
