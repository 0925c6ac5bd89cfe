"""Whole readings of chips that are spoilt in several ways at once, over a line that changes answers and loses the tag."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks import soak_seeds as seeds
from benchmarks.soak_agreement import CAN, Script, change_answers, joined, split
from benchmarks.soak_cases import METER, NOW, Case, spoil
from benchmarks.soak_targets import Target
from benchmarks.soak_trees import mutate
from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import Random
from hardware.emrtd.lds import FILES
from hardware.emrtd.pace_offers import offers
from hardware.emrtd.reader import BAC_WHERE_PACE_FAILED, EXTRA, ChipData, read_chip
from hardware.ports import DeviceError, TagLost, Transceiver
from hardware.sim.chip import SPOILABLE, VirtualPassport
from hardware.sim.chip_attacks import ATTACKS

MOST_COMMANDS = 12_000
"""For files of at most 64 KiB in the smallest steps that are taken, and a chip that haggles; an honest one needs about forty."""
KINDS = {"bac": None, "pace": 0, "im": 2, "cam": 3, "dh": 4}
"""Kind of chip → its PACE, an index into ``soak_seeds.OFFERS``."""
PORTRAIT = 3000
NAMES = tuple(FILES)
STATUSES = (0x6A82, 0x6982, 0x6985, 0x6F00, 0x6700, 0x6B00, 0x6282, 0x6C10, 0x6300, 0x9000)
INSTRUCTIONS = (0xA4, 0xB0, 0xB1, 0x84, 0x82, 0x22, 0x86, 0x88)

Spoiler = Callable[[random.Random], Any]
SPOILERS: Mapping[str, Spoiler] = {
    "lost_after": lambda dice: dice.randrange(1, 3000),
    "lost_after_each": lambda dice: dice.randrange(1, 1500),
    "lost_at_command": lambda dice: dice.randrange(1, 60),
    "returns": lambda dice: dice.random() < 0.8,
    "mute": lambda dice: dice.choice(INSTRUCTIONS),
    "slow_s": lambda dice: dice.choice((0.0, 5.0)),
    "stingy": lambda dice: dice.choice((1, 15, 16, 17, 64, 200)),
    "endless": lambda dice: dice.random() < 0.8,
    "wrong_le": lambda dice: dice.randrange(256),
    "takes": lambda dice: dice.randrange(1, 5000),
    "announced": lambda dice: {dice.choice(NAMES): dice.choice((0, 1, 100, 1000, 6000, 60_000, 1 << 20))},
    "file_statuses": lambda dice: {dice.choice(NAMES): dice.choice(STATUSES)},
    "extended_length": lambda dice: dice.random() < 0.5,
    "bac": lambda dice: dice.random() < 0.8,
    "wrong_mac": lambda dice: dice.random() < 0.5,
    "clone": lambda dice: dice.random() < 0.8,
    "attack": lambda dice: dice.choice(sorted(ATTACKS)),
    "attacked_file": lambda dice: dice.choice(("", *NAMES)),
}
"""A value for each of a chip's spoilable attributes."""


class Line:
    """A transceiver between chip and reader. Whatever the reader does between two answers is measured."""

    def __init__(self, chip: VirtualPassport, dice: random.Random, *, noise: float, losses: float) -> None:
        self._chip, self._dice, self._noise, self._losses = chip, dice, noise, losses
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        METER.stop()
        self.commands += 1
        try:
            if self._losses and self._dice.random() < self._losses:
                raise TagLost("line", "the chip left the field", "place the document again")
            return self._answer(self._chip.transceive(command))
        finally:
            METER.start()

    def reconnect(self, timeout: float) -> bool:
        METER.stop()
        try:
            return self._chip.reconnect(timeout) and self._dice.random() < 0.95
        finally:
            METER.start()

    def _answer(self, response: bytes) -> bytes:
        dice = self._dice
        if not self._noise or dice.random() >= self._noise:
            return response
        match dice.randrange(6):
            case 0:
                return dice.randbytes(dice.choice((0, 1, 2, 40, 300, 70_000)))
            case 1:
                return response[:-2] + dice.choice(STATUSES).to_bytes(2)
            case 2:
                return mutate(response[:-2], dice) + response[-2:]
            case _:
                return spoil(response, dice)


class Still:
    """A clock that stands."""

    def boot(self) -> float:
        return 0.0

    def wall(self) -> Any:
        return NOW


