"""Fields in, the lines of a machine readable zone out, by the same tables that the parser reads."""

from __future__ import annotations

import re

from mrz.checkdigit import check_digit
from mrz.formats import FORMATS, Format
from mrz.parse import parse
from mrz.record import DOCUMENT_NUMBER_LENGTH, MrzRecord

_SHORTEST_SECONDARY = 3
"""``<<`` and one letter: a primary identifier is cut until so much of the secondary fits in."""


def compose(
    format_name: str,
    *,
    document_code: str,
    issuing_state: str,
    primary_identifier: str,
    secondary_identifier: str = "",
    document_number: str,
    nationality: str,
    date_of_birth: str,
    sex: str,
    date_of_expiry: str,
    optional_data: str = "",
    optional_data_2: str = "",
    unused_optional_digit: str = "<",
) -> tuple[str, ...]:
    """The lines of a zone, check digits right. Dates are YYMMDD (``<`` for unknown parts); names in capital Latin letters, in which
    blank, hyphen and apostrophe are allowed. ``unused_optional_digit`` (``<`` or ``0``) stands in a passport without optional data.
    Raises ValueError where a field does not fit and MrzError where its alphabet is wrong.
    """
    form = FORMATS[format_name]
    long_number = form.long_numbers and len(document_number) > DOCUMENT_NUMBER_LENGTH
    if long_number:
        optional_data = _end_of_long_number(document_number) + optional_data
        document_number = document_number[:DOCUMENT_NUMBER_LENGTH]
    values = {
        "document_code": document_code,
        "issuing_state": issuing_state,
        "name": _name_field(_words(primary_identifier), _words(secondary_identifier), form.field("name").length),
        "document_number": document_number,
        "nationality": nationality,
        "date_of_birth": date_of_birth,
        "sex": sex,
        "date_of_expiry": date_of_expiry,
        "optional_data": optional_data,
        "optional_data_2": optional_data_2,
    }
    lines = _filled(form, values, unused_optional_digit, long_number=long_number)
    if parse(lines).format != form.name:  # whoever makes a malformed zone hears it here
        raise ValueError(f"a document code that {form.name} does not have")
    return lines


def emit(record: MrzRecord) -> tuple[str, ...]:
    """The lines of a record, made anew from its fields. Equal to ``record.lines`` where check digits and fillers are regular."""
    return compose(
        record.format,
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
        optional_data_2=record.optional_data_2,
        unused_optional_digit=next((digit.found for digit in record.check_digits if digit.field == "optional_data"), "<"),
    )


# --- lines -------------------------------------------------------------------------------------------------------------


def _filled(form: Format, values: dict[str, str], unused_optional_digit: str, *, long_number: bool) -> tuple[str, ...]:
    lines = ["<" * form.length for _ in range(form.lines)]

    def put(line: int, position: int, text: str) -> None:
        lines[line - 1] = lines[line - 1][: position - 1] + text + lines[line - 1][position - 1 + len(text) :]

    places = {field.name: field for field in form.fields}
    for name, value in values.items():
        place = places.get(name)
        if len(value) > (room := place.length if place else 0):
            raise ValueError(f"{name}: {len(value)} characters where {room} fit")
        if place:
            put(place.line, place.first, value)
    for rule in form.sums:
        covered = "".join(lines[line - 1][first - 1 : last] for line, first, last in rule.over)
        if rule.optional and not covered.strip("<"):
            put(*rule.digit, unused_optional_digit)
        elif not (long_number and rule.field == "document_number"):  # its digit stands behind it, among the optional data
            put(*rule.digit, check_digit(covered))
    return tuple(lines)


def _end_of_long_number(number: str) -> str:
    """What stands in the optional data: the number from its tenth character on, its check digit, a filler (Doc 9303-5 note j)."""
    if "<" in number[DOCUMENT_NUMBER_LENGTH - 1 :]:
        raise ValueError("a long document number with a filler where it is parted")
    return f"{number[DOCUMENT_NUMBER_LENGTH:]}{check_digit(number)}<"


def _words(name: str) -> list[str]:
    """Apostrophes are left out, hyphens and blanks part words (Doc 9303-3 §4.6)."""
    words = re.split(r"[ \-<]+", re.sub(r"['’]", "", name).strip(" -<"))
    return [word for word in words if word]


def _name_field(primary: list[str], secondary: list[str], room: int) -> str:
    """The name field. A name that fits stays whole; one that does not is cut so that a letter stands last (Doc 9303-4 §4.2.3).

    Where the cut would fall on a filler, or leave nothing of the secondary identifier, the longest word of the primary
    identifier loses its last letters: one of the ways that the clause leaves open.
    """
    words = list(primary)
    field = _joined(words, secondary)
    if len(field) <= room:
        return field
    while not _cut_shows_truncation(words, secondary, room):
        longest = max(range(len(words)), key=lambda index: len(words[index]))
        if len(words[longest]) == 1:
            raise ValueError("a name of initials alone that is too long")
        words[longest] = words[longest][:-1]
    return _joined(words, secondary)[:room]


def _joined(primary: list[str], secondary: list[str]) -> str:
    return "<".join(primary) + ("<<" + "<".join(secondary) if secondary else "")


def _cut_shows_truncation(primary: list[str], secondary: list[str], room: int) -> bool:
    field = _joined(primary, secondary)
    fits = len("<".join(primary)) <= room - _SHORTEST_SECONDARY or not secondary
    return fits and len(field) >= room and field[room - 1] != "<"
