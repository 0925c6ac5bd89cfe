"""The table alone keeps its invariants in every reachable state under two faults, and each seeded defect breaks one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.lane_alone import Model
from gate import lane_guards as g
from gate.lane import TABLE, TIMEOUT_KEY, Action, Event, Lane, State, View, diagram, step
from hardware.controller.protocol import Leaf

A, E, S = Action, Event, State
LOCKED, OPEN = Leaf.LOCKED, Leaf.OPEN


@pytest.fixture(autouse=True)
def one_retry(monkeypatch):
    """The number of repetitions changes no property, only the count of states."""
    monkeypatch.setattr(g, "RETRIES", 1)


@pytest.mark.conforms("TR-03121-3 §2.5", "positive")
def test_all_invariants_hold_in_every_reachable_state_under_two_faults():
    model = Model()
    assert (broken := model.run()) is None, f"\n{broken}"
    print(f"{len(model.parent)} states, {model.transitions} transitions")
    assert {lane.state for lane, _ in model.parent} == set(State)
    assert len(model.parent) > 2000


def rows(table, state, change):
    return {**table, state: tuple(row for old in table[state] if (row := change(old)) is not None)}


def alter(state, event, old_guard, *, drop=False, **fields):
    """A defect: the rows of ``state`` with this event and guard are dropped, or get other fields."""

    def defect(table):
        hit = []

        def change(row):
            if row.event is not event or row.guard is not old_guard:
                return row
            hit.append(row)
            return None if drop else replace(row, **fields)

        mutant = rows(table, state, change)
        assert hit, "the defect has no row to sit in"
        return mutant

    return defect


def everywhere(guard):
    """A row that stands in every state is forgotten."""
    return lambda table: {state: tuple(row for row in rows if row.guard is not guard) for state, rows in table.items()}


def both(*defects):
    def defect(table):
        for one in defects:
            table = one(table)
        return table

    return defect


def lacks(word):
    """``passable`` without one of its conditions."""
    clean = {"occupancy": 1, "object_left": False, "supervised": True}
    return lambda lane, view: g.passable(lane, replace(view, **{word: clean[word]}))


DEFECTS = {
    "fire is not noticed": everywhere(g.fire),
    "loss of power is not noticed": everywhere(g.no_mains),
    "loss of the controller voids nothing": everywhere(g.link_gone),
    "own rows come before fire": lambda table: {state: tuple(reversed(rows)) for state, rows in table.items()},
    "admits onto an occupied trap": alter(S.DOCUMENT, E.ENTRY_GRANTED, g.ready, guard=g.always),
    "permit with an uncertain count": alter(S.DECIDE, E.EXIT_GRANTED, g.permitted, guard=lacks("occupancy")),
    "permit with luggage left": alter(S.DECIDE, E.EXIT_GRANTED, g.permitted, guard=lacks("object_left")),
    "pass with two inside": alter(S.HOLD, E.OFFICER_PASS, g.passable, guard=lacks("occupancy")),
    "pass with luggage left": alter(S.HOLD, E.OFFICER_PASS, g.passable, guard=lacks("object_left")),
    "pass without supervision": alter(S.HOLD, E.OFFICER_PASS, g.passable, guard=lacks("supervised")),
    "pass while the entry is open": alter(S.HOLD, E.OFFICER_PASS, g.passable, guard=g.always),
    "capture timeout keeps the permit": alter(S.CAPTURE, E.TIMEOUT, g.always, next=S.DECIDE, actions=()),
    "decision timeout keeps the permit": alter(S.DECIDE, E.TIMEOUT, g.always, next=S.DECIDE, actions=()),
    "referral is read as retry": alter(S.DECIDE, E.EXIT_REFERRED, g.always, next=S.CAPTURE, actions=(A.CAPTURE,)),
    "second person steps back unnoticed": alter(S.ENTRY_OPEN, E.PLANT, g.several_inside, drop=True),
    "idle officer shuts the traveller in": alter(S.HOLD, E.TIMEOUT, g.occupied_exit_locked, drop=True),
    "eject while the exit is open": alter(S.HOLD, E.TIMEOUT, g.occupied_exit_locked, guard=g.always),
    "recovery reaches HOLD with open doors": alter(S.RECOVER, E.PLANT, g.shut_not_vacant, guard=g.always),
    "free with an open exit": alter(S.EXIT_CLOSE, E.PLANT, g.vacant, guard=g.always),
    "fault is for ever": alter(S.FAULT, E.OFFICER_RESET, g.always, drop=True),
    "record is never ended": alter(S.EXIT_CLOSE, E.PLANT, g.vacant, actions=()),
    "one who slips in after an ejection is taken for a traveller": both(
        alter(
            S.ENTRY_CLOSE, E.PLANT, g.locked_one_live, guard=lambda lane, view: g.both_locked(lane, view) and view.occupancy == 1
        ),
        alter(S.EJECT, E.PLANT, g.all_gone_clear, next=S.ENTRY_CLOSE),
        alter(S.DECIDE, E.EXIT_GRANTED, g.permitted, guard=g.passable),
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.conforms("TR-03121-3 §2.5", "defect")
@pytest.mark.conforms("TR-03121-3 §2.5.1", "defect", case="referral is read as retry")
@pytest.mark.conforms("TR-03121-3 §2.5.1", "defect", case="pass without supervision")
def test_seeded_defect_is_caught_with_a_trace(name):
    broken = Model(DEFECTS[name](TABLE), fault_budget=1).run()
    assert broken is not None, f"nothing noticed: {name}"
    assert "cold start" in broken
    print(broken)


def test_every_row_is_used():
    """A row that no reachable state can fire is dead text, or hides behind another."""
    used = set()

    def watched(state, index, row):
        def guard(lane, view):
            if row.guard(lane, view):
                used.add((state, index))
                return True
            return False

        return replace(row, guard=guard)

    table = {state: tuple(watched(state, i, row) for i, row in enumerate(rows)) for state, rows in TABLE.items()}
    assert Model(table).run() is None
    dead = [(state, i) for state, rows in TABLE.items() for i in range(len(rows)) if (state, i) not in used]
    assert [f"{state}: {TABLE[state][i].event} [{TABLE[state][i].guard.__name__}]" for state, i in dead] == []


@pytest.mark.conforms("TR-03121-3 §2.5", "negative")
def test_nothing_known_opens_nothing():
    for state in State:
        for event in Event:
            _, actions = step(Lane(state=state, open=True, live=True), event, View())
            assert not {A.ADMIT, A.EJECT, A.OPEN_EXIT, A.CLOSE_ENTRY, A.CLOSE_EXIT} & set(actions)


def test_taking_the_document_voids_running_checks_but_not_a_verdict():
    free = View(entry=LOCKED, exit=LOCKED, occupancy=0, entry_clear=True, exit_clear=True, linked=True, supervised=True)
    running = Lane(state=S.DOCUMENT, open=True)
    assert step(running, E.DOCUMENT_REMOVED, free) == (Lane(state=S.IDLE), (A.VOID, A.END, A.REFER))
    admitted, _ = step(running, E.ENTRY_GRANTED, free)
    assert step(admitted, E.DOCUMENT_REMOVED, replace(free, entry=OPEN)) == (admitted, ())


def test_every_state_that_waits_for_somebody_has_a_timeout():
    unlimited = {S.OUT_OF_SERVICE, S.IDLE, S.FAULT, S.EMERGENCY, S.NO_POWER, S.RECOVER}
    assert set(TIMEOUT_KEY) == set(State) - unlimited
    assert all(any(row.event is E.TIMEOUT for row in TABLE[state]) for state in TIMEOUT_KEY)


def test_diagram_names_every_state():
    text = diagram()
    assert text.startswith("```mermaid\nstateDiagram-v2\n")
    assert text.endswith("```")
    assert all(state in text for state in State)
