"""Text of a machine readable zone in, :class:`MrzRecord` out, by the tables of :mod:`mrz.formats`.

Three layers: text that is no zone raises :class:`MrzError` with its place; a zone's irregular fillers (syntax), wrong check digits and
odd meanings are findings. Nothing is corrected, nothing is made up, and no clock is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from mrz.checkdigit import VALUES, check_digit
from mrz.codes import ISSUERS, NATIONALITIES
from mrz.dates import MrzDate
from mrz.document_codes import oddity
from mrz.formats import FORMATS, Field, Format, Sum
from mrz.meaning import SEXES, oddities
from mrz.record import CheckDigit, Finding, MrzError, MrzRecord, assembled, finding

_ELEMENTS = (
    "document_code",
    "issuing_state",
    "name",
    "document_number",
    "nationality",
    "date_of_birth",
    "sex",
    "date_of_expiry",
    "optional_data",
    "optional_data_2",
)
"""What is cut out of a zone, in the order in which :func:`parse` unpacks it."""


_EVERY_THIRD = 256**3 - 1
_ZERO = ord("0")
_number = int.from_bytes


class _Sum(NamedTuple):
    """A check digit whose places are counted in the lines joined by line feeds: ``first`` and ``rest`` are what it covers.

    ``right`` are its ten results where what is printed is right: the usual ones are made beforehand.
    """

    first: slice
    rest: tuple[slice, ...]
    at: int
    right: tuple[CheckDigit, ...]
    rule: Sum


@dataclass(frozen=True, slots=True)
class _Grammar:
    """A format made ready: one pattern for its lines, joined by line feeds, and the groups of ``_ELEMENTS`` in it."""

    format: Format
    pattern: re.Pattern[str]
    groups: tuple[int, ...] | None
    """None where the elements stand in their order anyway."""
    sums: tuple[_Sum, ...]


@cache
def _result(field: str, expected: str, found: str, ok: bool) -> CheckDigit:
    """Made once: there are few, and one digit tells nothing of a person."""
    return CheckDigit(field=field, expected=expected, found=found, ok=ok)


def _grammar(form: Format) -> _Grammar:
    cut = [field.name for field in form.fields if field.name in _ELEMENTS]
    missing = [name for name in _ELEMENTS if name not in cut]

    def piece(field: Field) -> str:
        characters = f"[{field.alphabet}]{{{field.length}}}"
        next_line = "\n" if field.line > 1 and field.first == 1 else ""
        return next_line + (f"({characters})" if field.name in cut else characters)

    def place(line: int, position: int) -> int:
        return (line - 1) * (form.length + 1) + position - 1

    def ready(rule: Sum) -> _Sum:
        first, *rest = (slice(place(line, start), place(line, end) + 1) for line, start, end in rule.over)
        right = tuple(_result(rule.field, digit, digit, True) for digit in "0123456789")  # by position for the cache
        return _Sum(first, tuple(rest), place(*rule.digit), right, rule)

    order = [*cut, *missing]  # an element that a format lacks is an empty group at its end
    groups = None if order == [*_ELEMENTS] else tuple(order.index(name) + 1 for name in _ELEMENTS)
    pattern = "".join(map(piece, form.fields)) + "()" * len(missing)
    return _Grammar(form, re.compile(pattern), groups, tuple(map(ready, form.sums)))


_GRAMMARS: dict[tuple[int, int, bool], _Grammar] = {}
"""By the number of lines, of their characters with the line feeds between them, and by whether a V begins them: a visa, where there is
one of this shape.
"""
for _form in sorted(FORMATS.values(), key=lambda form: form.first_letters == "V"):
    for _visa in {True, _form.first_letters == "V"}:
        _GRAMMARS[_form.lines, _form.lines * (_form.length + 1) - 1, _visa] = _grammar(_form)


def parse(text: str | bytes | Sequence[str]) -> MrzRecord:
    """Parse the lines of a zone; raises :class:`MrzError` where shape or alphabet are wrong.

    ``text`` is the lines, or one string with the lines separated by CR, LF or both, or joined without a separator (as DG1 holds them).
    Which format it is follows from the shape and, for visas, from the first letter.
    """
    lines = text if isinstance(text, tuple) else _lines(text)
    zone = "\n".join(lines)
    grammar = _GRAMMARS.get((len(lines), len(zone), zone[:1] == "V"))
    if grammar is None:
        return parse(_unjoined(lines))
    match = grammar.pattern.fullmatch(zone)
    if match is None:
        raise _malformed(lines, grammar.format)
    form = grammar.format
    elements = match.groups() if grammar.groups is None else match.group(*grammar.groups)
    code, state, name, number, nationality, birth, sex, expiry, optional, optional_2 = elements
    code, state, nationality = code.rstrip("<"), state.rstrip("<"), nationality.rstrip("<")
    date_of_birth, date_of_expiry = MrzDate(birth), MrzDate(expiry)
    primary, secondary, findings = _name(name, form)
    digits = _check(zone, grammar, findings)
    if form.long_numbers and digits[0].found == "<":
        number, optional = _long_number(form, number, optional, digits, findings)
    number = number.rstrip("<")
    if (  # most documents are not odd, and are not asked again
        state not in ISSUERS
        or nationality not in NATIONALITIES
        or not number
        or sex not in SEXES
        or not date_of_birth.possible
        or not date_of_expiry.possible
        or "<" in expiry
        or oddity(form.name, code, state)
    ):
        findings += oddities(form, code, state, number, nationality, date_of_birth, sex, date_of_expiry)
    return assembled(
        {
            "format": form.name,
            "lines": lines,
            "document_code": code,
            "issuing_state": state,
            "primary_identifier": primary,
            "secondary_identifier": secondary,
            "name_truncated": name[-1] != "<",
            "document_number": number,
            "nationality": nationality,
            "date_of_birth": date_of_birth,
            "sex": sex,
            "date_of_expiry": date_of_expiry,
            "optional_data": optional.rstrip("<"),
            "optional_data_2": optional_2.rstrip("<"),
            "check_digits": tuple(digits),
            "findings": tuple(findings),
            "corrections": (),
        }
    )


# --- syntax ------------------------------------------------------------------------------------------------------------


def _lines(text: str | bytes | Sequence[str]) -> tuple[str, ...]:
    if isinstance(text, bytes):
        text = text.decode("latin-1")  # gives every byte a character of its own, so that a foreign one is found by its column
    if isinstance(text, str):
        text = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    return tuple(text)


def _unjoined(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a zone that came as one line. Raises MrzError where no format has such a shape."""
    for form in FORMATS.values():
        if len(lines) == 1 and len(lines[0]) == form.lines * form.length:
            return tuple(lines[0][at : at + form.length] for at in range(0, len(lines[0]), form.length))
    lengths = {form.length for form in FORMATS.values() if form.lines == len(lines)}
    if not lengths:
        shapes = dict.fromkeys(f"{form.lines} lines of {form.length} characters" for form in FORMATS.values())
        raise MrzError(f"{len(lines)} lines", expected=" or ".join(shapes))
    raise _wrong_length(lines, min(lengths, key=lambda each: abs(each - len(lines[0]))))


