"""Every reachable state of lane × controller × plant × people under faults, breadth first; what must hold, and a trace where it does not.

Two searches over the same world (``lane_world.py``, with the controller's real safety logic):

* :class:`Lanes`: the table serves, with telemetry that may be as old as it likes, and up to a number of faults, the host's death and
  a lost line among them.
* :class:`AnyHost`: no table at all: whoever holds the line sends any command at any moment, renews or does not, comes and goes. What
  holds here holds whatever the host is, does or has become.

Outside both: real time, I9 and I10 (``tests/gate/test_actor.py``, the policy's own tests), I12 and I13 (the screens).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import lane_world as w
from benchmarks.lane_judge import RESTS, Rest, commanded, plant_faults, released, settled, walked
from benchmarks.lane_search import BITS, LOW, Search
from benchmarks.lane_world import MEMORIES, PLANTS, Ids, Plant, require
from gate.lane import LEASED, TABLE, TABLES, Action, Event, Lane, State, Transition, View, step
from hardware.controller.protocol import Door, Leaf

A, E, S = Action, Event, State
Table = Mapping[State, tuple[Transition, ...]]

COMMAND_OF = {
    A.ADMIT: w.ADMIT,
    A.EJECT: w.EJECT,
    A.OPEN_EXIT: w.OPEN_EXIT,
    A.CLOSE_ENTRY: w.CLOSE_ENTRY,
    A.CLOSE_EXIT: w.CLOSE_EXIT,
}
NAMED = tuple((f"{action}", command) for action, command in COMMAND_OF.items())


LANES, VIEWS = Ids(), Ids()

# --- any host ---------------------------------------------------------------------------------------------------------------------------


class AnyHost(Search):
    """States are (memory, plant, rest). The host is nobody one could trust."""

    parts = (MEMORIES, PLANTS, RESTS)

    def __init__(self, *, faults: int = 2, open_zone: bool = False) -> None:
        super().__init__()
        self.faults, self.open_zone = faults, open_zone

    def start(self) -> tuple[int, ...]:
        plant = Plant(open_zone=self.open_zone)
        return w.cold(plant), PLANTS(plant), RESTS(Rest(faults=self.faults, linked=True))

    def successors(self, whole: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
        memory, plant, rest = whole
        self.doing = "the host is dead for ever"
        released(memory, plant)
        for label, after, left in w.people(plant):
            self.doing = label
            yield label, (memory, after, rest if self.open_zone else walked(left, rest))
        for label, after, other in plant_faults(plant, rest):
            yield label, (memory, after, other)
        for renewed in (True, False):
            self.doing = f"a tick, {'' if renewed else 'not '}renewed"
            ticked = w.tick(memory, plant, renewed)
            yield self.doing, (ticked.memory, ticked.plant, settled(ticked.plant, rest, ticked=True))
        for name, command in NAMED:
            self.doing = name
            after_memory, other, _ = commanded(memory, plant, rest, command)
            yield name, (after_memory, plant, other)
        yield "a new host", (w.new_host(memory), plant, rest)


# --- the lane -----------------------------------------------------------------------------------------------------------------------------

OUTSIDE = tuple(
    event
    for event in E
    if event
    not in {
        E.PLANT,
        E.COMMAND_REFUSED,
        E.DEVICE_FAULT,
        E.LEASE_LAPSED,
        E.PASSED,
        E.WRONG_WAY,
        E.LINK_LOST,
        E.LINK_BACK,
        E.SUPERVISION_LOST,
        E.SUPERVISION_BACK,
    }
)
"""Events that come from people, workers and timers; all others have a cause within the model."""
CHECKING = {S.ENTRY_OPEN, S.ENTRY_CLOSE, S.CAPTURE, S.DECIDE}
AT_REST = {S.IDLE, S.OUT_OF_SERVICE, S.HOLD, S.FAULT, S.RECOVER, S.EMERGENCY, S.NO_POWER}


class Lanes(Search):
    """States are (lane, seen, memory, plant, rest); ``seen`` is the telemetry that the lane goes by."""

    parts = (LANES, VIEWS, MEMORIES, PLANTS, RESTS)

    def __init__(self, table: Table = TABLE, *, faults: int = 2, open_zone: bool = False, late: bool = True) -> None:
        """``late``: telemetry may come late or never; else with every tick. ``open_zone``: the plant of a single door."""
        super().__init__()
        self.leased = LEASED["single_door" if open_zone else "mantrap"]
        table = TABLES["single_door"] if open_zone and table is TABLE else table
        self.table, self.faults, self.open_zone, self.late = table, faults, open_zone, late
        self.stepped: dict[tuple[int, Event, int], tuple[int, tuple[Action, ...], bool]] = {}
        self.heard = {
            state: tuple(event for event in OUTSIDE if any(row.event is event for row in rows)) for state, rows in table.items()
        }

    def start(self) -> tuple[int, ...]:
        plant = Plant(open_zone=self.open_zone)
        return LANES(Lane()), VIEWS(View(supervised=True)), w.cold(plant), PLANTS(plant), RESTS(Rest(faults=self.faults))

    def successors(self, whole: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
        lane, seen, memory, plant, rest = whole
        known: Rest = RESTS.values[rest]
        self.doing = "the host is dead for ever"
        released(memory, plant)
        for label, after, left in w.people(plant):
            self.doing = label
            yield label, (lane, seen, memory, after, rest if self.open_zone else walked(left, rest))
        for label, after, other in plant_faults(plant, rest):
            yield label, (lane, seen, memory, after, other)
        yield from self._time(whole, known)
        yield from self._links(whole, known)
        if known.linked and self.late:
            self.doing = "telemetry"
            yield "telemetry", self.deliver(whole, E.PLANT)
        for event in self.heard[LANES.values[lane].state]:
            self.doing = event
            yield event, self.deliver(whole, event)

    def _time(self, whole: Any, known: Rest) -> Iterator[tuple[str, tuple[int, ...]]]:
        lane, _, memory, plant, rest = whole
        leased = known.linked and LANES.values[lane].state in self.leased
        self.doing = "a tick"
        yield "a tick", self._ticked(whole, w.tick(memory, plant, leased), rest)
        if leased and known.faults:
            self.doing = "FAULT the host stalls for a tick"
            yield self.doing, self._ticked(whole, w.tick(memory, plant, False), RESTS(known._replace(faults=known.faults - 1)))

    def _ticked(self, whole: Any, ticked: w.Ticked, rest: int) -> tuple[int, ...]:
        after = (whole[0], whole[1], ticked.memory, ticked.plant, settled(ticked.plant, rest, ticked=True))
        if RESTS.values[rest].linked:
            crossings = ((each == w.OUT_BY_THE_EXIT, each.inwards) for each in ticked.crossings if each.door is Door.EXIT)
            passed, wrong_way = next(crossings, (False, False))
            for told, event in (
                (ticked.lapsed, E.LEASE_LAPSED),
                (ticked.fault, E.DEVICE_FAULT),
                (passed, E.PASSED),
                (wrong_way, E.WRONG_WAY),
            ):
                after = self.deliver(after, event) if told else after
            if not self.late:
                after = self.deliver(after, E.PLANT)
        return after

    def _links(self, whole: Any, known: Rest) -> Iterator[tuple[str, tuple[int, ...]]]:
        lane, seen, memory, plant, _ = whole
        unknown = VIEWS(View(supervised=known.supervised))
        if not known.linked:
            self.doing = "link back"
            fresh = (lane, unknown, w.new_host(memory), plant, RESTS(known._replace(linked=True)))
            yield self.doing, self.deliver(fresh, E.LINK_BACK)
        if not known.supervised:
            self.doing = "supervision back"
            back = (lane, _supervised(seen, present=True), memory, plant, RESTS(known._replace(supervised=True)))
            yield self.doing, self.deliver(back, E.SUPERVISION_BACK)
        if not known.faults:
            return
        worse = known._replace(faults=known.faults - 1)
        dead = RESTS(worse._replace(linked=False, verdict=False))
        yield "FAULT the host dies", (LANES(Lane()), unknown, memory, plant, dead)
        if known.linked:
            self.doing = "FAULT link lost"
            yield self.doing, self.deliver((lane, unknown, memory, plant, RESTS(worse._replace(linked=False))), E.LINK_LOST)
        if known.supervised:
            self.doing = "FAULT supervision lost"
            alone = (lane, _supervised(seen, present=False), memory, plant, RESTS(worse._replace(supervised=False)))
            yield self.doing, self.deliver(alone, E.SUPERVISION_LOST)

    def deliver(self, whole: tuple[int, ...], event: Event) -> tuple[int, ...]:
        """The table gets ``event``, and the controller what the table says; a refusal comes back as an event of its own."""
        lane, seen, memory, plant, rest = whole
        if event is E.PLANT:
            seen = view_of(memory, rest)
        for _ in range(3):
            after, actions, dies = self._stepped(lane, event, seen)
            executed = True
            for action in actions:
                memory, rest, done = self._perform(action, event, memory, plant, rest)
                executed &= done
            if dies and RESTS.values[rest].verdict:
                rest = RESTS(RESTS.values[rest]._replace(verdict=False))
            lane = after
            if executed:
                break
            event = E.COMMAND_REFUSED
        return lane, seen, memory, plant, rest

    def _stepped(self, lane: int, event: Event, seen: int) -> tuple[int, tuple[Action, ...], bool]:
        key = (lane, event, seen)
        found = self.stepped.get(key)
        if found is None:
            before, view = LANES.values[lane], VIEWS.values[seen]
            after, actions = step(before, event, view, self.table)
            news = event is E.PLANT or (after.state is S.IDLE and before.state is not S.IDLE)
            check_lane(after, view, news=news, open_zone=self.open_zone)
            meant = tuple(action for action in actions if action in COMMAND_OF or action is A.VERDICT)
            found = self.stepped[key] = LANES(after), meant, verdict_dies(before, after, event, view)
        return found

    def _perform(self, action: Action, event: Event, memory: int, plant: int, rest: int) -> tuple[int, int, bool]:
        known: Rest = RESTS.values[rest]
        if action is A.OPEN_EXIT:
            require(
                "I2/I3/I11 the exit opens on one standing verdict or an officer's pass", known.verdict or event is E.OFFICER_PASS
            )
            require("I2 the exit opens under supervision alone", known.supervised)
            rest = RESTS(known._replace(verdict=False))
        if event is E.ENTRY_GRANTED and action in {A.ADMIT, A.VERDICT}:
            rest = RESTS(known._replace(verdict=True))
        command = COMMAND_OF.get(action)
        if command is None or not known.linked:
            return memory, rest, command is None
        return commanded(memory, plant, rest, command)

    def after(self) -> str | None:
        """I6 and its sister."""
        empty = self._mask(lambda _, p: p.inside == 0 or p.jammed is Door.ENTRY)
        idle = self._mask(lambda lane, _: lane.state is S.IDLE)
        return self.all_reach("I6 an empty trap is reachable unaided", empty) or self._back_in_service(idle)

    def _back_in_service(self, idle: NDArray[np.bool_]) -> str | None:
        """From everywhere, with an officer's reset, the end of a fire and of a failure: never a lane that only a restart wakes."""
        return None if idle.any() else "back in service\n  no state serves"

    def _mask(self, holds: Any) -> NDArray[np.bool_]:
        lanes, plants = self.parts[0].values, self.parts[3].values
        found = (holds(lanes[key & LOW], plants[key >> 3 * BITS & LOW]) for key in self.keys)
        return np.fromiter(found, np.bool_, len(self.keys))


