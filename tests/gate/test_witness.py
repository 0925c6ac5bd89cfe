"""A controller whose sensors contradict one another is found out, and an honest one never."""

from __future__ import annotations

import pytest

from gate.lane import State, View
from gate.processes.fitness import BEFORE_ENTRY, CONTROLLER, STOPPING, Fitness
from gate.processes.witness import LOCKED_MS, DoorWitness
from hardware.controller.protocol import Door, Leaf, Passage, Telemetry

OUT = Passage(door=Door.EXIT, inwards=False)


def told(uptime_ms: int, exit_: Leaf = Leaf.LOCKED, *, emergency: bool = False, mains: bool = True) -> Telemetry:
    return Telemetry(
        uptime_ms=uptime_ms,
        entry=Leaf.LOCKED,
        exit=exit_,
        occupancy=1,
        object_left=False,
        entry_clear=True,
        exit_clear=True,
        emergency=emergency,
        mains=mains,
        leased=False,
    )


def after(*telemetry: Telemetry, watched: frozenset[Door] = frozenset(Door)) -> DoorWitness:
    witness = DoorWitness(watched)
    for each in telemetry:
        witness.telemetry(each)
    return witness


def test_somebody_who_walks_through_a_door_that_was_locked_all_the_while_is_a_contradiction():
    assert after(told(0), told(LOCKED_MS)).passage(OUT) == "the exit was reported locked while somebody walked through it"


@pytest.mark.parametrize(
    "telemetry",
    [
        (),
        (told(0, Leaf.OPEN), told(LOCKED_MS, Leaf.OPEN)),
        (told(0, Leaf.OPEN), told(5000), told(5000 + LOCKED_MS - 1)),  # the report of the passage came late
        (told(0), told(LOCKED_MS, Leaf.RELEASED)),
        (told(0, emergency=True), told(LOCKED_MS, emergency=True)),
        (told(9000), told(10), told(LOCKED_MS)),  # started anew meanwhile
    ],
    ids=["nothing known", "open", "just closed", "released", "fire", "started anew"],
)
def test_an_honest_passage_is_none(telemetry):
    assert after(*telemetry).passage(OUT) == ""


def test_what_was_said_before_the_link_went_counts_no_more():
    witness = after(told(0), told(LOCKED_MS))
    witness.forget()
    assert witness.passage(OUT) == ""


def test_a_door_that_is_not_there_contradicts_nothing():
    single = after(told(0), told(LOCKED_MS), watched=frozenset({Door.EXIT}))
    assert single.passage(Passage(door=Door.ENTRY, inwards=True)) == ""
    assert single.passage(OUT)


def test_a_second_one_who_went_out_before_the_exit_was_locked_again_went_behind_the_first():
    witness = after(told(0), told(50, Leaf.RELEASED))
    assert witness.passage(OUT) == ""
    assert witness.passage(OUT) == "a second person went out by the exit before it was locked again"


@pytest.mark.parametrize(
    "between",
    [told(1000), told(100, Leaf.OPEN, emergency=True), told(100, Leaf.OPEN, mains=False), Passage(door=Door.EXIT, inwards=True)],
    ids=["locked meanwhile", "fire", "power failed", "the first came back"],
)
def test_one_after_another_is_no_second_one_nor_are_those_whom_an_emergency_lets_out(between):
    witness = after(told(0), told(50, Leaf.OPEN))
    assert witness.passage(OUT) == ""
    witness.passage(between) if isinstance(between, Passage) else witness.telemetry(between)
    assert witness.passage(OUT) == ""


SUPERVISED = View(supervised=True)


@pytest.mark.parametrize("state", list(State))
def test_a_worker_that_is_away_keeps_the_lane_from_beginning_and_from_nothing_else(state):
    fitness = Fitness()
    assert fitness.seen(state, SUPERVISED) == SUPERVISED
    fitness.note("vision", "camera: gone")
    assert fitness.seen(state, SUPERVISED).supervised is (state not in BEFORE_ENTRY)
    assert fitness.words == ("vision: camera: gone",)
    fitness.note("vision", "")
    assert fitness.seen(state, SUPERVISED) == SUPERVISED


def test_each_cause_ends_for_itself_and_what_the_controller_says_is_left_to_the_table():
    fitness = Fitness()
    fitness.note(CONTROLLER, "lost")
    assert fitness.may_begin
    fitness.note(STOPPING, "x" * 1000)
    fitness.note("reader", "gone")
    fitness.note("reader", "")
    assert not fitness.may_begin
    assert max(map(len, fitness.words)) < 250
