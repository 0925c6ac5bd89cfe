"""A lane of ``console_hour``: the real actor, table, casework, rules, log and officers' part, in jumping time, between doors that obey.

There is no firmware and no line here, hence no leases; and a signature is proven in this process, by the real verifier.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import lane_stubs
from gate.audit.log import FILE_NAME, AuditLog, AuditWriter
from gate.config import Timeouts
from gate.console.verifier import Verifier
from gate.evidence import CheckResult, Fact, successful
from gate.lane import State
from gate.outcome import Outcome
from gate.policy.schema import RuleSet
from gate.processes import messages as m
from gate.processes.actor import LaneActor
from gate.processes.casework import Casework
from gate.processes.display import Display
from gate.processes.officers import Officers
from gate.records import DecisionRecord, TransactionRecord
from gate.registries.answers import Answers
from gate.simulation.warped import WarpedClock
from hardware.controller import protocol
from hardware.controller.link import LinkUp
from hardware.controller.protocol import Close, CommandResult, Door, GateCommand, Leaf, OpenEntry, OpenExit, Purpose, Telemetry

TRAVEL_S, WALK_S, LOOK_S = 0.6, 1.2, 0.1
AWAIT_S, REPORT_S = 60.0, 0.5
STUCK_S = 900.0
MANNERS = {"ordinary": 55, "picture": 30, "held": 8, "no_match": 7}
"""Who comes, of a hundred. ``picture``: perhaps one of a face, so the rules want an officer. ``held``: the same, and HOLD, after which a pass
takes two: no rule of the packaged set says that between the doors, so it is put in.
"""


@dataclass(slots=True)
class Seen:
    """What the world around the lane saw, to hold the log against."""

    begun: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    """Whose the case was when the exit was told to open."""
    out: int = 0
    """Persons who left by it."""
    crossings: list[tuple[str, str]] = field(default_factory=list)
    ended: list[TransactionRecord] = field(default_factory=list)


class Lane:
    """Make it on the loop. The casework's helpers and the actor's controller are this object."""

    def __init__(
        self, folder: Path, name: str, *, rules: RuleSet, clock: WarpedClock, verifier: Verifier, dice: random.Random
    ) -> None:
        base = lane_stubs.config(folder)
        lane, timeouts = msgspec.structs.replace(base.lane, id=name), Timeouts(await_officer_s=AWAIT_S)
        config = msgspec.structs.replace(base, lane=lane, timeouts=timeouts)
        self.name, self.path, self.seen = name, folder / FILE_NAME, Seen()
        self.view: m.ConsoleView | None = None
        """What a console shows of it."""
        self._dice, self._clock, self._verifier, self._loop = dice, clock, verifier, asyncio.get_running_loop()
        self._commands = self._visitors = 0
        self._log = AuditWriter(AuditLog(self.path, lane_stubs.KEY))
        self._case = Casework(config, rules, self._log, clock=clock, helpers=self, key=lane_stubs.KEY)
        display = Display(config, self.tell)
        self._actor = LaneActor(config.timeouts, clock, self, self._case, display, oldest_s=2 * REPORT_S)
        self.officers = Officers(config, clock, self._actor, self._case, self._ask)
        self._plant: dict[str, Any] = {"entry": Leaf.LOCKED, "exit": Leaf.LOCKED, "occupancy": 0, "object_left": False}
        self._plant |= {"entry_clear": True, "exit_clear": True, "emergency": False, "mains": True, "leased": False}
        self._running = [self._loop.create_task(work) for work in (self._actor.run(), self._report())]
        self._moving: set[asyncio.Task[None]] = set()

    # --- what the lane asks for -------------------------------------------------------------------------------------------

    def command(self, command: GateCommand) -> None:
        if isinstance(command, OpenExit):
            self.seen.exits.append(self._transaction)
        task = self._loop.create_task(self._obey(command))
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    def next_command_id(self) -> int:
        self._commands += 1
        return self._commands

    def renew(self) -> None:
        pass

    def tell(self, role: m.Role, message: m.AnyMessage) -> None:
        match message:
            case m.ConsoleView():
                self.view = message
            case m.TransactionEnded():
                self.seen.ended.append(message.record)
            case _:
                pass

    def ask_registries(self, *_: Any) -> Mapping[str, Coroutine[None, None, Answers]]:
        return lane_stubs.registry_answers()

    async def crossing_permitted(self, record: DecisionRecord) -> bool:
        self.seen.crossings.append((record.evidence.transaction, "permitted"))
        return True

    def crossing_ended(self, transaction: str, end: str, *, at: datetime) -> None:
        self.seen.crossings.append((transaction, end))

    def _ask(self, question: m.VerifyAct) -> bool:
        answer = self._verifier.answer(question)
        self._loop.call_soon(self.officers.proven, answer)
        return True

    # --- doors and people -------------------------------------------------------------------------------------------------

    async def _obey(self, command: GateCommand) -> None:
        """The leaf travels, and whoever stands before it goes through."""
        result = CommandResult(command_id=command.command_id, outcome=protocol.Outcome.EXECUTED)
        self._post(lambda: self._actor.on_controller(result))
        await asyncio.sleep(TRAVEL_S)
        match command:
            case OpenEntry():
                self._tell_plant(entry=Leaf.OPEN)
                await asyncio.sleep(WALK_S)
                self._tell_plant(occupancy=1 if command.purpose is Purpose.ADMIT else 0)
            case OpenExit():
                self._tell_plant(exit=Leaf.OPEN)
                await asyncio.sleep(WALK_S)
                self.seen.out += 1
                self._tell_plant(occupancy=0)
            case Close():
                self._tell_plant(**{"entry" if command.door is Door.ENTRY else "exit": Leaf.LOCKED})
            case _:
                pass

    async def _report(self) -> None:
        """As a controller does without being asked."""
        while True:
            await asyncio.sleep(REPORT_S)
            self._tell_plant()

    def _tell_plant(self, **changes: Any) -> None:
        self._plant |= changes
        told = Telemetry(uptime_ms=int(self._clock.boot() * 1000), **self._plant)
        self._post(lambda: self._actor.on_controller(told))

    def _post(self, what: Any) -> None:
        self._actor.post(what)

    def _say(self, role: m.Role, message: m.AnyMessage) -> None:
        self._post(lambda: self._actor.on_message(role, message))

    async def open(self) -> None:
        """Until the lane is idle."""
        self._post(lambda: self._actor.on_controller(LinkUp(firmware="obeys")))
        for role in ("reader", "vision", "officer_screen", "console"):
            self._post(lambda role=role: self._actor.on_peer(role, {}, joined=True))
        self._tell_plant()
        await self.until(State.IDLE)

    async def until(self, *states: State) -> State:
        """Raises TimeoutError."""
        async with asyncio.timeout(STUCK_S):
            while self._actor.state not in states:  # noqa: ASYNC110 - as a person looks, now and then
                await asyncio.sleep(LOOK_S)
        return self._actor.state

    @property
    def _transaction(self) -> str:
        return self._case.running.id if self._case.running else ""

    async def serve_visitors(self, until_s: float) -> None:
        """One after another, for as long as it is open."""
        while self._loop.time() < until_s:
            await asyncio.sleep(self._dice.uniform(2.0, 12.0))
            if self._actor.state is State.IDLE:
                await self._visit(self._dice.choices(list(MANNERS), list(MANNERS.values()))[0])
        await self.until(State.IDLE, State.OUT_OF_SERVICE)

    async def _visit(self, manner: str) -> None:
        self._visitors += 1
        self._say("reader", m.DocumentPlaced(boot=self._clock.boot()))
        await asyncio.sleep(self._dice.uniform(1.0, 4.0))
        transaction = self._transaction
        if not transaction:
            return  # an officer closed the lane at this moment
        self.seen.begun.append(transaction)
        self._say("reader", lane_stubs.page_read(transaction, self._visitors))
        self._say("reader", lane_stubs.document_checked(transaction, manner, self._clock.boot()))
        await self.until(State.CAPTURE, State.IDLE, State.OUT_OF_SERVICE, State.HOLD)
        self._say("reader", m.DocumentRemoved())
        await asyncio.sleep(self._dice.uniform(0.5, 4.0))
        if manner == "held" and self._case.running:
            self._say_hold()
        self._say("vision", self._face(transaction, manner))
        await self.until(State.IDLE, State.OUT_OF_SERVICE)

    def _face(self, transaction: str, manner: str) -> m.FaceChecked:
        if manner not in {"picture", "held"}:
            return lane_stubs.face_checked(transaction, manner, self._clock.boot())
        facts = {"face": successful("match"), "pad": Fact(value="attack", result=CheckResult.FAILED)}
        return m.FaceChecked(transaction=transaction, facts=facts, stages=(), chosen_frame_boot=self._clock.boot())

    def _say_hold(self) -> None:
        running = self._case.running
        assert running is not None
        decisions = running._decisions
        worse = msgspec.structs.replace(decisions[-1].decision, outcome=Outcome.HOLD)
        decisions[-1] = msgspec.structs.replace(decisions[-1], decision=worse)

    async def close(self) -> None:
        """Let all that is to be written down be written."""
        await self._case.settle()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, *self._moving, return_exceptions=True)
        self._log.close()

    @property
    def left_out(self) -> int:
        """Refused orders that wait to be counted in the next record."""
        return self.officers._left_out
