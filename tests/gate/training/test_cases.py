"""Case files: what ships is whole and names what exists; what is wrong in one is said with its file and its place."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.training.case import (
    FOLDER,
    MAX_CASE,
    NOTHING,
    CaseError,
    cast_of,
    counter,
    load_cases,
    packaged_rules,
    parse_case,
    reasons_of,
    why_words,
    words_of,
)

CASES = load_cases()
DINAS = (FOLDER / "3-dinas-without-permit.toml").read_text(encoding="utf-8")
TOLD_OF = {"look-alike", "dinas-without-permit", "namesake", "dead-chip", "child", "tailgater", "power-cut"}


def test_every_difficult_case_that_was_asked_for_is_there():
    assert {case.id for case in CASES} >= TOLD_OF


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_names_its_rules_its_law_what_is_right_and_what_is_wrong(case):
    for rule in case.rules:
        assert packaged_rules()[rule].basis
    assert all(basis.law and all(basis.says) for basis in case.basis)
    grave = {mistake.grave for mistake in case.wrong}
    assert grave - {"minor"}, "no mistake in a difficult case would matter"
    assert any(mistake.action == NOTHING for mistake in case.wrong)
    assert any(look.needed for look in case.look)
    for act in (*case.expected, *case.wrong):
        assert all(words_of(case.place, act.action))


def test_passing_is_right_in_some_cases_and_the_gravest_mistake_in_others():
    """Else whoever always sends away, or always lets pass, would learn that it works."""
    passes = {"pass", "clear"}
    assert {case.id for case in CASES if passes & {act.action for act in case.expected}}
    assert {case.id for case in CASES if passes & {each.action for each in case.wrong if each.grave == "critical"}}


def test_every_reason_at_the_counter_has_words_and_is_used():
    used = {reason for act in counter().act for reason in act.reasons}
    assert used == set(counter().reasons)
    for place in ("gate", "counter"):
        for reasons in reasons_of(place).values():
            assert all(why_words(place, reason) != (reason, reason) for reason in reasons)


def test_the_cast_holds_each_case_s_traveller_once():
    ids = [traveller.id for traveller in cast_of(CASES).traveller]
    numbers = [traveller.document.number for traveller in cast_of(CASES).traveller]
    assert len(set(ids)) == len(set(numbers)) == len(CASES)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rules = ["PER-001"]', 'rules = ["PER-999"]', "there is no rule PER-999"),
        ('rules = ["PER-001"]', "rules = []", "rules"),
        ('place = "counter"', 'place = "gate"', "no ordinary_book at the gate"),
        ('place = "counter"', 'place = "sky"', "place"),
        ("time_s = 120", "time_s = 0", "time_s"),
        ("time_s = 120", "", "time_s"),
        ('reasons = ["PERMIT_MISSING", "PRIVATE_JOURNEY"]', 'reasons = ["BAD_MOOD"]', "ordinary_book: no reason BAD_MOOD"),
        ('action = "ordinary_book"', 'action = "nothing"', "no nothing at the counter"),
        ('grave = "critical"', 'grave = "dreadful"', "grave"),
        ('action = "refuse"', 'action = "ordinary_book"', "expected, and wrong for any reason"),
        ('id = "permit-paper"', 'id = "permit-registry"', "look: two have the same id"),
        ('title = ["Paspor dinas tanpa izin keluar", ', "title = [", "title"),
        ('state = "home"', 'state = "elsewhere"', "only home issues passports"),
        ('exit_permit = "none"', 'exit_permit = "none"\noutcome = "OPEN"', "outcome"),
        ("[traveller]", '[traveller]\nchip = { keys_of = "nobody" }', "keys_of"),
        ("time_s = 120", 'time_s = 120\nfine = ["dance"]', "fine: no dance at the counter"),
        ("time_s = 120", "time_s = ", "line 9"),
    ],
)
def test_a_fault_is_said_with_the_file_and_the_place(old, new, said):
    assert old in DINAS
    with pytest.raises(CaseError) as raised:
        parse_case(DINAS.replace(old, new, 1).encode(), "mine.toml")
    assert str(raised.value).startswith("mine.toml: ")
    assert said in str(raised.value)


def test_all_faults_of_all_files_are_said_at_once(tmp_path):
    (tmp_path / "a.toml").write_text(DINAS.replace("PER-001", "PER-998").replace("BAD", ""), encoding="utf-8")
    (tmp_path / "b.toml").write_text(DINAS.replace("time_s = 120", "time_s = true"), encoding="utf-8")
    (tmp_path / "c.toml").write_text(DINAS, encoding="utf-8")
    (tmp_path / "d.toml").write_text(DINAS, encoding="utf-8")
    with pytest.raises(CaseError) as raised:
        load_cases(tmp_path)
    said = str(raised.value)
    assert "a.toml: " in said
    assert "b.toml: " in said
    assert "two cases are called dinas-without-permit" in said


def test_a_folder_without_a_case_and_a_file_without_end_are_refused(tmp_path):
    with pytest.raises(CaseError, match="holds no case"):
        load_cases(tmp_path)
    (tmp_path / "long.toml").write_bytes(b"#" * (MAX_CASE + 1))
    with pytest.raises(CaseError, match="this is no case"):
        load_cases(tmp_path)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_octets_are_a_case_or_a_case_error(raw):
    try:
        parse_case(raw, "any.toml")
    except CaseError as error:
        said = str(error)
    else:
        said = "any.toml: good"
    assert said.startswith("any.toml: ")


LINES = DINAS.splitlines()


@given(st.integers(0, len(LINES) - 1), st.text(max_size=20))
def test_a_case_with_any_line_replaced_is_a_case_or_a_case_error(number, text):
    raw = "\n".join([*LINES[:number], text, *LINES[number + 1 :]]).encode(errors="surrogatepass")
    try:
        case = parse_case(raw, "any.toml")
    except CaseError:
        return
    assert msgspec.to_builtins(case)["id"]
