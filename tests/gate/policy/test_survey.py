"""The survey of a rule set: exact where it is compared case by case, and never silent about a hole."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.policy_oracle import Oracle
from benchmarks.soak_gate import as_case, near_a_grant
from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, VOCABULARY
from gate.outcome import Outcome
from gate.policy.check_command import check_command
from gate.policy.checks import FROM_SNAPSHOT
from gate.policy.engine import decide
from gate.policy.entries import BEGINNING
from gate.policy.schema import PACKAGED, RulesError, load_rules
from gate.policy.survey.cubes import Cube, Space, contains, cover, minus, outside, size
from gate.policy.survey.findings import shadowed, single_faults, unspoken, worsenings
from gate.policy.survey.order import EXCEPTIONS, LEVELS, UNORDERED
from gate.policy.survey.regions import survey, turning_points

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
BEFORE = datetime(2024, 7, 1, tzinfo=UTC)
"""When rules that have ended were still in force."""
RULES = load_rules()
FOUND = survey(RULES, NOW)

# --- cubes -----------------------------------------------------------------------------------------------------------------------

SMALL = Space({"a": ("0", "1", "2"), "b": ("0", "1"), "c": ("0", "1", "2")})
cubes = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 7)), max_size=5)


def cases(of: list[Cube]) -> set[Cube]:
    single = product((1, 2, 4), (1, 2), (1, 2, 4))
    return {case for case in single if any(contains(cube, case) for cube in of)}


@settings(max_examples=60, deadline=None)
@given(cubes, cubes)
def test_what_is_left_is_every_case_of_the_one_and_none_of_the_other(kept: list[Cube], taken: list[Cube]) -> None:
    assert cases(minus(kept, taken)) == cases(kept) - cases(taken)
    for cube in kept:
        found = outside(cube, taken)
        left = cases([cube]) - cases(taken)
        assert cases([found]) <= left if found else not left


@settings(max_examples=40, deadline=None)
@given(cubes)
def test_a_cover_has_the_same_cases_and_no_cube_that_it_could_do_without(of: list[Cube]) -> None:
    covered = cover(of)
    assert cases(covered) == cases(of)
    assert size(of) == size(covered) == len(cases(of))
    for cube in covered:
        assert cases([each for each in covered if each != cube]) != cases(of)
        for place, mask in enumerate(cube):
            for bit in (1, 2, 4):
                larger = (*cube[:place], mask | bit, *cube[place + 1 :])
                assert larger == cube or not cases([larger]) - cases([cube]) or not cases([larger]) <= cases(of)


# --- the packaged rules ------------------------------------------------------------------------------------------------------------


def test_the_survey_the_engine_and_a_second_reader_of_the_files_agree_case_by_case() -> None:
    oracle, seen = Oracle(PACKAGED), set()
    for number in range(1500):
        evidence, stage = near_a_grant(RULES, random.Random(number))
        decided = decide(evidence, RULES, NOW, stage).outcome
        assert oracle.outcome(as_case(evidence), (evidence.direction, stage), NOW) == decided
        if all(fact.as_of == NOW for fact in evidence.facts.values()):
            assert FOUND.outcome(FOUND.case(evidence, stage)) == decided
        seen.add(decided)
    assert seen == set(Outcome)


@pytest.mark.parametrize("region", FOUND.regions, ids=lambda region: region.grant.entry.id)
def test_every_corner_of_an_opening_opens_and_one_step_outside_does_not(region: object) -> None:
    for cube in region.cubes:  # type: ignore[attr-defined]  # pytest hands on what it was given
        for place, mask in enumerate(cube):
            for bit in (1 << at for at in range(FOUND.space.whole[place].bit_length())):
                case = tuple(bit if at == place else each & -each for at, each in enumerate(cube))
                evidence, stage = FOUND.evidence(case)
                opens = decide(evidence, RULES, NOW, stage).outcome is Outcome.OPEN
                assert opens == FOUND.opens(case)
                assert opens or not mask & bit


def test_nothing_is_wrong_with_the_packaged_rules_and_the_command_says_what_opens(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command() == 0
    printed = capsys.readouterr().out
    assert f"{len(RULES.grants)} grants" in printed
    assert printed.count("OPEN by") == len(FOUND.regions)
    assert not list(unspoken(FOUND))
    assert not [each for each in worsenings(FOUND) if not each.named]
    assert not list(shadowed(FOUND))
    for exception in EXCEPTIONS:
        assert exception.why in printed


def test_every_named_exception_is_one_and_art_14_excuses_citizens_who_arrive_and_nobody_else() -> None:
    named = {each.named for each in worsenings(FOUND)} - {None}
    assert named == set(EXCEPTIONS)
    for each in (each for each in worsenings(FOUND) if each.fact == "penangkalan"):
        words = FOUND.space.words(each.case)
        assert {word.rstrip("?") for word in words["nationality"]} == {"citizen"}
        assert words["direction"] == ("arrival",)


def test_before_its_first_day_and_between_its_days_a_rule_set_opens_what_was_in_force() -> None:
    opening = [len([region for region in survey(RULES, at).regions if region.cubes]) for at in turning_points(RULES)]
    assert opening[0] == 0
    assert all(opening[1:])
    assert survey(RULES, BEGINNING).outcome(FOUND.regions[0].cubes[0]) is not Outcome.OPEN


def test_every_word_has_its_place_in_the_order_or_no_order_at_all() -> None:
    assert LEVELS.keys() | UNORDERED == VOCABULARY.keys()
    for fact, levels in LEVELS.items():
        listed = [word for level in levels for word in level]
        assert sorted(listed) == sorted((*VOCABULARY[fact], NOT_PERFORMED)), fact
        assert levels[0][0] == VOCABULARY[fact][0]


def test_the_only_single_faults_that_open_are_meant() -> None:
    _, opening = single_faults(FOUND)
    plain = {(fault.fact, fault.word, fault.tolerances) for fault in opening if not fault.word.endswith(IN_SNAPSHOT)}
    aged = {(fault.fact, fault.word) for fault in opening if fault.word.endswith(IN_SNAPSHOT)}
    assert aged == FROM_SNAPSHOT
    assert plain == {
        ("access", "bac", ()),
        ("access", "bac_where_pace_failed", ("BacWherePaceFailed",)),
        ("card_access", "not_offered", ()),
        ("expiry", "under_6_months", ()),
        ("infrared", "not_offered", ()),
        ("issuer_portrait", "not_given", ()),
        ("age", "from_14_to_17", ()),
        ("age", "from_6_to_13", ()),
        ("pad", "not_available", ("UnsafeNoPad",)),
        ("penangkalan", "hit", ("CitizenComesHomeListed",)),
        ("penangkalan", "possible", ("CitizenComesHomeNamesake",)),
        ("penangkalan", "unavailable", ("CitizenComesHomeUnasked",)),
        ("revocation", "no_crl", ("NoCrlFromState",)),
    }


# --- seeded holes ------------------------------------------------------------------------------------------------------------------


def found(folder: Path) -> bool:
    """Whether the set is refused, or the check finds fault with it."""
    try:
        rules = load_rules(folder)
    except RulesError:
        return True
    surveys = [survey(rules, at) for at in (NOW, BEFORE)]
    return any(any(unspoken(at)) or any(not each.named for each in worsenings(at)) for at in surveys)


def edited(tmp_path: Path, file: str, old: str, new: str) -> Path:
    folder = Path(shutil.copytree(PACKAGED, tmp_path / "rules"))
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, old
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.rules])
def test_a_rule_that_was_taken_out_is_missed(rule: str, tmp_path: Path) -> None:
    entries = (PACKAGED / "rules.toml").read_text(encoding="utf-8").split("[[rule]]")
    taken = next(entry for entry in entries if f'id = "{rule}"' in entry)
    assert found(edited(tmp_path, "rules.toml", f"[[rule]]{taken}", ""))


LOOSER = [
    ("grants.toml", 'age = ["adult"]', 'age = ["adult", "under_6"]'),
    ("grants.toml", 'pencegahan = ["clear"]', 'pencegahan = ["clear", "unavailable"]'),
    ("grants.toml", 'wanted = ["clear"]', 'wanted = ["clear", "possible"]'),
    ("grants.toml", 'sltd = ["clear"]\n', ""),
    ("grants.toml", 'issuance = ["active"]\n', ""),
    ("grants.toml", 'guardian = ["present"]', 'guardian = ["present", "unknown"]'),
    ("grants.toml", 'stay_permit = ["valid"]', 'stay_permit = ["valid", "no_reentry"]'),
    ("grants.toml", 'declaration = ["declared"]\n', ""),
    ("grants.toml", 'enablement = ["enabled"]\n', ""),
    ("grants.toml", 'biometric_record = ["recorded"]', 'biometric_record = ["recorded", "none"]'),
    ("grants.toml", 'issuer_portrait = ["same", "not_given"]', 'issuer_portrait = ["same", "not_given", "different"]'),
    ("grants.toml", 'face = ["match"]', 'face = ["match", "no_match"]'),
    ("grants.toml", 'pad = ["bona_fide"]\n', ""),
    ("grants.toml", 'occupancy = ["one"]', 'occupancy = ["one", "many"]'),
    ("grants.toml", 'exit_permit = ["valid"]', 'exit_permit = ["valid", "none"]'),
    ("grants.toml", 'chip_authenticity = ["genuine"]', 'chip_authenticity = ["genuine", "not_supported"]'),
    ("grants.toml", 'passive_authentication = ["authentic"]', 'passive_authentication = ["authentic", "no_trust_anchor"]'),
    ("grants.toml", 'dg1_mrz = ["equal"]', 'dg1_mrz = ["equall"]'),
    ("grants.toml", 'clock = ["trusted"]', 'clok = ["trusted"]'),
    ("grants.toml", 'fact = "pad"\nvalue = "not_available"', 'fact = "pad"\nvalue = "attack"'),
    ("grants.toml", 'value = "not_available"\nprofiles = ["demo"]', 'value = "not_available"\nprofiles = ["demo", "trial"]'),
    ("grants.toml", 'fact = "penangkalan"\nvalue = "hit"', 'fact = "pencegahan"\nvalue = "hit"'),
    ("grants.toml", '"WantedFromSnapshot", "LostAndStolenFromSnapshot"', '"WantedFromSnapshot", "CitizenComesHomeListed"'),
    ("grants.toml", "max_age_s = 86400\n", ""),
    ("grants.toml", 'nationality = ["citizen"]', 'nationality = ["citizen", "foreigner"]'),
    ("grants.toml", 'stage = "exit"\n[requirement_set.require]\nocc', 'stage = "entry"\n[requirement_set.require]\nocc'),
    ("grants.toml", '"issued_book", "leaving", "sound_gate"', '"issued_book", "sound_gate"'),
    ("rules.toml", 'passive_authentication = ["rejected"]', 'passive_authentication = ["reject"]'),
    ("rules.toml", 'issuance = ["lost"]', 'issuence = ["lost"]'),
    ("rules.toml", 'outcome = "HOLD"', 'outcome = "OPEN"'),
    ("rules.toml", 'outcome = "HOLD"', 'outcome = "COUNTER"'),
    ("rules.toml", 'chip = ["changed"]', 'chip = ["changed"], mrz = ["read"]'),
    ("rules.toml", 'mrz = ["check_digit_failed", "malformed", "unreadable"]', 'mrz = ["malformed", "unreadable"]'),
    ("rules.toml", "[[annotation]]", "[[annotations]]"),
    ("lane_actions.toml", 'doors = "stay_shut"', 'doors = "open"'),
    ("document_classes.toml", 'document_code = ["PO"]', 'document_code = ["PO", "P"]'),
    ("enablement.toml", 'class = "service"\nnationality = "citizen"', 'class = "service"\nnationality = "foreigner"'),
]


@pytest.mark.parametrize(("file", "old", "new"), LOOSER)
def test_what_was_loosened_or_misspelt_is_found(file: str, old: str, new: str, tmp_path: Path) -> None:
    assert found(edited(tmp_path, file, old, new))


def test_better_news_that_makes_it_worse_is_found_with_the_rule_and_a_case(tmp_path: Path) -> None:
    odd = """[[rule]]
