"""The word for a traveller and an entry: who is a hit, who is a namesake, who is nobody; and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.registries.agreement import BirthAgreement, agreement, alike, beside_name, most_by_name
from gate.registries.identity import listed, traveller
from gate.registries.matching import check, judged, threshold
from gate.registries.names import ListedPerson, PersonQuery

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def asked(name: str, birth: str = "700512", sex: str = "M", number: str = "", state: str = "") -> PersonQuery:
    return PersonQuery(primary_identifier=name, birth=birth, sex=sex, document_number=number, issuing_state=state)


def entry(name: str, birth: str = "700512", sex: str = "M", **more: object) -> ListedPerson:
    told = {"list": "pencegahan", "primary_identifier": name, "birth": birth, "sex": sex}
    times = {"valid_from": NOW - timedelta(days=10), "valid_to": NOW + timedelta(days=100)}
    return msgspec.convert({**told, **times, **more}, ListedPerson)


def word(query: PersonQuery, *persons: ListedPerson, at: datetime = NOW) -> str:
    return check(query, persons, "pencegahan", at).word


RARE = "WIRYOSUDARMO PURBONEGORO"


def test_a_rare_name_with_birth_and_sex_is_a_hit() -> None:
    assert word(asked(RARE), entry(RARE)) == "hit"


def test_nobody_is_a_hit_by_name_alone() -> None:
    assert word(asked(RARE), entry(RARE, birth="<<<<<<")) != "hit"
    assert word(asked(RARE), entry(RARE, birth="70<<<<")) == "possible"
    assert word(asked(RARE), entry(RARE, birth="7005<<")) == "possible"
    assert word(asked(RARE), entry(RARE, sex="<")) == "possible"
    assert word(asked(RARE), entry(RARE, sex="F")) != "hit"
    assert word(asked(RARE), entry(RARE, birth="<<<<<<", age=56)) == "possible"


@pytest.mark.parametrize("name", ["MUHAMMAD ALI", "MUHAMMAD", "ALI", "SITI NUR", "AGUS SANTOSO"])
def test_namesakes_born_on_one_day_are_possible_and_never_hits(name: str) -> None:
    assert word(asked(name), entry(name)) != "hit"


def test_muhammad_ali_is_not_held_for_every_muhammad_ali() -> None:
    namesakes = [entry("MUHAMMAD ALI", birth=f"{year}0613") for year in range(50, 99)]
    assert word(asked("MUHAMMAD ALI"), *namesakes) == "clear"
    assert word(asked("MUHAMMAD ALI"), *namesakes, entry("MOCH. ALY")) == "possible"


def test_the_number_of_the_document_makes_a_hit_where_the_name_is_compatible() -> None:
    listing = entry("BUDI SANTOSO", birth="<<<<<<", documents=[{"document_number": "A1234567", "issuing_state": "IDN"}])
    assert word(asked("BUDI SANTOSO", number="A1234567", state="IDN"), listing) == "hit"
    assert word(asked("SANTOSO BOEDI", number="A1234567", state="IDN"), listing) == "hit"
    assert word(asked("SITI AMINAH", sex="F", number="A1234567", state="IDN"), listing) == "possible"
    assert word(asked("SITI AMINAH", sex="F", number="A1234567", state="SGP"), listing) == "clear"
    assert word(asked("SITI AMINAH", sex="F", number="A7654321", state="IDN"), listing) == "clear"


def test_an_unknown_issuing_state_does_not_hide_a_document() -> None:
    listing = entry("BUDI SANTOSO", documents=[{"document_number": "A1234567"}])
    assert word(asked("BUDI SANTOSO", number="A1234567<", state="IDN"), listing) == "hit"


def test_a_number_that_another_state_gave_out_as_well_holds_nobody() -> None:
    """A list often does not know the State, and States give out the same numbers."""
    listing = entry("MUHAMMAD ALI", documents=[{"document_number": "A1234567"}])
    book = {"number": "A1234567", "state": "UTO"}
    assert word(asked("MUHAMMAD ALI", **book), listing) == "hit"
    assert word(asked("MUHAMMAD ALI", birth="<<<<<<", sex="<", **book), listing) == "hit"
    for other in (asked("MUHAMMAD HASAN", birth="991231", **book), asked("MUHAMMAD ALI", sex="F", **book)):
        assert word(other, listing) == "possible"


def test_a_number_alone_holds_nobody_of_whose_name_nothing_is_known() -> None:
    listing = entry("阿里", documents=[{"document_number": "A1234567"}])
    assert word(asked("MUHAMMAD ALI", number="A1234567", state="UTO"), listing) == "possible"
    assert (
        word(asked("<<<", number="A1234567", state="UTO"), entry("", documents=[{"document_number": "A1234567"}])) == "possible"
    )


@pytest.mark.parametrize("name", ["", "<<<", "阿里", "123"])
def test_nobody_without_a_name_is_clear(name: str) -> None:
    assert word(asked(name), entry("BUDI SANTOSO")) == "possible"


@pytest.mark.parametrize("birth", ["<<0512", "70<<<<", "000000", ""])
def test_nobody_without_year_and_month_of_birth_is_clear(birth: str) -> None:
    assert word(asked("ANDI", birth=birth), entry("BUDI SANTOSO")) == "possible"


def test_zeros_for_a_date_of_birth_are_no_date_in_the_year_2000() -> None:
    name = "WIRYOSUDARMO PURBONEGORO KERTAPATI"
    assert word(asked(name), entry(name, birth="000000")) == word(asked(name), entry(name, birth="<<<<<<")) == "possible"


def test_no_number_is_not_an_equal_number() -> None:
    listing = entry("BUDI", birth="<<<<<<", documents=[{"document_number": "<<<"}])
    assert word(asked("ANDI", number="<<<<<<<<<", state="IDN"), listing) == "clear"


def test_one_word_needs_a_date_of_birth_and_nearly_the_same_spelling() -> None:
    assert word(asked("SUWARTININGSIH", sex="F"), entry("SUWARTININGSIH", sex="F")) == "possible"
    assert word(asked("SUWARTININGSIH", sex="F"), entry("SOEWARTININGSIH", sex="F")) == "possible"
    assert word(asked("SUWARTININGSIH", sex="F"), entry("SUWARTININGSIH", sex="F", birth="70<<<<")) == "clear"
    assert word(asked("SUWARTININGSIH", sex="F"), entry("SUWARTININGSIH", sex="F", birth="<<<<<<", age=56)) == "clear"
    assert word(asked("SUWARTININGSIH", sex="F"), entry("SUWARTINAH", sex="F")) == "clear"


@pytest.mark.parametrize(
    "written",
    [
        "SANTOSO BUDI WIRYOKUSUMO",
        "BOEDI SANTOSO WIRJOKOESOEMO",
        "H. BUDI SANTOSO WIRYOKUSUMO",
        "BUDI WIRYOKUSUMO",
        "B. SANTOSO WIRYOKUSUMO",
        "BUDI SANTOSOWIRYOKUSUMO",
        "BUDI SANTSO WIRYOKUSUMO",
        "BUDHI SANTOSA WIRYOKUSUMO",
    ],
)
def test_a_name_written_otherwise_is_still_found(written: str) -> None:
    assert word(asked("WIRYOKUSUMO BUDI SANTOSO"), entry(written)) != "clear"


def test_an_initial_speaks_for_a_name_a_little_and_against_another_one() -> None:
    def said(name: str) -> float:
        return agreement(traveller(asked("BUDI SANTOSO")), traveller(asked(name))).name

    assert said("BUDI SANTOSO") > said("B SANTOSO") > said("SANTOSO") > said("K SANTOSO")


def test_an_alias_counts_as_a_name() -> None:
    assert word(asked(RARE), entry("BUDI SANTOSO", aliases=["WIRYOSUDARMO PURBONEGORO"])) == "hit"


def test_a_name_that_the_zone_cut_short_is_still_found() -> None:
    assert (
        word(asked("KUSUMAWARDHANI SRI ENDANG RAHAYU PUSPITAN"), entry("SRI ENDANG RAHAYU PUSPITANINGRUM KUSUMAWARDHANI"))
        != "clear"
    )


@pytest.mark.parametrize(
    ("one", "other", "meant"),
    [
        ("700512", "700512", "EQUAL"),
        ("700512", "7005<<", "MONTH"),
        ("700512", "700500", "MONTH"),
        ("700512", "70<<<<", "YEAR"),
        ("700512", "701205", "SWAPPED"),
        ("700512", "700513", "OTHER_DAY"),
        ("700512", "700612", "OTHER_MONTH"),
        ("700512", "700613", "DIFFERENT"),
        ("700512", "7006<<", "DIFFERENT"),
        ("700512", "710512", "NEXT_YEAR"),
        ("000512", "990512", "NEXT_YEAR"),
        ("700512", "670512", "OTHER_YEAR"),
        ("700512", "670513", "DIFFERENT"),
        ("700512", "<<<<<<", "UNKNOWN"),
        ("<<<<<<", "<<<<<<", "UNKNOWN"),
        ("700512", "", "UNKNOWN"),
        ("700512", "000000", "UNKNOWN"),
        ("000512", "000000", "UNKNOWN"),
        ("000512", "00<<<<", "YEAR"),
        ("700512", "²³0512", "UNKNOWN"),
    ],
)
def test_dates_of_birth_agree_as_far_as_they_are_known(one: str, other: str, meant: str) -> None:
    a, b = traveller(asked("X", birth=one)), traveller(asked("X", birth=other))
    assert agreement(a, b).birth is agreement(b, a).birth is BirthAgreement[meant]


@pytest.mark.parametrize(
    ("age", "meant"), [(34, "DIFFERENT"), (53, "DIFFERENT"), (54, "AGE"), (56, "AGE"), (57, "AGE"), (58, "DIFFERENT")]
)
def test_an_age_allows_the_years_around_it(age: int, meant: str) -> None:
    noted = listed(entry("X", birth="<<<<<<", age=age)).identity
    assert agreement(traveller(asked("X", birth="700512")), noted).birth is BirthAgreement[meant]


def test_the_longer_the_list_the_more_a_namesake_must_agree() -> None:
    assert threshold(0) == threshold(10_000) < threshold(100_000) < threshold(1_000_000)


def test_better_agreement_of_birth_never_says_less() -> None:
    order = ["EQUAL", "SWAPPED", "NEXT_YEAR", "OTHER_YEAR", "UNKNOWN", "DIFFERENT"]
    figures = [BirthAgreement[name].bits for name in order]
    assert figures == sorted(figures, reverse=True)


# --- time ------------------------------------------------------------------------------------------------------------------------

BEGUN = datetime(2026, 9, 1, 3, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_an_urgent_entry_holds_for_twenty_days_to_the_second() -> None:
    listing = entry(RARE, valid_from=BEGUN, valid_to=BEGUN + timedelta(days=400), urgent=True)
    end = BEGUN + timedelta(days=20)
    assert word(asked(RARE), listing, at=BEGUN - SECOND) == "clear"
    assert word(asked(RARE), listing, at=BEGUN) == "hit"
    assert word(asked(RARE), listing, at=end - SECOND) == "hit"
    assert word(asked(RARE), listing, at=end) == "clear"


def test_an_entry_that_was_not_extended_in_time_has_lapsed() -> None:
    first = entry(RARE, valid_from=BEGUN, valid_to=BEGUN + timedelta(days=180))
    extended = entry(RARE, valid_from=BEGUN + timedelta(days=180), valid_to=BEGUN + timedelta(days=360))
    end = BEGUN + timedelta(days=180)
    assert word(asked(RARE), first, at=end) == "clear"
    assert word(asked(RARE), first, extended, at=end) == "hit"


def test_the_lists_are_kept_apart() -> None:
    other = entry(RARE, list="penangkalan")
    assert word(asked(RARE), other) == "clear"
    assert check(asked(RARE), [other], "penangkalan", NOW).word == "hit"


# --- properties ------------------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "MUHAMMAD",
        "MOCH",
        "ALI",
        "ALY",
        "BUDI",
        "SANTOSO",
        "SANTOSA",
        "SITI",
        "NURHAYATI",
        "NUR",
        "HAYATI",
        "SUGIONO",
        "M",
        "B",
        "H.",
        "BIN",
    ]
)
NAMES = st.one_of(st.lists(WORDS, max_size=7).map(" ".join), st.text(max_size=30))
BIRTHS = st.one_of(st.from_regex(r"[0-9<]{6}", fullmatch=True), st.text(max_size=8))
PEOPLE = st.builds(
    asked,
    NAMES,
    BIRTHS,
    st.sampled_from(["M", "F", "<", "", "X"]),
    st.sampled_from(["", "A1", "<<"]),
    st.sampled_from(["", "IDN", "D<<"]),
)


@given(PEOPLE, PEOPLE)
def test_who_is_asked_about_whom_makes_no_difference(one: PersonQuery, other: PersonQuery) -> None:
    a, b = traveller(one), traveller(other)
    assert agreement(a, b) == agreement(b, a)
    assert judged(agreement(a, b), threshold(1)).word in {"clear", "possible", "hit"}


@given(PEOPLE)
def test_nobody_agrees_less_with_themselves_than_a_stranger(one: PersonQuery) -> None:
    self = traveller(one)
    assert agreement(self, self).name >= agreement(self, traveller(asked("QWZXKJ VBGHPL"))).name


@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12)
)
def test_likeness_is_symmetric_and_whole_for_equal_words(one: str, other: str) -> None:
    assert 0.0 <= alike(one, other) == alike(other, one) <= 1.0
    assert alike(one, one) == 1.0


@given(PEOPLE, PEOPLE)
def test_no_name_agrees_more_than_was_thought_possible(one: PersonQuery, other: PersonQuery) -> None:
    a, b = traveller(one), traveller(other)
    agreed = agreement(a, b)
    assert agreed.name <= most_by_name(a)
    assert agreed.document or agreed.bits <= most_by_name(a) + beside_name(a, b) + 1e-9
