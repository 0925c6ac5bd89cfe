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
  the lane back and is left only with both leaves proven locked. FAULT (closing given up, sensors disagree) waits
  for an officer, whatever happens meanwhile but fire: power that goes and comes again mends nothing.
* In :data:`LEASED_STATES` the lane loop renews its lease. In every other state it does not, so that the controller by itself
  releases the entry for somebody who is inside.

A gate with a single door has a table of its own (``lane_single.py``). Invariants I1–I14 and their model check: by the table alone in
``tests/gate/test_lane_model.py``, with the controller's own safety logic by ``make model-check``. ``python -m gate.lane`` prints the diagrams.
"""

from __future__ import annotations

from collections.abc import Mapping

from gate import lane_guards as g
from gate.lane_rows import ABANDON, CRASH, EVERYWHERE, FORCED, Table, complete, row
from gate.lane_single import SINGLE_DOOR
from gate.lane_terms import Action, Event, Lane, State, Transition, View

__all__ = [
    "EVERYWHERE",
    "LEASED",
    "LEASED_STATES",
    "TABLE",
    "TABLES",
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
_DISPUTED = (A.EJECT, A.VOID, A.COUNT_DISPUTED, A.REFER)

_OWN: Table = {
    S.OUT_OF_SERVICE: (
        row(E.LINK_BACK, g.always, S.RECOVER),
        row(E.PLANT, g.ready, S.IDLE),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        row(E.PLANT, g.exit_unlocked, S.RECOVER),
        row(E.PLANT, g.entry_unlocked, S.RECOVER),
    ),
    S.IDLE: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.FAULT, A.ALARM, A.REFER),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        row(None, g.unsupervised, S.OUT_OF_SERVICE),
        row(E.DOCUMENT_PLACED, g.ready, S.DOCUMENT, A.BEGIN),
    ),
    S.DOCUMENT: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.FAULT, *CRASH),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.VOID, A.REFER),
        row(None, g.unsupervised, S.OUT_OF_SERVICE, *ABANDON),
        row(E.ENTRY_GRANTED, g.ready, S.ENTRY_OPEN, A.ADMIT, A.SIGNAL_GREEN),
        row(E.ENTRY_GRANTED, g.always, S.IDLE, *ABANDON),
        row(E.ENTRY_REFERRED, g.always, S.IDLE, *ABANDON),
        row(E.DOCUMENT_REMOVED, g.always, S.IDLE, *ABANDON),
        row(E.TIMEOUT, g.always, S.IDLE, *ABANDON),
    ),
    S.ENTRY_OPEN: (
        FORCED,
        row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED, A.SIGNAL_RED),
        row(E.SUPERVISION_LOST, g.always, S.EJECT, A.EJECT, A.VOID, A.REFER, A.SIGNAL_RED),
        row(E.LEASE_LAPSED, g.admissible_again, S.ENTRY_OPEN, A.ADMIT, again=True),
        row(E.PLANT, g.one_inside_clear, S.ENTRY_CLOSE, A.CLOSE_ENTRY, A.SIGNAL_RED),
        row(E.COMMAND_REFUSED, g.always, S.HOLD, A.VOID, A.REFER, A.SIGNAL_RED),
        row(E.TIMEOUT, g.entry_empty_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY, A.VOID, A.SIGNAL_RED),
        row(E.TIMEOUT, g.always, S.EJECT, A.EJECT, A.VOID, A.REFER, A.SIGNAL_RED),
    ),
    S.ENTRY_CLOSE: (
        FORCED,
        row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        row(E.PLANT, g.locked_one_live, S.CAPTURE, A.CAPTURE),
        row(E.PLANT, g.vacant, S.IDLE, A.VOID, A.END),
        row(E.PLANT, g.locked_nobody, S.HOLD, A.VOID, A.REFER),
        row(E.TIMEOUT, g.both_locked, S.HOLD, A.VOID, A.COUNT_DISPUTED, A.REFER),
        row(E.TIMEOUT, g.retries_left, S.ENTRY_CLOSE, A.CLOSE_ENTRY, again=True),
        row(E.TIMEOUT, g.always, S.FAULT, *CRASH),
    ),
    S.CAPTURE: (
        FORCED,
        row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        row(E.PLANT, g.entry_unlocked, S.EJECT, A.EJECT, A.VOID, A.REFER),
        row(E.PLANT, g.nobody_inside, S.HOLD, A.VOID, A.REFER),
        row(E.SUPERVISION_LOST, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.FACE_CHECKED, g.always, S.DECIDE),
        row(E.EXIT_REFERRED, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.TIMEOUT, g.always, S.HOLD, A.VOID, A.REFER),
    ),
    S.DECIDE: (
        FORCED,
        row(E.PLANT, g.several_inside, S.EJECT, *_DISPUTED),
        row(E.PLANT, g.entry_unlocked, S.EJECT, A.EJECT, A.VOID, A.REFER),
        row(E.PLANT, g.not_one, S.HOLD, A.VOID, A.COUNT_DISPUTED, A.REFER),
        row(E.SUPERVISION_LOST, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.EXIT_GRANTED, g.permitted, S.EXIT_OPEN, A.OPEN_EXIT),
        row(E.EXIT_GRANTED, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.EXIT_REFERRED, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.TIMEOUT, g.always, S.HOLD, A.VOID, A.REFER),
    ),
    S.EXIT_OPEN: (
        row(E.PLANT, g.entry_unlocked, S.FAULT, *CRASH),
        row(E.PLANT, g.several_inside, S.HOLD, A.CLOSE_EXIT, A.VOID, A.COUNT_DISPUTED, A.REFER),
        row(E.WRONG_WAY, g.always, S.HOLD, A.CLOSE_EXIT, A.VOID, A.REFER, A.ALARM),
        row(E.PLANT, g.exit_empty_clear, S.EXIT_CLOSE, A.CLOSE_EXIT),
        row(E.COMMAND_REFUSED, g.always, S.HOLD, A.VOID, A.REFER),
        row(E.TIMEOUT, g.always, S.HOLD, A.CLOSE_EXIT, A.VOID, A.REFER),
    ),
    S.EXIT_CLOSE: (
        row(E.PLANT, g.entry_unlocked, S.FAULT, *CRASH),
        row(E.PLANT, g.vacant, S.IDLE, A.END),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.VOID, A.REFER),
        row(E.TIMEOUT, g.retries_left, S.EXIT_CLOSE, A.CLOSE_EXIT, again=True),
        row(E.TIMEOUT, g.always, S.FAULT, *CRASH),
    ),
    S.HOLD: (
        row(E.PLANT, g.both_unlocked, S.FAULT, *CRASH),
        row(E.PLANT, g.exit_closable, S.HOLD, A.CLOSE_EXIT),
        row(E.PLANT, g.occupied_entry_unlocked, S.EJECT, A.EJECT),
        row(E.PLANT, g.entry_closable, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        row(E.PLANT, g.vacant, S.IDLE, A.END),
        row(E.OFFICER_PASS, g.passable, S.EXIT_OPEN, A.VOID, A.OPEN_EXIT),
        row(E.OFFICER_EJECT, g.exit_locked, S.EJECT, A.EJECT),
        row(E.TIMEOUT, g.occupied_exit_locked, S.EJECT, A.EJECT),
        row(E.TIMEOUT, g.always, S.HOLD, A.REFER),
    ),
    S.EJECT: (
        FORCED,
        row(E.PLANT, g.all_gone_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        row(E.COMMAND_REFUSED, g.always, S.HOLD, A.ALARM, A.REFER),
        row(E.TIMEOUT, g.entry_empty_clear, S.EJECT_CLOSE, A.CLOSE_ENTRY),
        row(E.TIMEOUT, g.exit_locked, S.EJECT, A.EJECT, A.ALARM, A.REFER),
    ),
    S.EJECT_CLOSE: (
        FORCED,
        row(E.PLANT, g.occupied_entry_unlocked, S.EJECT, A.EJECT, A.REFER),
        row(E.PLANT, g.vacant, S.IDLE, A.END),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        row(E.TIMEOUT, g.retries_left, S.EJECT_CLOSE, A.CLOSE_ENTRY, again=True),
        row(E.TIMEOUT, g.always, S.FAULT, *CRASH),
    ),
    S.FAULT: (row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.EMERGENCY: (row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.NO_POWER: (row(E.PLANT, g.always, S.RECOVER),),
    S.RECOVER: (
        row(E.PLANT, g.ready, S.IDLE),
        row(E.PLANT, g.vacant, S.OUT_OF_SERVICE),
        row(E.PLANT, g.shut_not_vacant, S.HOLD, A.REFER),
        row(E.PLANT, g.exit_closable, S.RECOVER, A.CLOSE_EXIT),
        row(E.PLANT, g.entry_closable, S.RECOVER, A.CLOSE_ENTRY),
    ),
}


TABLE = complete(_OWN)
TABLES: Mapping[str, Table] = {"mantrap": TABLE, "single_door": complete(SINGLE_DOOR)}
"""By ``lane.kind`` of the configuration."""

LEASED_STATES = frozenset(S) - {S.OUT_OF_SERVICE, S.FAULT, S.EMERGENCY, S.NO_POWER, S.RECOVER}
"""Here the loop sends Renew. Elsewhere it stays silent, and the controller by itself lets out of the entry whoever is inside."""
LEASED: Mapping[str, frozenset[State]] = {
    "mantrap": LEASED_STATES,
    "single_door": frozenset(S) - {S.FAULT, S.EMERGENCY, S.NO_POWER},
}
"""By kind. A single door shuts nobody in, so its lane renews wherever the door may be driven."""

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


def step(lane: Lane, event: Event, view: View, table: Table = TABLE) -> tuple[Lane, tuple[Action, ...]]:
    """Where the lane goes and what is to be done, in order. Total: a pair without a row stays, with no actions.

    VOID and END appear only while a transaction is open, so that each BEGIN has exactly one END.
    """
    for each in table[lane.state]:
        if (each.event is None or each.event is event) and each.guard(lane, view):
            return _follow(lane, each)
    return lane, ()


def _follow(lane: Lane, taken: Transition) -> tuple[Lane, tuple[Action, ...]]:
    opened, live = lane.open, lane.live
    actions = tuple(action for action in taken.actions if opened or action not in {Action.VOID, Action.END})
    for action in actions:
        match action:
            case Action.BEGIN:
                opened, live = True, False
            case Action.ADMIT | Action.VERDICT:
                live = True
            case Action.VOID | Action.OPEN_EXIT:
                live = False
            case Action.END:
                opened = live = False
            case _:
                pass
    return Lane(state=taken.next, open=opened, live=live, retries=_retries(lane, taken)), actions


def _retries(lane: Lane, taken: Transition) -> int:
    """Repetitions within a state."""
    if taken.again:
        return lane.retries + 1
    return lane.retries if taken.next is lane.state else 0


def diagram(kind: str = "mantrap") -> str:
    """The table of ``kind`` as a fenced Mermaid state diagram."""
    own = {"mantrap": _OWN, "single_door": SINGLE_DOOR}[kind]
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.OUT_OF_SERVICE}"]
    lines += [f"    every_state --> {each.next} : {_label(each)}" for each in EVERYWHERE]
    lines += [f"    {state} --> {each.next} : {_label(each)}" for state, rows in own.items() for each in rows]
    return "\n".join([*lines, "```"])


def _label(told: Transition) -> str:
    guard = "" if told.guard is g.always else f" [{told.guard.__name__}]"
    effect = f" / {', '.join(told.actions)}" if told.actions else ""
    return f"{told.event or 'any event'}{guard}{effect}"


if __name__ == "__main__":
    print("\n".join(diagram(kind) for kind in TABLES))
