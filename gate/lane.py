"""The lane: one pure table that says what the two doors do. No I/O, no clock, no identity.

Theory of operation
-------------------
A lane is a passage between two leaves that are never unlocked together. A traveller lays a document down (DOCUMENT), is let in
alone (ENTRY_OPEN, ENTRY_CLOSE), is looked at between locked leaves (CAPTURE, DECIDE) and leaves by the exit (EXIT_OPEN, EXIT_CLOSE).
Whatever does not go that way ends in HOLD, where an officer rules, or nobody does and the traveller is let back out of the entry
(EJECT, EJECT_CLOSE): a machine neither refuses a traveller nor keeps one.

* A *transaction* is open from BEGIN to END. It is *live* while its document verdict stands: from ADMIT until VOID, END or OPEN_EXIT.
  OPEN_EXIT consumes it, so one verdict opens the exit at most once. Taking the document away voids running checks, not a verdict.
* The exit leaves its lock only in one row for a permit and one for an officer's pass, each for exactly one person, nothing left
  behind, entry locked, officer supervision present. An occupancy that is None (uncertain or disputed) is not 1, and not 0 either.
* Events are triggers; what *is* stands in the :class:`View`. So fire, loss of power and loss of the controller are noticed with any event.
* A lost controller voids everything and puts the lane OUT_OF_SERVICE; the controller alone then makes the doors safe. RECOVER brings
  the lane back and is left only with both leaves proven locked. FAULT (closing given up, sensors disagree) waits for an officer.
* In :data:`LEASED_STATES` the lane loop renews its lease. In every other state it does not, so that the controller by itself
  releases the entry for somebody who is inside.

Invariants I1–I14 and their model check: ``tests/gate/test_lane_model.py``. ``python -m gate.lane`` prints the diagram.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gate import lane_guards as g
from gate.lane_terms import Action, Event, Guard, Lane, State, Transition, View

__all__ = [
    "EVERYWHERE",
    "LEASED_STATES",
    "TABLE",
    "TIMEOUT_KEY",
    "Action",
    "Event",
    "Lane",
    "State",
    "Transition",
    "View",
    "diagram",
    "step",
]

S, E, A = State, Event, Action
_ABANDON = (A.VOID, A.END, A.REFER)
_CRASH = (A.VOID, A.END, A.REFER, A.ALARM)
_DISPUTED = (A.EJECT, A.VOID, A.COUNT_DISPUTED, A.REFER)


def _row(event: Event | None, guard: Guard, target: State, *actions: Action, again: bool = False) -> Transition:
    return Transition(event=event, guard=guard, next=target, actions=actions, again=again)


_FIRE = _row(None, g.fire, S.EMERGENCY, *_CRASH)
_POWER = _row(None, g.no_mains, S.NO_POWER, *_CRASH)
_LINK = _row(None, g.link_gone, S.OUT_OF_SERVICE, *_CRASH)
_BROKEN = _row(E.DEVICE_FAULT, g.always, S.FAULT, *_CRASH)
_FORCED = _row(E.PLANT, g.exit_unlocked, S.FAULT, *_CRASH)
EVERYWHERE = (_FIRE, _POWER, _LINK, _BROKEN)
"""Rows that stand before a state's own, fire first, in every state but the few that already are where they lead."""

