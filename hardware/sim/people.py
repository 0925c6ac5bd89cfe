"""Scripted people for the simulated lane: they wait, walk in, stand, and leave by whichever door lets them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto, unique

from hardware.controller.protocol import Door, Passage
from hardware.ports import Occupancy
from hardware.sim.occupancy import PERSONS, Company

ALONE = Occupancy(count=1, confidence=1.0)
THRESHOLD_S = 0.3
"""How long a body breaks the light barrier of a door; at most half of the walk."""


@unique
class Way(Enum):
    """What a door offers to somebody who wants through."""

    SHUT = auto()
    PUSH = auto()
    """Unlocked, but to be pushed open first."""
    OPEN = auto()


@unique
class Place(StrEnum):
    WAITING = "waiting"
    INSIDE = "inside"
    LEFT = "left"
    """Through the exit."""
    EJECTED = "ejected"
    """Back out through the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a person sees of the gate."""

    entry: Way
    exit: Way
    turn_back: bool

    def way(self, door: Door) -> Way:
        return self.entry if door is Door.ENTRY else self.exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How somebody behaves, and with whom or what they come. Times in seconds.

    ``walk_in_s`` and ``walk_out_s`` from the first step until the threshold is behind; ``react_s`` before the first step;
    ``pushy``: walks in even while others are being sent back; ``luggage``: leaves it standing inside.
    """

    walk_in_s: float = 1.0
    walk_out_s: float = 1.0
    react_s: float = 0.2
    pushy: bool = False
    luggage: bool = False
    company: Company = ""


@dataclass(slots=True, kw_only=True)
class _Walk:
    door: Door
    inwards: bool
    wait: float
    approach: float
    crossing: float


class Person:
    """One person, and whoever stays close to them. Time passes in :meth:`step`."""

    def __init__(self, manner: Manner, seen: Occupancy = ALONE) -> None:
        """``seen``: what the sensor over the lane makes of this person and their company."""
        self.manner, self.seen = manner, seen
        self.persons = PERSONS[manner.company]
        self.place = Place.WAITING
        self.gives_up = False
        """Reads on the screen that this is not the way, and leaves by the one they came."""
        self._walk: _Walk | None = None

    @property
    def blocks(self) -> Door | None:
        """The threshold on which the person stands, if any."""
        walk = self._walk
        return walk.door if walk and walk.approach <= 0 and self._crossing_begun(walk) else None

    @property
    def pushes(self) -> Door | None:
        """The door that the person wants to go through now."""
        return self._walk.door if self._walk and self._walk.wait <= 0 else None

    def step(self, seconds: float, scene: Scene) -> Passage | None:
        """Live on for ``seconds``; a Passage if a threshold is behind now."""
        walk = self._walk
        if walk is None or (self.blocks is None and self._aim(scene) != (walk.door, walk.inwards)):
            aim = self._aim(scene)
            walk = self._walk = self._plan(*aim) if aim else None
        if walk is None:
            return None
        if walk.wait > 0:
            walk.wait -= seconds
        elif walk.approach > 0:
            walk.approach -= seconds
        elif self._crossing_begun(walk) or scene.way(walk.door) is Way.OPEN:
            walk.crossing -= seconds
            return self._arrive(walk) if walk.crossing <= 0 else None
        return None

    def _aim(self, scene: Scene) -> tuple[Door, bool] | None:
        """Door and direction (inwards) that the person would take now."""
        if self.place is Place.WAITING:
            enters = scene.entry is Way.OPEN and (self.manner.pushy or not scene.turn_back)
            return (Door.ENTRY, True) if enters else None
        if self.place is not Place.INSIDE:
            return None
        if scene.exit is not Way.SHUT:
            return (Door.EXIT, False)
        turns_back = scene.turn_back or self.gives_up
        return (Door.ENTRY, False) if turns_back and scene.entry is not Way.SHUT else None

    def _plan(self, door: Door, inwards: bool) -> _Walk:
        seconds = self.manner.walk_in_s if inwards else self.manner.walk_out_s
        crossing = min(THRESHOLD_S, seconds / 2)
        return _Walk(door=door, inwards=inwards, wait=self.manner.react_s, approach=seconds - crossing, crossing=crossing)

    def _crossing_begun(self, walk: _Walk) -> bool:
        seconds = self.manner.walk_in_s if walk.inwards else self.manner.walk_out_s
        return walk.crossing < min(THRESHOLD_S, seconds / 2)

    def _arrive(self, walk: _Walk) -> Passage:
        self._walk = None
        if walk.inwards:
            self.place = Place.INSIDE
        else:
            self.place = Place.LEFT if walk.door is Door.EXIT else Place.EJECTED
        return Passage(door=walk.door, inwards=walk.inwards)
