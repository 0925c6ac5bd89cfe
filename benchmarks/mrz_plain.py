"""A plain regular expression with the five check digits of a passport: what a parser cannot do without, and invented documents for it."""

from __future__ import annotations

import random
import re

import mrz
from mrz.sim import pretend_fields

DOCUMENTS = 1000


def zones(name: str) -> list[tuple[str, ...]]:
    """Different invented documents of that format, each time the same."""
    return [mrz.compose(name, **pretend_fields(random.Random(f"{name}{n}"), name)) for n in range(DOCUMENTS)]


PLAIN = re.compile(
    r"(P[A-Z<])([A-Z<]{3})([A-Z<]{39})([A-Z0-9<]{9})([0-9])([A-Z<]{3})([0-9<]{6})([0-9])([MF<])([0-9<]{6})([0-9])([A-Z0-9<]{14})([0-9<])([0-9])"
)
VALUES = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<", bytes([*range(36), 0]))


def digit(text: str) -> str:
    values = text.encode().translate(VALUES)
    return str((7 * sum(values[0::3]) + 3 * sum(values[1::3]) + sum(values[2::3])) % 10)


def plain(lines: tuple[str, str]) -> dict[str, object]:
    """The least that a parser of passports can do in plain Python: no findings, no States, no dates, no other format, no record."""
    found = PLAIN.fullmatch(lines[0] + lines[1])
    assert found is not None
    code, state, name, number, d1, nationality, birth, d2, sex, expiry, d3, optional, d4, d5 = found.groups()
    primary, _, secondary = name.rstrip("<").partition("<<")
    covered = number + d1 + birth + d2 + expiry + d3 + optional + d4
    return {
        "code": code.rstrip("<"), "state": state.rstrip("<"), "primary": primary.replace("<", " "), "secondary": secondary.replace("<", " "),
        "number": number.rstrip("<"), "nationality": nationality.rstrip("<"), "birth": birth, "sex": sex, "expiry": expiry,
        "optional": optional.rstrip("<"), "ok": (digit(number), digit(birth), digit(expiry), digit(covered)) == (d1, d2, d3, d5)
        and (digit(optional) == d4 or not (optional + d4).strip("<")),
    }  # fmt: skip
