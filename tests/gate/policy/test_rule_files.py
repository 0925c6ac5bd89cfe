"""Rule files: complete, or refused with every fault and its line."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.decision import Outcome, PolicyDecision
from gate.evidence import VOCABULARY, Direction, Stage
from gate.policy.actions import lane_action
from gate.policy.checks import FLOOR
from gate.policy.classes import document_class
from gate.policy.schema import FILES, PACKAGED, RulesError, load_rules

RULES = load_rules()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged rules, to be damaged."""
    return Path(shutil.copytree(PACKAGED, tmp_path / "rules"))


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def faults(folder: Path) -> list[str]:
    with pytest.raises(RulesError) as refused:
        load_rules(folder)
    assert str(refused.value).splitlines() == [str(fault) for fault in refused.value.faults]
    return [str(fault) for fault in refused.value.faults]


# --- the packaged rules --------------------------------------------------------------------------------------------------------


def test_every_fact_word_but_the_clean_ones_has_a_rule_or_is_a_matter_of_the_grants() -> None:
    """A finding that has a word has a reason code: nobody stands at the counter with REQUIREMENT_UNMET for one."""
    spoken = {(fact, word) for rule in RULES.rules for fact, words in rule.when.items() for word in words}
    needs = [need for grant in RULES.grants for need in grant.requirements]
    accepted = {(need.fact, word) for need in needs for word in (*need.accepted, *need.tolerated)}
    every = {(fact, word) for fact, words in VOCABULARY.items() for word in words}
    assert every - spoken - accepted == set()


def test_notes_exist_in_both_languages_and_assumptions_say_so() -> None:
    entries = [*RULES.rules, *RULES.annotations, *RULES.enablement, *(grant.entry for grant in RULES.grants)]
    assert all(entry.note_id and entry.note_en and entry.note_id != entry.note_en for entry in entries)
    assert {entry.source_status for entry in entries} == {"seen", "inferred", "design_assumption"}


def test_every_outcome_stage_and_direction_has_a_lane_action() -> None:
    for outcome, stage, direction in product(Outcome, Stage, Direction):
        decision = PolicyDecision(
            stage=stage, outcome=outcome, reasons=(), grant=None, rules=(), tolerances=(), unmet=(), rules_version=""
        )
        action = lane_action(RULES, decision, direction)
        assert (action.doors == "open") == (outcome is Outcome.OPEN)
        assert action.notify or outcome in {Outcome.OPEN, Outcome.RETRY} or (outcome, stage) == (Outcome.COUNTER, Stage.ENTRY)
        assert action.basis


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("IDN", "P<", "ordinary"),
        ("IDN", "P", "ordinary"),
        ("IDN", "PP", "ordinary"),
        ("IDN", "PO", "service"),
        ("IDN", "PD", "diplomatic"),
        ("IDN", "PS", "other"),
        ("IDN", "p", "other"),
        ("IDN", "", "other"),
        ("IDN", "PE", "other"),
        ("UTO", "PO", "service"),
        ("UTO", "PS", "other"),
        ("D<<", "P<", "ordinary"),
        ("D<<", "V<", "other"),
        ("*", "P<", "ordinary"),
    ],
)
def test_the_class_of_a_book_is_data_and_nothing_is_guessed(state: str, code: str, expected: str) -> None:
    assert document_class(state, code, "X1234567", RULES) == expected


def test_a_series_of_numbers_tells_the_class_where_a_row_says_so(folder: Path) -> None:
    rows = (folder / "document_classes.toml").read_text(encoding="utf-8")
    service = rows[rows.index("[[document_class]]", 5) :].split("\n\n")[0].replace('["P", "PP"]', '["PX"]')
    series = "".join(
        "\n\n"
        + service.replace('"ordinary"', f'"{name}"').replace("source_status", f'number_series = "{letter}[0-9]+"\nsource_status')
        for letter, name in (("S", "service"), ("D", "diplomatic"))
    )
    (folder / "document_classes.toml").write_text(rows + series, encoding="utf-8")
    rules = load_rules(folder)
    numbers = {"S12345<<<": "service", "D12345": "diplomatic", "X12345": "other", "S12345X": "other", "S123456789": "other"}
    assert {number: document_class("IDN", "PX", number, rules) for number in numbers} == numbers
    change(folder, "document_classes.toml", 'number_series = "S[0-9]+"', 'number_series = "S[0-9"')
    assert any("number_series: unterminated character set" in fault for fault in faults(folder))


@pytest.mark.parametrize("series", ["[0-9]{4294967296}", "(" * 200])
def test_a_series_that_no_machine_can_match_is_a_fault_and_no_crash(folder: Path, series: str) -> None:
    change(folder, "document_classes.toml", '["PO"]\n', f'["PO"]\nnumber_series = "{series}"\n')
    assert any("number_series: " in fault for fault in faults(folder))


def test_a_name_has_no_second_line(folder: Path) -> None:
    change(folder, "rule_set.toml", 'name = "autogate-draft-1"', 'name = "autogate-draft-1\\n"')
    assert faults(folder)


