"""The roll-out's table: never two stages at once, never anything that is not allowed, and back only where people signed the way back."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from gate.fleet.updates import rollout
from gate.fleet.updates.health import Conditions, Observed, Tally, judge
from gate.fleet.updates.rollout import Plan, Stage, State, assignments, check_plan, going_back, ordered, paths, read_plan, step
from gate.fleet.updates.targets import UpdateError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TARGET, BACK = f"rules/000007-{'a' * 64}.tar", f"rules/000008-{'b' * 64}.tar"
BOTH = frozenset({TARGET, BACK})
STAGES = (("CGK.D07",), ("CGK.D08", "CGK.D09"), ("DPS.A1",))
PLAN = Plan(
    name="two",
    target=TARGET,
    back=BACK,
    stages=tuple(Stage(name=f"s{n}", gates=gates, soak_s=100, most_s=1000) for n, gates in enumerate(STAGES)),
    conditions=Conditions(report_within_s=300, fewest=0),
)
NONE = Tally()
EVERY = frozenset(gate for gates in STAGES for gate in gates)


def seen(plan, state, *, reporting=EVERY, faulty=(), before=NONE, since=NONE):
    gates = plan.gates(state.stage)
    return Observed(gates=gates, in_force=gates & frozenset(reporting), faulty=frozenset(faulty), before=before, since=since)


@st.composite
def days(draw):
    """What may happen at one look: time passes, gates report or do not, people allow, take back and order."""
    return {
        "passes": timedelta(seconds=draw(st.sampled_from([0, 1, 99, 100, 301, 1001]))),
        "reporting": draw(st.frozensets(st.sampled_from(sorted(EVERY)))) if draw(st.booleans()) else EVERY,
        "faulty": draw(st.sampled_from([(), (), ("CGK.D08",)])),
        "allowed": draw(st.sampled_from([BOTH, BOTH, frozenset({TARGET}), frozenset({BACK}), frozenset()])),
        "order": draw(st.sampled_from([None, None, "pause", "resume", "undo"])),
    }


@given(st.lists(days(), max_size=30))
def test_whatever_happens_one_stage_at_a_time_nothing_that_is_not_allowed_and_never_forth_after_back(story):
    state, now, went_back = State(since=NOW), NOW, False
    for day in story:
        now += day["passes"]
        before = state
        if day["order"]:
            with contextlib.suppress(UpdateError):
                state = ordered(state, day["order"], "siti", now)
        else:
            watched = seen(PLAN, state, reporting=day["reporting"], faulty=day["faulty"])
            state = step(PLAN, state, watched, day["allowed"], now)
            if state.stage > before.stage:
                assert watched.in_force >= PLAN.gates(before.stage), "every gate of the stage before has it"
                assert not watched.faulty & watched.gates
        assert 0 <= state.stage - before.stage <= 1
        told = assignments(PLAN, state, day["allowed"])
        assert set(told.values()) <= day["allowed"]
        assert told.keys() <= PLAN.gates(state.stage)
        assert len(set(told.values())) <= 1
        went_back = went_back or going_back(state)
        assert not (went_back and TARGET in told.values()), "nobody gets it again"
        assert not (went_back and state.stage > before.stage)
        assert not (before.phase in {"done", "undone"} and state != before)


@settings(max_examples=30)
@given(st.lists(days(), max_size=10), st.integers(0, 2))
def test_gates_of_later_stages_hear_of_nothing(story, stage):
    state = State(since=NOW, stage=stage)
    later = EVERY - PLAN.gates(stage)
    for day in story:
        after = step(
            PLAN, state, seen(PLAN, state, reporting=day["reporting"], faulty=day["faulty"]), day["allowed"], NOW + day["passes"]
        )
        if after.stage == stage:
            assert not assignments(PLAN, after, BOTH).keys() & later


def test_a_stage_that_is_neither_good_nor_bad_in_its_time_waits_for_a_person():
    state, plan = State(since=NOW), changed(PLAN, conditions=Conditions(fewest=300))
    after = step(plan, state, seen(plan, state), BOTH, NOW + timedelta(seconds=1001))
    assert after.phase == "paused"
    assert "300 are needed" in after.why
    assert assignments(plan, after, BOTH) == {"CGK.D07": TARGET}, "who has it keeps it"
    assert step(plan, after, seen(plan, after), BOTH, NOW + timedelta(days=9)) == after
    on = ordered(after, "resume", "siti", NOW)
    assert on.phase == "forth"


def test_a_pause_on_the_way_back_goes_on_backwards():
    back = ordered(State(since=NOW, stage=1), "undo", "siti", NOW)
    again = ordered(ordered(back, "pause", "siti", NOW), "resume", "siti", NOW)
    assert again.phase == "back"
    assert set(assignments(PLAN, again, BOTH).values()) == {BACK}


def test_a_gate_that_is_away_does_not_hold_up_the_way_back_and_stays_assigned_to_it():
    back = ordered(State(since=NOW, stage=1), "undo", "siti", NOW)
    watched = seen(PLAN, back, reporting=("CGK.D07",))
    assert step(PLAN, back, watched, BOTH, NOW + timedelta(seconds=1)).phase == "back"
    done = step(PLAN, back, watched, BOTH, NOW + timedelta(seconds=301))
    assert done.phase == "undone"
    assert assignments(PLAN, done, BOTH)["CGK.D09"] == BACK


@pytest.mark.parametrize(
    "change",
    [
        {"back": TARGET},
        {"back": f"rules/000006-{'b' * 64}.tar"},
        {"back": f"trust/000008-{'b' * 64}.tar"},
        {"back": f"rules/000009-{'b' * 64}.tar"},
        {"target": f"config/CGK.D07/000001-{'b' * 64}.toml"},
        {"target": "keys.json"},
        {"stages": (*PLAN.stages, PLAN.stages[0])},
        {"stages": (changed(PLAN.stages[0], most_s=100.0),)},
    ],
)
def test_a_plan_without_a_signed_way_back_or_with_a_gate_twice_never_begins(change):
    check_plan(PLAN, BOTH)
    with pytest.raises(UpdateError):
        check_plan(changed(PLAN, **change), BOTH)


def test_gates_configurations_of_one_number_roll_out_together_and_back_to_those_before():
    def named(number, gate):
        return f"config/{gate}/{number:06}-{'c' * 64}.toml"

    allowed = {named(number, gate) for number in (3, 4) for gate in EVERY}
    plan = changed(PLAN, target="config/*/000004", back="config/*/000003")
    check_plan(plan, allowed)
    assert assignments(plan, State(since=NOW, stage=1), allowed) == {gate: named(4, gate) for gate in PLAN.gates(1)}
    with pytest.raises(UpdateError):
        check_plan(plan, allowed - {named(3, "DPS.A1")})
    assert paths("config/*/000004", ["CGK.D0"], allowed) == {}, "a gate's name is not the beginning of another's"


WRITTEN = b"""
name = "two"
target = "rules/x"
back = "rules/y"
[[stages]]
name = "one-gate"
gates = ["CGK.D07"]
soak_s = 60
most_s = 600
[[stages]]
name = "bank"
gates = ["CGK.D*"]
soak_s = 60
most_s = 600
[[stages]]
name = "all"
gates = ["DPS.A1", "*"]
soak_s = 60
most_s = 600
"""


def test_a_star_stands_for_known_gates_that_no_stage_named_before():
    plan = read_plan(WRITTEN, {"CGK.D07", "CGK.D08", "CGK.D09", "CGK.A1", "DPS.A1", "DPS.A2"})
    assert [stage.gates for stage in plan.stages] == [
        ("CGK.D07",),
        ("CGK.D08", "CGK.D09"),
        ("DPS.A1", "CGK.A1", "DPS.A2"),
    ]


@pytest.mark.parametrize(
    "raw",
    [b"", b"stages = 1", b"[", b"\xff", WRITTEN.replace(b"60", b"-1"), WRITTEN + b"x = 1", WRITTEN.replace(b"CGK.D*", b"XXX.*")],
)
def test_what_is_no_plan_is_a_refusal_in_words(raw):
    with pytest.raises(UpdateError):
        read_plan(raw, {"CGK.D07", "CGK.D08"})


# --- health ---------------------------------------------------------------------------------------------------------------------------------------

CONDITIONS = Conditions(fewest=300)


def verdict(before, since, **more):
    gates = frozenset({"CGK.D07"})
    return judge(CONDITIONS, Observed(gates=gates, in_force=gates, before=before, since=since, **more), 10.0)[0]


def test_what_is_worse_beyond_doubt_is_bad_what_is_not_beyond_doubt_is_good_and_between_it_is_open():
    before = Tally(crossings=2000, referred=200, slow=100)
    assert verdict(before, Tally(crossings=2000, referred=210, slow=110)) == "good"
    assert verdict(before, Tally(crossings=2000, referred=400, slow=110)) == "bad"
    assert verdict(before, Tally(crossings=2000, referred=210, slow=400)) == "bad"
    assert verdict(before, Tally(crossings=300, referred=45, slow=15)) == "open"
    assert verdict(before, Tally(crossings=299, referred=290, slow=0)) == "open", "too few to say"


@given(st.integers(300, 3000), st.integers(300, 3000), st.data())
def test_more_referrals_never_make_a_stage_better(before, since, data):
    rank = {"good": 0, "open": 1, "bad": 2}
    few = data.draw(st.integers(0, since - 1))
    more = data.draw(st.integers(few, since))
    was = Tally(crossings=before, referred=data.draw(st.integers(0, before)), slow=0)
    first, second = (rank[verdict(was, Tally(crossings=since, referred=count, slow=0))] for count in (few, more))
    assert first <= second


def test_one_gate_in_a_fault_is_bad_for_one_gate_and_not_for_a_hundred():
    for many, expected in ((1, "bad"), (100, "good")):
        gates = frozenset(f"CGK.D{n}" for n in range(many))
        watched = Observed(gates=gates, in_force=gates, faulty=frozenset({"CGK.D0"}))
        assert judge(Conditions(fewest=0), watched, 1.0)[0] == expected


# --- seeded defects ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("judge", lambda *_: ("good", "")),
        ("going_back", lambda _: False),
        ("paths", lambda named, gates, _: dict.fromkeys(gates, named)),
    ],
    ids=["a judge who finds all good", "a way back that leads forth", "whatever is named"],
)
def test_a_table_with_a_defect_turns_it_red(monkeypatch, name, instead):
    attack = test_whatever_happens_one_stage_at_a_time_nothing_that_is_not_allowed_and_never_forth_after_back
    day = {"passes": timedelta(seconds=100), "reporting": frozenset(), "faulty": (), "allowed": frozenset({BACK}), "order": None}
    story = [day | {"allowed": BOTH}, day, day | {"allowed": BOTH}]
    attack.hypothesis.inner_test(story)
    monkeypatch.setattr(rollout, name, instead)
    with pytest.raises(AssertionError):
        attack.hypothesis.inner_test(story)
