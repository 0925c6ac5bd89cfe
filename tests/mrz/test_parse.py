"""Vectors of Doc 9303-4 and the properties of the parser. Every person named here is Doc 9303's or invented."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz import FORMATS, MrzError, check_digit, parse

# Doc 9303-4, 8th edition 2021, Appendix B.
UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
ALPHABET = string.digits + string.ascii_uppercase + "<"
DIGIT_COLUMNS = {"document_number": 10, "date_of_birth": 20, "date_of_expiry": 28, "optional_data": 43, "composite": 44}

# Doc 9303-4 §4.2.3.1 to §4.2.3.4 (text of 2024, where the second letter P stands): upper line, identifiers, truncated.
NAMES = [
    ("PPUTOHENG<<DEBORAH<MING<LO<<<<<<<<<<<<<<<<<<", "HENG", "DEBORAH MING LO", False),
    ("PPUTOSMITH<JONES<<SUSIE<MARGARET<<<<<<<<<<<<", "SMITH JONES", "SUSIE MARGARET", False),
    ("PPUTOOCONNOR<<ENYA<SIOBHAN<<<<<<<<<<<<<<<<<<", "OCONNOR", "ENYA SIOBHAN", False),
    ("PPUTOVAN<DER<MUELLEN<<MARTIN<<<<<<<<<<<<<<<<", "VAN DER MUELLEN", "MARTIN", False),
    ("PPUTOAL<BASRI<<HUDA<MUHAMMAD<JAWAD<<<<<<<<<<", "AL BASRI", "HUDA MUHAMMAD JAWAD", False),
    ("PPUTOVILARCHAO<FERNANDEZ<<JOSE<RAMON<<<<<<<<", "VILARCHAO FERNANDEZ", "JOSE RAMON", False),
    ("PPUTOARKFREITH<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "ARKFREITH", "", False),
    ("PPUTOSATRIYA<SUDARPA<<<<<<<<<<<<<<<<<<<<<<<<", "SATRIYA SUDARPA", "", False),
    ("PPUTONILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K", "NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG K", True),
    ("PPUTONILAVADHANANANDA<<ARNPOL<PETCH<CHARONGU", "NILAVADHANANANDA", "ARNPOL PETCH CHARONGU", True),
    ("PPUTOBENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI", "BENNELONG WOOLOOMOOLOO WARRANDYTE W", "DI", True),
    ("PPUTOBENNELONG<WOOLOOM<WARRAND<WARNAM<<DINGO", "BENNELONG WOOLOOM WARRAND WARNAM", "DINGO", True),
    ("PPUTOPAPANDROPOULOUS<<JONATHON<WARREN<TREVOR", "PAPANDROPOULOUS", "JONATHON WARREN TREVOR", True),
]


def whats(record, layer="semantic"):
    return [finding.what for finding in record.findings if finding.layer == layer]


def lower(**changed):
    """The lower line of the example with some fields replaced and every check digit right."""
    fields = {
        "number": "L898902C3", "nationality": "UTO", "birth": "740812", "sex": "F", "expiry": "120415",
        "optional": "ZE184226B<<<<<", **changed,
    }  # fmt: skip
    number, birth, expiry, optional = (fields[n] + check_digit(fields[n]) for n in ("number", "birth", "expiry", "optional"))
    return f"{number}{fields['nationality']}{birth}{fields['sex']}{expiry}{optional}{check_digit(number + birth + expiry + optional)}"


def test_the_example_of_the_standard_is_read_field_by_field():
    record = parse([UPPER, LOWER])
    assert (record.format, record.document_code, record.issuing_state, record.nationality) == ("TD3", "P", "UTO", "UTO")
    assert (record.primary_identifier, record.secondary_identifier, record.name_truncated) == ("ERIKSSON", "ANNA MARIA", False)
    assert (record.document_number, record.sex, record.optional_data) == ("L898902C3", "F", "ZE184226B")
    assert (record.date_of_birth.raw, record.date_of_expiry.raw) == ("740812", "120415")
    assert [(digit.field, digit.found) for digit in record.check_digits] == list(zip(DIGIT_COLUMNS, "62910", strict=True))
    assert record.check_digits_ok
    assert whats(record) == ["issuing_state_specimen", "nationality_specimen"]


def test_the_key_seed_is_the_one_of_doc_9303_11_s_worked_example():
    # Doc 9303-11 Appendix D.2: TD2 L898902C<3UTO6908061F9406236<<<<<<<8 gives this MRZ information.
    assert (
        parse([UPPER, lower(number="L898902C<", birth="690806", expiry="940623")]).mrz_information() == "L898902C<369080619406236"
    )


@pytest.mark.parametrize(("upper", "primary", "secondary", "truncated"), NAMES)
def test_the_names_of_the_standard(upper, primary, secondary, truncated):
    record = parse([upper, LOWER])
    assert (record.primary_identifier, record.secondary_identifier, record.name_truncated) == (primary, secondary, truncated)
    assert record.document_code == "PP"
    assert whats(record, "syntax") == []


def test_the_45_characters_printed_in_the_standard_are_refused():
    # Doc 9303-4 (2021) Appendix A, figure A-2 prints a lower line that is one character too long.
    with pytest.raises(MrzError) as caught:
        parse([UPPER, "L898902C36UTO7408122F2504155184226<<<<<<<<<18"])
    assert (caught.value.line, caught.value.column, caught.value.expected) == (2, 0, "44")


@pytest.mark.parametrize(
    ("lines", "line", "expected"),
    [
        ((UPPER[:-1], LOWER + "<"), 1, "44"),  # together as long as two lines are
        ((UPPER, LOWER[:-1]), 2, "44"),
        ((UPPER[:10] + "\n" + UPPER[11:], LOWER), 1, "one of A-Z<"),
        ((f"{UPPER}\n{LOWER}",), 0, "3 lines of 30 characters or 2 lines of 36 characters or 2 lines of 44 characters"),
        ((UPPER[:-1] + "\n", LOWER), 1, "one of A-Z<"),
    ],
)
def test_lines_of_a_wrong_length_or_with_a_line_feed_within_are_errors_with_their_place(lines, line, expected):
    with pytest.raises(MrzError) as caught:
        parse(lines)
    assert (caught.value.line, caught.value.expected) == (line, expected)


@pytest.mark.parametrize("text", [f"{UPPER}\n{LOWER}", f"{UPPER}\r\n{LOWER}\r\n", f"{UPPER}\r{LOWER}\r", UPPER + LOWER])
def test_lines_may_be_separated_in_any_usual_way_or_not_at_all(text):
    assert parse(text) == parse((UPPER, LOWER))


@pytest.mark.parametrize(
    ("line", "column", "character"),
    [
        (1, 6, "e"), (1, 6, "3"), (1, 3, "1"), (1, 44, " "), (1, 1, "1"), (1, 10, "Ä"),
        (2, 10, "O"), (2, 14, "O"), (2, 21, "1"), (2, 44, "<"), (2, 28, "<"), (2, 29, "\u0663"), (2, 11, "0"),
    ],
)  # fmt: skip
def test_a_character_that_the_field_does_not_allow_is_an_error_with_its_place(line, column, character):
    lines = [UPPER, LOWER]
    lines[line - 1] = lines[line - 1][: column - 1] + character + lines[line - 1][column:]
    with pytest.raises(MrzError) as caught:
        parse(lines)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "ERIKSSON" not in str(caught.value)
    assert "L898902C3" not in str(caught.value)


@given(st.one_of(st.text(), st.text(ALPHABET + "\r\n", max_size=100), st.lists(st.text(max_size=50), max_size=4)))
@settings(max_examples=80, deadline=None)
def test_any_text_gives_a_record_or_the_parser_s_own_error(text):
    with contextlib.suppress(MrzError):
        assert parse(text).format in FORMATS


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_two_lines_of_legal_alphabet_give_a_record_or_an_error(data):
    lines = [list(UPPER), list(LOWER)]
    for _ in range(data.draw(st.integers(1, 6))):
        line, column = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 43))
        lines[line][column] = data.draw(st.sampled_from(ALPHABET))
    text = ["".join(line) for line in lines]
    try:
        record = parse(text)
    except MrzError:
        return
    assert record.lines == tuple(text)


@pytest.mark.parametrize(("field", "column"), DIGIT_COLUMNS.items())
def test_every_wrong_check_digit_is_found(field, column):
    for wrong in set(string.digits) - {LOWER[column - 1]}:
        record = parse([UPPER, LOWER[: column - 1] + wrong + LOWER[column:]])
        assert not record.check_digits_ok
        bad = {digit.field for digit in record.check_digits if not digit.ok}
        assert field in bad
        assert bad <= {field, "composite"}
        assert (2, column, f"{field}_check_digit_wrong") in {(each.line, each.column, each.what) for each in record.findings}


@given(st.sampled_from([*range(10), *range(13, 20), *range(21, 43)]), st.sampled_from(ALPHABET))
@settings(deadline=None)
def test_a_misread_character_is_found_unless_its_value_is_the_same_modulo_10(position, character):
    value = {each: index for index, each in enumerate(ALPHABET)} | {"<": 0}
    same = value[character] % 10 == value[LOWER[position]] % 10
    try:
        record = parse([UPPER, LOWER[:position] + character + LOWER[position + 1 :]])
    except MrzError:
        return
    assert record.check_digits_ok == same


@pytest.mark.parametrize(("optional", "digit", "ok"), [("", "<", True), ("", "0", True), ("", "1", False), ("55", "<", False)])
def test_the_digit_of_unused_optional_data_may_be_a_filler_or_zero(optional, digit, ok):
    # "55": 5·7 + 5·3 = 50, so the digit would be 0; a filler is still wrong, for the field is in use.
    line = lower(optional=optional.ljust(14, "<"))
    covered = line[0:10] + line[13:20] + line[21:42] + digit
    record = parse([UPPER, line[:42] + digit + check_digit(covered)])
    assert record.check_digits_ok is ok


@pytest.mark.parametrize(
    ("upper", "changed", "what"),
    [
        ("P<ZZZERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", {}, "issuing_state_unknown"),
        ("P<IAOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", {}, "issuing_state_signs_master_lists_only"),
        ("P<UTO<<ERIKSSON<ANNA<MARIA<<<<<<<<<<<<<<<<<<", {}, "name_fillers_irregular"),
        ("P<UTOERIKSSON<<ANNA<<MARIA<<<<<<<<<<<<<<<<<<", {}, "name_fillers_irregular"),
        ("P<UTOERIKSSON<<<ANNA<MARIA<<<<<<<<<<<<<<<<<<", {}, "name_fillers_irregular"),
        ("P<UTO<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", {}, "name_missing"),
        (UPPER, {"nationality": "<<<"}, "nationality_unknown"),
        (UPPER, {"number": "<<<<<<<<<"}, "document_number_missing"),
        (UPPER, {"birth": "740230"}, "date_of_birth_impossible"),
        (UPPER, {"birth": "7<0812"}, "date_of_birth_impossible"),
        (UPPER, {"expiry": "121304"}, "date_of_expiry_impossible"),
        (UPPER, {"expiry": "12<<<<"}, "date_of_expiry_incomplete"),
        (UPPER, {"sex": "X"}, "sex_unknown"),
    ],
)
def test_oddities_of_meaning_are_findings_and_never_errors(upper, changed, what):
    record = parse([upper, lower(**changed)])
    assert what in whats(record) + whats(record, "syntax")
    assert record.check_digits_ok


@pytest.mark.parametrize("code", ["IDN", "D", "RKS", "GBN", "EUE", "UNO", "XPO"])
def test_states_and_organizations_of_the_standard_are_known(code):
    record = parse([f"P<{code:<<3}" + UPPER[5:], lower(nationality=f"{code:<<3}")])
    assert (record.issuing_state, record.nationality, whats(record)) == (code, code, [])


def test_unknown_parts_of_a_birth_date_are_kept_and_no_finding():
    record = parse([UPPER.replace("UTO", "IDN"), lower(birth="74<<<<", nationality="IDN")])
    assert (record.date_of_birth.raw, record.findings) == ("74<<<<", ())


def test_nothing_personal_shows_in_the_repr():
    shown = repr(parse([UPPER, LOWER]))
    for personal in ("ERIKSSON", "ANNA", "L898902C3", "740812", "120415", "ZE184226B"):
        assert personal not in shown


def test_a_foreign_character_has_no_check_digit():
    for text in ("a", "1 ", "Ä", "\u0663"):
        with pytest.raises(MrzError):
            check_digit(text)


def test_worked_check_digits_of_the_standard():
    # Doc 9303-3 §4.9: 520727 → 3; AB2134<<< → 5.
    assert (check_digit("520727"), check_digit("AB2134<<<")) == ("3", "5")
