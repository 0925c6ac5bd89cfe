"""Everything around a lane that answers at once: the stubs by which its own work is measured. No model, no chip, no serial line.

The workers speak over the real local socket from a process of their own (:class:`Peers`); the doors (:class:`Doors`) stand in for the
link to the gate controller and tell what telemetry would tell, as soon as they are commanded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from gate.clock import SystemClock
from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.evidence import CheckResult, Direction, Fact, found, successful
from gate.processes import messages as m
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.records import InspectionCheck, StageTiming
from gate.registries.answers import Answers
from gate.runtime import Runtime
from hardware.controller.host import ControllerLink
from hardware.controller.link import LinkUp
from hardware.controller.protocol import (
    TELEMETRY_HZ,
    Close,
    CommandResult,
    Door,
    GateCommand,
    GateEvent,
    Leaf,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Telemetry,
)

KEY = bytes(range(32))
PORTRAIT = b"\xff\xd8\xff" + bytes(index * 7 % 251 for index in range(15_000))
MANNERS = {"ordinary": 90, "chip_rejected": 5, "no_match": 5}
"""Who comes, of a hundred."""
TWO_INSIDE_EVERY = 40
"""Of those admitted, each so many-th brings somebody along."""
REGISTRIES = {
    "issuance": {"issuance": "active", "document_model": "chip_expected"},
    "watchlist": {"pencegahan": "clear", "penangkalan": "clear", "wanted": "clear"},
    "lost_and_stolen": {"sltd": "clear"},
    "arrival_declaration": {"declaration": "declared"},
}
PAGE = {"mrz": "read", "infrared": "present", "nationality": "citizen", "age": "adult", "expiry": "valid"}
CHIP = {
    "chip": "read",
    "access": "pace",
    "card_access": "agrees",
    "dg1_mrz": "equal",
    "passive_authentication": "authentic",
    "revocation": "good",
    "chip_authenticity": "genuine",
}
READER_STAGES, VISION_STAGES, CHECKS = 18, 6, 15
"""As many as the real workers tell of an ordinary traveller."""
JOIN_EVERY_S, JOIN_S = 0.02, 20.0


def config(folder: Path, direction: Direction = Direction.DEPARTURE, lane: str = "bench-1") -> Config:
    """A demonstration's configuration with its state in ``folder``."""
    return Config(
        profile="demo",
        state_dir=folder,
        lane=Lane(id=lane, checkpoint="CGK", direction=direction),
        scanner=Scanner(kind="simulator", address="x"),
        camera=Camera(kind="simulator", address="x"),
        controller=Controller(device="x"),
        face=Face(pack="demo", packs_dir=folder),
        trust=Trust(store=folder),
    )


def registry_answers() -> dict[str, Coroutine[None, None, Answers]]:
    """What each registry would say of an honest traveller."""

    async def answer(words: dict[str, str]) -> Answers:
        return Answers(facts={fact: successful(word, source="stub") for fact, word in words.items()})

    return {name: answer(words) for name, words in REGISTRIES.items()}


# --- the workers' words --------------------------------------------------------------------------------------------------


def page_read(transaction: str, number: int) -> m.MrzRead:
    return m.MrzRead(
        transaction=transaction,
        facts={name: successful(word, source="mrz") for name, word in PAGE.items()},
        issuing_state="IDN",
        document_code="P",
        document_number=f"X{number:07d}",
        primary_identifier="SANTOSO",
        secondary_identifier="BUDI",
        date_of_birth="880412",
        sex="M",
    )


def document_checked(transaction: str, manner: str, now: float) -> m.DocumentChecked:
    facts = {name: successful(word, source="chip") for name, word in CHIP.items()}
    if manner == "chip_rejected":
        facts["passive_authentication"] = found("rejected", CheckResult.FAILED, code="SIGNATURE", source="pki")
    checks = tuple(
        InspectionCheck(step=step, name=f"check number {step}", group="electronic", result=CheckResult.SUCCESSFUL)
        for step in range(1, CHECKS + 1)
    )
    return m.DocumentChecked(
        transaction=transaction,
        facts=facts,
        stages=_stages("chip", READER_STAGES, "reader"),
        inspection=checks,
        portrait=PORTRAIT if manner != "chip_rejected" else b"",
        last_byte_boot=now,
    )


def face_checked(transaction: str, manner: str, now: float) -> m.FaceChecked:
    word, score = ("no_match", 0.1) if manner == "no_match" else ("match", 0.8)
    ended = CheckResult.FAILED if manner == "no_match" else CheckResult.SUCCESSFUL
    facts = {
        "face": Fact(value=word, result=ended, source="stub", score=score, threshold=0.4),
        "pad": Fact(value="not_available", result=CheckResult.NOT_SUPPORTED),
    }
    return m.FaceChecked(
        transaction=transaction, facts=facts, stages=_stages("face", VISION_STAGES, "vision"), chosen_frame_boot=now
    )


def _stages(name: str, count: int, room: str) -> tuple[StageTiming, ...]:
    return tuple(
        StageTiming(name=f"{name}.{number}", start_ms=number * 10.0, duration_ms=9.5, result="successful", room=room)
        for number in range(count)
    )


