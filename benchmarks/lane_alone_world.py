"""The plant, the people and the device around the mantrap's table when it is checked alone (``lane_alone.py``).

The abstract device executes what it is told *without* interlocks of its own, so that the table alone must keep the lane safe. It
only reverses on an obstruction and, without renewals, shuts the exit and releases the entry for somebody inside. Outside the
model: time, I5 and I7 (device), I9, I10, I12, I13.
"""

from __future__ import annotations

from typing import NamedTuple

from gate.lane import Action, Event, View
from hardware.controller.protocol import Leaf

A, E = Action, Event
LOCKED, OPEN, CLOSING, RELEASED = Leaf.LOCKED, Leaf.OPEN, Leaf.CLOSING, Leaf.RELEASED


FREE = 9
"""``owed`` while the exit stands free after a fire, a loss of power or force, until it is locked again."""


class Plant(NamedTuple):
    """What is really there, how many faults are left, and what the checker remembers."""

    entry: Leaf = LOCKED
    exit: Leaf = LOCKED
    inside: int = 0
    object: bool = False
    blocked: str = ""  # "entry" or "exit": somebody stands in that threshold
    miscount: str = ""  # "uncertain" or "one too many": what the sensor says instead of ``inside``
    fire: bool = False
    mains: bool = True
    linked: bool = False
    supervised: bool = True
    faults: int = 0
    verdict: bool = False  # a document verdict that may still open the exit once
    owed: int = 0  # persons who may still, net, leave by the exit before it is locked
    egress: bool = False  # fire, loss of power or force unlocked both leaves, and neither is locked again


class Violated(Exception):
    pass


def require(invariant: str, holds: bool) -> None:
    if not holds:
        raise Violated(invariant)


def view_of(p: Plant) -> View:
    if not p.linked:
        return View(supervised=p.supervised)
    return View(
        entry=p.entry,
        exit=p.exit,
        occupancy=None if p.miscount == "uncertain" else p.inside + bool(p.miscount),
        object_left=p.object,
        entry_clear=p.blocked != "entry",
        exit_clear=p.blocked != "exit",
        emergency=p.fire,
        mains=p.mains,
        linked=True,
        supervised=p.supervised,
    )


# --- the device and the people -----------------------------------------------------------------------------------------


def people(p: Plant):
    """What persons may do on their own; they also pass moving leaves."""
    if p.entry != LOCKED:
        if p.inside < 2:
            yield "steps in", p._replace(inside=p.inside + 1)
        if p.inside:
            yield "steps back out of the entry", p._replace(inside=p.inside - 1)
    if p.exit != LOCKED and p.inside:
        require("I14 at most one person, net, leaves per permit or pass", p.owed > 0)
        yield "leaves by the exit", p._replace(inside=p.inside - 1, owed=p.owed if p.owed == FREE else p.owed - 1)
    if p.exit != LOCKED and p.inside < 2 and p.faults:
        owed = min(p.owed + 1, FREE)
        yield "enters by the exit", p._replace(inside=p.inside + 1, owed=owed, faults=p.faults - 1)
    if p.inside and not p.object and p.faults:
        yield "puts luggage down", p._replace(object=True, faults=p.faults - 1)
    if p.object and p.inside:
        yield "takes the luggage", p._replace(object=False)
    if p.blocked:
        yield "threshold clears", p._replace(blocked="")
    if p.miscount:
        yield "count is right again", p._replace(miscount="")


def device(p: Plant, leased: bool):
    """What the controller does alone."""
    if not p.mains or p.fire:
        return
    for door in ("entry", "exit"):
        if getattr(p, door) == CLOSING:
            reverses = p.blocked == door
            yield f"{door} {'reverses' if reverses else 'locks'}", locked_or_open(p, door, reverses)
    if leased:
        return
    if p.exit == OPEN and p.blocked != "exit":
        yield "lapse: exit closes", p._replace(exit=CLOSING)
    if p.entry == OPEN and p.blocked != "entry" and not p.inside:
        yield "lapse: entry closes", p._replace(entry=CLOSING)
    if p.exit == LOCKED and p.entry != RELEASED and p.inside:
        yield "lapse: entry released for the person inside", p._replace(entry=RELEASED)


def locked_or_open(p: Plant, door: str, reverses: bool) -> Plant:
    if reverses:
        return p._replace(**{door: OPEN})
    return p._replace(**{door: LOCKED}, **({"owed": 0} if door == "exit" else {}))