def _wrong_length(lines: tuple[str, ...], length: int) -> MrzError:
    number, wrong = next((number, len(line)) for number, line in enumerate(lines, 1) if len(line) != length)
    return MrzError(f"{wrong} characters", line=number, expected=str(length))


def _malformed(lines: tuple[str, ...], form: Format) -> MrzError:
    """The first place where ``lines``, all in all as long as those of ``form``, are not as its pattern wants them."""
    if any(len(line) != form.length for line in lines):
        return _wrong_length(lines, form.length)
    for field in form.fields:
        allowed = re.compile(f"[{field.alphabet}]")
        for column in range(field.first, field.last + 1):
            character = lines[field.line - 1][column - 1]
            if not allowed.fullmatch(character):
                what = f"{character!a} in {field.name}"
                return MrzError(what, line=field.line, column=column, expected=f"one of {field.alphabet}")
    raise AssertionError("the pattern is made of the same fields")


def _name(raw: str, form: Format) -> tuple[str, str, list[Finding]]:
    """Primary and secondary identifier, their words joined by blanks. Only ``<<`` parts them (Doc 9303-4 §4.2.3.1 f)."""
    primary, parted, secondary = raw.rstrip("<").partition("<<")
    if primary and primary[0] != "<" and secondary[:1] != "<" and "<<" not in secondary:
        return primary.replace("<", " "), secondary.replace("<", " "), []
    place = form.field("name")
    expected = "words parted by <, identifiers by one <<, no other fillers"
    odd = finding("syntax", place.line, place.first, "name_fillers_irregular" if parted or primary else "name_missing", expected)
    return " ".join(filter(None, primary.split("<"))), " ".join(filter(None, secondary.split("<"))), [odd]


