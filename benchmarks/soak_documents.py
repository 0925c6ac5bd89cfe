"""Long suites on what a traveller brings: chip, MRZ, portrait."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

import mrz
from benchmarks.passports import Book, issue
from benchmarks.soak_cases import Case, spoil
from faceverify.confined import ConfinedDecoder
from faceverify.image import ImageError, decode
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.errors import ChipError
from hardware.sim.chip import VirtualPassport
from pki.passive_authentication import passive_authentication
from pki.results import Authentic


class Noise:
    """Raw responses of a true chip, some of them replaced or changed."""

    def __init__(self, chip: VirtualPassport, dice: random.Random, rate: float) -> None:
        self._chip, self._dice, self._rate = chip, dice, rate
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        self.commands += 1
        response = self._chip.transceive(command)
        if self._dice.random() >= self._rate:
            return response
        return self._dice.randbytes(self._dice.randrange(300)) if self._dice.random() < 0.3 else spoil(response, self._dice)


class Hostile(VirtualPassport):
    """A chip that passed access control and says, properly protected, what it likes."""

    dice: random.Random

    def _read_binary(self, command: CommandApdu) -> ResponseApdu:
        true, dice = super()._read_binary(command), self.dice
        match dice.randrange(40):
            case 0:
                return ResponseApdu(data=dice.randbytes(dice.randrange(230)), sw=0x9000)
            case 1:
                return ResponseApdu(sw=dice.choice((0x6700, 0x6B00, 0x6A82, 0x6C00, 0x6C11, 0x6282, 0x6F00)))
            case 2:
                return ResponseApdu(data=true.data[: dice.randrange(230)], sw=0x6282)
            case 3:
                return ResponseApdu(data=spoil(true.data, dice)[:230], sw=0x9000)
            case _:
                return true


MOST_COMMANDS = 4000
"""For a portrait of 3 kB and a chip that haggles; an honest one needs about thirty."""


@contextmanager
def chip_responses() -> Iterator[Case]:
    """Whatever a chip answers: a value or ChipError, in a bounded number of commands; and authentic is only what the State signed."""
    book = issue(portrait=b"\xff\xd8\xff" + bytes(3000))

    def case(dice: random.Random) -> str:
        chip = book.chip(Hostile if dice.random() < 0.5 else VirtualPassport)
        if isinstance(chip, Hostile):
            chip.dice = dice
        line = Noise(chip, dice, rate=0.0 if isinstance(chip, Hostile) else dice.choice((0.005, 0.02, 0.2)))
        try:
            data = book.read(line)
        except ChipError as error:
            return error.code
        finally:
            assert line.commands < MOST_COMMANDS, line.commands
        assert not data.files.keys() & data.missing.keys()
        return _proven(book, data.files)

    yield case


def _proven(book: Book, files: Mapping[str, bytes]) -> str:
    groups = {int(name[2:]): content for name, content in files.items() if name.startswith("DG")}
    if "EF.SOD" not in files:
        return "no SOD"
    verdict = passive_authentication(files["EF.SOD"], groups, book.trust, book.now, mrz_issuing_state="IDN")
    if isinstance(verdict, Authentic):
        assert all(content == book.data_groups[number] for number, content in verdict.data_groups.items())
        return "authentic"
    return f"read, {verdict.code}"


UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
"""Doc 9303-4, Appendix A."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"


@contextmanager
def mrz_text() -> Iterator[Case]:
    """Any text is a record of exactly these lines or MrzError, and check digits are right only by an own calculation too."""

    def case(dice: random.Random) -> str:
        lines = [list(UPPER), list(LOWER)]
        for _ in range(dice.randint(1, 4)):
            line = dice.choice(lines)
            at = dice.randrange(len(line) + 1)
            match dice.randrange(8):
                case 0:
                    line[at : at + 1] = []
                case 1:
                    line.insert(at, chr(dice.randrange(0x250)))
                case _:
                    line[at : at + 1] = [dice.choice(ALPHABET)]
        text = ("".join(lines[0]), "".join(lines[1]))
        try:
            record = mrz.parse(text)
        except mrz.MrzError:
            return "malformed"
        assert record.lines == text
        assert record.check_digits_ok == _digits_right(text[1]), text
        return "check digits right" if record.check_digits_ok else "check digits wrong"

    yield case


def _digits_right(line: str) -> bool:
    """Doc 9303-3 §4.9: weights 7, 3, 1; letters from A = 10; a filler is 0."""
    spans = ((0, 9, 9), (13, 19, 19), (21, 27, 27), (28, 42, 42))
    parts = [(line[start:end], line[digit]) for start, end, digit in spans]
    parts.append((line[0:10] + line[13:20] + line[21:43], line[43]))
    return all(_sum(part) == (0 if digit == "<" and not part.strip("<") else _value(digit)) for part, digit in parts)


def _sum(part: str) -> int:
    return sum(max(0, _value(character)) * (7, 3, 1)[index % 3] for index, character in enumerate(part)) % 10


def _value(character: str) -> int:
    return -1 if character == "<" else int(character, 36)


@contextmanager
def images() -> Iterator[Case]:
    """Changed JPEG 2000 and JPEG through the confined decoder: pixels as large as promised or ImageError; the next good one decodes."""
    import cv2

    y, x = np.mgrid[0:160, 0:120]
    picture = np.stack([x * 2 % 256, y % 256, (x * y) % 256], axis=2).astype(np.uint8)
    good = [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jp2", ".jpg")]
    pixels = [decode(image) for image in good]

    with ConfinedDecoder(max_pixels=200_000, timeout_s=1.0) as decoder:

        def case(dice: random.Random) -> str:
            which = dice.randrange(len(good))
            if dice.random() < 0.02:
                assert (decoder.decode(good[which]) == pixels[which]).all()
                return "good"
            head = dice.choice((60, 300, len(good[which])))
            try:
                seen = decoder.decode(spoil(good[which][:head], dice) + good[which][head:])
            except ImageError as error:
                return error.code
            assert seen.dtype == np.uint8
            assert seen.size <= 3 * 200_000
            return "decoded"

        yield case
