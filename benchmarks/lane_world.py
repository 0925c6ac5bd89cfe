"""What a lane's table is checked against: the simulated controller's own safety logic around an abstract plant with people in it.

The controller is the real :class:`Interlock`, driven tick by tick with its times scaled to a few ticks each; nothing of it is said again
here. A leaf is shut, half open or wide open; a person steps onto a threshold and some time later off it, on the other side. The plant
judges: what a door does that it must not do is :class:`Violated`, whoever told it to.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from typing import Any, NamedTuple

from hardware.controller.protocol import (
    Close,
    Door,
    Fault,
    GateCommand,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    Telemetry,
)
from hardware.sim import interlock
from hardware.sim.interlock import Drive, Inputs, Interlock, LeafSensors

SHUT, HALF, WIDE = range(3)
IN, OUT = 1, -1
FREE = 9
"""``owed`` while the exit stands free after a fire, force or a loss of power, until it is locked again."""
MOST_INSIDE = 2

TICKS = {
    "LEASE_MS": 1,
    "RELEASE_AFTER_S": 0.002,
    "CLEAR_AGAIN_MS": 1,
    "EMPTY_AGAIN_MS": 1,
    "STUCK_MS": 2,
}
"""The controller's times in ticks, in their own order: a lease ends with the first renewal that fails, the release comes two ticks later,
and only a jam takes longer than a leaf's way."""
OUT_BY_THE_EXIT = Passage(door=Door.EXIT, inwards=False)
LONGEST = 3
"""Ticks after which a past moment is only "long ago": one more than the largest figure of :data:`TICKS`."""
NOW = 1_000
"""Each step of the controller happens at this moment; its memory is kept relative to it."""


class Ids:
    """Values as small numbers, which a search compares and keeps far cheaper."""

    def __init__(self) -> None:
        self.numbers: dict[Hashable, int] = {}
        self.values: list[Any] = []

    def __call__(self, value: Hashable) -> int:
        number = self.numbers.get(value)
        if number is None:
            number = self.numbers[value] = len(self.values)
            self.values.append(value)
        return number


class Violated(Exception):
    """An invariant does not hold."""


def require(invariant: str, holds: bool) -> None:
    if not holds:
        raise Violated(invariant)


@contextmanager
def scaled_times() -> Iterator[None]:
    """The controller counts ticks instead of milliseconds."""
    former = {name: getattr(interlock, name) for name in TICKS}
    caches = (tick, execute, new_host, telemetry, release_steps, people, _wants_out)
    try:
        for name, ticks in TICKS.items():
            setattr(interlock, name, ticks)
        for each in caches:
            each.cache_clear()
        yield
    finally:
        for name, value in former.items():
            setattr(interlock, name, value)
        for each in caches:
            each.cache_clear()


class Plant(NamedTuple):
    """What is really there."""

    entry: int = SHUT
    exit: int = SHUT
    drives: tuple[Drive, Drive] = (Drive.SHUT, Drive.SHUT)
    inside: int = 0
    on_entry: int = 0
    """0, or which way the person on that threshold walks."""
    on_exit: int = 0
    obstacle: Door | None = None
    """A thing lies in that threshold."""
    jammed: Door | None = None
    object: bool = False
    miscount: str = ""
    """ "uncertain" or "one too many": what the sensor says instead of ``inside``."""
    fire: bool = False
    mains: bool = True
    open_zone: bool = False
    """A single-door gate: no entry leaf, whoever stands before the exit may walk away."""
    crossings: tuple[Passage, ...] = ()
    """Since the last tick."""

    def position(self, door: Door) -> int:
        return self.entry if door is Door.ENTRY else self.exit

    def on(self, door: Door) -> int:
        return self.on_entry if door is Door.ENTRY else self.on_exit

    def locked(self, door: Door) -> bool:
        return self.position(door) == SHUT and self.drives[door] is Drive.SHUT

    def clear(self, door: Door) -> bool:
        return self.on(door) == 0 and self.obstacle is not door

    def passable(self, door: Door) -> bool:
        return self.position(door) == WIDE

    def standing(self) -> int:
        """Persons inside who are on no threshold."""
        return self.inside - (self.on_entry == OUT) - (self.on_exit == OUT)


START = Plant()


BUILD: type[Interlock] = Interlock
"""Which controller the world has."""


