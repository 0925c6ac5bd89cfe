"""Zones made from fields say what they were made from."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz import MrzError, emit, parse
from mrz.codes import ISO_3166
from mrz.sim import emit_td3

ERIKSSON = {
    "document_code": "P", "issuing_state": "UTO", "primary_identifier": "ERIKSSON", "secondary_identifier": "ANNA MARIA",
    "document_number": "L898902C3", "nationality": "UTO", "date_of_birth": "740812", "sex": "F", "date_of_expiry": "120415",
    "optional_data": "ZE184226B",
}  # fmt: skip

NAME_LENGTH = 39
"""Doc 9303-4 §4.2.2.1: positions 6 to 44."""
WORD = st.text(string.ascii_uppercase, min_size=1, max_size=9)
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
LONG_NAME = st.lists(st.text(string.ascii_uppercase, min_size=2, max_size=20), min_size=1, max_size=6).map(" ".join)
DATES = st.dates().map(lambda day: f"{day.year % 100:02}{day:%m%d}")
STATES = st.sampled_from(sorted(ISO_3166 | {"D"}))


def text(alphabet, longest):
    return st.text(alphabet, max_size=longest).map(lambda value: value.rstrip("<"))


DOCUMENTS = st.fixed_dictionaries(
    {
        "document_code": st.sampled_from(["P", "PP", "PD", "PO", "PS"]),
        "issuing_state": STATES,
        "primary_identifier": NAME,
        "secondary_identifier": st.one_of(st.just(""), NAME),
        "document_number": text(string.ascii_uppercase + string.digits + "<", 9),
        "nationality": STATES,
        "date_of_birth": st.one_of(DATES, st.just("<<<<<<"), st.just("74<<<<")),
        "sex": st.sampled_from("MF<"),
        "date_of_expiry": DATES,
        "optional_data": text(string.ascii_uppercase + string.digits + "<", 14),
        "unused_optional_digit": st.sampled_from("<0"),
    }
)


def test_the_example_of_the_standard_is_made_from_its_fields():
    # Doc 9303-4 Appendix B.
    assert emit_td3(**ERIKSSON) == (
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
        "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
    )


@given(DOCUMENTS)
@settings(deadline=None)
def test_fields_come_back_as_they_went_in(fields):
    record = parse(emit_td3(**fields))
    assert record.check_digits_ok
    assert emit(record) == record.lines
    for name in ("document_code", "issuing_state", "document_number", "nationality", "sex", "optional_data"):
        assert getattr(record, name) == fields[name]
    if not record.name_truncated:
        assert (record.primary_identifier, record.secondary_identifier) == (
            fields["primary_identifier"],
            fields["secondary_identifier"],
        )


@pytest.mark.parametrize("digit", ["<", "0"])
def test_the_digit_of_unused_optional_data_is_the_one_asked_for(digit):
    lower = emit_td3(**ERIKSSON | {"optional_data": ""}, unused_optional_digit=digit)[1]
    assert lower[28:43] == "<" * 14 + digit
    assert parse(["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", lower]).check_digits_ok


@given(LONG_NAME, st.one_of(st.just(""), LONG_NAME))
@settings(deadline=None)
def test_a_name_that_does_not_fit_ends_in_a_letter_and_one_that_fits_is_whole(primary, secondary):
    field = emit_td3(**ERIKSSON | {"primary_identifier": primary, "secondary_identifier": secondary})[0][5:]
    whole = primary.replace(" ", "<") + ("<<" + secondary.replace(" ", "<") if secondary else "")
    if len(whole) <= NAME_LENGTH:
        assert field == whole.ljust(NAME_LENGTH, "<")
    else:
        assert field[-1] != "<"
        record = parse([f"P<UTO{field}", emit_td3(**ERIKSSON)[1]])
        assert bool(record.secondary_identifier) is bool(secondary)
        assert "name_fillers_irregular" not in [finding.what for finding in record.findings]


@pytest.mark.parametrize(
    ("primary", "secondary", "field"),
    [  # Doc 9303-4 §4.2.3.1 and §4.2.3.2
        ("SMITH-JONES", "SUSIE MARGARET", "SMITH<JONES<<SUSIE<MARGARET<<<<<<<<<<<<"),
        ("O'CONNOR", "ENYA SIOBHAN", "OCONNOR<<ENYA<SIOBHAN<<<<<<<<<<<<<<<<<<"),
        ("SATRIYA SUDARPA", "", "SATRIYA<SUDARPA<<<<<<<<<<<<<<<<<<<<<<<<"),
        ("NILAVADHANANANDA", "ARNPOL PETCH CHARONGUANG", "NILAVADHANANANDA<<ARNPOL<PETCH<CHARONGU"),
        ("PAPANDROPOULOUS", "JONATHON WARREN TREVOR", "PAPANDROPOULOUS<<JONATHON<WARREN<TREVOR"),
    ],
)
def test_names_are_written_as_the_standard_writes_them(primary, secondary, field):
    assert emit_td3(**ERIKSSON | {"primary_identifier": primary, "secondary_identifier": secondary})[0][5:] == field


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"document_number": "1234567890"}, ValueError),
        ({"primary_identifier": "A B C D E F G H I J K L M N O P Q R S T", "secondary_identifier": "X"}, ValueError),
        ({"primary_identifier": "Eriksson"}, MrzError),
        ({"date_of_birth": "74081X"}, MrzError),
        ({"sex": "FF"}, ValueError),
    ],
)
def test_fields_that_make_no_zone_are_refused(changed, error):
    with pytest.raises(error):
        emit_td3(**ERIKSSON | changed)
