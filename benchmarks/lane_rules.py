"""What must hold of the mantrap's table when it is checked alone: the invariants, why the lane comes into a state, what events lead to."""

from __future__ import annotations

from benchmarks.lane_alone_world import CLOSING, LOCKED, OPEN, RELEASED, Plant, require
from gate import lane_guards as g
from gate.lane import Event, Lane, State, View

E, S = Event, State
CHECKING = {S.ENTRY_OPEN, S.ENTRY_CLOSE, S.CAPTURE, S.DECIDE}
WAITING = {S.EMERGENCY, S.NO_POWER, S.RECOVER, S.OUT_OF_SERVICE, S.FAULT}
WAY = (S.IDLE, S.DOCUMENT, S.ENTRY_OPEN, S.ENTRY_CLOSE, S.CAPTURE, S.DECIDE, S.EXIT_OPEN, S.EXIT_CLOSE, S.IDLE)
"""An honest traveller's."""
PASS, OUT = (S.HOLD, S.EXIT_OPEN), (S.HOLD, S.EJECT)
"""What an officer may rule."""
ENDS = {
    E.DOCUMENT_REMOVED: {S.DOCUMENT},
    E.ENTRY_GRANTED: {S.DOCUMENT},
    E.ENTRY_REFERRED: {S.DOCUMENT},
    E.EXIT_GRANTED: {S.DECIDE},
    E.EXIT_REFERRED: {S.CAPTURE, S.DECIDE},
    E.TIMEOUT: {*WAY[1:-1], S.EJECT_CLOSE},
    E.COMMAND_REFUSED: {S.ENTRY_OPEN, S.EXIT_OPEN, S.EJECT},
    E.WRONG_WAY: {S.EXIT_OPEN},
    E.SUPERVISION_LOST: {S.IDLE, S.DOCUMENT, S.ENTRY_OPEN, S.CAPTURE, S.DECIDE},
}
"""States that an event ends, or has tried again."""


def verdict_dies(before: Lane, after: Lane, event: Event, view: View) -> bool:
    """I11, judged from outside the table: what may not leave a permit behind."""
    crowd = event is E.PLANT and before.state in CHECKING and view.occupancy not in {None, 0, 1}
    gone = event is E.PLANT and before.state in {S.CAPTURE, S.DECIDE} and view.occupancy == 0
    late = event is E.TIMEOUT and before.state in {S.ENTRY_OPEN, S.CAPTURE, S.DECIDE, S.EXIT_OPEN}
    referred = event is E.EXIT_REFERRED and before.state in {S.CAPTURE, S.DECIDE}
    at_rest = after.state in {S.IDLE, S.OUT_OF_SERVICE, S.HOLD, S.FAULT, S.RECOVER, S.EMERGENCY, S.NO_POWER}
    return crowd or gone or late or referred or at_rest


def check_rest(lane: Lane, p: Plant) -> None:
    require("I1 never both leaves unlocked, but for fire, loss of power and force", p.egress or LOCKED in {p.entry, p.exit})
    require("I1 leaves are proven locked before the lane serves again", not p.egress or lane.state in WAITING)
    require("a transaction ends before the lane is free again", not (lane.open and lane.state in {S.IDLE, S.OUT_OF_SERVICE}))
    require("only a running transaction is live", lane.open or not lane.live)
    require("I11 a verdict stands on a traveller's way alone", not lane.live or lane.state in CHECKING)
    require("without a controller the lane serves nobody", p.linked or lane.state in WAITING - {S.RECOVER})


def vacant(p: Plant) -> bool:
    return p.entry == p.exit == LOCKED and not p.inside and not p.object and not p.miscount


