"""Scores: right acts in time are worth everything, grave mistakes cost the exercise, and nobody does better by doing wrong as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.training.case import NOTHING, load_cases, reasons_of
from gate.training.score import LOST, PASS, finished, score
from gate.training.session import Done, Looked

CASES = load_cases()
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@by_name
def test_who_looks_decides_rightly_and_in_time_has_everything(case, maker):
    got = score(case, maker.shown(case), maker.looked(case), maker.right(case))
    assert (got.points, got.passed, got.void) == (100, True, False)
    assert finished(case, maker.right(case))
    assert {line.kind for line in got.lines} <= {"right", "look", "time"}


@by_name
def test_every_mistake_that_a_case_names_costs_what_its_gravity_says(case, maker):
    for mistake in case.wrong:
        if mistake.action == NOTHING:
            continue
        reason = (mistake.reasons or reasons_of(case.place)[mistake.action])[0]
        did = (Done(action=mistake.action, reason=reason, after_s=2.0),)
        got = score(case, maker.shown(case), maker.looked(case), did)
        lost = [line for line in got.lines if line.kind == "wrong"]
        assert [(line.grave, line.points) for line in lost] == [(mistake.grave, -LOST[mistake.grave])]
        assert not got.passed or mistake.action in {act.action for act in case.expected}


@by_name
def test_a_critical_mistake_is_never_made_good(case, maker):
    for mistake in (each for each in case.wrong if each.grave == "critical"):
        reason = (mistake.reasons or reasons_of(case.place)[mistake.action])[0]
        did = (Done(action=mistake.action, reason=reason, after_s=1.0, refused="not_passable"), *maker.right(case))
        got = score(case, maker.shown(case), maker.looked(case), did)
        assert (got.points, got.passed) == (0, False), "also where the lane refused it: it was meant"


@by_name
def test_who_does_nothing_has_not_passed_and_reads_why(case, maker):
    got = score(case, maker.shown(case), maker.looked(case), ())
    assert not got.passed
    assert got.points < PASS
    assert [line.action for line in got.lines if line.kind == "wrong"] == [NOTHING]
    assert [line.kind for line in got.lines if line.kind == "missed"] == ["missed"] * len(case.expected)


def test_an_order_that_the_lane_refused_is_not_an_act(maker):
    case = maker.cases["look-alike"]
    refused = (Done(action="secondary", reason="FACE_DOUBTFUL", after_s=2.0, refused="too_late"),)
    got = score(case, maker.shown(case), maker.looked(case), refused)
    assert {line.kind for line in got.lines} == {"missed", "look", "wrong"}
    assert next(line for line in got.lines if line.kind == "wrong").action == NOTHING


def test_another_reason_on_record_is_worth_half(maker):
    case = maker.cases["look-alike"]
    did = (Done(action="secondary", reason="LIST_ENTRY", after_s=2.0),)
    line = score(case, maker.shown(case), maker.looked(case), did).lines[0]
    assert (line.kind, line.points, line.most) == ("half", 30, 60)


def test_what_was_looked_at_only_after_the_decision_counts_for_nothing(maker):
    case = maker.cases["namesake"]
    got = score(case, maker.shown(case), maker.looked(case, after_s=9.0), maker.right(case, after_s=3.0))
    assert got.points == 75
    assert [line.kind for line in got.lines if "look" in line.kind] == ["look_missed", "look_missed"]


@pytest.mark.parametrize(("factor", "points"), [(1.0, 15), (1.5, 8), (2.0, 0), (9.0, 0)])
def test_time_counts_in_full_until_the_case_s_own_and_nothing_from_twice_that(factor, points, maker):
    case = maker.cases["look-alike"]
    got = score(case, maker.shown(case), maker.looked(case), maker.right(case, after_s=factor * case.time_s))
    assert next(line.points for line in got.lines if line.kind == "time") == points


def test_acts_in_another_order_are_not_what_was_expected(maker):
    case = maker.cases["power-cut"]
    opened, closed = reversed(maker.right(case))
    assert not finished(case, (opened, closed))
    got = score(case, maker.shown(case), maker.looked(case), (opened, closed))
    assert [line.kind for line in got.lines if line.kind in {"right", "missed"}] == ["right", "missed"]


def test_an_act_that_nobody_called_for_is_a_minor_mistake_and_one_that_is_fine_is_none(maker):
    case = maker.cases["look-alike"]
    before = Done(action="close", reason="SECURITY", after_s=1.0)
    got = score(case, maker.shown(case), maker.looked(case), (before, *maker.right(case)))
    assert (got.points, got.passed) == (90, True)
    held = Done(action="hold", reason="OFFICER_ON_THE_WAY", after_s=1.0)
    assert score(case, maker.shown(case), maker.looked(case), (held, *maker.right(case))).points == 100


def test_a_case_that_the_gate_did_not_play_is_not_scored(maker):
    case = maker.cases["child"]
    got = score(case, maker.shown(case, rules=("DOC-003",)), maker.looked(case), maker.right(case))
    assert (got.void, got.points, got.passed, got.lines) == (True, 0, False, ())


def acts(case):
    known = reasons_of(case.place)
    one = st.sampled_from([(action, reason) for action, reasons in known.items() for reason in reasons])
    did = st.builds(
        lambda act, after, refused: Done(action=act[0], reason=act[1], after_s=after, refused=refused),
        one,
        st.floats(0, 1000),
        st.sampled_from(["", "", "too_late"]),
    )
    return st.lists(did, max_size=5)


@given(data=st.data())
def test_a_score_lies_between_nothing_and_everything_and_is_the_sum_of_its_lines(data, maker):
    case = data.draw(st.sampled_from(CASES))
    looked = [Looked(look=look.id, after_s=data.draw(st.floats(0, 1000))) for look in case.look if data.draw(st.booleans())]
    did = data.draw(acts(case))
    got = score(case, maker.shown(case), looked, did)
    assert got.points == min(100, max(0, sum(line.points for line in got.lines)))
    assert got.passed <= (got.points >= PASS)
    assert sum(line.most for line in got.lines if line.kind != "time") == 85


MISTAKES = [(case, each) for case in CASES for each in case.wrong if each.action != NOTHING and not each.reasons]


@given(data=st.data())
def test_nobody_does_better_by_making_a_mistake_beforehand(data, maker):
    case, mistake = data.draw(st.sampled_from(MISTAKES))
    did = Done(action=mistake.action, reason=reasons_of(case.place)[mistake.action][0], after_s=0.0)
    right = maker.right(case, after_s=data.draw(st.floats(0, 1000)))
    assert score(case, maker.shown(case), (), (did, *right)).points <= score(case, maker.shown(case), (), right).points
