"""The mantrap's table alone, breadth first over every reachable state of lane × plant with a budget of faults.

The device has no interlocks of its own (``lane_alone_world.py``); ``lane_rules.py`` is what must hold.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from benchmarks.lane_alone_world import Plant, Violated, device, execute, faults, people, view_of
from benchmarks.lane_rules import OUT, PASS, WAY, check_came, check_heard, check_known, check_rest, verdict_dies
from gate.lane import LEASED_STATES, TABLE, Event, Lane, State, step
from hardware.controller.protocol import Leaf

E, S = Event, State
LOCKED = Leaf.LOCKED

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
        self.arcs: set[tuple[State, State]] = set()

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
        check_came(lane, after, event, view, p)
        check_heard(lane, after, event, view, p)
        self.arcs.add((lane.state, after.state))
        if p.linked:
            check_known(after, p, event)
        if p.verdict and verdict_dies(lane, after, event, view):
            p = p._replace(verdict=False)
        return self.rest(after, p)

    def stuck(self) -> str | None:
        """I6, and its sisters: the lane can always be brought back into service, and there is a way through it."""
        if closed := [f"{here} → {there}" for here, there in (*pairwise(WAY), PASS, OUT) if (here, there) not in self.arcs]:
            return f"a traveller's way is open, from a cold start\n  never: {', '.join(closed)}"
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
