"""What the doors do: by which law, or by whose assumption, and apart for the two directions where one walks back to different sides."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from markupsafe import escape

from gate.__main__ import main
from gate.evidence import Direction, Stage, successful
from gate.outcome import Outcome
from gate.policy.engine import decide
from gate.policy.page import render
from gate.policy.schema import PACKAGED, RulesError, load_rules
from gate.policy.survey.difference import tables
from gate.policy.survey.samples import satisfying
from gate.policy_command import explained
from gate.records import DecisionRecord

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
RULES = load_rules()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACKAGED, tmp_path / "rules"))


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "lane_actions.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_wanted_person_between_the_doors_walks_back_out_after_a_time_to_the_side_they_came_from() -> None:
    ways = {Direction.DEPARTURE: "landside", Direction.ARRIVAL: "airside"}
    for direction, side in ways.items():
        action = RULES.lane_actions[Outcome.HOLD, Stage.EXIT, direction]
        assert (action.doors, action.notify, action.source_status) == ("await_officer", True, "design_assumption")
        assert action.await_s > 0
        assert side in action.note_en
        assert side in action.basis


def test_the_screen_of_a_listed_person_is_that_of_anybody_who_goes_to_the_counter() -> None:
    referred = {RULES.lane_actions[each, Stage.ENTRY, way].screen for each in Outcome if each.severity >= 2 for way in Direction}
    assert referred == {"counter"}


@pytest.mark.parametrize("key", ["source_status", "note_id", "note_en", "basis"])
def test_a_row_without_its_source_or_a_note_is_refused(folder: Path, key: str) -> None:
    change(folder, f"{key} = ", f"{key}_ = ")
    with pytest.raises(RulesError, match=f"{key} is missing"):
        load_rules(folder)


def test_the_page_shows_of_each_action_what_it_means_by_what_it_is_so_and_whether_that_was_seen() -> None:
    page = render(RULES, NOW)
    for action in RULES.lane_actions.values():
        for text in (action.note_id, action.note_en, action.basis):
            assert escape(text) in page


def test_two_sets_whose_doors_do_something_else_differ(folder: Path) -> None:
    assert not list(tables(RULES, load_rules(folder)))
    change(folder, "await_s = 120", "await_s = 20")
    told = list(tables(RULES, load_rules(folder)))
    assert ("on HOLD at the exit, departure: await_officer for 120 s, shows 'counter', calls an officer", False) in told
    assert ("on HOLD at the exit, arrival: await_officer for 20 s, shows 'counter', calls an officer", True) in told
    assert len(told) == 4
    assert main(["policy", "diff", str(PACKAGED), str(folder)]) == 1


def test_an_explanation_says_what_the_doors_did_and_by_what_law() -> None:
    grant = next(grant for grant in RULES.grants if grant.entry.stage is Stage.EXIT)
    evidence = satisfying(grant, NOW).with_facts(pad=successful("attack"))
    decision = decide(evidence, RULES, NOW, Stage.EXIT)
    told = list(explained(DecisionRecord(at=NOW, evidence=evidence, decision=decision), RULES))
    action = RULES.lane_actions[decision.outcome, Stage.EXIT, evidence.direction]
    assert f"  doors: {action.note_en} ({action.basis}; {action.source_status})" in told