# --- version -----------------------------------------------------------------------------------------------------------------------


def test_the_version_follows_what_the_files_say_and_not_how(folder: Path) -> None:
    with (folder / "rules.toml").open("a", encoding="utf-8") as file:
        file.write("\n# a remark\n")
    assert load_rules(folder).version == RULES.version
    change(folder, "rules.toml", 'outcome = "COUNTER"', 'outcome = "SECONDARY"')
    assert load_rules(folder).version != RULES.version


# --- refusals ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("rules.toml", 'mrz = ["check', 'mzr = ["check', "unknown fact 'mzr'"),
        ("rules.toml", '"no_trust_anchor"', '"no_trust_ancor"', "unknown word 'no_trust_ancor' for passive_authentication"),
        ("rules.toml", 'outcome = "HOLD"', 'outcome = "OPEN"', "a rule may not say OPEN"),
        ("rules.toml", 'outcome = "HOLD"', 'outcome = "REFUSE"', "outcome: Invalid enum value 'REFUSE'"),
        ("rules.toml", 'id = "DOC-002"', 'id = "DOC-001"', "rule DOC-001: duplicate id"),
        ("rules.toml", 'reason = "FACE_NO_MATCH"', 'raeson = "FACE_NO_MATCH"', "unknown key 'raeson'"),
        ("rules.toml", 'reason = "FACE_NO_MATCH"', 'raeson = "FACE_NO_MATCH"', "reason is missing"),
        ("rules.toml", "[[rule]]", "[[rulle]]", "unknown table or key"),
        ("rules.toml", 'when = { access = ["failed"] }', "when = {}", "when: Expected `object` of length >= 1"),
        ("rules.toml", 'when = { access = ["failed"] }', "when = { access = [] }", "when: Expected `array` of length >= 1"),
        ("rules.toml", 'outcome = "HOLD"', 'outcome = "HOLD', "at line"),
        ("grants.toml", "chip_authenticity = [", "# chip_authenticity = [", "does not require chip_authenticity"),
        ("grants.toml", 'face = ["match"]', "", "does not require face"),
        ("grants.toml", 'face = ["match"]', 'face = ["match", "no_match"]', "may not accept face=no_match"),
        ("grants.toml", '"exit_permit", "sound_gate"', '"sound_gate"', "does not require exit_permit"),
        ("grants.toml", 'exit_permit = ["valid"]', 'exit_permit = ["valid", "none"]', "may not accept exit_permit=none"),
        ("grants.toml", '"sound_gate"', '"sound_gait"', "unknown requirement set 'sound_gate'"),
        ("grants.toml", 'tolerances = ["NoCrl', 'tolerances = ["YesCrl', "unknown tolerance 'YesCrlFromState'"),
        (
            "grants.toml",
            'fact = "pad"\nvalue = "not_available"',
            'fact = "pad"\nvalue = "attack"',
            "pad=attack may never be tolerated",
        ),
        ("grants.toml", '"UnsafeNoPad"', '"NoPad"', "passes only under an id that begins with Unsafe"),
        ("grants.toml", 'profiles = ["demo"]', 'profiles = ["demo", "trial"]', "never in a trial"),
        ("grants.toml", 'profiles = ["demo"]', "profiles = []", "profiles: Expected `array` of length >= 1"),
        (
            "grants.toml",
            "2024-06-18T00:00:00+07:00",
            "2024-06-18T00:00:00",
            "effective_from: Expected `datetime` with a timezone",
        ),
        ("grants.toml", "2024-06-18T00:00:00+07:00", "2024-06-18", "effective_from"),
        ("grants.toml", "require = { nat", 'require = { mrz = ["read"], nat', "mrz is required twice"),
        (
            "grants.toml",
            'issuance = ["active"]\n',
            'issuance = ["active"]\ndocument_class = ["ordinary", "service"]\n',
            "citizen-ordinary-departure-entry: document_class is required twice",
        ),
        ("grants.toml", "effective_to = 2028-01-01T00:00:00+07:00\n", "", "effective_to is missing"),
        ("grants.toml", "max_age_s = 86400\n", "", "max_age_s stands beside a word that ends in _in_snapshot"),
        ("grants.toml", "max_age_s = 86400", "max_age_s = 864000", "max_age_s: Expected `int` <= 604800"),
        ("grants.toml", '"PencegahanFromSnapshot"]', '"CitizenComesHomeListed"]', "is for citizens who arrive"),
        (
            "grants.toml",
            '"IssuanceFromSnapshot", ',
            '"IssuanceFromSnapshot", "OfficialIssuanceFromSnapshot", ',
            "names two tolerances",
        ),
        (
            "grants.toml",
            'nationality = ["citizen"]',
            'nationality = ["citizen", "foreigner"]',
            "is for citizens or for foreigners",
        ),
        ("grants.toml", 'guardian = ["present"]\n', "", "does not require guardian"),
        (
            "rules.toml",
            'id = "NOTE-001"\nwhen = { penangkalan = ["hit"]',
            'id = "NOTE-001"\nwhen = { penangkalan = ["clear"]',
            "no annotation",
        ),
        (
            "rules.toml",
            'outcome = "SECONDARY"\nreason = "CHIP_NOT_EXPECTED"',
            'outcome = "COUNTER"\nreason = "CHIP_NOT_EXPECTED"',
            "says SECONDARY",
        ),
        ("enablement.toml", "nationality =", "nationalty =", "unknown key 'nationalty'"),
        (
            "enablement.toml",
            'class = "service"\nnationality = "citizen"',
            'class = "service"\nnationality = "foreigner"',
            "have no rule",
        ),
        ("lane_actions.toml", 'outcome = "HOLD"', 'outcome = "COUNTER"', "has 0 rows"),
        ("lane_actions.toml", 'outcome = "HOLD"', 'outcome = "COUNTER"', "COUNTER entry arrival: has 2 rows"),
        (
            "lane_actions.toml",
            'doors = "await_officer"\nawait_s = 120',
            'doors = "await_officer"\nawait_s = 0',
            "await_s must be above 0",
        ),
        ("lane_actions.toml", 'doors = "eject"', 'doors = "open"', "doors open for OPEN and for nothing else"),
        ("lane_actions.toml", 'doors = "eject"', 'doors = "stay_shut"', "nobody may stay shut in"),
        ("document_classes.toml", '["PD"]', '["PO"]', "document code 'PO' is listed twice"),
        ("document_classes.toml", 'class = "service"', 'class = "dinas"', "class: Invalid enum value 'dinas'"),
        ("rule_set.toml", "name =", "nmae =", "name is missing"),
    ],
)
def test_a_damaged_rule_set_is_refused_by_name_and_line(folder: Path, file: str, old: str, new: str, expected: str) -> None:
    change(folder, file, old, new)
    found = faults(folder)
    assert any(expected in fault for fault in found), found
    assert all(fault.split(":")[0] in FILES and fault.split(":")[1].isdigit() for fault in found)


