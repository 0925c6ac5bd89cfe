"""From where the lane stands to what people see: one word for the traveller, the whole picture for the officer. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gate.lane_terms import State
from gate.processes.messages import TravellerScreen

_BY_STATE: Mapping[State, TravellerScreen] = {
    State.OUT_OF_SERVICE: "closed",
    State.IDLE: "scan",
    State.DOCUMENT: "reading",
    State.ENTRY_OPEN: "enter",
    State.ENTRY_CLOSE: "face",
    State.CAPTURE: "face",
    State.DECIDE: "face",
    State.EXIT_OPEN: "open",
    State.EXIT_CLOSE: "wait",
    State.HOLD: "counter",
    State.EJECT: "counter",
    State.EJECT_CLOSE: "wait",
    State.FAULT: "closed",
    State.EMERGENCY: "emergency",
    State.NO_POWER: "emergency",
    State.RECOVER: "closed",
}


def traveller_screen(
    state: State, *, document_there: bool, referral: TravellerScreen | None, single_door: bool = False
) -> TravellerScreen:
    """The screen word. ``referral`` is the word of the last referral's lane action while it concerns whoever stands there.

    Before a single door whoever is looked at, or let out, is the one whose document lies there; in a mantrap that is the next one.
    """
    match state:
        case State.ENTRY_OPEN if document_there:
            return "lift"
        case State.CAPTURE | State.EXIT_OPEN if document_there and single_door:
            return "lift"
        case State.IDLE | State.HOLD | State.EJECT if referral is not None:
            return referral
        case State.IDLE if document_there:
            return "lift"
        case _:
            return _BY_STATE[state]