@cache
def view_of(memory: int, rest: int) -> int:
    """What the lane makes of the controller's telemetry, as ``gate.processes.actor`` does."""
    told, known = w.telemetry(memory), RESTS.values[rest]
    return VIEWS(
        View(
            entry=told.entry,
            exit=told.exit,
            occupancy=told.occupancy,
            object_left=told.object_left,
            entry_clear=told.entry_clear,
            exit_clear=told.exit_clear,
            emergency=told.emergency,
            mains=told.mains,
            linked=known.linked,
            supervised=known.supervised,
        )
    )


@cache
def _supervised(seen: int, *, present: bool) -> int:
    return VIEWS(replace(VIEWS.values[seen], supervised=present))


def verdict_dies(before: Lane, after: Lane, event: Event, seen: View) -> bool:
    """I11, judged from outside the table: what may not leave a permit behind."""
    crowd = event is E.PLANT and before.state in CHECKING and seen.occupancy not in {None, 0, 1}
    gone = event is E.PLANT and before.state in {S.CAPTURE, S.DECIDE} and seen.occupancy == 0
    late = event is E.TIMEOUT and before.state in {S.ENTRY_OPEN, S.CAPTURE, S.DECIDE, S.EXIT_OPEN}
    referred = event is E.EXIT_REFERRED and before.state in {S.CAPTURE, S.DECIDE}
    return crowd or gone or late or referred or after.state in AT_REST


def check_lane(lane: Lane, seen: View, *, news: bool, open_zone: bool) -> None:
    """What the lane must not say of what it sees; ``news``: with telemetry, or on becoming free."""
    require("a transaction ends before the lane is free again", not (lane.open and lane.state in {S.IDLE, S.OUT_OF_SERVICE}))
    require("only a running transaction is live", lane.open or not lane.live)
    require("I11 a lane that is at rest holds no verdict", lane.state not in AT_REST or not lane.live)
    if not seen.linked or not news:
        return
    require("I4 fire leads to EMERGENCY", not seen.emergency or lane.state is S.EMERGENCY)
    require("without power nothing serves", seen.mains or seen.emergency or lane.state in {S.NO_POWER, S.EMERGENCY, S.FAULT})
    shut = seen.entry is Leaf.LOCKED and seen.exit is Leaf.LOCKED
    empty = open_zone or (seen.occupancy == 0 and not seen.object_left)
    require("the lane is free only between locked leaves", lane.state is not S.IDLE or (shut and empty))