id = "ODD-1"
when = { revocation = ["no_crl"], sltd = ["clear"] }
outcome = "SECONDARY"
reason = "ODD"
basis = "none"
source_status = "design_assumption"
note_id = "Contoh."
note_en = "Example."

[[rule]]"""
    folder = edited(tmp_path, "rules.toml", "[[rule]]", odd)
    worse = [each for each in worsenings(survey(load_rules(folder), NOW)) if not each.named]
    assert {(each.fact, each.by) for each in worse} == {("sltd", "ODD-1"), ("sltd", "")}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_no_single_improvement_of_any_traveller_worsens_the_outcome(seed: int) -> None:
    """What the proof says, tried: a word of a better level in place of a worse one."""
    dice = random.Random(seed)
    evidence, stage = near_a_grant(RULES, dice)
    case = FOUND.case(evidence, stage)
    fact = dice.choice(sorted(LEVELS))
    levels = LEVELS[fact]
    now_ = evidence.value(fact)
    at = next((rank for rank, level in enumerate(levels) if now_ in level), 0)
    for level in levels[:at]:
        for word in level:
            better = FOUND.outcome(FOUND.space.cube({**FOUND.space.words(case), fact: (word,)}))
            before = FOUND.outcome(case)
            if any(each.fact == fact and now_ in each.worse and word in each.better for each in EXCEPTIONS):
                continue
            assert better.severity <= max(before.severity, Outcome.COUNTER.severity if before is not Outcome.OPEN else 0)
