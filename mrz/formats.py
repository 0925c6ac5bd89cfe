"""The layouts of Doc 9303 Parts 4 to 7 as data. Lines and positions count from 1 and include both ends, as in its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mrz.record import FormatName

LETTERS, LETTERS_DIGITS, DATE, DIGIT, DIGIT_OR_FILLER = "A-Z<", "A-Z0-9<", "0-9<", "0-9", "0-9<"


@dataclass(frozen=True, slots=True)
class Field:
    """Where a data element stands, and which characters may (a class of a regular expression)."""

    name: str
    line: int
    first: int
    last: int
    alphabet: str

    @property
    def length(self) -> int:
        """Positions."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Sum:
    """A check digit: the field it protects, the positions it covers (line, first, last) and where it stands (line, position)."""

    field: str
    digit: tuple[int, int]
    over: tuple[tuple[int, int, int], ...]
    optional: bool = False
    """True where unused positions let the digit be ``<`` as well as 0 (Doc 9303-4 §4.2.2.2)."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: so many lines of so many characters. ``first_letters``: those that its document code may begin with."""

    name: FormatName
    lines: int
    length: int
    first_letters: str
    fields: tuple[Field, ...]
    sums: tuple[Sum, ...]
    long_numbers: bool = False
    """True where a document number of over nine characters goes on in the field ``optional_data`` (Doc 9303-5, -6, note j)."""

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        for each in self.fields:
            if each.name == name:
                return each
        raise KeyError(name)


_NUMBER, _BIRTH, _EXPIRY = "document_number", "date_of_birth", "date_of_expiry"
_BIRTH_SUM, _EXPIRY_SUM = Sum(_BIRTH, (2, 20), ((2, 14, 19),)), Sum(_EXPIRY, (2, 28), ((2, 22, 27),))


def _upper(name_ends: int) -> tuple[Field, ...]:
    """The upper line of every format but TD1."""
    return (
        Field("document_code", 1, 1, 2, LETTERS),
        Field("issuing_state", 1, 3, 5, LETTERS),
        Field("name", 1, 6, name_ends, LETTERS),
    )


def _lower(optional_ends: int, number_digit: str = DIGIT) -> tuple[Field, ...]:
    """The lower line of every format but TD1, up to the optional data."""
    return (
        Field(_NUMBER, 2, 1, 9, LETTERS_DIGITS),
        Field("document_number_check_digit", 2, 10, 10, number_digit),
        Field("nationality", 2, 11, 13, LETTERS),
        Field(_BIRTH, 2, 14, 19, DATE),
        Field("date_of_birth_check_digit", 2, 20, 20, DIGIT),
        Field("sex", 2, 21, 21, LETTERS),
        Field(_EXPIRY, 2, 22, 27, DATE),
        Field("date_of_expiry_check_digit", 2, 28, 28, DIGIT),
        Field("optional_data", 2, 29, optional_ends, LETTERS_DIGITS),
    )


TD1 = Format(  # Doc 9303-5 §4.2.2 and §4.2.4
    "TD1",
    3,
    30,
    "ACI",
    (
        Field("document_code", 1, 1, 2, LETTERS),
        Field("issuing_state", 1, 3, 5, LETTERS),
        Field(_NUMBER, 1, 6, 14, LETTERS_DIGITS),
        Field("document_number_check_digit", 1, 15, 15, DIGIT_OR_FILLER),
        Field("optional_data", 1, 16, 30, LETTERS_DIGITS),
        Field(_BIRTH, 2, 1, 6, DATE),
        Field("date_of_birth_check_digit", 2, 7, 7, DIGIT),
        Field("sex", 2, 8, 8, LETTERS),
        Field(_EXPIRY, 2, 9, 14, DATE),
        Field("date_of_expiry_check_digit", 2, 15, 15, DIGIT),
        Field("nationality", 2, 16, 18, LETTERS),
        Field("optional_data_2", 2, 19, 29, LETTERS_DIGITS),
        Field("composite_check_digit", 2, 30, 30, DIGIT),
        Field("name", 3, 1, 30, LETTERS),
    ),
    (
        Sum(_NUMBER, (1, 15), ((1, 6, 14),)),
        Sum(_BIRTH, (2, 7), ((2, 1, 6),)),
        Sum(_EXPIRY, (2, 15), ((2, 9, 14),)),
        Sum("composite", (2, 30), ((1, 6, 30), (2, 1, 7), (2, 9, 15), (2, 19, 29))),
    ),
    long_numbers=True,
)
TD2 = Format(  # Doc 9303-6 §4.2.2 and §4.2.4
    "TD2",
    2,
    36,
    "ACI",
    (*_upper(36), *_lower(35, DIGIT_OR_FILLER), Field("composite_check_digit", 2, 36, 36, DIGIT)),
    (
        Sum(_NUMBER, (2, 10), ((2, 1, 9),)),
        _BIRTH_SUM,
        _EXPIRY_SUM,
        Sum("composite", (2, 36), ((2, 1, 10), (2, 14, 20), (2, 22, 35))),
    ),
    long_numbers=True,
)
TD3 = Format(  # Doc 9303-4 §4.2.2 and §4.2.4
    "TD3",
    2,
    44,
    "P",
    (
        *_upper(44),
        *_lower(42),
        Field("optional_data_check_digit", 2, 43, 43, DIGIT_OR_FILLER),
        Field("composite_check_digit", 2, 44, 44, DIGIT),
    ),
    (
        Sum(_NUMBER, (2, 10), ((2, 1, 9),)),
        _BIRTH_SUM,
        _EXPIRY_SUM,
        Sum("optional_data", (2, 43), ((2, 29, 42),), optional=True),
        Sum("composite", (2, 44), ((2, 1, 10), (2, 14, 20), (2, 22, 43))),
    ),
)
MRV_A = Format(  # Doc 9303-7 §4.2.2
    "MRV-A", 2, 44, "V", (*_upper(44), *_lower(44)), (Sum(_NUMBER, (2, 10), ((2, 1, 9),)), _BIRTH_SUM, _EXPIRY_SUM)
)
MRV_B = Format(  # Doc 9303-7 §7.2.2
    "MRV-B", 2, 36, "V", (*_upper(36), *_lower(36)), (Sum(_NUMBER, (2, 10), ((2, 1, 9),)), _BIRTH_SUM, _EXPIRY_SUM)
)

FORMATS: Mapping[str, Format] = {each.name: each for each in (TD1, TD2, TD3, MRV_A, MRV_B)}