# --- check digits ------------------------------------------------------------------------------------------------------


def _check(zone: str, grammar: _Grammar, findings: list[Finding]) -> list[CheckDigit]:
    """The results in the order of the format's table; what is wrong goes to ``findings``.

    :func:`mrz.check_digit` in half the time: 256³ is 1 modulo 256³ - 1, so the remainder of the bytes read as one number holds the sums
    of every third value side by side; with at most 50 values below 10 none of them reaches 255. The weight 7 is -3 modulo 10.
    """
    printed = zone.encode()
    values = printed.translate(VALUES)
    digits: list[CheckDigit] = []
    for first, rest, at, right, rule in grammar.sums:
        covered = values[first]
        for span in rest:
            covered += values[span]
        thirds = _number(covered, "little") % _EVERY_THIRD
        expected = (3 * ((thirds >> 8 & 255) - (thirds & 255)) + (thirds >> 16)) % 10
        if printed[at] == _ZERO + expected:
            digits.append(right[expected])
        else:
            digits.append(_otherwise(rule, str(expected), zone[at], zone[first], findings))
    return digits


def _otherwise(rule: Sum, expected: str, found: str, covered: str, findings: list[Finding]) -> CheckDigit:
    unused = rule.optional and found == "<" and not covered.strip("<")
    if not unused:
        findings.append(finding("check_digit", *rule.digit, f"{rule.field}_check_digit_wrong", expected))
    return _result(rule.field, expected, found, unused)


def _long_number(form: Format, number: str, optional: str, digits: list[CheckDigit], findings: list[Finding]) -> tuple[str, str]:
    """The whole document number and the optional data behind it, where ``<`` stands in place of the number's check digit.

    The number goes on in ``optional``, its check digit follows, and a filler (Doc 9303-5 and -6, note j). That digit leaves out the
    filler within the number (Doc 9303-5 §4.2.4; for TD2, where nothing is said, likewise). One that is right only with the filler
    counted is let pass with a finding: both kinds have been seen.
    """
    more, end, rest = optional.partition("<")
    if len(more) < 2 or number[-1] == "<":
        return number, optional  # no long number: `<` is a check digit that is wrong
    whole, found = number + more[:-1], more[-1]
    expected, counted = check_digit(whole), check_digit(number + "<" + more[:-1])
    place = form.field("optional_data")
    column = place.first + len(more) - 1
    wrong = next(each for each in findings if each.what == "document_number_check_digit_wrong")
    findings.remove(wrong)
    if found != expected:
        what = "document_number_check_digit_counts_filler" if found == counted else wrong.what
        findings.append(finding("check_digit", place.line, column, what, expected))
    if not end:
        findings.append(finding("syntax", place.line, column, "document_number_unterminated", "a filler behind its check digit"))
    digits[0] = CheckDigit(field="document_number", expected=expected, found=found, ok=found in (expected, counted))
    return whole, rest
