"""The table of a gate with a single door: nobody is ever between two leaves, so the decisions on document and face run as one.

The traveller stands in an open zone before the exit, where the sensor counts; whoever is sent away walks away. There is no entry leaf:
its inputs at the controller are strapped to "bolted". A controller that was left alone still takes that strap off for whoever stands in
the zone, as it would in a mantrap; RECOVER puts it back. That a second person steps up behind the first while the door moves cannot be
kept from happening here, only be seen: then nothing is left open, and an officer is called.
"""

from __future__ import annotations

from gate import lane_guards as g
from gate.lane_rows import ABANDON, CRASH, FORCED, Table, row
from gate.lane_terms import Action, Event, State

S, E, A = State, Event, Action
_REFERRED = (A.VOID, A.REFER)
_DISPUTED = (A.VOID, A.COUNT_DISPUTED, A.REFER)

SINGLE_DOOR: Table = {
    S.OUT_OF_SERVICE: (
        row(E.LINK_BACK, g.always, S.RECOVER),
        row(E.PLANT, g.free, S.IDLE),
        row(E.PLANT, g.exit_unlocked, S.RECOVER),
        row(E.PLANT, g.entry_unlocked, S.RECOVER),
    ),
    S.IDLE: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.RECOVER),
        row(None, g.unsupervised, S.OUT_OF_SERVICE),
        row(E.DOCUMENT_PLACED, g.free, S.DOCUMENT, A.BEGIN),
    ),
    S.DOCUMENT: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.RECOVER, *ABANDON),
        row(None, g.unsupervised, S.OUT_OF_SERVICE, *ABANDON),
        row(E.ENTRY_GRANTED, g.free, S.CAPTURE, A.VERDICT, A.CAPTURE),
        row(E.ENTRY_GRANTED, g.always, S.IDLE, *ABANDON),
        row(E.ENTRY_REFERRED, g.always, S.IDLE, *ABANDON),
        row(E.DOCUMENT_REMOVED, g.always, S.IDLE, *ABANDON),
        row(E.TIMEOUT, g.always, S.IDLE, *ABANDON),
    ),
    S.CAPTURE: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.RECOVER, *ABANDON),
        row(E.PLANT, g.several_inside, S.HOLD, *_DISPUTED),
        row(E.PLANT, g.nobody_inside, S.IDLE, *ABANDON),
        row(E.SUPERVISION_LOST, g.always, S.HOLD, *_REFERRED),
        row(E.FACE_CHECKED, g.always, S.DECIDE),
        row(E.EXIT_REFERRED, g.always, S.HOLD, *_REFERRED),
        row(E.TIMEOUT, g.always, S.HOLD, *_REFERRED),
    ),
    S.DECIDE: (
        FORCED,
        row(E.PLANT, g.entry_unlocked, S.RECOVER, *ABANDON),
        row(E.PLANT, g.nobody_inside, S.IDLE, *ABANDON),
        row(E.PLANT, g.not_one, S.HOLD, *_DISPUTED),
        row(E.SUPERVISION_LOST, g.always, S.HOLD, *_REFERRED),
        row(E.EXIT_GRANTED, g.permitted, S.EXIT_OPEN, A.OPEN_EXIT),
        row(E.EXIT_GRANTED, g.always, S.HOLD, *_REFERRED),
        row(E.EXIT_REFERRED, g.always, S.HOLD, *_REFERRED),
        row(E.TIMEOUT, g.always, S.HOLD, *_REFERRED),
    ),
    S.EXIT_OPEN: (
        row(E.PASSED, g.always, S.EXIT_CLOSE, A.CLOSE_EXIT),
        row(E.WRONG_WAY, g.always, S.HOLD, A.CLOSE_EXIT, *_REFERRED, A.ALARM),
        row(E.PLANT, g.several_inside, S.HOLD, A.CLOSE_EXIT, *_DISPUTED),
        row(E.PLANT, g.exit_empty_clear, S.EXIT_CLOSE, A.CLOSE_EXIT),
        row(E.COMMAND_REFUSED, g.always, S.HOLD, *_REFERRED),
        row(E.TIMEOUT, g.always, S.HOLD, A.CLOSE_EXIT, *_REFERRED),
    ),
    S.EXIT_CLOSE: (
        row(E.WRONG_WAY, g.always, S.HOLD, *_REFERRED, A.ALARM),
        row(E.PLANT, g.both_locked, S.IDLE, A.END),
        row(E.PLANT, g.exit_closable, S.EXIT_CLOSE, A.CLOSE_EXIT),
        row(E.TIMEOUT, g.retries_left, S.EXIT_CLOSE, A.CLOSE_EXIT, again=True),
        row(E.TIMEOUT, g.always, S.FAULT, *CRASH),
    ),
    S.HOLD: (
        row(E.PLANT, g.exit_closable, S.HOLD, A.CLOSE_EXIT),
        row(E.PLANT, g.entry_off_its_strap, S.RECOVER, *ABANDON),
        row(E.PLANT, g.vacant, S.IDLE, A.END),
        row(E.OFFICER_PASS, g.passable, S.EXIT_OPEN, A.VOID, A.OPEN_EXIT),
        row(E.OFFICER_EJECT, g.both_locked, S.IDLE, A.END),
        row(E.TIMEOUT, g.both_locked, S.IDLE, A.END),
        row(E.TIMEOUT, g.always, S.HOLD, A.REFER),
    ),
    S.FAULT: (row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.EMERGENCY: (row(E.OFFICER_RESET, g.always, S.RECOVER),),
    S.NO_POWER: (row(E.PLANT, g.always, S.RECOVER),),
    S.RECOVER: (
        row(E.PLANT, g.free, S.IDLE),
        row(E.PLANT, g.both_locked, S.OUT_OF_SERVICE),
        row(E.PLANT, g.exit_closable, S.RECOVER, A.CLOSE_EXIT),
        row(E.PLANT, g.entry_off_its_strap, S.RECOVER, A.CLOSE_ENTRY),
    ),
}
