"""Machine readable zones of nobody: for pretend documents, tests and training."""

from __future__ import annotations

import random
import string
from datetime import date, timedelta

from mrz.codes import ISO_3166
from mrz.emit import compose
from mrz.formats import FORMATS
from mrz.record import DOCUMENT_NUMBER_LENGTH

_SYLLABLES = "BA CHE DO FRI GU HAN JO KEL LI MAR NU OP QUI RA SCH TAN UR VE WIL XI YAN ZU".split()  # noqa: SIM905  # reads better
_FIRST_DAY, _DAYS = date(1930, 1, 1), 36_500
_CODES = {
    "TD1": ("I", "ID", "A", "C"),
    "TD2": ("I", "ID", "A", "C"),
    "TD3": ("P", "PP", "PD", "PO"),
    "MRV-A": ("V",),
    "MRV-B": ("V",),
}


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
    """The two lines of a passport: :func:`mrz.emit.compose` for TD3."""
    upper, lower = compose(
        "TD3",
        document_code=document_code,
        issuing_state=issuing_state,
        primary_identifier=primary_identifier,
        secondary_identifier=secondary_identifier,
        document_number=document_number,
        nationality=nationality,
        date_of_birth=date_of_birth,
        sex=sex,
        date_of_expiry=date_of_expiry,
        optional_data=optional_data,
        unused_optional_digit=unused_optional_digit,
    )
    return upper, lower


def pretend_fields(dice: random.Random, format_name: str) -> dict[str, str]:
    """Plausible fields of an invented document for :func:`mrz.emit.compose`: long names and numbers, unknown dates and all."""
    form = FORMATS[format_name]
    longest_number = DOCUMENT_NUMBER_LENGTH + (form.field("optional_data").length - 2 if form.long_numbers else 0)
    number = _text(dice, dice.choice((7, 8, 9, 9, 9, longest_number)))
    optional_room = form.field("optional_data").length - max(0, len(number) - DOCUMENT_NUMBER_LENGTH + 2) * form.long_numbers
    return {
        "document_code": dice.choice(_CODES[format_name]),
        "issuing_state": (state := dice.choice(STATES)),
        "primary_identifier": _name(dice),
        "secondary_identifier": dice.choice((_name(dice), _name(dice), "")),
        "document_number": number,
        "nationality": dice.choice((state, state, dice.choice(STATES))),
        "date_of_birth": dice.choice((_day(dice), _day(dice), _day(dice)[:2] + "<<<<", "<<<<<<")),
        "sex": dice.choice("MF<"),
        "date_of_expiry": _day(dice),
        "optional_data": _text(dice, dice.randint(0, max(0, optional_room))),
        "optional_data_2": _text(dice, dice.randint(0, 11)) if format_name == "TD1" else "",
        "unused_optional_digit": dice.choice("<0"),
    }


STATES = (*sorted(ISO_3166), "D", "UNO", "XOM")


def _day(dice: random.Random) -> str:
    return f"{_FIRST_DAY + timedelta(dice.randrange(_DAYS)):%y%m%d}"


def _name(dice: random.Random) -> str:
    return " ".join("".join(dice.choices(_SYLLABLES, k=dice.randint(1, 5))) for _ in range(dice.randint(1, 3)))


def _text(dice: random.Random, length: int) -> str:
    return "".join(dice.choices(string.ascii_uppercase + string.digits, k=length))
