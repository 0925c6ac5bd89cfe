"""The simulated lane itself: leaves that take time, thresholds, sensors, people. It knows no host and obeys the drives.

A gate with a single door has no entry leaf: people walk up to the exit from an open side, and walk away to it. What a mantrap's
controller would do to the entry moves nothing there, and its inputs for the entry are strapped to "bolted".

It keeps its own log and its own count of what must never happen, so that a test judges safety by the plant and not by what the
controller or the host says about it.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import Any

from hardware.controller.protocol import Door, LaneKind
from hardware.occupancy import agreed
from hardware.ports import Occupancy
from hardware.sim.interlock import Drive, Inputs, LeafSensors, Outputs
from hardware.sim.occupancy import seen, together
from hardware.sim.people import Manner, Person, Place, Scene, Way

TRAVEL_S = 0.6
"""Full travel of a leaf."""
PASSABLE = 0.6
"""A person fits through from this opening on."""
PINCH_S = 0.05
"""A leaf driven onto somebody for longer than this pinches; the controller needs a tick to see it."""
GIVEN_UP_S = 4.9
"""An exit that was to lock and for so long did not no longer keeps the entry locked: five seconds less what two clocks may differ."""
_LOG_KEPT = 4096


class Leaf:
    """One leaf: ``position`` 0 (shut) … 1 (wide open)."""

    def __init__(self, travel_s: float = TRAVEL_S) -> None:
        self.travel_s = travel_s
        self.position = 0.0
        self.drive = Drive.SHUT
        self.jammed = self.obstructed = self.lies = False
        """``lies``: its bolt switch says "bolted", whatever the bolt does."""
        self.pinched_s = self.ajar_s = 0.0
        """Seconds for which it has been driven onto something; for which it was to lock, or waited to, and did not."""

    @property
    def locked(self) -> bool:
        return self.position <= 0 and self.drive is Drive.SHUT

    @property
    def way(self) -> Way:
        if self.position >= PASSABLE:
            return Way.OPEN
        return Way.PUSH if self.drive is Drive.FREE and not self.jammed else Way.SHUT  # who pushes in vain tries the other door

    @property
    def word(self) -> str:
        """What an onlooker sees."""
        match self.drive:
            case Drive.FREE:
                return "released"
            case Drive.STOP:
                return "stopped"
            case Drive.OPEN:
                return "open" if self.position >= 1 else "opening"
            case Drive.SHUT:
                return "locked" if self.position <= 0 else "closing"

    def move(self, drive: Drive, seconds: float, *, pushed: bool, blocked: bool) -> None:
        """Follow ``drive`` for ``seconds``."""
        self.drive = drive
        closing = drive is Drive.SHUT and self.position > 0 and not self.jammed  # what does not move pinches nobody
        self.pinched_s = self.pinched_s + seconds if closing and blocked else 0.0
        ajar = drive in (Drive.SHUT, Drive.STOP) and not self.locked
        self.ajar_s = self.ajar_s + seconds if ajar else 0.0
        opening = drive is Drive.OPEN or (drive is Drive.FREE and pushed)
        if not self.jammed and (opening or closing):
            step = seconds / self.travel_s
            self.position = min(1.0, self.position + step) if opening else max(0.0, self.position - step)


class OpenSide(Leaf):
    """Where a gate with a single door has no leaf: always open to people, "bolted" to the controller."""

    @property
    def locked(self) -> bool:
        return True

    @property
    def way(self) -> Way:
        return Way.OPEN

    @property
    def word(self) -> str:
        return "none"

    def move(self, drive: Drive, seconds: float, *, pushed: bool, blocked: bool) -> None:
        """There is nothing to move."""


class Plant:
    """The lane. ``now`` is any monotonic time in seconds; it is what the log shows."""

    def __init__(
        self, now: float, travel_s: float = TRAVEL_S, kind: LaneKind = "mantrap", dice: random.Random | None = None
    ) -> None:
        """``dice`` says how travellers with company happen to stand under the sensor."""
        self.kind, self._dice = kind, dice or random.Random()
        entry = OpenSide() if kind == "single_door" else Leaf(travel_s)
        self.leaves = {Door.ENTRY: entry, Door.EXIT: Leaf(travel_s)}
        self.people: list[Person] = []
        self.fire = self.blind = self.object_left = False
        self.mains = True
        self.log: deque[dict[str, Any]] = deque(maxlen=_LOG_KEPT)
        self.violations: list[str] = []
        self._gone = dict.fromkeys((Place.LEFT, Place.EJECTED), 0)
        self._amnesty = False
        """After a fire both doors may be unlocked until both were locked once."""
        self._words: dict[Door, str] = {}
        self._now = now
        self._turn_back = False

    def arrive(self, people: int, gap_s: float, manner: Manner) -> None:
        """A party comes to the entry; each follows the one before by ``gap_s``."""
        for index in range(people):
            own = Manner(
                walk_in_s=manner.walk_in_s,
                walk_out_s=manner.walk_out_s,
                react_s=manner.react_s + index * gap_s,
                pushy=manner.pushy,
                luggage=manner.luggage and index == 0,
                company=manner.company if index == 0 else "",
            )
            self.people.append(Person(own, seen(own.company, self._dice)))
        self.note(f"{people} arrived")

    def give_up(self) -> None:
        """Whoever waits in front of the entry goes away; so does whoever stands before a single door."""
        self.people = [person for person in self.people if person.place is not Place.WAITING or person.blocks is not None]
        for person in self.people:
            person.gives_up = self.kind == "single_door"
        self.note("party gave up")

    def count(self, place: Place) -> int:
        """How many persons really are in ``place``, company included."""
        return self._gone.get(place, 0) + sum(person.persons for person in self.people if person.place is place)

    def occupancy(self) -> Occupancy:
        """What the sensor over the lane says."""
        told = together(person.seen for person in self.people if person.place is Place.INSIDE)
        return replace(told, confidence=0.0) if self.blind else told

    def note(self, what: str) -> None:
        self.log.append({"t": self._now, "what": what})

    def step(self, now: float, outputs: Outputs) -> Inputs:
        """Let time pass up to ``now`` under ``outputs``; return what the sensors say then."""
        seconds, self._now = now - self._now, now
        self._turn_back = outputs.turn_back and self.kind == "mantrap"
        for door, drive in ((Door.ENTRY, outputs.entry), (Door.EXIT, outputs.exit)):
            pushed = any(person.pushes is door for person in self.people)
            self.leaves[door].move(drive, seconds, pushed=pushed, blocked=not self._clear(door))
        inputs = self.sense(self._walk(seconds))
        self._judge()
        return inputs

    def sense(self, crossings: tuple[Any, ...] = ()) -> Inputs:
        """What the sensors say now."""
        return Inputs(
            entry=self._sensors(Door.ENTRY),
            exit=self._sensors(Door.EXIT),
            occupancy=agreed((self.occupancy(),)),
            object_left=self.object_left,
            fire=self.fire,
            mains=self.mains,
            crossings=crossings,
        )

    def state(self) -> dict[str, Any]:
        """The plant as JSON-able values."""
        leaves = {door.name.lower(): {"position": leaf.position, "state": leaf.word} for door, leaf in self.leaves.items()}
        counts = {place.value: self.count(place) for place in Place}
        return {**leaves, **counts, "object_left": self.object_left, "fire": self.fire, "violations": self.violations}

    def _walk(self, seconds: float) -> tuple[Any, ...]:
        scene = Scene(entry=self.leaves[Door.ENTRY].way, exit=self.leaves[Door.EXIT].way, turn_back=self._turn_back)
        crossings = []
        for person in self.people:
            passage = person.step(seconds, scene)
            if passage is not None:
                if not isinstance(self.leaves[passage.door], OpenSide):  # no barrier of light stands on the open side
                    crossings.append(passage)
                self.note(f"passage {passage.door.name.lower()} {'in' if passage.inwards else 'out'}")
                if person.manner.luggage and not passage.inwards:
                    self.object_left = True
                    self.note("object left")
        for person in [person for person in self.people if person.place in self._gone]:
            self._gone[person.place] += person.persons
            self.people.remove(person)
        return tuple(crossings)

    def _sensors(self, door: Door) -> LeafSensors:
        leaf = self.leaves[door]
        return LeafSensors(bolted=leaf.locked or leaf.lies, wide=leaf.position >= 1, clear=self._clear(door))

    def _clear(self, door: Door) -> bool:
        leaf = self.leaves[door]
        if isinstance(leaf, OpenSide):
            return True
        return not leaf.obstructed and all(person.blocks is not door for person in self.people)

    def _judge(self) -> None:
        """Log what changed and note what must never happen."""
        for door, leaf in self.leaves.items():
            if self._words.get(door) != leaf.word:
                self._words[door] = leaf.word
                self.note(f"{door.name.lower()} {leaf.word}")
            if leaf.pinched_s > PINCH_S:
                self._violation(f"{door.name.lower()} driven shut onto an obstruction")
        unlocked = [leaf for leaf in self.leaves.values() if not leaf.locked]
        self._amnesty = self.fire or (self._amnesty and bool(unlocked))
        given_up = self.leaves[Door.EXIT].ajar_s >= GIVEN_UP_S
        if len(unlocked) == len(self.leaves) and not self._amnesty and not given_up:
            self._violation("both doors unlocked")

    def _violation(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)
            self.note(f"VIOLATION {what}")