_OWN: Mapping[State, tuple[Transition, ...]] = {
    S.OUT_OF_SERVICE: (
        _row(E.LINK_BACK, g.always, S.RECOVER),
        _row(E.PLANT, g.ready, S.IDLE),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        _row(E.PLANT, g.exit_unlocked, S.RECOVER),
        _row(E.PLANT, g.entry_unlocked, S.RECOVER),
    ),
    S.IDLE: (
        _FORCED,
        _row(E.PLANT, g.entry_unlocked, S.FAULT, A.ALARM, A.REFER),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        _row(None, g.unsupervised, S.OUT_OF_SERVICE),
        _row(E.DOCUMENT_PLACED, g.ready, S.DOCUMENT, A.BEGIN),
    ),
    S.DOCUMENT: (
        _FORCED,
        _row(E.PLANT, g.entry_unlocked, S.FAULT, *_CRASH),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.VOID, A.REFER),
        _row(None, g.unsupervised, S.OUT_OF_SERVICE, *_ABANDON),
        _row(E.ENTRY_GRANTED, g.ready, S.ENTRY_OPEN, A.ADMIT, A.SIGNAL_GREEN),
        _row(E.ENTRY_GRANTED, g.always, S.IDLE, *_ABANDON),
        _row(E.ENTRY_REFERRED, g.always, S.IDLE, *_ABANDON),
        _row(E.DOCUMENT_REMOVED, g.always, S.IDLE, *_ABANDON),
        _row(E.TIMEOUT, g.always, S.IDLE, *_ABANDON),
    ),
    S.ENTRY_OPEN: (
        _FORCED,
        _row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED, A.SIGNAL_RED),
        _row(E.SUPERVISION_LOST, g.always, S.EJECT, A.EJECT, A.VOID, A.REFER, A.SIGNAL_RED),
        _row(E.LEASE_LAPSED, g.admissible_again, S.ENTRY_OPEN, A.ADMIT, again=True),
        _row(E.PLANT, g.one_inside_clear, S.ENTRY_CLOSE, A.CLOSE_ENTRY, A.SIGNAL_RED),
        _row(E.COMMAND_REFUSED, g.always, S.HOLD, A.VOID, A.REFER, A.SIGNAL_RED),
        _row(E.TIMEOUT, g.entry_empty_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY, A.VOID, A.SIGNAL_RED),
        _row(E.TIMEOUT, g.always, S.EJECT, A.EJECT, A.VOID, A.REFER, A.SIGNAL_RED),
    ),
    S.ENTRY_CLOSE: (
        _FORCED,
        _row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        _row(E.PLANT, g.locked_one_live, S.CAPTURE, A.CAPTURE),
        _row(E.PLANT, g.vacant, S.IDLE, A.VOID, A.END),
        _row(E.PLANT, g.locked_nobody, S.HOLD, A.VOID, A.REFER),
        _row(E.TIMEOUT, g.both_locked, S.HOLD, A.VOID, A.COUNT_DISPUTED, A.REFER),
        _row(E.TIMEOUT, g.retries_left, S.ENTRY_CLOSE, A.CLOSE_ENTRY, again=True),
        _row(E.TIMEOUT, g.always, S.FAULT, *_CRASH),
    ),
    S.CAPTURE: (
        _FORCED,
        _row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        _row(E.PLANT, g.entry_unlocked, S.EJECT, A.EJECT, A.VOID, A.REFER),
        _row(E.PLANT, g.nobody_inside, S.HOLD, A.VOID, A.REFER),
        _row(E.SUPERVISION_LOST, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.FACE_CHECKED, g.always, S.DECIDE),
        _row(E.EXIT_REFERRED, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.TIMEOUT, g.always, S.HOLD, A.VOID, A.REFER),
    ),
    S.DECIDE: (
        _FORCED,
        _row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        _row(E.PLANT, g.entry_unlocked, S.EJECT, A.EJECT, A.VOID, A.REFER),
        _row(E.PLANT, g.not_one, S.HOLD, A.VOID, A.COUNT_DISPUTED, A.REFER),
        _row(E.SUPERVISION_LOST, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.EXIT_GRANTED, g.permitted, S.EXIT_OPEN, A.OPEN_EXIT),
        _row(E.EXIT_GRANTED, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.EXIT_REFERRED, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.TIMEOUT, g.always, S.HOLD, A.VOID, A.REFER),
    ),
    S.EXIT_OPEN: (
        _row(E.PLANT, g.entry_unlocked, S.FAULT, *_CRASH),
        _row(E.PLANT, g.several_inside, S.HOLD, A.CLOSE_EXIT, A.VOID, A.COUNT_DISPUTED, A.REFER),
        _row(E.PLANT, g.exit_empty_clear, S.EXIT_CLOSE, A.CLOSE_EXIT),
        _row(E.COMMAND_REFUSED, g.always, S.HOLD, A.VOID, A.REFER),
        _row(E.TIMEOUT, g.always, S.HOLD, A.CLOSE_EXIT, A.VOID, A.REFER),
    ),
    S.EXIT_CLOSE: (
        _row(E.PLANT, g.entry_unlocked, S.FAULT, *_CRASH),
        _row(E.PLANT, g.vacant, S.IDLE, A.END),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.VOID, A.REFER),
        _row(E.TIMEOUT, g.retries_left, S.EXIT_CLOSE, A.CLOSE_EXIT, again=True),
        _row(E.TIMEOUT, g.always, S.FAULT, *_CRASH),
    ),
    S.HOLD: (
        _row(E.PLANT, g.both_unlocked, S.FAULT, *_CRASH),
        _row(E.PLANT, g.exit_closable, S.HOLD, A.CLOSE_EXIT),
        _row(E.PLANT, g.occupied_entry_unlocked, S.EJECT, A.EJECT),
        _row(E.PLANT, g.entry_closable, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        _row(E.PLANT, g.vacant, S.IDLE, A.END),
        _row(E.OFFICER_PASS, g.passable, S.EXIT_OPEN, A.VOID, A.OPEN_EXIT),
        _row(E.OFFICER_EJECT, g.exit_locked, S.EJECT, A.EJECT),
        _row(E.TIMEOUT, g.occupied_exit_locked, S.EJECT, A.EJECT),
        _row(E.TIMEOUT, g.always, S.HOLD, A.REFER),
    ),
    S.EJECT: (
        _FORCED,
        _row(E.PLANT, g.all_gone_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        _row(E.COMMAND_REFUSED, g.always, S.HOLD, A.ALARM, A.REFER),
        _row(E.TIMEOUT, g.entry_empty_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        _row(E.TIMEOUT, g.exit_locked, S.EJECT, A.EJECT, A.ALARM, A.REFER),
    ),
    S.EJECT_CLOSE: (
        _FORCED,
        _row(E.PLANT, g.occupied_entry_unlocked, S.EJECT, A.EJECT, A.REFER),
        _row(E.PLANT, g.vacant, S.IDLE, A.END),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        _row(E.TIMEOUT, g.retries_left, S.EJECT_CLOSE, A.CLOSE_ENTRY, again=True),
        _row(E.TIMEOUT, g.always, S.FAULT, *_CRASH),
    ),
    S.FAULT: (_row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.EMERGENCY: (_row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.NO_POWER: (_row(E.PLANT, g.always, S.RECOVER),),
    S.RECOVER: (
        _row(E.PLANT, g.ready, S.IDLE),
        _row(E.PLANT, g.vacant, S.OUT_OF_SERVICE),
        _row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        _row(E.PLANT, g.exit_closable, S.RECOVER, A.CLOSE_EXIT),
        _row(E.PLANT, g.entry_closable, S.RECOVER, A.CLOSE_ENTRY),
    ),
}


def _stay(row: Transition, state: State) -> Transition:
    """The same condition where the lane already waits for its end: nothing moves, no other row is looked at."""
    return replace(row, next=state, actions=())


def _everywhere(state: State) -> tuple[Transition, ...]:
    match state:
        case State.EMERGENCY:
            return (_stay(_FIRE, state), _stay(_POWER, state), _stay(_LINK, state))
        case State.NO_POWER:
            return (_FIRE, _stay(_POWER, state), _stay(_LINK, state))
        case State.FAULT:
            return (_FIRE, _POWER, _stay(_LINK, state))
        case State.OUT_OF_SERVICE:
            return (_FIRE, _POWER, _stay(_LINK, state), _BROKEN)
        case _:
            return EVERYWHERE


TABLE: Mapping[State, tuple[Transition, ...]] = {state: _everywhere(state) + rows for state, rows in _OWN.items()}

LEASED_STATES = frozenset(S) - {S.OUT_OF_SERVICE, S.FAULT, S.EMERGENCY, S.NO_POWER, S.RECOVER}
"""Here the loop sends Renew. Elsewhere it stays silent, and the controller by itself lets out of the entry whoever is inside."""

TIMEOUT_KEY: Mapping[State, str] = {
    S.DOCUMENT: "document_s",
    S.ENTRY_OPEN: "walk_in_s",
    S.ENTRY_CLOSE: "entry_s",
    S.CAPTURE: "capture_s",
    S.DECIDE: "capture_s",
    S.EXIT_OPEN: "exit_s",
    S.EXIT_CLOSE: "entry_s",
    S.HOLD: "await_officer_s",
    S.EJECT: "await_officer_s",
    S.EJECT_CLOSE: "entry_s",
}
"""Which configured time limits a state; states that are not named wait without limit. ``entry_s`` is one attempt at closing a leaf."""


def step(
    lane: Lane, event: Event, view: View, table: Mapping[State, tuple[Transition, ...]] = TABLE
) -> tuple[Lane, tuple[Action, ...]]:
    """Where the lane goes and what is to be done, in order. Total: a pair without a row stays, with no actions.

    VOID and END appear only while a transaction is open, so that each BEGIN has exactly one END.
    """
    for row in table[lane.state]:
        if (row.event is None or row.event is event) and row.guard(lane, view):
            return _follow(lane, row)
    return lane, ()


def _follow(lane: Lane, row: Transition) -> tuple[Lane, tuple[Action, ...]]:
    opened, live = lane.open, lane.live
    actions = tuple(action for action in row.actions if opened or action not in {Action.VOID, Action.END})
    for action in actions:
        match action:
            case Action.BEGIN:
                opened, live = True, False
            case Action.ADMIT:
                live = True
            case Action.VOID | Action.OPEN_EXIT:
                live = False
            case Action.END:
                opened = live = False
            case _:
                pass
    return Lane(state=row.next, open=opened, live=live, retries=_retries(lane, row)), actions


def _retries(lane: Lane, row: Transition) -> int:
    """Repetitions within a state."""
    if row.again:
        return lane.retries + 1
    return lane.retries if row.next is lane.state else 0


def diagram() -> str:
    """The table as a fenced Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.OUT_OF_SERVICE}"]
    lines += [f"    every_state --> {row.next} : {_label(row)}" for row in EVERYWHERE]
    lines += [f"    {state} --> {row.next} : {_label(row)}" for state, rows in _OWN.items() for row in rows]
    return "\n".join([*lines, "```"])


def _label(row: Transition) -> str:
    guard = "" if row.guard is g.always else f" [{row.guard.__name__}]"
    effect = f" / {', '.join(row.actions)}" if row.actions else ""
    return f"{row.event or 'any event'}{guard}{effect}"


if __name__ == "__main__":
    print(diagram())
