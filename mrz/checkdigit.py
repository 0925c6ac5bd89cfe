"""Check digits (Doc 9303-3 §4.9): weights 7, 3, 1 over 0…9 = 0…9, A…Z = 10…35, ``<`` = 0, modulo 10."""

from __future__ import annotations

import re

from mrz.record import MrzError

_ALPHABET = re.compile(r"[0-9A-Z<]*")
VALUES = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<", bytes([*range(10), *range(10), *range(10), *range(6), 0]))
"""For ``bytes.translate``: characters to their values, which modulo 10 are all that counts."""


def check_digit(text: str) -> str:
    """The check digit of ``text``. Raises MrzError for a character outside 0-9, A-Z and ``<``."""
    if not _ALPHABET.fullmatch(text):
        raise MrzError("a character that has no value in a check digit", expected="0-9, A-Z or <")
    values = text.encode().translate(VALUES)
    return str((7 * sum(values[0::3]) + 3 * sum(values[1::3]) + sum(values[2::3])) % 10)
