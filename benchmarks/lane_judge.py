"""What the plant itself must never be in, whoever drives it, and what may break in it: the judge of both searches of ``lane_model.py``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from benchmarks import lane_world as w
from benchmarks.lane_world import PLANTS, Ids, Plant, require
from hardware.controller.protocol import Door, GateCommand, Outcome, Telemetry
from hardware.sim.interlock import Drive

OVERDUE = w.TICKS["STUCK_MS"] + 1


class Rest(NamedTuple):
    """What is neither lane nor controller nor plant: faults left, the host's links, and what the checker remembers."""

    faults: int = 2
    linked: bool = False
    supervised: bool = True
    verdict: bool = False
    """A document verdict that may still open the exit once."""
    owed: int = 0
    """Persons who may still, net, leave by the exit before it is locked."""
    overdue: int = 0
    """Ticks for which the exit was to lock and did not."""
    egress: bool = False
    """Fire, force or an exit that will not lock left both leaves unlocked, and they were not both locked since."""


RESTS = Ids()


@cache
def walked(left: int, rest: int) -> int:
    """Persons moved: nobody leaves by the exit who may not."""
    known: Rest = RESTS.values[rest]
    require("I14 at most one person, net, leaves per permit or pass", left <= 0 or known.owed > 0)
    return rest if known.owed == w.FREE or not left else RESTS(known._replace(owed=min(w.FREE - 1, known.owed - left)))


@cache
def settled(plant: int, rest: int, *, ticked: bool = False) -> int:
    """After any move of the device, or a fault: amnesty begins and ends, and I1."""
    p: Plant = PLANTS.values[plant]
    known: Rest = RESTS.values[rest]
    unlocked = [door for door in Door if not p.locked(door)]
    both = len(unlocked) == len(Door) and not p.open_zone
    told_shut = p.drives[Door.EXIT] in {Drive.SHUT, Drive.STOP}
    overdue = 0 if p.locked(Door.EXIT) or not told_shut else min(OVERDUE, known.overdue + ticked)
    egress = (known.egress and bool(unlocked)) or (both and (p.fire or overdue == OVERDUE))
    require("I1 never both leaves unlocked, but for fire, force and an exit that will not lock", egress or not both)
    owed = 0 if p.locked(Door.EXIT) and ticked else w.FREE if p.fire or egress else known.owed
    return RESTS(known._replace(owed=owed, egress=egress, overdue=overdue))


@cache
def plant_faults(plant: int, rest: int) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (label, number := PLANTS(after), settled(number, RESTS(then)))
        for label, after, then in _plant_faults(PLANTS.values[plant], RESTS.values[rest])
    )


def _plant_faults(p: Plant, rest: Rest) -> Iterator[tuple[str, Plant, Rest]]:
    """What may break or happen in the plant, each at the cost of a fault; and its end, at none."""
    if p.fire:
        yield "fire off", p._replace(fire=False), rest
    if not p.mains:
        yield "power back", p._replace(mains=True), rest
    if not rest.faults:
        return
    worse = rest._replace(faults=rest.faults - 1)
    if not p.fire:
        yield "FAULT fire", p._replace(fire=True), worse
    if p.mains:
        yield "FAULT power gone", p._replace(mains=False), worse
    if not p.miscount:
        yield "FAULT count uncertain", p._replace(miscount="uncertain"), worse
        yield "FAULT count one too many", p._replace(miscount="one too many"), worse
    if p.inside and not p.object:
        yield "FAULT luggage put down", p._replace(object=True), worse
    for door in (Door.EXIT,) if p.open_zone else Door:
        name = door.name.lower()
        if p.obstacle is None and not p.locked(door):
            yield f"FAULT obstacle in the {name}", p._replace(obstacle=door), worse
        if p.jammed is None and not p.locked(door):
            yield f"FAULT {name} jams", p._replace(jammed=door), worse
        if p.locked(door):
            free = worse._replace(egress=True, owed=w.FREE if door is Door.EXIT else worse.owed)
            yield f"FAULT {name} forced", p._replace(**{name: w.WIDE}), free
    if p.on_exit == 0 and p.passable(Door.EXIT) and p.inside < w.MOST_INSIDE:
        yield "FAULT steps into the exit, inwards", p._replace(on_exit=w.IN), worse


def commanded(memory: int, plant: int, rest: int, command: GateCommand) -> tuple[int, int, bool]:
    """The controller gets ``command``: what it executes must be right by what is really there. Third: whether it executed it."""
    after, outcome = w.execute(memory, command)
    if outcome is not Outcome.EXECUTED:
        return after, rest, False
    return after, _obeyed(w.telemetry(memory), plant, rest, command), True


@cache
def _obeyed(told: Telemetry, plant: int, rest: int, command: GateCommand) -> int:
    p: Plant = PLANTS.values[plant]
    known: Rest = RESTS.values[rest]
    just_in = sum(each.inwards for each in p.crossings)
    require("I4 no door command is executed in a fire", not told.emergency)
    if command == w.ADMIT:
        empty = told.occupancy == 0 and not told.object_left and p.inside - just_in <= 0
        require("I8 the entry opens for admission on an empty trap only", empty)
    if command in {w.ADMIT, w.EJECT}:
        excused = known.egress or known.overdue == OVERDUE or p.open_zone
        require("I1 the entry opens with the exit locked", p.locked(Door.EXIT) or excused)
    if command == w.OPEN_EXIT:
        alone = told.occupancy == 1 and not told.object_left
        alone &= not p.locked(Door.EXIT) or p.open_zone or (p.inside <= 1 and p.on_entry != w.IN)
        require("I2 the exit opens for one person and nothing left", alone or known.egress)
        require("I2 the exit opens with the entry locked", p.locked(Door.ENTRY) or known.egress or p.open_zone)
        again = 0 if p.locked(Door.EXIT) else known.owed
        return rest if known.owed == w.FREE else RESTS(known._replace(owed=min(w.FREE - 1, again + 1)))
    return rest


def released(memory: int, plant: int) -> None:
    """I6 by the controller alone. A jammed entry holds whoever is inside whatever a computer does; the egress button is wired past it."""
    p: Plant = PLANTS.values[plant]
    if p.jammed is not Door.ENTRY and not p.open_zone:
        w.release_steps(memory, plant)