def check_known(lane: Lane, p: Plant, event: Event) -> None:
    """After an event with the plant in view."""
    require("I4 fire leads to EMERGENCY", not p.fire or lane.state is S.EMERGENCY)
    idle = event is E.PLANT and lane.state is S.IDLE
    require("the lane is free only with an empty trap between locked leaves", not idle or (vacant(p) and p.linked))
    require("without power nothing serves", p.mains or p.fire or lane.state in {S.NO_POWER, S.EMERGENCY, S.FAULT})


def check_came(before: Lane, after: Lane, event: Event, view: View, p: Plant) -> None:
    """Why the lane came into a state, and what it did to get there."""
    if after.state is before.state:
        return
    shut, came = view.entry == view.exit == LOCKED, after.state
    may_end = event is E.OFFICER_RESET or came is S.EMERGENCY
    require("only an officer ends a FAULT, though fire comes before it", may_end or before.state is not S.FAULT)
    serves = view.linked and view.supervised
    match came:
        case S.EMERGENCY:
            require("EMERGENCY is for a fire", view.emergency)
        case S.NO_POWER:
            require("NO_POWER is for want of power", not view.mains)
        case S.OUT_OF_SERVICE:
            require("OUT_OF_SERVICE is for want of a controller or of officers", not serves)
        case S.FAULT:
            tried = event is E.TIMEOUT and before.retries >= g.RETRIES
            open_leaf = event is not E.TIMEOUT and not shut
            require("FAULT is for what does not shut, or stands open", tried or open_leaf or event is E.DEVICE_FAULT)
        case S.RECOVER:
            told = event in {E.LINK_BACK, E.OFFICER_RESET} or before.state is S.NO_POWER
            require("RECOVER is for what was not known to be shut", told or not shut)
        case S.IDLE if before.state in {S.OUT_OF_SERVICE, S.RECOVER}:
            require("the lane comes into service under a controller and officers", serves)
        case S.DOCUMENT:
            require("a transaction begins in a free lane", vacant(p) and serves)
        case S.CAPTURE:
            require("one person with a verdict is looked at, between locked leaves", shut and view.occupancy == 1 and before.live)
        case S.HOLD if event is E.PLANT and before.state in {S.CAPTURE, S.DECIDE}:
            require("one person is looked at, several are sent back at once", shut and view.occupancy in {0, None})
        case S.HOLD if event is E.PLANT and before.state is not S.EXIT_OPEN:
            require("nobody waits for an officer without a cause", shut and (view.occupancy != 0 or view.object_left))
        case S.HOLD if event is E.TIMEOUT and before.state is S.ENTRY_CLOSE:
            require("only a leaf that shut is done with", shut)
        case S.EJECT if event is E.PLANT:
            several = view.occupancy is not None and view.occupancy > 1
            require("nobody is sent back but for a second person or an open entry", several or view.entry != LOCKED)
        case _:
            pass
    check_doors(before, came, event, view, p)


def check_doors(before: Lane, came: State, event: Event, view: View, p: Plant) -> None:
    """The doors do what the state says, and for a cause."""
    match came:
        case S.ENTRY_OPEN | S.EJECT:
            require("the entry is opened where the lane says so", p.entry == OPEN)
        case S.EXIT_OPEN:
            require("the exit is opened where the lane says so", p.exit == OPEN)
        case S.ENTRY_CLOSE:
            require("the entry closes behind one person", view.occupancy == 1 and view.entry_clear and p.entry != OPEN)
        case S.EJECT_CLOSE:
            require("the entry closes behind the last", view.occupancy == 0 and view.entry_clear and p.entry != OPEN)
        case S.EXIT_CLOSE:
            require("the exit closes behind the last", view.occupancy == 0 and view.exit_clear and p.exit != OPEN)
        case S.HOLD if before.state is S.EXIT_OPEN and event is not E.COMMAND_REFUSED:
            require("an exit that is no longer anybody's closes", p.exit != OPEN or not view.exit_clear)
        case _:
            pass


