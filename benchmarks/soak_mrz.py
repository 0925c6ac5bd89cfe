"""Long suites of the parser: zones of all formats made, read and made anew; and any bytes at all."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mrz
from benchmarks.soak_cases import Case
from mrz.sim import pretend_fields

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
LONGEST = 10_000
"""Bytes of a fuzzed input."""


@contextmanager
def round_trips() -> Iterator[Case]:
    """What was made from fields is read without a finding, says the same fields, and is made again character for character."""

    def case(dice: random.Random) -> str:
        name = dice.choice(tuple(mrz.FORMATS))
        fields = pretend_fields(dice, name)
        lines = mrz.compose(name, **fields)
        record = mrz.parse(lines)
        assert (record.format, record.lines, record.findings, record.check_digits_ok) == (name, lines, (), True), lines
        assert record.document_number == fields["document_number"], lines
        assert mrz.emit(record) == lines, lines
        return (
            f"{name} long number" if len(record.document_number) > 9 else f"{name} truncated" if record.name_truncated else name
        )

    yield case


@contextmanager
def any_input() -> Iterator[Case]:
    """Any bytes or text are a record of exactly these characters, or MrzError with a place inside them."""
    made = random.Random(9303)
    zones = [mrz.compose(name, **pretend_fields(made, name)) for name in mrz.FORMATS for _ in range(100)]

    def case(dice: random.Random) -> str:
        text = _anything(dice, zones)
        try:
            record = mrz.parse(text)
        except mrz.MrzError as error:
            place = error.finding
        else:
            return f"{record.format}, check digits {'right' if record.check_digits_ok else 'wrong'}"
        assert 0 <= place.line <= 3, place
        assert 0 <= place.column <= 44, place
        return "a foreign character" if place.column else "no zone"

    yield case


def _anything(dice: random.Random, zones: Sequence[tuple[str, ...]]) -> str | bytes:
    match dice.randrange(8):
        case 0:
            return dice.randbytes(dice.randrange(LONGEST if dice.random() < 0.1 else 200))
        case 1:
            return "".join(map(chr, dice.choices(range(0x3000), k=dice.randrange(100))))
        case 2:
            return "".join(dice.choices(ALPHABET, k=dice.choice((72, 88, 90)) + dice.choice((0, 0, 0, -1, 1))))
        case kind:
            zone = [*dice.choice(("\n", "\r\n", "")).join(dice.choice(zones))]
            for _ in range(dice.randint(0, 4)):
                at = dice.randrange(len(zone))
                zone[at : at + 1] = dice.choices(ALPHABET + "a \n\t\x00é\u0663", k=dice.choice((1, 1, 1, 0, 2)))
            text = "".join(zone)
            return text.encode() if kind == 3 else text