def faults(p: Plant):
    """Injected faults (each costs one) and their ends (free). Third: the event that tells the lane at once, fourth: host restarts."""
    if p.faults:
        worse = p._replace(faults=p.faults - 1)
        dead = worse._replace(linked=False, verdict=False)
        if p.linked:
            yield "FAULT link lost", dead, E.LINK_LOST, False
        yield "FAULT host dies", dead, None, True
        if p.mains:
            yield "FAULT power gone", without_power(worse), E.PLANT, False
        if not p.fire:
            yield "FAULT fire", worse._replace(fire=True, verdict=False, entry=RELEASED, exit=RELEASED, owed=FREE), E.PLANT, False
        for door in ("entry", "exit"):
            if not p.blocked and getattr(p, door) != LOCKED:
                yield f"FAULT {door} obstructed", worse._replace(blocked=door), None, False
        if not p.miscount:
            yield "FAULT count uncertain", worse._replace(miscount="uncertain"), None, False
            yield "FAULT count one too many", worse._replace(miscount="one too many"), None, False
        if p.entry == LOCKED:
            yield "FAULT entry forced", forced(worse, entry=OPEN), E.PLANT, False
        if p.exit == LOCKED:
            yield "FAULT exit forced", forced(worse, exit=OPEN, owed=FREE), E.PLANT, False
        for label, after in device(worse, leased=False):
            yield f"FAULT host stalls, {label}", after, None, False
        if p.supervised:
            yield "FAULT supervision lost", worse._replace(supervised=False), E.SUPERVISION_LOST, False
        yield "FAULT controller gives up", worse._replace(verdict=False), E.DEVICE_FAULT, False
    if not p.linked:
        yield "link back", p._replace(linked=True), E.LINK_BACK, False
    if not p.mains:
        yield "power back", p._replace(mains=True), E.PLANT, False
    if p.fire:
        yield "fire off", p._replace(fire=False), E.PLANT, False
    if not p.supervised:
        yield "supervision back", p._replace(supervised=True), E.SUPERVISION_BACK, False


def forced(p: Plant, **leaf) -> Plant:
    p = p._replace(**leaf)
    return p if LOCKED in {p.entry, p.exit} else p._replace(egress=True, owed=FREE)


def without_power(p: Plant) -> Plant:
    """Empty: locked leaves stay locked. Occupied: the entry is released. A leaf that is not locked is released."""
    entry = LOCKED if p.entry == LOCKED and not (p.inside and p.exit == LOCKED) else RELEASED
    return p._replace(
        mains=False, verdict=False, entry=entry, exit=LOCKED if p.exit == LOCKED else RELEASED, owed=p.owed and FREE
    )


# --- commands, with the invariants on them ---------------------------------------------------------------------------------


def one_person_may_leave(p: Plant) -> bool:
    shut = p.entry == LOCKED and p.exit == LOCKED
    return shut and view_of(p).occupancy == 1 and p.inside <= 1 and not p.object and p.linked and p.supervised


def execute(p: Plant, action: Action, event: Event) -> Plant:
    moves = {A.ADMIT, A.EJECT, A.OPEN_EXIT, A.CLOSE_ENTRY, A.CLOSE_EXIT}
    if action not in moves:
        return p
    require("I4 nothing is driven in a fire", not p.fire)
    match action:
        case A.ADMIT:
            require("I8 the entry opens for admission on an empty trap only", p.inside == 0 and not p.object and not p.miscount)
            require("I1 entry opens with the exit locked", p.exit == LOCKED)
            return p._replace(entry=OPEN, verdict=True)
        case A.EJECT:
            require("I1 entry opens with the exit locked", p.exit == LOCKED)
            return p._replace(entry=OPEN)
        case A.OPEN_EXIT:
            require("I2 exit opens for exactly one person between locked leaves, supervised", one_person_may_leave(p))
            require("I2/I3/I11 exit opens on one standing verdict or an officer's pass", p.verdict or event is E.OFFICER_PASS)
            return p._replace(exit=OPEN, verdict=False, owed=1)
        case A.CLOSE_ENTRY:
            return p._replace(entry=CLOSING) if p.entry in {OPEN, RELEASED} and p.blocked != "entry" else p
        case _:
            return p._replace(exit=CLOSING) if p.exit in {OPEN, RELEASED} and p.blocked != "exit" else p
