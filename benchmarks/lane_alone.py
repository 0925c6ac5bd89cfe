"""The mantrap's table alone, breadth first over every reachable state of lane × plant with a budget of faults.

The abstract device executes what it is told *without* interlocks of its own, so that the table alone must keep the lane safe. It
only reverses on an obstruction and, without renewals, shuts the exit and releases the entry for somebody inside. Outside the
model: time, I5 and I7 (device), I9, I10, I12, I13.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from gate.lane import LEASED_STATES, TABLE, Action, Event, Lane, State, View, step
from hardware.controller.protocol import Leaf

A, E, S = Action, Event, State
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


CHECKING = {S.ENTRY_OPEN, S.ENTRY_CLOSE, S.CAPTURE, S.DECIDE}


def verdict_dies(before: Lane, after: Lane, event: Event, view: View) -> bool:
    """I11, judged from outside the table: what may not leave a permit behind."""
    crowd = event is E.PLANT and before.state in CHECKING and view.occupancy not in {None, 0, 1}
    gone = event is E.PLANT and before.state in {S.CAPTURE, S.DECIDE} and view.occupancy == 0
    late = event is E.TIMEOUT and before.state in {S.ENTRY_OPEN, S.CAPTURE, S.DECIDE, S.EXIT_OPEN}
    referred = event is E.EXIT_REFERRED and before.state in {S.CAPTURE, S.DECIDE}
    at_rest = after.state in {S.IDLE, S.OUT_OF_SERVICE, S.HOLD, S.FAULT, S.RECOVER, S.EMERGENCY, S.NO_POWER}
    return crowd or gone or late or referred or at_rest


WAITING = {S.EMERGENCY, S.NO_POWER, S.RECOVER, S.OUT_OF_SERVICE, S.FAULT}


def check_rest(lane: Lane, p: Plant) -> None:
    require("I1 never both leaves unlocked, but for fire, loss of power and force", p.egress or LOCKED in {p.entry, p.exit})
    require("I1 leaves are proven locked before the lane serves again", not p.egress or lane.state in WAITING)
    require("a transaction ends before the lane is free again", not (lane.open and lane.state in {S.IDLE, S.OUT_OF_SERVICE}))
    require("only a running transaction is live", lane.open or not lane.live)


def vacant(p: Plant) -> bool:
    return p.entry == p.exit == LOCKED and not p.inside and not p.object and not p.miscount


def check_known(lane: Lane, p: Plant, event: Event) -> None:
    """After an event with the plant in view."""
    require("I4 fire leads to EMERGENCY", not p.fire or lane.state is S.EMERGENCY)
    idle = event is E.PLANT and lane.state is S.IDLE
    require("the lane is free only with an empty trap between locked leaves", not idle or (vacant(p) and p.linked))
    require("without power nothing else is shown", p.mains or p.fire or lane.state in {S.NO_POWER, S.EMERGENCY})


# --- the search --------------------------------------------------------------------------------------------------------------

EVENTS = tuple(
    event for event in E if event not in {E.LINK_LOST, E.LINK_BACK, E.DEVICE_FAULT, E.SUPERVISION_LOST, E.SUPERVISION_BACK}
)
HELPED = ("officer_", "FAULT ", "fire ", "power ")


class Model:
    """Breadth-first search over (lane, plant) from a cold start. Edges that need no officer, fault, fire or power are kept for I6."""

    def __init__(self, table=TABLE, fault_budget: int = 2) -> None:
        self.table = table
        start = (Lane(), Plant(faults=fault_budget))
        self.parent = {start: (None, "cold start")}
        self.unaided, self.any_way, self.transitions = {}, {}, 0
        self.queue = deque([start])

    def run(self) -> str | None:
        """None, or the broken invariant with the trace that breaks it."""
        while self.queue:
            state = self.queue.popleft()
            self.label = "?"
            try:
                for label, successor in self.successors(*state):
                    self.visit(state, label, successor)
            except Violated as violated:
                return f"{violated}\n{self.trace(state)}\n  -> {self.label}"
        return self.stuck()

    def visit(self, state, label, successor) -> None:
        self.transitions += 1
        if successor == state:
            return
        if successor not in self.parent:
            self.parent[successor] = (state, label)
            self.queue.append(successor)
        self.any_way.setdefault(successor, []).append(state)
        if not label.startswith(HELPED):
            self.unaided.setdefault(successor, []).append(state)

    def successors(self, lane: Lane, p: Plant):
        self.label = "a person moves"
        for label, after in people(p):
            yield label, self.rest(lane, after)
        self.label = "the device moves"
        for label, after in device(p, p.linked and lane.state in LEASED_STATES):
            yield label, self.rest(lane, after)
        for label, after, event, restart in faults(p):
            self.label = label
            start = Lane() if restart else lane
            yield label, self.rest(start, after) if event is None else self.deliver(start, after, event)
        for event in EVENTS:
            self.label = event
            yield event, self.deliver(lane, p, event)

    @staticmethod
    def rest(lane: Lane, p: Plant):
        p = p._replace(egress=LOCKED not in {p.entry, p.exit} and (p.egress or p.fire or not p.mains))
        check_rest(lane, p)
        return lane, p

    def deliver(self, lane: Lane, p: Plant, event: Event):
        view = view_of(p)
        after, actions = step(lane, event, view, self.table)
        for action in actions:
            p = execute(p, action, event)
        if p.linked:
            check_known(after, p, event)
        if p.verdict and verdict_dies(lane, after, event, view):
            p = p._replace(verdict=False)
        return self.rest(after, p)

    def stuck(self) -> str | None:
        """I6, and its sister: the lane can always be brought back into service."""
        empty = [state for state in self.parent if state[1].inside == 0]
        idle = [state for state in self.parent if state[0].state is S.IDLE]
        for name, goal, edges in (
            ("I6 an empty trap is reachable unaided", empty, self.unaided),
            ("back in service", idle, self.any_way),
        ):
            lost = self.parent.keys() - backwards(goal, edges)
            if lost:
                first = next(state for state in self.parent if state in lost)
                return f"{name}\n{self.trace(first)}\n  ({len(lost)} states)"
        return None

    def trace(self, state) -> str:
        lines = []
        while state is not None:
            previous, label = self.parent[state]
            lines.append(f"  {label:45} {describe(state)}")
            state = previous
        return "\n".join(reversed(lines))


def backwards(goal, edges):
    seen, queue = set(goal), deque(goal)
    while queue:
        for state in edges.get(queue.popleft(), ()):
            if state not in seen:
                seen.add(state)
                queue.append(state)
    return seen


def describe(state) -> str:
    lane, p = state
    flags = [name for name in ("object", "miscount", "fire", "verdict") if getattr(p, name)]
    flags += [f"no {name}" for name in ("mains", "linked", "supervised") if not getattr(p, name)]
    leaves = f"entry {p.entry.name} exit {p.exit.name} inside {p.inside}"
    return f"{lane.state}{' live' if lane.live else ''}: {leaves} {p.blocked and 'blocked ' + p.blocked} {' '.join(flags)}"