def test_the_line_of_a_fault_is_that_of_its_entry(folder: Path) -> None:
    change(folder, "rules.toml", 'when = { face = ["no_match"] }', 'when = { face = ["nomatch"] }')
    [fault] = faults(folder)
    lines = (folder / "rules.toml").read_text(encoding="utf-8").splitlines()
    assert lines[int(fault.split(":")[1]) - 1] == "[[rule]]"
    assert lines[int(fault.split(":")[1])] == 'id = "BIO-001"'


def test_all_faults_of_all_files_are_told_at_once(folder: Path) -> None:
    change(folder, "rules.toml", 'outcome = "RETRY"', 'outcome = "OPEN"')
    change(folder, "rules.toml", '"tag_lost"', '"tag_gone"')
    change(folder, "grants.toml", 'dg1_mrz = ["equal"]', "")
    change(folder, "document_classes.toml", '["PD"]', '["PO"]')
    (folder / "grant.toml").write_text("", encoding="utf-8")
    found = "\n".join(faults(folder))
    for part in ("may not say OPEN", "'tag_gone'", "'PO' is listed twice", "grant.toml:0: file: is not a rule file"):
        assert part in found
    assert found.count("does not require dg1_mrz") == len(RULES.grants)


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_missing_file_is_a_fault(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert any(fault.startswith(f"{file}:0: file: ") for fault in faults(folder))


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    assert len(faults(tmp_path / "nowhere")) >= len(FILES)


@pytest.mark.parametrize("grant", sorted({grant.entry.id.rsplit("-", 1)[0] for grant in RULES.grants}))
def test_no_mandatory_fact_can_be_left_out_of_any_grant(folder: Path, grant: str) -> None:
    text = (folder / "grants.toml").read_text(encoding="utf-8")
    head, found, tail = text.partition(f'id = "{grant}"')
    body = tail.partition("require_sets = [")
    (folder / "grants.toml").write_text(head + found + body[0] + 'require_sets = ["issued_book"] # ' + body[2], encoding="utf-8")
    told = faults(folder)
    kept = {"issuance", "nationality", "age", "guardian"}  # two rows say for themselves whom they are for
    for stage in Stage:
        own = "\n".join(fault for fault in told if f"grant {grant}-{stage}:" in fault)
        for fact in FLOOR[stage].keys() - kept:
            assert f"does not require {fact}\n" in own + "\n"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(sorted(FILES)), junk=st.binary(max_size=40), at=st.integers(0, 6000), keep=st.booleans())
def test_any_bytes_give_a_rule_set_or_its_error(folder: Path, file: str, junk: bytes, at: int, keep: bool) -> None:
    whole = (PACKAGED / file).read_bytes()
    (folder / file).write_bytes(whole[:at] + junk + (whole[at:] if keep else b""))
    try:
        load_rules(folder)
    except RulesError as error:
        refused = error
    else:
        refused = None
    finally:
        (folder / file).write_bytes(whole)
    assert refused is None or refused.faults