def inputs(p: Plant) -> Inputs:
    leaves = [
        LeafSensors(bolted=p.locked(door), wide=p.position(door) == WIDE, clear=p.clear(door)) for door in (Door.ENTRY, Door.EXIT)
    ]
    return Inputs(
        entry=leaves[0],
        exit=leaves[1],
        occupancy=None if p.miscount == "uncertain" else p.inside + bool(p.miscount),
        object_left=p.object,
        fire=p.fire,
        mains=p.mains,
        crossings=p.crossings,
    )


# --- the controller's memory, as a value -----------------------------------------------------------------------------------

Memory = int
"""Number of a :data:`MEMORIES` value: everything that a controller knows."""
MEMORIES, PLANTS = Ids(), Ids()


def remember(device: Interlock) -> Memory:
    """Everything that ``device`` knows. Whole numbers are moments and are kept relative to now; what is long past is all one."""
    return MEMORIES(tuple(_frozen(value) for name, value in vars(device).items() if name not in {"happenings", "_signal"}))


def recall(memory: Memory, *, age: int = 0) -> Interlock:
    """The controller ``age`` ticks after it knew ``memory``."""
    device = BUILD(inputs(START))
    names = [name for name in vars(device) if name not in {"happenings", "_signal"}]
    for name, value in zip(names, MEMORIES.values[memory], strict=True):
        setattr(device, name, _thawed(value, age))
    return device


def _frozen(value: Any) -> Any:
    match value:
        case Inputs():
            return replace(value, crossings=())
        case dict():
            return ("doors", *(_frozen(each) for each in value.values()))
        case interlock._Door():
            return tuple(_frozen(getattr(value, field.name)) for field in fields(value))
        case int() if type(value) is int:
            return ("moment", max(value - NOW, -LONGEST))
        case _:
            return value


def _thawed(value: Any, age: int) -> Any:
    match value:
        case ("doors", *doors):
            names = [field.name for field in fields(interlock._Door)]
            thawed = ((_thawed(each, age) for each in door) for door in doors)
            return {
                which: interlock._Door(**dict(zip(names, door, strict=True))) for which, door in zip(Door, thawed, strict=True)
            }
        case ("moment", ago):
            return NOW + ago - age
        case _:
            return value


def cold(p: Plant) -> Memory:
    """A controller that was just switched on."""
    device = BUILD(inputs(p))
    for name, value in vars(device).items():
        if type(value) is int:
            setattr(device, name, NOW - LONGEST)
    for door in device._doors.values():
        door.since = NOW - LONGEST
    return remember(device)


# --- what the controller does ---------------------------------------------------------------------------------------------------


class Ticked(NamedTuple):
    memory: Memory
    plant: int
    lapsed: bool
    fault: bool
    crossings: tuple[Passage, ...]


@cache
def tick(memory: Memory, plant: int, renewed: bool) -> Ticked:
    """A tick of time: the leaves move as they are driven, then the controller looks and drives anew."""
    p: Plant = PLANTS.values[plant]
    moved = _moved(p)
    device = recall(memory, age=1)
    if renewed:
        device.renew(interlock.LEASE_MS, NOW)
    drives = device.tick(NOW, inputs(moved))
    after = moved._replace(drives=(drives.entry, drives.exit), crossings=())
    _judge(after, renewed)
    require("I3 one opening is for one passage", OUT_BY_THE_EXIT not in p.crossings or drives.exit is not Drive.OPEN)
    happened = device.happenings
    return Ticked(
        remember(device),
        PLANTS(after),
        any(isinstance(each, LeaseLapsed) for each in happened),
        any(isinstance(each, Fault) for each in happened),
        p.crossings,
    )


def _moved(p: Plant) -> Plant:
    def position(door: Door) -> int:
        now = p.position(door)
        if p.jammed is door:
            return now
        match p.drives[door]:
            case Drive.OPEN:
                return min(WIDE, now + 1)
            case Drive.SHUT:
                return max(SHUT, now - 1)
            case _:
                return now

    return p._replace(entry=position(Door.ENTRY), exit=position(Door.EXIT))


def _judge(p: Plant, leased: bool) -> None:
    for door in Door:
        driven = p.drives[door]
        pinching = driven is Drive.SHUT and p.position(door) != SHUT and not p.clear(door) and p.jammed is not door
        require("I5 no leaf is driven shut onto somebody", not pinching)
        require("I4 in a fire no leaf is driven", not p.fire or driven is Drive.FREE)
        require("I7 a leaf is driven open only while the lane renews", driven is not Drive.OPEN or leased)


