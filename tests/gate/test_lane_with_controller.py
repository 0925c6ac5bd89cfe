"""The lane's tables on the controller's own safety logic, plant and people: every reachable state, and seeded defects of both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.lane_defects import CONTROLLERS, TABLE
from benchmarks.lane_model import Lanes
from benchmarks.lane_search import LOW
from benchmarks.model_check import noticed
from gate import lane_guards as g
from gate.lane import TABLES, Action, Event, State

A, E, S = Action, Event, State
SINGLE = TABLES["single_door"]


@pytest.mark.timeout(240)  # a search takes ten seconds of a processor that is its own
@pytest.mark.parametrize(
    "search",
    [
        Lanes(faults=1, late=False),
        Lanes(faults=0, open_zone=True),
    ],
    ids=["mantrap", "single door, telemetry late"],
)
def test_all_invariants_hold_on_the_real_safety_logic(search: Lanes):
    assert (broken := search.run()) is None, f"\n{broken}"
    print(f"{len(search.keys)} states, {search.transitions} transitions")
    reached = {search.parts[0].values[key & LOW].state for key in search.keys}
    assert reached >= set(search.table) - ({S.EMERGENCY, S.NO_POWER} if search.faults == 0 else set())


@pytest.mark.parametrize("name", [name for name, (_, under) in CONTROLLERS.items() if under != TABLE])
def test_a_defect_of_the_controller_is_noticed(name: str):
    assert noticed(name), name


def alter(state, event, old_guard, **fields):
    """The single door's table with other ``fields`` in one row."""
    rows = [(row, row.event is event and row.guard is old_guard) for row in SINGLE[state]]
    assert any(hit for _, hit in rows), "the defect has no row to sit in"
    return {**SINGLE, state: tuple(replace(row, **fields) if hit else row for row, hit in rows)}


def dropped(state, event, guard):
    rows = tuple(row for row in SINGLE[state] if (row.event, row.guard) != (event, guard))
    assert len(rows) < len(SINGLE[state])
    return {**SINGLE, state: rows}


DEFECTS = {
    "fire is not noticed": {state: tuple(row for row in rows if row.guard is not g.fire) for state, rows in SINGLE.items()},
    "power is not noticed": {state: tuple(row for row in rows if row.guard is not g.no_mains) for state, rows in SINGLE.items()},
    "late capture keeps the verdict": alter(S.CAPTURE, E.TIMEOUT, g.always, next=S.DECIDE, actions=()),
    "late decision keeps the verdict": alter(S.DECIDE, E.TIMEOUT, g.always, next=S.DECIDE, actions=()),
    "referral is read as retry": alter(S.DECIDE, E.EXIT_REFERRED, g.always, next=S.CAPTURE, actions=(A.CAPTURE,)),
    "the next in the zone inherits the verdict": dropped(S.CAPTURE, E.PLANT, g.nobody_inside),
    "two before the camera keep the verdict": dropped(S.CAPTURE, E.PLANT, g.several_inside),
    "hold ends with the record open": alter(S.HOLD, E.TIMEOUT, g.both_locked, actions=()),
    "hold ends with the door open": alter(S.HOLD, E.TIMEOUT, g.both_locked, guard=g.always),
    "serves with the door open": alter(S.EXIT_CLOSE, E.PLANT, g.both_locked, guard=g.always),
    "a referral at the document lets the face be looked at": alter(
        S.DOCUMENT, E.ENTRY_REFERRED, g.always, next=S.CAPTURE, actions=(A.VERDICT, A.CAPTURE)
    ),
    "pass without supervision": alter(
        S.HOLD, E.OFFICER_PASS, g.passable, guard=lambda lane, view: g.passable(lane, replace(view, supervised=True))
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_the_single_doors_table_is_noticed_with_a_trace(name: str):
    broken = Lanes(DEFECTS[name], faults=1, late=False, open_zone=True).run()
    assert broken is not None, f"nothing noticed: {name}"
    assert "cold start" in broken