class Peers:
    """Reader, vision and both screens, each on the lane's socket by itself. ``travellers`` come one after another."""

    def __init__(self, runtime: Runtime, travellers: int, seed: int) -> None:
        self._runtime, self._left = runtime, travellers
        self._dice, self._clock = random.Random(seed), SystemClock()
        self._manner, self._number, self._lies_there, self._state = "ordinary", 0, False, ""
        self._channels: dict[str, Channel] = {}
        self._ordering: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Come and go until the lane hangs up."""
        answers: dict[m.Role, Callable[[Any], Coroutine[None, None, None]]] = {
            "reader": self._reader,
            "vision": self._vision,
            "officer_screen": self._officer,
            "traveller_screen": self._traveller,
        }
        for role in answers:
            self._channels[role] = await self._join(role)
        await asyncio.gather(*(self._listen(role, answer) for role, answer in answers.items()))

    async def _join(self, role: m.Role) -> Channel:
        async with asyncio.timeout(JOIN_S):
            while True:
                try:
                    return await connect(self._runtime.lane_socket, role, self._runtime.secret_for(role))
                except ChannelClosed:
                    await asyncio.sleep(JOIN_EVERY_S)

    async def _listen(self, role: str, answer: Callable[[Any], Coroutine[None, None, None]]) -> None:
        try:
            while True:
                await answer(await self._channels[role].receive())
        except ChannelClosed:
            return

    async def _reader(self, told: m.AnyMessage) -> None:
        if isinstance(told, m.ReadDocument):
            self._number += 1
            channel = self._channels["reader"]
            for fraction in (0.1, 0.4, 0.7, 1.0):
                await channel.send(m.ReaderProgress(transaction=told.transaction, fraction=fraction))
            await channel.send(page_read(told.transaction, self._number))
            await channel.send(document_checked(told.transaction, self._manner, self._clock.boot()))

    async def _vision(self, told: m.AnyMessage) -> None:
        channel = self._channels["vision"]
        if isinstance(told, m.PrepareReference):
            await channel.send(m.ReferenceReady(transaction=told.transaction, stages=_stages("face.reference", 2, "vision")))
        elif isinstance(told, m.StartCapture):
            await channel.send(m.FaceGuidance(transaction=told.transaction, instruction="step_closer"))
            await channel.send(face_checked(told.transaction, self._manner, self._clock.boot()))

    async def _officer(self, told: m.AnyMessage) -> None:
        """Let out whoever the lane holds, by an order of its own connection as ``autogate lane eject`` sends it; see who is next."""
        if not isinstance(told, m.OfficerView) or told.state == self._state:
            return
        self._state = told.state
        if told.state == "hold":
            task = asyncio.create_task(self._order())
            self._ordering.add(task)
            task.add_done_callback(self._ordering.discard)
        elif told.state == "idle":
            await self._next()

    async def _order(self) -> None:
        channel = await connect(self._runtime.lane_socket, "command", self._runtime.secret_for("command"))
        await channel.send(m.OfficerOrder(order="eject", name="bench"))
        await channel.receive()
        await channel.close()

    async def _traveller(self, told: m.AnyMessage) -> None:
        if isinstance(told, m.TravellerView) and told.screen == "lift":
            await self._lift()

    async def _lift(self) -> None:
        if self._lies_there:
            self._lies_there = False
            await self._channels["reader"].send(m.DocumentRemoved())

    async def _next(self) -> None:
        await self._lift()
        if self._left:
            self._left, self._lies_there = self._left - 1, True
            self._manner = self._dice.choices(list(MANNERS), list(MANNERS.values()))[0]
            await self._channels["reader"].send(m.DocumentPlaced(boot=self._clock.boot()))


# --- the doors -----------------------------------------------------------------------------------------------------------


class Doors(ControllerLink):
    """A link without a line: obeys at once, and tells every step of it as telemetry does."""

    def __init__(self, on_event: Callable[[GateEvent | LinkUp], None]) -> None:
        self._on_event = on_event
        self._admitted, self._closed, self._clock = 0, False, SystemClock()
        self.exits_opened = 0
        self._told = Telemetry(
            uptime_ms=0,
            entry=Leaf.LOCKED,
            exit=Leaf.LOCKED,
            occupancy=0,
            object_left=False,
            entry_clear=True,
            exit_clear=True,
            emergency=False,
            mains=True,
            leased=False,
        )

    def start(self) -> None:
        self._on_event(LinkUp(firmware="stub"))
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while not self._closed:
            self._move()
            await asyncio.sleep(1 / TELEMETRY_HZ)

    def close(self) -> None:
        self._closed = True

    def renew(self, lease_ms: int = 0) -> None: ...

    def send(self, command: GateCommand) -> None:
        self._on_event(CommandResult(command_id=command.command_id, outcome=Outcome.EXECUTED))
        match command:
            case OpenEntry(purpose=Purpose.ADMIT):
                self._admitted += 1
                party = 2 if self._admitted % TWO_INSIDE_EVERY == 0 else 1
                self._move(entry=Leaf.OPENING)
                self._move(entry=Leaf.OPEN)
                self._move(entry_clear=False)
                self._move(entry_clear=True, occupancy=party)
            case OpenEntry():
                self._move(entry=Leaf.OPEN)
                self._move(occupancy=0)
            case OpenExit():
                self.exits_opened += 1
                self._move(exit=Leaf.OPENING)
                self._move(exit=Leaf.OPEN)
                self._on_event(Passage(door=Door.EXIT, inwards=False))
                self._move(occupancy=0)
            case Close():
                name = command.door.name.lower()
                self._move(**{name: Leaf.CLOSING})
                self._move(**{name: Leaf.LOCKED})
            case SetSignal():
                pass

    def _move(self, **changes: Any) -> None:
        self._told = replace(self._told, uptime_ms=int(self._clock.boot() * 1000), **changes)
        self._on_event(self._told)
