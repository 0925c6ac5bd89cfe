"""What a machine readable zone says, and how far it can be believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from mrz.dates import MrzDate

DOCUMENT_NUMBER_LENGTH = 9
"""Shorter document numbers are filled up to this many characters (Doc 9303-4 §4.2.2.2)."""

FormatName = Literal["TD1", "TD2", "TD3", "MRV-A", "MRV-B"]
Layer = Literal["syntax", "check_digit", "semantic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something odd in a well-formed zone; ``what`` is a stable code, ``line`` and ``column`` count from 1.

    ``syntax``: letters and fillers stand where they may, but not as they should. ``check_digit``: a digit that is wrong, or right
    only in a way that the standard does not know. ``semantic``: a code, date or number that means nothing, or nothing here.
    """

    layer: Layer
    line: int
    column: int
    what: str
    expected: str


class MrzError(Exception):
    """The text is no machine readable zone: wrong shape or wrong alphabet.

    ``line`` and ``column`` count from 1, 0 means the whole text or the whole line. The message never quotes more than one character.
    """

    def __init__(self, what: str, *, line: int = 0, column: int = 0, expected: str = "") -> None:
        places = [f"{name} {number}" for name, number in (("line", line), ("column", column)) if number]
        place = ", ".join(places) + ": " if places else ""
        super().__init__(f"{place}{what}" + (f" (expected {expected})" if expected else ""))
        self.what, self.line, self.column, self.expected = what, line, column, expected

    @property
    def finding(self) -> Finding:
        """The same as a finding of the syntax layer, for those who list findings."""
        return Finding(layer="syntax", line=self.line, column=self.column, what=self.what, expected=self.expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDigit:
    """One check digit (Doc 9303-3 §4.9): ``expected`` is calculated, ``found`` is printed (``<`` only for unused optional data).

    ``ok`` is more than their equality: see :mod:`mrz.parse` on unused optional data and on long document numbers.
    """

    field: str
    expected: str
    found: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One character that the image reader took for another, since the check digits and the picture both speak for it."""

    line: int
    column: int
    found: str = field(repr=False)
    used: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class MrzRecord:
    """A well-formed machine readable zone, field by field, without trailing fillers. Personal fields are hidden in repr.

    Name parts are joined by blanks. A holder with one name has all of it in ``primary_identifier``, however many words
    (Doc 9303-4 §4.2.3.1 f). ``sex`` is as printed: M, F or ``<``; anything else comes with a finding. ``document_number`` is whole,
    also where it goes on among the optional data (Doc 9303-5 §4.2.2.3 note j).
    """

    format: FormatName
    lines: tuple[str, ...] = field(repr=False)
    document_code: str
    issuing_state: str
    primary_identifier: str = field(repr=False)
    secondary_identifier: str = field(repr=False)
    name_truncated: bool
    """True where the name field is full: it must then be treated as truncated, even if it is not (Doc 9303-4 §4.2.3)."""
    document_number: str = field(repr=False)
    nationality: str = field(repr=False)
    date_of_birth: MrzDate = field(repr=False)
    sex: str = field(repr=False)
    date_of_expiry: MrzDate = field(repr=False)
    optional_data: str = field(repr=False)
    """In TD1 that of the upper line, without what belongs to a long document number."""
    optional_data_2: str = field(default="", repr=False)
    """That of the middle line of TD1."""
    check_digits: tuple[CheckDigit, ...] = field(repr=False)
    findings: tuple[Finding, ...]
    corrections: tuple[Correction, ...] = ()
    """Characters that the image reader changed; none in text that came as text."""

    @property
    def check_digits_ok(self) -> bool:
        """All check digits agree. That does not mean "read right": they see neither names nor States, nor every misreading."""
        for digit in self.check_digits:  # noqa: SIM110  # each parse is asked, and a generator takes three times as long
            if not digit.ok:
                return False
        return True

    def mrz_information(self) -> str:
        """Document number, date of birth and date of expiry, each with its check digit: the seed of the access keys
        (Doc 9303-11 §4.3.2). Taken as printed: with a misread character the chip stays shut.
        """
        printed = {digit.field: digit.found for digit in self.check_digits}
        return (
            self.document_number.ljust(DOCUMENT_NUMBER_LENGTH, "<")
            + printed["document_number"]
            + self.date_of_birth.raw
            + printed["date_of_birth"]
            + self.date_of_expiry.raw
            + printed["date_of_expiry"]
        )


def assembled(fields: dict[str, object]) -> MrzRecord:
    """A record of *all* its fields at once: a frozen dataclass sets each by a call of its own, and that was a third of a parse.

    ``fields`` becomes the record's own: nobody else may keep it.
    """
    record = object.__new__(MrzRecord)
    object.__setattr__(record, "__dict__", fields)
    return record


@lru_cache(maxsize=2048)
def finding(layer: Layer, line: int, column: int, what: str, expected: str) -> Finding:
    """The finding; made once, for a place, its code and what was expected tell nothing of a person."""
    return Finding(layer=layer, line=line, column=column, what=what, expected=expected)
