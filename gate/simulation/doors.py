"""The two leaves of a simulated lane and whoever walks through them: commands in, telemetry out, in the scenario's times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gate.simulation.compute import Compute
from gate.simulation.scenario import Motion, Number
from hardware.controller import protocol
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    GateCommand,
    GateEvent,
    Leaf,
    OpenEntry,
    OpenExit,
    Purpose,
    SetSignal,
    Telemetry,
)

if TYPE_CHECKING:
    from gate.simulation.lane import Visit

AT_REST: dict[str, Any] = {
    "entry": Leaf.LOCKED,
    "exit": Leaf.LOCKED,
    "occupancy": 0,
    "object_left": False,
    "entry_clear": True,
    "exit_clear": True,
    "emergency": False,
    "mains": True,
    "leased": False,
}
STEP_OUT_S = 2.0
"""Who is let back out of the entry takes so long."""


class Doors:
    """Obeys at once and truthfully. ``hear`` gets what a controller says, by way of ``post``."""

    def __init__(
        self,
        motion: Motion,
        compute: Compute,
        hear: Callable[[GateEvent], None],
        post: Callable[[Callable[[], None]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._motion, self._compute, self._hear, self._post, self._loop = motion, compute, hear, post, loop
        self._plant = dict(AT_REST)
        self._session = 0

    def reset(self) -> None:
        """Everybody is out, both leaves are locked; nothing that was ordered before is still on its way."""
        self._session += 1
        self._plant = dict(AT_REST)
        self.tell()

    def take_object(self) -> None:
        """Somebody fetches what was left behind."""
        if self._plant["object_left"]:
            self.tell(object_left=False)

    def tell(self, **changes: Any) -> None:
        """Telemetry, with what changed."""
        self._plant |= changes
        told = Telemetry(uptime_ms=int(self._loop.time() * 1000), **self._plant)
        self._post(lambda: self._hear(told))

    async def obey(self, command: GateCommand, visit: Visit | None) -> None:
        """Carry ``command`` out; ``visit``: who stands there."""
        session = self._session
        if isinstance(command, SetSignal) or visit is None:
            self._done(command)
            if visit is None and isinstance(command, Close):
                self.tell(**{command.door.name.lower(): Leaf.LOCKED})
            return
        name = _name(command)
        await asyncio.sleep(self._compute.draw(name, visit.dice))
        if session != self._session:
            return
        self._done(command)
        match command:
            case OpenEntry(purpose=Purpose.ADMIT):
                await self._admit(visit, session)
            case OpenEntry():
                await self._eject(visit, session)
            case OpenExit():
                await self._let_out(visit, session)
            case Close():
                await self._close(command.door, visit, session)

    def _done(self, command: GateCommand) -> None:
        result = CommandResult(command_id=command.command_id, outcome=protocol.Outcome.EXECUTED)
        self._post(lambda: self._hear(result))

    async def _move(self, visit: Visit, what: str, seconds: float) -> None:
        begun = self._loop.time()
        await asyncio.sleep(seconds)
        visit.moving.append((what, begun, self._loop.time()))

    async def _leaf(self, visit: Visit) -> None:
        await self._move(visit, "door", self._motion.leaf_s.draw(visit.dice))

    def _pace(self, visit: Visit, walk: Number) -> float:
        person, seconds = visit.person, walk.draw(visit.dice)
        seconds *= self._motion.luggage_factor.draw(visit.dice) if person.luggage else 1.0
        return seconds * (self._motion.longer_factor.draw(visit.dice) if person.needs_longer else 1.0)

    async def _admit(self, visit: Visit, session: int) -> None:
        await self._leaf(visit)
        if session != self._session:
            return
        self.tell(entry=Leaf.OPEN)
        tries = visit.tries
        await self._move(visit, "human", self._pace(visit, self._motion.take_up_s))
        await self._move(visit, "human", self._pace(visit, self._motion.walk_in_s))
        in_time = self._plant["entry"] is Leaf.OPEN and tries == visit.tries
        if session == self._session and in_time:  # else it closed before somebody so slow
            self.tell(occupancy=2 if self._motion.second_inside.draw(visit.dice) else 1)

    async def _eject(self, visit: Visit, session: int) -> None:
        await self._leaf(visit)
        if session != self._session:
            return
        self.tell(entry=Leaf.OPEN)
        await self._move(visit, "human", STEP_OUT_S)
        if session == self._session:
            self.tell(occupancy=0, object_left=False)

    async def _let_out(self, visit: Visit, session: int) -> None:
        await self._leaf(visit)
        if session != self._session:
            return
        self.tell(exit=Leaf.OPEN)
        await self._move(visit, "human", self._pace(visit, self._motion.walk_out_s))
        if session == self._session:
            visit.passed = self._loop.time()
            self.tell(occupancy=0, object_left=bool(self._motion.leaves_object.draw(visit.dice)))

    async def _close(self, door: Door, visit: Visit, session: int) -> None:
        name = door.name.lower()
        if self._plant[name] is not Leaf.LOCKED:
            self.tell(**{name: Leaf.CLOSING})
        await self._leaf(visit)
        if session == self._session:
            self.tell(**{name: Leaf.LOCKED})


def _name(command: GateCommand) -> str:
    """The stage whose measured time it takes."""
    match command:
        case OpenExit():
            return "controller.open_exit"
        case Close(door=Door.EXIT):
            return "controller.close_exit"
        case Close():
            return "controller.close_entry"
        case _:
            return "controller.admit"
