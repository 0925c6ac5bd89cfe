"""Machine readable zones made from fields: for pretend documents and for tests."""

from __future__ import annotations

import re

from mrz.checkdigit import check_digit
from mrz.parse import parse
from mrz.record import MrzRecord

NAME_LENGTH = 39
"""Positions 6 to 44 of the upper line (Doc 9303-4 §4.2.2.1)."""
_SHORTEST_SECONDARY = 3
"""``<<`` and one letter: a primary identifier is cut until so much of the secondary fits in."""


def emit_td3(
    *,
    document_code: str,
    issuing_state: str,
    primary_identifier: str,
    secondary_identifier: str,
    document_number: str,
    nationality: str,
    date_of_birth: str,
    sex: str,
    date_of_expiry: str,
    optional_data: str = "",
    unused_optional_digit: str = "<",
) -> tuple[str, str]:
    """The two lines of a passport, check digits right. Dates are YYMMDD (``<`` for unknown parts); names in capital Latin letters,
    in which blank, hyphen and apostrophe are allowed. ``unused_optional_digit`` (``<`` or ``0``) stands where ``optional_data`` is empty.
    Raises ValueError where a field does not fit and MrzError where its alphabet is wrong.
    """
    upper = (
        _fill(document_code, 2) + _fill(issuing_state, 3) + _name_field(_words(primary_identifier), _words(secondary_identifier))
    )
    number, birth, expiry = (
        _with_digit(_fill(value, width)) for value, width in ((document_number, 9), (date_of_birth, 6), (date_of_expiry, 6))
    )
    optional = _fill(optional_data, 14)
    optional += check_digit(optional) if optional_data else unused_optional_digit
    lower = f"{number}{_fill(nationality, 3)}{birth}{sex}{expiry}{optional}{check_digit(number + birth + expiry + optional)}"
    parse((upper, lower))  # whoever makes a malformed zone hears it here
    return upper, lower


def emit(record: MrzRecord) -> tuple[str, ...]:
    """The lines of a record, made anew from its fields. Equal to ``record.lines`` where check digits and fillers are regular."""
    optional_digit = next(digit.found for digit in record.check_digits if digit.field == "optional_data")
    return emit_td3(
        document_code=record.document_code,
        issuing_state=record.issuing_state,
        primary_identifier=record.primary_identifier,
        secondary_identifier=record.secondary_identifier,
        document_number=record.document_number,
        nationality=record.nationality,
        date_of_birth=record.date_of_birth.raw,
        sex=record.sex,
        date_of_expiry=record.date_of_expiry.raw,
        optional_data=record.optional_data,
        unused_optional_digit=optional_digit,
    )


def _fill(value: str, width: int) -> str:
    if len(value) > width:
        raise ValueError(f"{len(value)} characters where {width} fit")
    return value.ljust(width, "<")


def _with_digit(text: str) -> str:
    return text + check_digit(text)


def _words(name: str) -> list[str]:
    """Apostrophes are left out, hyphens and blanks part words (Doc 9303-3 §4.6)."""
    words = re.split(r"[ \-<]+", re.sub(r"['’]", "", name).strip(" -<"))
    return [word for word in words if word]


def _name_field(primary: list[str], secondary: list[str]) -> str:
    """The name field. A name that fits stays whole; one that does not is cut so that a letter stands last (Doc 9303-4 §4.2.3).

    Where the cut would fall on a filler, or leave nothing of the secondary identifier, the longest word of the primary
    identifier loses its last letters: one of the ways that the clause leaves open.
    """
    words = list(primary)
    field = _joined(words, secondary)
    if len(field) <= NAME_LENGTH:
        return field.ljust(NAME_LENGTH, "<")
    while not _cut_shows_truncation(words, secondary):
        longest = max(range(len(words)), key=lambda index: len(words[index]))
        if len(words[longest]) == 1:
            raise ValueError("a name of initials alone that is too long")
        words[longest] = words[longest][:-1]
    return _joined(words, secondary)[:NAME_LENGTH]


def _joined(primary: list[str], secondary: list[str]) -> str:
    return "<".join(primary) + ("<<" + "<".join(secondary) if secondary else "")


def _cut_shows_truncation(primary: list[str], secondary: list[str]) -> bool:
    room = NAME_LENGTH - (_SHORTEST_SECONDARY if secondary else 0)
    field = _joined(primary, secondary)
    fits = len("<".join(primary)) <= room or not secondary
    return fits and len(field) >= NAME_LENGTH and field[NAME_LENGTH - 1] != "<"
