"""Names become tokens: spellings of one name the same ones, and any text some."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.registries import names
from gate.registries.names import URGENT, ListedPerson, PersonQuery, bits, is_rare, skeleton, tokens

FAMILIES = {
    "Muhammad": (
        "MUHAMMAD",
        "Mohammad",
        "MOHAMAD",
        "MOCHAMAD",
        "Mochammad",
        "MUHAMAD",
        "MOHD",
        "MOHD.",
        "MUH.",
        "MOH",
        "M.",
        "MOCH.",
        "Mohamed",
    ),
    "Ali": ("ALI", "ALY", "ALIE", "ALLI"),
    "Ahmad": ("AHMAD", "ACHMAD", "AKHMAD", "AHMED", "ACHMED", "AHMAT"),
    "Abdul": ("ABDUL", "ABD.", "ABDOEL", "ABDEL"),
    "old u": ("SUKARNO", "SOEKARNO"),
    "old j": ("JOKO", "DJOKO"),
    "old c": ("CIPTO", "TJIPTO"),
    "old y": ("YUSUF", "JUSUF", "YOESOEF", "YUSUP"),
    "old sy": ("SYARIF", "SJARIF", "SYARIEF", "SARIF"),
    "old ny": ("NYOMAN", "NJOMAN"),
    "kh": ("KHAIRUL", "CHAIRUL", "KHOIRUL", "CHAERUL"),
    "dh": ("RAMADHAN", "RAMADAN"),
    "ts": ("USMAN", "UTSMAN", "OESMAN", "OSMAN"),
    "double letters": ("HASAN", "HASSAN"),
    "ai": ("ZAINAL", "ZAENAL", "JAENAL"),
    "y": ("RUDI", "RUDY"),
    "glide": ("SETIAWAN", "SETYAWAN", "SETIYAWAN"),
    "q": ("TAUFIK", "TAUFIQ", "TAUPIK"),
    "final h": ("AISYAH", "AISYA", "AISAH"),
    "apostrophe": ("MARUF", "MA'RUF", "Ma’ruf"),
    "christian": ("CHRISTIAN", "KRISTIAN"),
    "marks": ("Müllér", "MUELLER"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_spellings_of_one_name_have_the_same_tokens(family: str) -> None:
    assert len({tokens(spelling) for spelling in FAMILIES[family]}) == 1, {each: tokens(each) for each in FAMILIES[family]}


def test_names_that_are_not_the_same_keep_apart() -> None:
    told = (
        "BUDI",
        "BUDIMAN",
        "SUGIONO",
        "SUGIARTO",
        "SARI",
        "SRI",
        "ALI",
        "ALIA",
        "AHMAD",
        "MUHAMMAD",
        "HASAN",
        "HUSAIN",
        "WAYAN",
        "WIJAYA",
        "DEWI",
        "DEDI",
    )
    assert len({tokens(name) for name in told}) == len(told)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("H. BUDI SANTOSO, S.H., M.Si.", "BUDI SANTOSO"),
        ("HJ. SITI AMINAH", "SITI AMINAH"),
        ("DRS. AGUS SALIM", "AGUS SALIM"),
        ("ALI BIN ABU TALIB", "ALI ABU TALIB"),
        ("FATIMAH BINTI YUSUF", "FATIMAH YUSUF"),
        ("AL-FARISI SALMAN", "FARISI SALMAN"),
        ("NI WAYAN SUKRENI", "WAYAN SUKRENI"),
        ("ABDURRAHMAN", "ABDUL RAHMAN"),
        ("ABDUL AZIZ", "ABDULAZIZ"),
        ("NURHAYATI", "NUR HAYATI"),
        ("SITIAMINAH", "SITI AMINAH"),
    ],
)
def test_titles_and_particles_do_not_count_and_joined_words_are_parted(written: str, meant: str) -> None:
    assert tokens(written) == tokens(meant)


def test_a_name_of_titles_alone_still_is_a_name() -> None:
    assert tokens("HAJI") != ()
    assert tokens("O") == ("O",)


def test_one_word_stays_one_word() -> None:
    assert len(tokens("SUHARTO")) == 1
    assert tokens("ABDULLAH") == tokens("ABDULLA")
    assert len(tokens("ABDULLAH")) == 1


@given(st.text(max_size=80))
def test_any_text_has_tokens_and_they_are_their_own(text: str) -> None:
    found = tokens(text)
    assert all(re.fullmatch("[A-Z]{1,39}", token) for token in found)
    assert tokens(" ".join(found)) == found
    assert all(skeleton(token) for token in found)
    assert all(bits(token) > 0 for token in found)


@given(st.lists(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12), max_size=6))
def test_tokens_of_a_zone_are_their_own(words: list[str]) -> None:
    found = tokens(" ".join(words))
    assert tokens(" ".join(found)) == found
    assert bool(found) == bool(words)


def test_a_very_long_name_is_bounded() -> None:
    assert len(tokens("ABDURRAHMAN " * 10_000)) <= names.MAX_WORDS
    assert max(map(len, tokens("A B" + "CD" * 10_000))) <= names.MAX_LETTERS


def test_the_table_contradicts_itself_nowhere() -> None:
    table = names._table()
    heads = set(table.families.values())
    assert not heads & table.dropped, "a family would be dropped"
    assert all(table.families[head] == head for head in heads), "a family leads to another"
    assert not {token for token in table.bits if len(token) > 1} & table.dropped, "a common name would be dropped"
    assert all(tokens(head) == (head,) for head in heads)


def test_what_is_common_says_little() -> None:
    (muhammad,), (agus,), (rare,) = tokens("MUHAMMAD"), tokens("AGUS"), tokens("WIRYOSUDARMO")
    assert bits(muhammad) < bits(agus) < bits(rare)
    assert is_rare(rare)
    assert not is_rare(muhammad)


BEGUN = datetime(2026, 9, 1, 10, 0, 0, tzinfo=UTC)


def person(**fields: object) -> ListedPerson:
    told = {"list": "pencegahan", "primary_identifier": "X", "valid_from": BEGUN, "valid_to": BEGUN + timedelta(days=365)}
    return msgspec.convert({**told, **fields}, ListedPerson)


def test_an_urgent_entry_ends_after_twenty_days_whatever_it_says() -> None:
    assert person(urgent=True).end == BEGUN + URGENT
    assert person(urgent=True, valid_to=BEGUN + timedelta(days=3)).end == BEGUN + timedelta(days=3)
    assert person().end == BEGUN + timedelta(days=365)


@pytest.mark.parametrize(
    "fields",
    [
        {"birth": "19800101"},
        {"birth": "80-1-1"},
        {"birth": "800101\n"},
        {"age": -1},
        {"age": 131},
        {"sex": "X"},
        {"list": "cekal"},
        {"valid_to": datetime(2026, 9, 1)},  # noqa: DTZ001 - without a zone, which is what is refused
        {"aliases": ("A",) * 17},
        {"documents": ({"document_number": ""},)},
    ],
)
def test_an_entry_of_another_shape_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        person(**fields)


def test_persons_stay_out_of_logs() -> None:
    query = PersonQuery(primary_identifier="SECRET", birth="800101", sex="M")
    assert "SECRET" not in repr(query) + repr(person(primary_identifier="SECRET"))