def check_heard(before: Lane, after: Lane, event: Event, view: View, p: Plant) -> None:
    """What an event must lead to, wherever it finds the lane."""
    stays = after.state is before.state and after.retries == before.retries
    require("an event ends what it ends, or has it tried again", not (stays and before.state in ENDS.get(event, ())))
    require("what is tried again is tried so often and no more", after.retries <= g.RETRIES)
    match event:
        case E.PLANT if view.linked:
            check_seen(before.state, after.state, view)
            shuts = after.state is S.RECOVER and p.entry == CLOSING and view.entry in {OPEN, RELEASED}
            require("recovery shuts nobody in", not shuts or (view.occupancy == 0 and view.exit == LOCKED))
        case E.DEVICE_FAULT:
            require("a controller that gave up is a FAULT", after.state in WAITING - {S.RECOVER})
        case E.LINK_BACK:
            require("a controller that was lost is looked at anew", after.state in WAITING - {S.OUT_OF_SERVICE})
        case E.TIMEOUT if before.state is S.ENTRY_OPEN and view.occupancy == 0 and view.entry_clear:
            require("nobody is sent back where nobody came", after.state is not S.EJECT)
        case E.TIMEOUT if before.state is S.ENTRY_CLOSE and view.entry == view.exit == LOCKED:
            require("an officer is called where the count does not come right", after.state is S.HOLD)
        case E.TIMEOUT if after.retries > before.retries:
            check_again(after.state, view, p)
        case E.TIMEOUT if after.state is S.EJECT:
            require("who is to leave finds the entry open, again", p.entry == OPEN)
            require("the entry is not held open for a thing", view.occupancy != 0 or not view.entry_clear)
        case E.LEASE_LAPSED if before.state is S.ENTRY_OPEN and before.live and before.retries < g.RETRIES:
            empty = view.occupancy == 0 and not view.object_left and view.exit == LOCKED and view.supervised
            require("an entry that shut before anybody came is opened again", not empty or p.entry == OPEN)
            require("and that is counted", not empty or after.retries > before.retries)
        case _:
            pass


def check_again(state: State, view: View, p: Plant) -> None:
    leaf, clear = (p.exit, view.exit_clear) if state is S.EXIT_CLOSE else (p.entry, view.entry_clear)
    require("what does not shut is driven again", leaf != OPEN or not clear)


def check_seen(before: State, state: State, view: View) -> None:
    """Where telemetry may not leave the lane."""
    shut = view.entry == view.exit == LOCKED
    one, none = view.occupancy == 1, view.occupancy == 0 and not view.object_left
    several = view.occupancy is not None and view.occupancy > 1
    serving = {S.IDLE, S.DOCUMENT}
    closing = {S.EXIT_CLOSE, S.EJECT_CLOSE}
    require("with a leaf unlocked nobody is served", shut or state not in serving | {S.CAPTURE, S.DECIDE})
    may_leave = view.exit == LOCKED != view.entry and view.occupancy != 0
    require("whoever finds the entry unlocked may leave by it", not (may_leave and state in {S.HOLD, S.EJECT_CLOSE}))
    stays = before is state
    waits = state in serving or (stays and state in closing)
    require("a locked lane that is not empty waits for an officer", not (shut and not none and waits))
    require(
        "an empty locked lane is free again",
        not (shut and none and stays and state in closing | {S.ENTRY_CLOSE, S.HOLD, S.RECOVER}),
    )
    require("nobody decides on nobody, or on several", one or state is not S.DECIDE)
    require("where nobody is, nobody is looked at", view.occupancy != 0 or not shut or state not in {S.ENTRY_CLOSE, S.CAPTURE})
    require("no door stands open for several", not several or state not in {S.ENTRY_OPEN, S.EXIT_OPEN})
    left = stays and view.exit == LOCKED and view.occupancy == 0 and view.entry_clear
    alone = left and view.entry in {OPEN, RELEASED}
    require("an entry that everybody has left closes", not (alone and (state is S.HOLD or (state is S.EJECT and none))))
