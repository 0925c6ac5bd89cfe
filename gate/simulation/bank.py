"""One queue before several lanes: who comes, who waits how long, which lane takes them; and what is told of it hour by hour."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gate.simulation.figures import Span, quantiles, spread
from gate.simulation.lane import SimulatedLane, Visit
from gate.simulation.people import Person
from gate.simulation.scenario import Bank

PATIENCE_S = 300.0
"""Frontex counts who waited longer."""
HOUR_S, SLOT_S = 3600, 300
"""What is told by the hour, and how often the queue's length."""


@dataclass(slots=True)
class Tally:
    """Of one bank, while it runs. ``waits``: (arrival, seconds waited); all moments count from the simulation's beginning."""

    bank: Bank
    arrived: list[float] = field(default_factory=list)
    waits: list[Span] = field(default_factory=list)
    longest: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """By slot of :data:`SLOT_S`, the longest queue in it."""

    def stands(self, now: float, waiting: int) -> None:
        """Somebody has come; so many wait now."""
        self.arrived.append(now)
        slot = int(now // SLOT_S)
        self.longest[slot] = max(self.longest[slot], waiting)

    def told(self, begins: datetime) -> dict[str, Any]:
        """For the file; ``begins``: midnight at the checkpoint."""
        waited = [round(seconds, 2) for _, seconds in sorted(self.waits)]
        return {
            "name": self.bank.name,
            "bank": self.bank.name,
            "airport": self.bank.airport,
            "direction": self.bank.direction,
            "lanes": list(self.bank.lane_ids),
            "arrived": len(self.arrived),
            "served": len(waited),
            "gave_up": 0,
            "longest_queue": max(self.longest.values(), default=0),
            "waiting_s": spread(waited),
            "waiting_quantiles_s": quantiles(waited),
            "within_5_min": round(sum(each <= PATIENCE_S for each in waited) / len(waited), 4) if waited else None,
            "hours": list(self._hours(begins)),
            "lengths": [[_moment(begins, slot * SLOT_S), self.longest[slot]] for slot in self._slots()],
            "waits_s": waited,
        }

    def _slots(self) -> range:
        return range(max(self.longest, default=-1) + 1)

    def _hours(self, begins: datetime) -> Iterable[dict[str, Any]]:
        came: defaultdict[int, int] = defaultdict(int)
        waited: defaultdict[int, list[float]] = defaultdict(list)
        for moment in self.arrived:
            came[int(moment // HOUR_S)] += 1
        for moment, seconds in self.waits:
            waited[int(moment // HOUR_S)].append(seconds)
        for hour in sorted(came):
            slots = range(hour * HOUR_S // SLOT_S, (hour + 1) * HOUR_S // SLOT_S)
            yield {
                "begins": _moment(begins, hour * HOUR_S),
                "arrived": came[hour],
                "longest_queue": max(self.longest.get(slot, 0) for slot in slots),
                "waiting_s": spread(waited[hour]),
            }


def _moment(begins: datetime, seconds: int) -> str:
    return (begins + timedelta(seconds=seconds)).isoformat()


class Queue:
    """The bank's, with its lanes. ``left`` is told of each visit that is over."""

    def __init__(self, bank: Bank, lanes: Sequence[SimulatedLane], left: Callable[[Visit], None]) -> None:
        self.tally, self._lanes, self._left = Tally(bank), lanes, left
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.PriorityQueue[tuple[float, int, Person]] = asyncio.PriorityQueue()

    async def serve(self, crowd: Iterable[Person]) -> None:
        """All of ``crowd``, who come in this order, until the last one has left."""
        serving: list[asyncio.Future[None]] = [self._loop.create_task(self._serve(lane)) for lane in self._lanes]
        for person in crowd:
            await asyncio.sleep(max(0.0, person.arrives - self._loop.time()))
            self._waiting.put_nowait((person.arrives, person.number, person))
            self.tally.stands(self._loop.time(), self._waiting.qsize())
        gone: asyncio.Future[None] = self._loop.create_task(self._waiting.join())
        await asyncio.wait([gone, *serving], return_when=asyncio.FIRST_COMPLETED)
        for task in (task for task in serving if task.done()):
            task.result()  # a lane never ends by itself: it has failed
        for task in (gone, *serving):
            task.cancel()
        await asyncio.gather(gone, *serving, return_exceptions=True)

    async def _serve(self, lane: SimulatedLane) -> None:
        while True:
            await lane.ready()
            arrives, number, person = await self._waiting.get()
            if lane.is_ready:
                self.tally.waits.append((arrives, max(0.0, self._loop.time() - arrives)))
                self._left(await lane.serve(person))
            else:  # it closed while nobody came: the next one stays in front
                self._waiting.put_nowait((arrives, number, person))
            self._waiting.task_done()
