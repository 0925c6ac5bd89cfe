"""Text of a machine readable zone in, :class:`MrzRecord` out. The line layouts are data: another format is another row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mrz import codes
from mrz.checkdigit import check_digit
from mrz.dates import MrzDate
from mrz.record import CheckDigit, Finding, MrzError, MrzRecord

LETTERS, LETTERS_DIGITS, DATE, DIGIT, DIGIT_OR_FILLER = "A-Z<", "A-Z0-9<", "0-9<", "0-9", "0-9<"


@dataclass(frozen=True, slots=True)
class Field:
    """``line``, ``first`` and ``last`` count from 1 and include both ends, as in the tables of Doc 9303."""

    name: str
    line: int
    first: int
    last: int
    alphabet: str


@dataclass(frozen=True, slots=True)
class Sum:
    """A check digit: the field it protects, the positions it covers (line, first, last) and where it stands (line, position)."""

    field: str
    digit: tuple[int, int]
    over: tuple[tuple[int, int, int], ...]
    optional: bool = False
    """True where unused positions let the digit be ``<`` as well as 0."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One format: so many lines of so many characters. ``first_letter`` tells apart formats of one shape."""

    format: str
    lines: int
    length: int
    first_letter: str
    fields: tuple[Field, ...]
    sums: tuple[Sum, ...]


TD3 = Layout(  # Doc 9303-4 §4.2.2 and §4.2.4
    "TD3",
    2,
    44,
    "P",
    (
        Field("document_code", 1, 1, 2, LETTERS),
        Field("issuing_state", 1, 3, 5, LETTERS),
        Field("name", 1, 6, 44, LETTERS),
        Field("document_number", 2, 1, 9, LETTERS_DIGITS),
        Field("document_number_check_digit", 2, 10, 10, DIGIT),
        Field("nationality", 2, 11, 13, LETTERS),
        Field("date_of_birth", 2, 14, 19, DATE),
        Field("date_of_birth_check_digit", 2, 20, 20, DIGIT),
        Field("sex", 2, 21, 21, LETTERS),
        Field("date_of_expiry", 2, 22, 27, DATE),
        Field("date_of_expiry_check_digit", 2, 28, 28, DIGIT),
        Field("optional_data", 2, 29, 42, LETTERS_DIGITS),
        Field("optional_data_check_digit", 2, 43, 43, DIGIT_OR_FILLER),
        Field("composite_check_digit", 2, 44, 44, DIGIT),
    ),
    (
        Sum("document_number", (2, 10), ((2, 1, 9),)),
        Sum("date_of_birth", (2, 20), ((2, 14, 19),)),
        Sum("date_of_expiry", (2, 28), ((2, 22, 27),)),
        Sum("optional_data", (2, 43), ((2, 29, 42),), optional=True),
        Sum("composite", (2, 44), ((2, 1, 10), (2, 14, 20), (2, 22, 43))),
    ),
)

LAYOUTS = (TD3,)

_WELL_FORMED_NAME = re.compile(r"[A-Z]+(?:<[A-Z]+)*(?:<<[A-Z]+(?:<[A-Z]+)*)?<*")
_SEXES = ("M", "F", "<")


def parse(text: str | Sequence[str]) -> MrzRecord:
    """Parse the lines of a zone; raises :class:`MrzError` where shape or alphabet are wrong.

    ``text`` is the lines, or one string with the lines separated by CR, LF or both, or joined without a separator (as DG1 holds them).
    """
    lines, layout = _shape(text)
    _check_alphabet(lines, layout)
    raw = {field.name: lines[field.line - 1][field.first - 1 : field.last] for field in layout.fields}
    digits = tuple(_check(lines, each) for each in layout.sums)
    primary, secondary = _name(raw["name"])
    return MrzRecord(
        format=layout.format,
        lines=lines,
        document_code=raw["document_code"].rstrip("<"),
        issuing_state=raw["issuing_state"].rstrip("<"),
        primary_identifier=primary,
        secondary_identifier=secondary,
        name_truncated=raw["name"][-1] != "<",
        document_number=raw["document_number"].rstrip("<"),
        nationality=raw["nationality"].rstrip("<"),
        date_of_birth=MrzDate(raw["date_of_birth"]),
        sex=raw["sex"],
        date_of_expiry=MrzDate(raw["date_of_expiry"]),
        optional_data=raw["optional_data"].rstrip("<"),
        check_digits=digits,
        findings=(*_digit_findings(digits, layout), *_semantic_findings(raw, layout)),
    )


# --- syntax ------------------------------------------------------------------------------------------------------------


def _shape(text: str | Sequence[str]) -> tuple[tuple[str, ...], Layout]:
    lines = tuple(re.split(r"\r\n|\r|\n", re.sub(r"(?:\r\n|\r|\n)\Z", "", text))) if isinstance(text, str) else tuple(text)
    for layout in LAYOUTS:
        if len(lines) == 1 and len(lines[0]) == layout.lines * layout.length:
            lines = tuple(lines[0][at : at + layout.length] for at in range(0, len(lines[0]), layout.length))
        if len(lines) == layout.lines and all(len(line) == layout.length for line in lines):
            if lines[0][0] == layout.first_letter:
                return lines, layout
            raise MrzError("not a document code of a known format", line=1, column=1, expected=layout.first_letter)
    raise _wrong_shape(lines)