def _honest(kind: str, random: Random, portrait: int) -> VirtualPassport:
    files, cam = dict(seeds.passport_files(portrait)), None
    if (which := KINDS[kind]) is not None:
        protocol, number = seeds.OFFERS[which]
        files["EF.CardAccess"] = tlv.encode(0x31, seeds.pace_info(protocol, number))
        if kind == "cam":
            files["EF.CardSecurity"], cam = seeds.card_security(seeds.spki(seeds.chip_key(number))), seeds.chip_key(number)
    return VirtualPassport(
        files,
        seeds.MRZ_INFORMATION,
        seeds.ACTIVE_KEY,
        seeds.chip_key(seeds.P256),
        can=CAN,
        cam_key=cam,
        sleep=lambda _: None,
        random=random,
    )


def _chip(dice: random.Random) -> VirtualPassport:
    """A chip with up to one changed file and up to five of its attributes spoilt."""
    chip = _honest(dice.choice(sorted(KINDS)), dice.randbytes, PORTRAIT)
    if dice.random() < 0.5:
        name = dice.choice(sorted(chip.files))
        chip.files[name] = mutate(chip.files[name], dice)
    for name in dice.sample(sorted(SPOILERS), dice.choice((0, 1, 1, 2, 3, 5))):
        setattr(chip, name, SPOILERS[name](dice))
    return chip


@contextmanager
def readings() -> Iterator[Case]:
    """Whatever chip and line do together: what was read, ChipError, or the device's own error; in a bounded number of commands."""
    assert SPOILERS.keys() == SPOILABLE, SPOILERS.keys() ^ SPOILABLE

    def case(dice: random.Random) -> str:
        with METER.now_and_then(dice):
            return _read(dice)

    yield case


def _read(dice: random.Random) -> str:
    chip = _chip(dice)
    line = Line(chip, dice, noise=dice.choice((0.0, 0.01, 0.1)), losses=dice.choice((0.0, 0.0, 0.02)))
    key = AccessKey.from_can(CAN) if dice.random() < 0.2 else AccessKey(seeds.MRZ_INFORMATION)
    METER.start()
    try:
        data = read_chip(
            line,
            key,
            clock=Still(),
            tolerances=frozenset({BAC_WHERE_PACE_FAILED} if dice.random() < 0.2 else ()),
            extra=tuple(dice.sample(EXTRA, dice.randrange(3))),
            random=dice.randbytes,
        )
        return _told(data)
    except ChipError as error:
        return error.code
    except DeviceError as error:
        return type(error).__name__
    finally:
        METER.stop()
        assert line.commands <= MOST_COMMANDS, line.commands


def scripted() -> Target:
    """A reading of a chip that says what is written. First octet: by the CAN (1), with the tolerance (2); then answers, each behind its
    length. Dice of both sides are fixed, so what an honest chip said once is right again.
    """

    def read(chip: Transceiver, how: int) -> ChipData:
        key = AccessKey.from_can(CAN) if how & 1 else AccessKey(seeds.MRZ_INFORMATION)
        tolerances = frozenset({BAC_WHERE_PACE_FAILED} if how & 2 else ())
        return read_chip(chip, key, clock=Still(), tolerances=tolerances, extra=("EF.DIR",), random=seeds.dice_of("terminal"))

    def parse(data: bytes) -> str:
        chip = Script(split(data[1:]))
        try:
            return _told(read(chip, data[0] if data else 0))
        finally:
            assert chip.asked <= MOST_COMMANDS, chip.asked

    def recorded(kind: str, how: int) -> bytes:
        chip = Recorded(_honest(kind, seeds.dice_of("chip"), 300))
        read(chip, how)
        return bytes([how]) + joined(chip.said)

    honest = tuple(recorded(kind, how) for kind, how in (("bac", 0), ("pace", 1), ("cam", 2)))
    return Target(seeds=honest, parse=parse, change=change_answers, errors=(ChipError, DeviceError))


class Recorded:
    """A chip whose answers are written down."""

    def __init__(self, chip: VirtualPassport) -> None:
        self._chip = chip
        self.said: list[bytes] = []
        self.reconnect = chip.reconnect

    def transceive(self, command: bytes) -> bytes:
        self.said.append(self._chip.transceive(command))
        return self.said[-1]


def _told(data: ChipData) -> str:
    assert not data.files.keys() & data.missing.keys()
    assert all(len(content) <= FILES[name].cap for name, content in data.files.items())
    assert data.access.protocol == "pace" or data.access.tolerance or not _offers_pace(data), "read over BAC without a word"
    data.wipe()
    assert not any(any(content) for content in data.files.values())
    return f"read by {data.access.protocol}" + (" again" if data.access.sessions > 1 else "")


def _offers_pace(data: ChipData) -> bool:
    """Did EF.CardAccess, as far as the reader got it, offer PACE? A malformed one counts as an offer."""
    try:
        return "EF.CardAccess" in data.files and bool(offers(bytes(data.files["EF.CardAccess"])))
    except ChipError:
        return True
