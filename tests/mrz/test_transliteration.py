"""Printed and registered names against those of the zone (Doc 9303-3 §4.6 and §6). All names are the standard's or invented."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrz import MrzError, compose, parse
from mrz.transliteration import NameAgreement, same_name, transliterate

BOOK = {
    "document_code": "P", "document_number": "X1234567", "nationality": "IDN", "date_of_birth": "740812", "sex": "<",
    "date_of_expiry": "320415",
}  # fmt: skip

# Doc 9303-3 §6 A, the letters with more than a mark: recommended spellings.
TABLE_A = {
    "Ä": ("AE", "A"), "Å": ("AA", "A"), "Æ": ("AE",), "Ç": ("C",), "Ð": ("D",), "Ñ": ("N", "NXX"), "Ö": ("OE", "O"), "Ø": ("OE",),
    "Ü": ("UE", "UXX", "U"), "Ý": ("Y",), "Þ": ("TH",), "Ą": ("A",), "Đ": ("D",), "Ğ": ("G",), "Ħ": ("H",), "İ": ("I",), "ı": ("I",),
    "Ĳ": ("IJ",), "Ŀ": ("L",), "Ł": ("L",), "Ŋ": ("N",), "Ő": ("O",), "Œ": ("OE",), "Ş": ("S",), "Ŧ": ("T",), "Ű": ("U",), "ẞ": ("SS",),
}  # fmt: skip


def zone(name_field: str, state: str = "UTO"):
    return parse((f"P<{state:<<3}{name_field:<<39}", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"))


@pytest.mark.parametrize(("letter", "spellings"), TABLE_A.items())
def test_the_recommended_spellings_of_table_a(letter, spellings):
    assert transliterate(letter) == spellings[0]
    for spelling in spellings:
        assert same_name(f"A{letter}B", zone(f"A{spelling}B")) is NameAgreement.EQUAL
    assert same_name(f"A{letter}B", zone("AQB")) is NameAgreement.DIFFERENT


def test_letters_that_only_carry_marks_lose_them():
    for letter in map(chr, [*range(0xC0, 0x180), *range(0x1EA0, 0x1EFA)]):
        base = unicodedata.normalize("NFD", letter.upper())[0]
        if len(letter.upper()) == 1 and base in string.ascii_uppercase and letter.upper() not in TABLE_A:
            assert transliterate(letter) == base


@pytest.mark.parametrize(
    ("printed", "state", "expected"),
    [
        ("D’ARTAGNAN", "", "DARTAGNAN"), ("O'Connor", "", "OCONNOR"), ("MARIE-ELISE", "", "MARIE ELISE"), ("ANNA, MARIA", "", "ANNA MARIA"),
        ('J. R. "Bob" (Smith)', "", "J R BOB SMITH"), ("  van  der\tMuellen ", "", "VAN DER MUELLEN"), ("Groß-Müller", "D", "GROSS MUELLER"),
        ("Öztürk", "TUR", "OZTURK"), ("Öztürk", "D", "OEZTUERK"), ("Núñez Agüero", "ESP", "NUNEZ AGUERO"), ("Håkon Sørensen", "NOR", "HAAKON SOERENSEN"),
        ("Þórðarson", "ISL", "THORDARSON"), ("Щукин", "RUS", "SHCHUKIN"), ("Щукин", "BGR", "SHTUKIN"), ("Георгий", "", "GEORGII"),
        ("Юлія Їжак", "UKR", "YULIIA YIZHAK"), ("Григорій", "UKR", "HRYHORII"), ("Жорж Хацич", "SRB", "ZORZ HACIC"), ("Ольга", "", "OLGA"),
        ("ʼʼ", "", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_names_are_spelt_as_the_state_spells_them(printed, state, expected):
    assert transliterate(printed, state) == expected
    assert transliterate(unicodedata.normalize("NFD", printed), state) == expected


@pytest.mark.parametrize(("name", "column"), [("ANNA 2", 6), ("李", 1), ("A\u0627", 2)])
def test_what_the_tables_do_not_know_is_an_error_with_its_place(name, column):
    with pytest.raises(MrzError) as caught:
        transliterate(name)
    assert caught.value.column == column


@given(st.text(max_size=60), st.sampled_from(["", "D", "TUR", "UKR", "SRB"]))
def test_any_text_gives_words_of_the_zone_s_letters_or_the_room_s_own_error(text, state):
    try:
        words = transliterate(text, state)
    except MrzError:
        return
    assert set(words) <= set(string.ascii_uppercase + " ")
    assert words == " ".join(words.split())


@given(
    st.lists(st.text("AÄÅÉÖÜÑØŁßẞБЮщ", min_size=1, max_size=6), min_size=1, max_size=3),
    st.sampled_from(["IDN", "D", "TUR", "UKR"]),
)
def test_a_name_agrees_with_the_zone_that_was_made_from_it(words, state):
    printed = " ".join(words)
    lines = compose("TD3", issuing_state=state, primary_identifier=transliterate(printed, state), **BOOK)
    assert same_name(printed, parse(lines)) in (NameAgreement.EQUAL, NameAgreement.TRUNCATED)


@pytest.mark.parametrize(
    ("printed", "name_field", "agreement"),
    [
        # Doc 9303-4 §4.2.3.1 to §4.2.3.4
        ("ERIKSSON, ANNA MARIA", "ERIKSSON<<ANNA<MARIA", "equal"),
        ("ERIKSSON ANNA MARIA", "ERIKSSON<<ANNA<MARIA", "equal"),
        ("Anna Maria Eriksson", "ERIKSSON<<ANNA<MARIA", "reordered"),
        ("ERIKSSON ANNA, MARIA", "ERIKSSON<<ANNA<MARIA", "reordered"),
        ("ERIKSSON, ANNA", "ERIKSSON<<ANNA<MARIA", "different"),
        ("ERIKSSON, ANNA MARIA EVA", "ERIKSSON<<ANNA<MARIA", "different"),
        ("O’CONNOR, ENYA SIOBHAN", "OCONNOR<<ENYA<SIOBHAN", "equal"),
        ("SMITH-JONES, SUSIE MARGARET", "SMITH<JONES<<SUSIE<MARGARET", "equal"),
        ("SATRIYA SUDARPA", "SATRIYA<SUDARPA", "equal"),
        ("SUDARPA, SATRIYA", "SATRIYA<SUDARPA", "equal"),
        ("SUDARPA SATRIYA", "SATRIYA<SUDARPA", "equal"),
        ("SATRIYA", "SATRIYA<SUDARPA", "different"),
        ("NILAVADHANANANDA, CHAYAPA DEJTHAMRONG KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K", "truncated"),
        ("NILAVADHANANANDA, ARNPOL PETCH CHARONGUANG", "NILAVADHANANANDA<<ARNPOL<PETCH<CHARONGU", "truncated"),
        ("BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL, DINGO POTOROO", "BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI", "truncated"),
        ("BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL, DINGO POTOROO", "BENNELONG<WOOLOOM<WARRAND<WARNAM<<DINGO", "truncated"),
        ("BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL, DINGO POTOROO", "BENNEL<WOOLOO<WARRAN<WARNAM<<DINGO<POTO", "truncated"),
        ("BENNELONG WOOLOOMOOLOO WARRANDYTE, DINGO POTOROO", "BENNEL<WOOLOO<WARRAN<WARNAM<<DINGO<POTO", "different"),
        ("BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL, OTTO", "BENNEL<WOOLOO<WARRAN<WARNAM<<DINGO<POTO", "different"),
        ("PAPANDROPOULOUS, JONATHON WARREN TREVOR", "PAPANDROPOULOUS<<JONATHON<WARREN<TREVOR", "equal"),
        ("", "SATRIYA<SUDARPA", "different"),
        ("SATRIYA", "", "different"),
    ],
)  # fmt: skip
def test_names_are_compared_as_the_standard_writes_them(printed, name_field, agreement):
    assert same_name(printed, zone(name_field)) == agreement


def test_a_beginning_is_not_enough_where_nothing_was_cut_off():
    assert same_name("ERIKSSON, ANNABELLA", zone("ERIKSSON<<ANNA")) is NameAgreement.DIFFERENT
