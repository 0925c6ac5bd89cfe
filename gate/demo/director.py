"""Plays the travellers: each sees only the traveller's screen and does what a person does who reads it.

Nothing in here knows what should become of anybody. The director also joins the lane as an onlooker, to print what happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gate.demo.cast import Traveller
from gate.demo.stage import DemoStage
from gate.demo.terminal import Terminal
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.messages import LaneReady, Role, StageEnded, TransactionEnded, TravellerScreen, TravellerView
from gate.records import TransactionRecord
from hardware.sim.occupancy import PERSONS

READY_TIMEOUT_S = 60.0
SIGN_IN_S = 600.0
"""How long the first traveller waits for an officer."""
TRANSACTION_TIMEOUT_S = 90.0
WALK_TIMEOUT_S = 20.0
JOIN_EVERY_S = 0.05
"""How often an onlooker tries to reach a lane that went."""
LOOK_S = 0.3
"""How long a person takes to read the screen before doing what it says."""
PLUG_AGAIN_S = 3.5
"""How long the controller stays unplugged: longer than it takes to let out, alone, whoever is inside."""


class DemoError(Exception):
    """The demonstration got stuck: says where."""


@dataclass(slots=True)
class _Seen:
    """What the onlookers have seen so far."""

    screen: TravellerScreen = "closed"
    turn: bool = False
    """The screen has shown that the gate attends to whoever stands there now."""
    ready: bool = False
    ended: list[TransactionRecord] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Director:
    """Sends the cast through the lane, one after another."""

    def __init__(self, stage: DemoStage, terminal: Terminal) -> None:
        self._stage, self._terminal, self._seen = stage, terminal, _Seen()
        self._listeners: list[asyncio.Task[None]] = []

    async def join(self) -> None:
        """Join the lane as onlooker and as a second pair of eyes on the traveller's screen. Raises ChannelClosed."""
        runtime = self._stage.runtime
        roles: tuple[Role, ...] = ("director", "traveller_screen")
        for role in roles:
            channel = await connect(runtime.lane_socket, role, runtime.secret_for(role))
            self._listeners.append(asyncio.create_task(self._follow(role, channel)))

    async def leave(self) -> None:
        for task in self._listeners:
            task.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)

    async def _follow(self, role: Role, channel: Channel | None) -> None:
        """Look on; when the lane goes, see nothing until it is back. A crash of the lane is part of the play."""
        runtime = self._stage.runtime
        while True:
            try:
                channel = channel or await connect(runtime.lane_socket, role, runtime.secret_for(role))
                await self._listen(channel)
            except ChannelClosed:
                async with self._seen.changed:
                    self._seen.screen, self._seen.ready = "closed", False
                    self._seen.changed.notify_all()
                await asyncio.sleep(JOIN_EVERY_S)
            finally:
                if channel:
                    await channel.close()
            channel = None

    async def _listen(self, channel: Channel) -> None:
        while True:
            message = await channel.receive()
            async with self._seen.changed:
                match message:
                    case TravellerView():
                        self._seen.screen = message.screen
                        self._seen.turn = self._seen.turn or message.screen == "reading"
                    case LaneReady():
                        self._seen.ready = True
                    case StageEnded():
                        self._terminal.stage(message.stage)
                    case TransactionEnded():
                        self._seen.ended.append(message.record)
                    case _:
                        pass
                self._seen.changed.notify_all()

    async def until_ready(self, limit_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the lane is idle and its workers are warm. Raises DemoError."""
        await self._until(lambda: self._seen.ready, limit_s, "the lane did not become ready")

    async def _until(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        try:
            async with asyncio.timeout(limit_s), self._seen.changed:
                await self._seen.changed.wait_for(condition)
        except TimeoutError as error:
            raise DemoError(f"{what} within {limit_s:.0f} s: see {self._stage.log}") from error

    async def play(self, traveller: Traveller, limit_s: float = TRANSACTION_TIMEOUT_S) -> TransactionRecord:
        """Send one traveller through; return what the lane recorded. Raises DemoError when nothing more happens within ``limit_s``."""
        self._seen.ended.clear()
        self._seen.ready = self._seen.turn = False
        behaviour = traveller.behaviour
        await asyncio.to_thread(
            self._stage.controller.control,
            "arrive",
            people=behaviour.people,
            walk_in_s=behaviour.walk_s,
            walk_out_s=behaviour.walk_s,
            company=behaviour.company,
        )
        if self._stage.lane == "single_door":  # the reader stands at the door, not in front of the lane
            await self._until_inside(behaviour.people - 1 + PERSONS[behaviour.company])
        if behaviour.silent:
            await asyncio.to_thread(self._stage.registries.silence, behaviour.silent)
        passport = self._stage.passports[traveller.id]
        await asyncio.to_thread(self._stage.world.place, passport, conditions=traveller.page)
        acting = asyncio.create_task(self._act(traveller))
        try:
            await self._until(lambda: bool(self._seen.ended), limit_s, f"{traveller.id}: the transaction did not end")
        finally:
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
        await self._walk_away(traveller)
        return self._seen.ended[0]

    async def _act(self, traveller: Traveller) -> None:
        """Do what the screen says, and what the cast says happens meanwhile."""
        stage, done = self._stage, set[str]()
        while True:
            screen = self._seen.screen
            if traveller.behaviour.unplug_at == screen and "unplug" not in done:
                done.add("unplug")
                await asyncio.to_thread(stage.controller.control, "unplug")
            if traveller.behaviour.mains_off_at == screen and "mains" not in done:
                done.add("mains")
                await asyncio.to_thread(stage.controller.control, "mains", on=False)
            if traveller.behaviour.blind_at:
                await self._blind(traveller.behaviour.blind_at == screen, done)
            if screen == "face" and "face" not in done:
                done.add("face")
                await asyncio.to_thread(stage.world.show_face, stage.probe(traveller.face))
            if self._seen.turn and screen not in {"reading", "scan", "wait"} and "lift" not in done:
                done.add("lift")
                await asyncio.sleep(LOOK_S)
                await asyncio.to_thread(stage.world.lift)
            await self._screen_other_than(screen)

    async def _blind(self, unsure: bool, done: set[str]) -> None:
        if unsure != ("blind" in done):
            (done.add if unsure else done.discard)("blind")
            await asyncio.to_thread(self._stage.controller.control, "blind", on=unsure)

    async def _screen_other_than(self, screen: TravellerScreen) -> None:
        async with self._seen.changed:
            await self._seen.changed.wait_for(lambda: self._seen.screen != screen)

    async def _walk_away(self, traveller: Traveller) -> None:
        """Take the document along, leave, mend what was broken; the next one waits behind the yellow line until the lane is ready."""
        stage = self._stage
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(stage.world.lift)
        await asyncio.to_thread(stage.world.clear_face)
        if traveller.behaviour.unplug_at:
            await asyncio.sleep(PLUG_AGAIN_S)
            await asyncio.to_thread(stage.controller.control, "plug")
        if traveller.behaviour.mains_off_at:
            await asyncio.sleep(PLUG_AGAIN_S)
            await asyncio.to_thread(stage.controller.control, "mains", on=True)
        if traveller.behaviour.blind_at:
            await asyncio.to_thread(stage.controller.control, "blind", on=False)
        if traveller.behaviour.silent:
            await asyncio.to_thread(stage.registries.silence, ())
        await asyncio.to_thread(stage.controller.control, "leave")
        await self._until_inside(0)

    async def _until_inside(self, people: int) -> None:
        """Wait until so many stand in the lane. Raises DemoError."""
        deadline = time.monotonic() + WALK_TIMEOUT_S
        while (await asyncio.to_thread(self._stage.controller.control, "state"))["inside"] != people:
            if time.monotonic() > deadline:
                raise DemoError(f"{people} were to stand in the lane: see {self._stage.log}")
            await asyncio.sleep(LOOK_S)