def _wrong_shape(lines: tuple[str, ...]) -> MrzError:
    shapes = " or ".join(f"{layout.lines} lines of {layout.length} characters" for layout in LAYOUTS)
    for layout in LAYOUTS:
        if len(lines) == layout.lines:
            number, line = next((n, line) for n, line in enumerate(lines, 1) if len(line) != layout.length)
            return MrzError(f"{len(line)} characters", line=number, expected=str(layout.length))
    return MrzError(f"{len(lines)} lines", expected=shapes)


def _line_pattern(layout: Layout, line: int) -> re.Pattern[str]:
    fields = (field for field in layout.fields if field.line == line)
    return re.compile("".join(f"[{field.alphabet}]{{{field.last - field.first + 1}}}" for field in fields))


_LINE_PATTERNS = {layout.format: [_line_pattern(layout, n + 1) for n in range(layout.lines)] for layout in LAYOUTS}


def _check_alphabet(lines: tuple[str, ...], layout: Layout) -> None:
    for number, (line, pattern) in enumerate(zip(lines, _LINE_PATTERNS[layout.format], strict=True), 1):
        if not pattern.fullmatch(line):
            raise _foreign_character(line, number, layout)


def _foreign_character(line: str, number: int, layout: Layout) -> MrzError:
    for field in layout.fields:
        allowed = re.compile(f"[{field.alphabet}]")
        for column in range(field.first, field.last + 1) if field.line == number else ():
            if not allowed.fullmatch(line[column - 1]):
                what = f"{line[column - 1]!a} in {field.name}"
                return MrzError(what, line=number, column=column, expected=f"one of {field.alphabet}")
    raise AssertionError("the line's pattern is made of the same fields")


# --- check digits ------------------------------------------------------------------------------------------------------


def _check(lines: tuple[str, ...], each: Sum) -> CheckDigit:
    covered = "".join(lines[line - 1][first - 1 : last] for line, first, last in each.over)
    found = lines[each.digit[0] - 1][each.digit[1] - 1]
    expected = check_digit(covered)
    unused = each.optional and found == "<" and not covered.strip("<")
    return CheckDigit(field=each.field, expected=expected, found=found, ok=found == expected or unused)


def _digit_findings(digits: tuple[CheckDigit, ...], layout: Layout) -> Iterator[Finding]:
    for digit, each in zip(digits, layout.sums, strict=True):
        if not digit.ok:
            line, column = each.digit
            what = f"{digit.field}_check_digit_wrong"
            yield Finding(layer="check_digit", line=line, column=column, what=what, expected=digit.expected)


# --- meaning -----------------------------------------------------------------------------------------------------------


def _name(raw: str) -> tuple[str, str]:
    """Primary and secondary identifier, their words joined by blanks. Only ``<<`` parts them (Doc 9303-4 §4.2.3.1 f)."""
    primary, _, secondary = raw.rstrip("<").partition("<<")
    return " ".join(filter(None, primary.split("<"))), " ".join(filter(None, secondary.split("<")))


def _semantic_findings(raw: dict[str, str], layout: Layout) -> Iterator[Finding]:
    places = {field.name: field for field in layout.fields}

    def finding(name: str, what: str, expected: str) -> Finding:
        place = places[name]
        return Finding(layer="semantic", line=place.line, column=place.first, what=what, expected=expected)

    for name in ("issuing_state", "nationality"):
        code = raw[name].rstrip("<")
        if code == codes.MASTER_LIST_SIGNER:
            yield finding(name, f"{name}_signs_master_lists_only", "a State or organization that issues travel documents")
        elif code == codes.SPECIMEN:
            yield finding(name, f"{name}_specimen", "a State or organization; UTO stands on specimens")
        elif not codes.is_known_state(code):
            yield finding(name, f"{name}_unknown", "a code of Doc 9303-3 §5")
    if not _WELL_FORMED_NAME.fullmatch(raw["name"]):
        yield finding("name", "name_fillers_irregular", "words parted by <, identifiers by one <<, no other fillers")
    if not raw["document_number"].strip("<"):
        yield finding("document_number", "document_number_missing", "letters or digits")
    for name in ("date_of_birth", "date_of_expiry"):
        if not MrzDate(raw[name]).possible:
            yield finding(name, f"{name}_impossible", "YYMMDD of a day that exists")
        elif name == "date_of_expiry" and not MrzDate(raw[name]).complete:
            yield finding(name, "date_of_expiry_incomplete", "YYMMDD; only a date of birth may be unknown")
    if raw["sex"] not in _SEXES:
        yield finding("sex", "sex_unknown", "M, F or <")
