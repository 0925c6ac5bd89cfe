"""Breadth-first search over states that are tuples of small numbers, with the shortest trace to each, and what can be reached from where."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import lane_world as w
from benchmarks.lane_world import Ids, Plant, Violated
from gate.lane import Lane
from hardware.controller.protocol import Door

AIDED = ("officer_", "FAULT ", "fire ", "power ")
"""What I6 may not rely on."""
BITS = 24
LOW = (1 << BITS) - 1


class Search(ABC):
    """Breadth first over states that are tuples of numbers, of the values in ``parts``; subclasses say where it starts and what follows."""

    parts: tuple[Ids, ...]

    def __init__(self) -> None:
        self.known: dict[int, int] = {}
        self.keys: list[int] = []
        self.came_from, self.came_by = array("I"), array("I")
        self.labels = Ids()
        self.sources, self.targets = array("I"), array("I")
        self.transitions = 0
        self.doing = "?"

    @abstractmethod
    def start(self) -> tuple[int, ...]:
        """The state that the search begins with."""

    @abstractmethod
    def successors(self, whole: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
        """What may happen in the state ``whole``, and where that leads."""

    def after(self) -> str | None:
        """What is checked once all states are known; a broken invariant with its trace, or None."""
        return None

    def run(self, most: int = 50_000_000) -> str | None:
        """None, or the broken invariant with the trace that breaks it."""
        here = 0
        with w.scaled_times():
            self._visit(0, "cold start", self.start())
            while here < len(self.keys):
                whole = self.unpacked(here)
                try:
                    for label, successor in self.successors(whole):
                        if successor != whole:
                            self._visit(here, label, successor)
                        self.transitions += 1
                except Violated as violated:
                    return f"{violated}\n{self.trace(here)}\n  → {self.doing}"
                here += 1
                if here > most:
                    return f"more than {most} states"
            return self.after()

    def unpacked(self, number: int) -> tuple[int, ...]:
        key = self.keys[number]
        return tuple(key >> BITS * place & LOW for place in range(len(self.parts)))

    def _visit(self, here: int, label: str, whole: tuple[int, ...]) -> None:
        key = 0
        for part in reversed(whole):
            key = key << BITS | part
        number = self.known.get(key)
        if number is None:
            number = self.known[key] = len(self.keys)
            self.keys.append(key)
            self.came_from.append(here)
            self.came_by.append(self.labels(label))
        if not label.startswith(AIDED):
            self.sources.append(here)
            self.targets.append(number)

    def trace(self, number: int) -> str:
        lines = []
        while True:
            lines.append(f"  {self.labels.values[self.came_by[number]]:46} {self.describe(number)}")
            if number == 0:
                return "\n".join(reversed(lines))
            number = self.came_from[number]

    def describe(self, number: int) -> str:
        return describe([ids.values[each] for ids, each in zip(self.parts, self.unpacked(number), strict=True)])

    def reaching(self, goals: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """From which states a goal can be reached without help."""
        sources, targets = np.frombuffer(self.sources, np.uint32), np.frombuffer(self.targets, np.uint32)
        good, before = goals.copy(), -1
        while (count := int(good.sum())) != before:
            before = count
            for _ in range(4):
                good[sources[good[targets]]] = True
        return good

    def all_reach(self, invariant: str, goals: NDArray[np.bool_]) -> str | None:
        lost = np.flatnonzero(~self.reaching(goals))
        if len(lost) == 0:
            return None
        return f"{invariant}\n{self.trace(int(lost[0]))}\n  ({len(lost)} states)"


def describe(whole: Sequence[Any]) -> str:
    """A state in one line."""
    told: list[str] = []
    for part in whole:
        match part:
            case Lane():
                told.append(f"{part.state}{' live' if part.live else ''}:")
            case Plant():
                told += [f"{_leaf(part, Door.ENTRY)}, {_leaf(part, Door.EXIT)}, {part.inside} inside"]
                told += [f"{part.miscount} counted"] if part.miscount else []
                told += [f"obstacle in the {part.obstacle.name.lower()}"] if part.obstacle is not None else []
                told += [f"{part.jammed.name.lower()} jammed"] if part.jammed is not None else []
                told += [word for word in ("object", "fire") if getattr(part, word)] + ([] if part.mains else ["no power"])
            case _ if hasattr(part, "verdict"):
                told += [f"no {word}" for word in ("linked", "supervised") if not getattr(part, word)]
                told += ["verdict"] if part.verdict else []
            case _:
                pass
    return " ".join(told)


def _leaf(p: Plant, door: Door) -> str:
    where = ("shut", "half open", "open")[p.position(door)]
    drive = "" if p.locked(door) else f" ({p.drives[door].name.lower()})"
    walker = {0: "", w.IN: " ←in", w.OUT: " ←out"}[p.on(door)]
    return f"{door.name.lower()} {'locked' if p.locked(door) else where}{drive}{walker}"
