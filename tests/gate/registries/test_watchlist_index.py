"""The sealed list: it says what a comparison with every entry would say, shows nothing to a thief, and is damaged loudly."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from benchmarks.population import BIRTH_SLIPS, NAME_SLIPS, NOW, Person, listing, listings, person, travellers
from gate.registries import watchlist_index
from gate.registries.agreement import agreement
from gate.registries.blocking import entry_blocks, traveller_blocks
from gate.registries.identity import listed, traveller
from gate.registries.matching import judged, threshold
from gate.registries.names import ListedPerson, PersonQuery, bits, tokens
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import SnapshotRefused
from gate.registries.watchlist_index import WatchlistIndex

KEY = SnapshotKey.derive(bytes(range(32)))
ENTRIES = 300


@pytest.fixture(scope="module")
def persons() -> list[ListedPerson]:
    return [each.entry for each in listings(5, ENTRIES)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, persons: list[ListedPerson]) -> Path:
    made = tmp_path_factory.mktemp("watchlist") / "index"
    assert WatchlistIndex.build(made, KEY, persons, head=b"head of the list") == ENTRIES
    return made


@pytest.fixture
def index(path: Path) -> WatchlistIndex:
    return WatchlistIndex.open(path, KEY)


def build(folder: Path, *persons: ListedPerson) -> WatchlistIndex:
    WatchlistIndex.build(folder / "index", KEY, persons)
    return WatchlistIndex.open(folder / "index", KEY)


def entry(name: str = "WIRYOSUDARMO PURBONEGORO", **more: object) -> ListedPerson:
    told = {"list": "pencegahan", "primary_identifier": name, "birth": "700512", "sex": "M"}
    times = {"valid_from": NOW - timedelta(days=10), "valid_to": NOW + timedelta(days=100)}
    return msgspec.convert({**told, **times, **more}, ListedPerson)


def query(name: str = "WIRYOSUDARMO PURBONEGORO", birth: str = "700512", **more: str) -> PersonQuery:
    return PersonQuery(primary_identifier=name, birth=birth, sex="M", **more)


def test_it_keeps_its_head_and_counts_its_entries(index: WatchlistIndex) -> None:
    assert (index.head, index.entries) == (b"head of the list", ENTRIES)


def test_it_says_what_a_comparison_with_every_entry_says(index: WatchlistIndex, persons: list[ListedPerson]) -> None:
    entries = [listed(each).identity for each in persons]
    for whom in (*(each.person for each in islice(listings(5, ENTRIES), 20)), *travellers(6, 10)):
        asked = traveller(whom.query())
        found = [judged(agreement(asked, identity, index._bits), threshold(ENTRIES)) for identity in entries]
        assert index.check(whom.query(), "pencegahan", NOW).word == max(found, key=lambda match: match.rank).word


def test_a_name_that_is_common_on_the_list_says_less(tmp_path: Path) -> None:
    index = build(
        tmp_path, *[entry("XERXES DARIUS", birth=f"70{month:02d}{day:02d}") for month in range(1, 13) for day in range(1, 29)]
    )
    (common,), (rare,) = tokens("XERXES"), tokens("ARTAXERXES")
    assert index._bits(common) < bits(common) == index._bits(rare)


@pytest.mark.parametrize("slip", [*NAME_SLIPS, *BIRTH_SLIPS])
def test_blocks_find_entries_whatever_is_wrong_with_them(slip: str) -> None:
    """At least 97 of 100 of those that a comparison would recognise; all figures are in docs/watchlist.md."""
    dice, recognised, found = random.Random(slip), 0, 0
    while recognised < 100:
        each = listing(dice, slip=slip)
        asked, known = traveller(each.person.query()), listed(each.entry).identity
        if slip in {each.name_slip, each.birth_slip} and judged(agreement(asked, known), threshold(100_000)).word != "clear":
            recognised += 1
            found += bool(traveller_blocks(asked) & entry_blocks(known))
    assert found >= 97


def test_the_lists_are_kept_apart(tmp_path: Path) -> None:
    index = build(tmp_path, entry(list="penangkalan"))
    assert index.check(query(), "pencegahan", NOW).word == "clear"
    assert index.check(query(), "penangkalan", NOW).word == "hit"
    assert index.check(query(), "wanted", NOW).word == "clear"


def test_an_urgent_entry_ends_to_the_second(tmp_path: Path) -> None:
    begun = NOW - timedelta(days=20)
    index = build(tmp_path, entry(valid_from=begun, urgent=True))
    assert index.check(query(), "pencegahan", NOW - timedelta(seconds=1)).word == "hit"
    assert index.check(query(), "pencegahan", NOW).word == "clear"


def test_a_document_finds_an_entry_without_birth_or_like_name(tmp_path: Path) -> None:
    index = build(tmp_path, entry("BUDI", birth="<<<<<<", documents=[{"document_number": "A1234567", "issuing_state": "IDN"}]))
    found = index.check(query("ANDI", document_number="A1234567", issuing_state="IDN"), "pencegahan", NOW)
    assert (found.word, found.code) == ("possible", "document_other_person")


def test_an_age_finds_an_entry_in_each_year_that_it_allows(tmp_path: Path) -> None:
    index = build(tmp_path, entry(birth="<<<<<<", age=56))
    words = [index.check(query(birth=f"{year}0512"), "pencegahan", NOW).word for year in range(66, 74)]
    assert words == ["clear", "clear", "possible", "possible", "possible", "possible", "clear", "clear"]


def test_an_entry_without_any_birth_is_still_compared(tmp_path: Path) -> None:
    index = build(tmp_path, entry("WIRYOSUDARMO PURBONEGORO KERTAPATI", birth="<<<<<<"))
    assert index.check(query("WIRYOSUDARMO PURBONEGORO KERTAPATI"), "pencegahan", NOW).word == "possible"


@pytest.mark.parametrize("birth", ["<<0512", "70<<<<", "70<<12", "<<<<<<", "000000", ""])
def test_a_traveller_without_year_and_month_of_birth_is_never_clear(tmp_path: Path, birth: str) -> None:
    index = build(tmp_path, entry("BUDI"))
    found = index.check(query("ANDI", birth=birth), "pencegahan", NOW)
    assert (found.word, found.code) == ("possible", "no_birth_month")


def test_a_traveller_without_a_name_is_never_clear(tmp_path: Path) -> None:
    found = build(tmp_path, entry("BUDI")).check(query("<<<"), "pencegahan", NOW)
    assert (found.word, found.code) == ("possible", "no_name")


def test_an_entry_with_zeros_for_a_birth_is_found_whoever_was_born_when(tmp_path: Path) -> None:
    index = build(tmp_path, entry("WIRYOSUDARMO PURBONEGORO KERTAPATI", birth="000000"))
    assert index.check(query("WIRYOSUDARMO PURBONEGORO KERTAPATI"), "pencegahan", NOW).word == "possible"


def test_a_number_that_everybody_bears_is_looked_at_so_often_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchlist_index, "MAX_CANDIDATES", 3)
    shared = [{"document_number": "NONE"}]
    index = build(tmp_path, *[entry(f"STRANGER{letter}", birth="800101", documents=shared) for letter in "ABCDE"])
    looked_at = []
    monkeypatch.setattr(index, "_persons", lambda numbers: looked_at.append(len(numbers)) or iter(()))
    assert index.check(query(document_number="NONE"), "pencegahan", NOW).code == "many_namesakes"
    assert max(looked_at) == 3


def test_a_traveller_without_a_day_of_birth_is_searched_for(tmp_path: Path) -> None:
    index = build(tmp_path, entry())
    assert index.check(query(birth="7005<<"), "pencegahan", NOW).word == "possible"
    assert index.check(query("ANDI", birth="7005<<"), "pencegahan", NOW).word == "clear"


def test_more_namesakes_than_can_be_looked_at_are_never_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlist_index, "MAX_CANDIDATES", 3)
    crowd = [entry("MUHAMMAD ALI", birth=f"7005{day:02d}") for day in range(13, 20)]
    index = build(tmp_path, *crowd)
    found = index.check(query("MUHAMMAD ALI"), "pencegahan", NOW)
    assert (found.word, found.code) == ("possible", "many_namesakes")


def test_a_crowd_hides_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlist_index, "MAX_CANDIDATES", 3)
    crowd = [entry("MUHAMMAD ALI", birth=f"7005{day:02d}") for day in range(13, 20)]
    index = build(tmp_path, *crowd, entry("MUHAMMAD ALI", documents=[{"document_number": "A1", "issuing_state": "IDN"}]))
    assert index.check(query("MUHAMMAD ALI", document_number="A1", issuing_state="IDN"), "pencegahan", NOW).word == "hit"


def test_a_sex_that_is_wrong_or_not_known_hides_nobody(tmp_path: Path) -> None:
    index = build(tmp_path, entry(sex="F"), entry("KERTAPATI", birth="700613", sex="<"))
    assert index.check(query(), "pencegahan", NOW).word == "possible"
    assert index.check(query("KRETAPATI", birth="700613"), "pencegahan", NOW).word == "possible"


def test_an_empty_list_is_clear(tmp_path: Path) -> None:
    assert build(tmp_path).check(query(), "pencegahan", NOW).word == "clear"


# --- thieves and damage ----------------------------------------------------------------------------------------------------------


def test_a_stolen_file_shows_no_name_number_or_date(tmp_path: Path) -> None:
    planted = entry(
        "PLANTEDNAME SECONDNAME", aliases=["THIRDALIAS"], documents=[{"document_number": "N0123456X", "issuing_state": "UTO"}]
    )
    index = build(tmp_path, planted, *(each.entry for each in listings(8, 50)))
    raw = (tmp_path / "index").read_bytes()
    known = msgspec.msgpack.encode(listed(planted).valid_from)
    assert index.check(query("PLANTEDNAME SECONDNAME"), "pencegahan", NOW).word == "hit"
    for secret in (
        b"PLANTED",
        b"SECONDNAME",
        b"THIRDALIAS",
        b"N0123456X",
        b"700512",
        b"pencegahan",
        b"MUHAMMAD",
        b"MUHAMAT",
        known,
    ):
        assert secret.lower() not in raw.lower(), secret


def test_a_thief_cannot_see_who_shares_a_block(tmp_path: Path) -> None:
    """Two lists of as many people, one of namesakes and one of strangers, differ in no number of equal things on the disk."""
    build(tmp_path, *[entry("MUHAMMAD ALI") for _ in range(20)])
    with closing(sqlite3.connect(tmp_path / "index")) as file:
        sealed = [row[0] for table in ("person", "bucket") for row in file.execute(f"SELECT sealed FROM {table}")]
    assert len({each[:28] for each in sealed}) == len(sealed)


def test_another_key_opens_nothing(path: Path) -> None:
    with pytest.raises(SnapshotRefused) as refused:
        WatchlistIndex.open(path, SnapshotKey.derive(b"x" * 32))
    assert refused.value.why == "forged"


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM person", "DELETE FROM bucket", "UPDATE person SET number = -number - 1", "UPDATE person SET sealed = x'00'"],
)
def test_rows_that_were_taken_out_or_changed_are_missed(tmp_path: Path, statement: str) -> None:
    build(tmp_path, entry()).close()
    with closing(sqlite3.connect(tmp_path / "index")) as file:
        file.execute(statement)
        file.commit()
    with pytest.raises(SnapshotRefused) as refused:
        WatchlistIndex.open(tmp_path / "index", KEY).check(query(), "pencegahan", NOW)
    assert refused.value.why == "forged"


def test_rows_that_changed_places_do_not_open(tmp_path: Path) -> None:
    build(tmp_path, entry(), entry("BUDI SANTOSO")).close()
    with closing(sqlite3.connect(tmp_path / "index")) as file:
        file.execute("UPDATE person SET number = 1 - number + 10")
        file.execute("UPDATE person SET number = number - 10")
        file.commit()
    with pytest.raises(SnapshotRefused):
        WatchlistIndex.open(tmp_path / "index", KEY).check(query(), "pencegahan", NOW)


def test_rows_of_another_file_do_not_open(tmp_path: Path) -> None:
    build(tmp_path, entry()).close()
    WatchlistIndex.build(tmp_path / "other", KEY, [entry("BUDI SANTOSO")])
    with closing(sqlite3.connect(tmp_path / "index")) as file:
        file.execute("ATTACH ? AS other", (str(tmp_path / "other"),))
        file.execute("UPDATE person SET sealed = (SELECT sealed FROM other.person)")
        file.commit()
    with pytest.raises(SnapshotRefused):
        WatchlistIndex.open(tmp_path / "index", KEY).check(query(), "pencegahan", NOW)


def test_any_damage_is_refused_or_without_consequence(tmp_path: Path) -> None:
    """Bits turned and ends cut off, all over the file: the answer of before, or a refusal, and nothing else."""
    build(tmp_path, *(each.entry for each in listings(9, 40)), entry()).close()
    whole, dice, refused = (tmp_path / "index").read_bytes(), random.Random(1), []
    for _ in range(150):
        damaged = bytearray(whole)
        if dice.random() < 0.2:
            del damaged[dice.randrange(len(damaged)) :]
        else:
            for _ in range(dice.choice((1, 200))):
                damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            index = WatchlistIndex.open(tmp_path / "damaged", KEY)
            with closing(index):
                assert index.check(query(), "pencegahan", NOW).word == "hit"
        except SnapshotRefused as error:
            refused.append(error.why)
    assert len(refused) > 50
    assert {*refused} == {"forged", "malformed"}


def test_too_long_a_list_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlist_index, "MAX_ENTRIES", 2)
    with pytest.raises(SnapshotRefused):
        WatchlistIndex.build(tmp_path / "index", KEY, [entry()] * 3)


# --- the population that the figures rest on -------------------------------------------------------------------------------------


def test_the_population_is_the_same_for_the_same_seed_and_has_all_that_is_reported() -> None:
    told = list(listings(3, 2_000))
    assert told == list(listings(3, 2_000))
    assert {each.name_slip for each in told} == {*NAME_SLIPS}
    assert {each.birth_slip for each in told} == {*BIRTH_SLIPS}
    assert any(each.entry.urgent for each in told)
    assert 0.1 < sum(len(each.person.words) == 1 for each in told) / 2_000 < 0.2


def test_a_passport_has_room_for_39_characters() -> None:
    dice = random.Random(4)
    long = Person(words=("SRI", "ENDANG", "RAHAYU", "PUSPITANINGRUM", "KUSUMAWARDHANI"), born=person(dice).born, sex="F")
    told = long.query()
    assert len(f"{told.primary_identifier}<<{told.secondary_identifier}") <= 39