@cache
def execute(memory: Memory, command: GateCommand) -> tuple[Memory, Outcome]:
    device = recall(memory)
    outcome = device.execute(command, NOW)
    return remember(device), outcome


@cache
def new_host(memory: Memory) -> Memory:
    device = recall(memory)
    device.new_host(NOW)
    return remember(device)


@cache
def telemetry(memory: Memory) -> Telemetry:
    return recall(memory).telemetry(NOW)


COMMANDS: tuple[GateCommand, ...] = (
    OpenEntry(command_id=0, purpose=Purpose.ADMIT),
    OpenEntry(command_id=0, purpose=Purpose.EJECT),
    OpenExit(command_id=0),
    Close(command_id=0, door=Door.ENTRY),
    Close(command_id=0, door=Door.EXIT),
)
ADMIT, EJECT, OPEN_EXIT, CLOSE_ENTRY, CLOSE_EXIT = COMMANDS


# --- people -------------------------------------------------------------------------------------------------------------------------


@cache
def people(plant: int) -> tuple[tuple[str, int, int], ...]:
    """What persons may do on their own: the plant then, and the net number that left by the exit with this step."""
    return tuple((label, PLANTS(after), left) for label, after, left in _people(PLANTS.values[plant]))


def _people(p: Plant) -> Iterator[tuple[str, Plant, int]]:
    if not p.open_zone:
        yield from _through(p, Door.ENTRY)
    yield from _through(p, Door.EXIT)
    if p.open_zone:
        if p.inside < MOST_INSIDE:
            yield "walks up to the door", p._replace(inside=p.inside + 1), 0
        if p.standing():
            yield "walks away", p._replace(inside=p.inside - 1), 0
    if p.object and p.inside:
        yield "takes the luggage", p._replace(object=False), 0
    if p.obstacle is not None:
        yield "the threshold clears", p._replace(obstacle=None), 0
    if p.miscount:
        yield "the count is right again", p._replace(miscount=""), 0


def _through(p: Plant, door: Door) -> Iterator[tuple[str, Plant, int]]:
    name = door.name.lower()
    spot = f"on_{name}"
    if p.drives[door] is Drive.FREE and p.position(door) != WIDE and p.jammed is not door and p.standing():
        yield f"pushes the {name} open", p._replace(**{name: WIDE}), 0
    way = p.on(door)
    if way == 0 and p.passable(door) and p.standing():
        yield f"steps into the {name}, outwards", p._replace(**{spot: OUT}), 0
    if way == 0 and p.passable(door) and door is Door.ENTRY and p.inside < MOST_INSIDE:
        yield "steps into the entry, inwards", p._replace(on_entry=IN), 0
    if way and not any(each.door is door for each in p.crossings):
        passage = Passage(door=door, inwards=way == IN)
        after = p._replace(**{spot: 0}, inside=p.inside + way, crossings=(*p.crossings, passage))
        yield f"is through the {name}, {'in' if way == IN else 'out'}wards", after, -way if door is Door.EXIT else 0


# --- I6 with a host that is dead for ever -----------------------------------------------------------------------------------------

RELEASED_WITHIN = 16
"""Ticks. Two until the release, the leaf's way, a jam alarm, and a person's steps."""


@cache
def release_steps(memory: Memory, plant: int) -> int:
    """Ticks until nobody is inside, with no host at all and persons who want out. Raises Violated where they are kept."""
    for ticks in range(RELEASED_WITHIN):
        p: Plant = PLANTS.values[plant]
        if p.inside == 0 and IN not in {p.on_entry, p.on_exit}:
            return ticks
        memory, plant, *_ = tick(memory, _wants_out(plant), False)
    raise Violated("I6 with the host dead for ever the controller alone lets out whoever is inside")


@cache
def _wants_out(plant: int) -> int:
    """Everybody goes the way that is open, things in the way are taken away."""
    p: Plant = PLANTS.values[plant]._replace(obstacle=None)
    for _ in range(2 * MOST_INSIDE):
        outwards = [after for label, after, _ in _people(p) if "outwards" in label or "push" in label or "through" in label]
        if not outwards:
            break
        p = outwards[0]
    return PLANTS(p)
