"""One simulated lane: the real actor, table, casework, rules, officers' part, registries' asking and log, between doors and people that are drawn.

There is no controller, no line and no lease here: doors obey, after the time that the real ones were measured to take. Nothing computes in
virtual time but what :mod:`gate.simulation.devices` says.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gate.audit.log import AuditLog, AuditWriter
from gate.config import Camera, Config, Controller, Face, Scanner, Trust
from gate.config import Lane as LaneSection
from gate.evidence import Direction
from gate.lane import State
from gate.policy.schema import RuleSet
from gate.processes import messages as m
from gate.processes.actor import LaneActor
from gate.processes.casework import Casework
from gate.processes.display import Display
from gate.processes.officers import Officers
from gate.processes.registries import RegistriesWork
from gate.records import DecisionRecord, TransactionRecord
from gate.registries.answers import Answers
from gate.registries.asking import AskedRegistries
from gate.registries.base import Source
from gate.registries.crossing_record import End
from gate.registries.round import RegistryRound
from gate.simulation.compute import Compute
from gate.simulation.devices import Reader, Vision
from gate.simulation.doors import Doors
from gate.simulation.people import Person
from gate.simulation.scenario import Bank, Scenario
from gate.simulation.warped import WarpedClock
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.protocol import GateCommand

BEAT_S = 5.0
"""Nobody's lease depends on it here: the real loop renews twenty times a second."""
OFFICER = "simulated officer"
STUCK_S = 3600.0
LINK_DOWN = LinkDown(reason=DownReason.SILENT, what="simulated")
BACKENDS: Mapping[m.Role, dict[str, str]] = {
    "reader": {
        "scanner": "trial simulator",
        "chip": "trial simulator, 424 kbit/s and an allowance for computing",
        "mrz": "trial simulator",
        "pki": "trial simulator",
        "trust": "trial simulator",
    },
    "vision": {"face": "trial simulator: scores of no recogniser", "pad": "trial simulator", "camera": "trial simulator"},
}


class LooseLog(AuditLog):
    """A log that waits for no disk: what a simulation loses in a power cut is made again."""

    def __init__(self, path: Path, key: bytes) -> None:
        super().__init__(path, key)
        self._connection.execute("PRAGMA synchronous = OFF")


class DrawnWriter(AuditWriter):
    """Writes at once, after as long as the disk is drawn to take."""

    def __init__(self, log: AuditLog, takes_s: Callable[[], float]) -> None:
        super().__init__(log)
        self._takes_s = takes_s

    async def append(
        self,
        kind: str,
        transaction: str,
        body: bytes | msgspec.Struct,
        at: datetime,
        boot: float,
        *,
        whole: bool = False,  # noqa: ARG002 - nothing is sealed
    ) -> int:
        """As :meth:`AuditWriter.append`."""
        async with self._turn:
            await asyncio.sleep(self._takes_s())
            return self._log.append(kind, transaction, body, at, boot)


class WatchedActor(LaneActor):
    """The actor, and somebody who is told of each of its steps."""

    watch: Callable[[State], None]

    async def _beat(self) -> None:
        while True:
            self._inbox.put_nowait(lambda: self._renew(self._loop.time()))
            await asyncio.sleep(BEAT_S)

    def _publish(self) -> None:
        super()._publish()
        self.watch(self.state)


@dataclass(slots=True)
class Visit:
    """One traveller at the lane. ``moving``: when people or leaves moved and all else waited for them, in boot seconds."""

    person: Person
    dice: random.Random
    tries: int = 0
    placed: float = 0.0
    passed: float | None = None
    moving: list[tuple[str, float, float]] = field(default_factory=list)
    pose_s: float = 0.0
    chip_told: float = 0.0
    allowance_s: float = 0.0
    record: TransactionRecord | None = None
    transactions: list[str] = field(default_factory=list)


def lane_config(folder: Path, name: str, bank: Bank) -> Config:
    """A demonstration's: nothing that is decided counts."""
    unused = Path("simulated")
    return Config(
        profile="demo",
        state_dir=folder,
        lane=LaneSection(id=name, checkpoint=bank.airport, direction=bank.direction),
        scanner=Scanner(kind="simulator", address="simulated"),
        camera=Camera(kind="simulator", address="simulated"),
        controller=Controller(device="simulated"),
        face=Face(pack="simulated", packs_dir=unused),
        trust=Trust(store=unused),
    )


class SimulatedLane:
    """Make it on the loop. The casework's helpers and the actor's controller are this object."""

    def __init__(
        self,
        name: str,
        bank: Bank,
        log: AuditLog,
        *,
        scenario: Scenario,
        compute: Compute,
        rules: RuleSet,
        clock: WarpedClock,
        sources: Mapping[str, Source[Any]],
        key: bytes,
        seed: int,
    ) -> None:
        config = lane_config(Path("simulated"), name, bank)
        self.name, self._scenario, self._clock = name, scenario, clock
        self._loop, self._dice = asyncio.get_running_loop(), random.Random(f"{seed} {name}")
        self._compute, self._numbers = compute, random.Random(f"{seed} {name} transactions")
        self._reader, self._vision = Reader(scenario, compute), Vision(scenario, compute)
        self._asked = AskedRegistries(
            tuple(sources),
            lambda question: self._registries.on_message(question),  # noqa: PLW0108 - it is made below
            lambda: True,
            gate=name,
            checkpoint=bank.airport,
            limit_ms=config.timeouts.registry_ms,
        )
        self._registries = RegistriesWork(RegistryRound(sources, bank.airport), self._asked.heard, clock)
        self._log = DrawnWriter(log, lambda: compute.draw("commit.entry", self._dice))
        self._case = Casework(config, rules, self._log, clock=clock, helpers=self, key=key, new_id=self._new_id)
        display = Display(config, self.tell)
        self._actor = WatchedActor(
            config.timeouts, clock, self, self._case, display, oldest_s=math.inf
        )  # doors tell of changes alone
        self._actor.watch = self._watch
        self._officers = Officers(config, clock, self._actor, self._case, lambda _: False)
        self.doors = Doors(scenario.motion, compute, self._actor.on_controller, self._actor.post, self._loop)
        self._commands, self._changed, self._called = 0, asyncio.Event(), False
        self._tasks: set[asyncio.Task[None]] = set()
        self._capture: asyncio.Task[None] | None = None
        self._visit: Visit | None = None
        self._reference_ready = 0.0
        self.link_losses, self.out_of_service_s, self._since_out = 0, 0.0, 0.0
        self._was = State.OUT_OF_SERVICE
        self._running = self._loop.create_task(self._actor.run())

    # --- what the lane asks for ---------------------------------------------------------------------------------------------------

    def command(self, command: GateCommand) -> None:
        self._spawn(self.doors.obey(command, self._visit))

    def next_command_id(self) -> int:
        self._commands += 1
        return self._commands

    def renew(self) -> None: ...

    def tell(self, role: m.Role, message: m.AnyMessage) -> None:  # noqa: ARG002 - each message has one addressee
        """What the lane says to its peers; those of screens are not there."""
        match message:
            case m.ReadDocument():
                self._spawn(self._read(message))
            case m.PrepareReference():
                self._spawn(self._prepare(message))
            case m.StartCapture():
                self._capture = self._spawn(self._look(message))
            case m.Forget():
                if self._capture is not None:
                    self._capture.cancel()
            case m.TransactionEnded():
                if self._visit:
                    self._visit.record = message.record
                    self._visit.transactions.append(message.record.transaction)
                self._changed.set()
            case _:
                pass

    def ask_registries(
        self, read: m.MrzRead, document_class: str, direction: Direction
    ) -> Mapping[str, Coroutine[None, None, Answers]]:
        return self._asked.questions(read, document_class, direction)

    async def crossing_permitted(self, record: DecisionRecord) -> bool:  # noqa: ARG002 - the same for everybody
        """No outbox of crossings is simulated: nobody crosses."""
        return True

    def crossing_ended(self, transaction: str, end: End, *, at: datetime) -> None:
        self._asked.ended(transaction, end, at=at)

    def _new_id(self) -> str:
        return f"{self._numbers.getrandbits(128):032x}"

    # --- reader and vision --------------------------------------------------------------------------------------------------------

    async def _read(self, order: m.ReadDocument) -> None:
        visit = self._visit
        if visit is None:
            return
        misplaced = bool(self._scenario.motion.misplaced.draw(visit.dice))
        page = self._reader.page(order, visit.person, self._clock.boot(), visit.dice, misplaced=misplaced)
        await asyncio.sleep(page.after_s)
        if page.failed is not None:
            self._say("reader", page.failed)
            return
        assert page.read is not None
        self._say("reader", page.read)
        begun = self._clock.boot()
        chip = self._reader.chip(order, visit.person, begun, page.after_s, visit.dice, again=visit.tries > 1)
        visit.allowance_s = chip.allowance_s
        await asyncio.sleep(chip.after_s)
        visit.chip_told = self._clock.boot()
        self._say("reader", chip.checked)

    async def _prepare(self, order: m.PrepareReference) -> None:
        visit = self._visit
        if visit is None:
            return
        takes, ready = self._vision.reference(order, self._clock.boot(), visit.dice)
        self._reference_ready = self._clock.boot() + takes
        await asyncio.sleep(takes)
        self._say("vision", ready)

    async def _look(self, order: m.StartCapture) -> None:
        visit = self._visit
        if visit is None:
            return
        await asyncio.sleep(max(0.0, self._reference_ready - self._clock.boot()))
        begun = self._clock.boot()
        face = self._vision.look(order, visit.person, begun, visit.dice)
        visit.pose_s = face.human_s
        visit.moving.append(("human", begun, begun + face.human_s))
        await asyncio.sleep(face.after_s)
        self._say("vision", face.checked)

    def _say(self, role: m.Role, message: m.AnyMessage) -> None:
        self._actor.post(lambda: self._actor.on_message(role, message))

    # --- travellers ---------------------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Until the lane may take somebody, however long that is."""
        while not self.is_ready:
            self._changed.clear()
            await self._changed.wait()

    @property
    def state(self) -> State:
        return self._actor.state

    @property
    def is_ready(self) -> bool:
        return self._actor.state is State.IDLE and self._actor.in_service and self._case.running is None

    async def serve(self, person: Person) -> Visit:
        """Have ``person`` go through, or be sent to an officer's counter, after as many tries as people make."""
        dice, motion = random.Random(person.dice_seed), self._scenario.motion
        visit = self._visit = Visit(person=person, dice=dice)
        await asyncio.sleep(motion.approach_s.draw(dice))
        while visit.tries < motion.tries:
            await self._try(visit)
            if visit.record is not None and visit.record.outcome != "RETRY":
                break
            await asyncio.sleep(motion.realise_s.draw(dice))
        self._visit = None
        return visit

    async def _try(self, visit: Visit) -> None:
        await self.ready()
        visit.tries, visit.record, visit.passed, visit.moving = visit.tries + 1, None, None, []
        visit.placed = self._clock.boot()
        self._say("reader", m.DocumentPlaced(boot=visit.placed))
        await self._until(lambda: self._case.running is not None or self._actor.state is not State.IDLE)
        await self._until(lambda: self._actor.state is not State.DOCUMENT)
        self._say("reader", m.DocumentRemoved())
        await self._until(lambda: visit.record is not None or (self._case.running is None and not self._actor.in_service))

    async def _until(self, there: Callable[[], bool]) -> None:
        """Raises TimeoutError for a lane that hangs."""
        async with asyncio.timeout(STUCK_S):
            while not there():
                self._changed.clear()
                await self._changed.wait()

    # --- officers, and what goes wrong --------------------------------------------------------------------------------------------

    def _watch(self, state: State) -> None:
        self._changed.set()
        if state is not self._was:
            self._account(state)
        if state in {State.HOLD, State.FAULT} and not self._called:
            self._called = True
            self._spawn(self._officer_comes())

    def _account(self, state: State) -> None:
        out, now = {State.OUT_OF_SERVICE, State.FAULT, State.EMERGENCY, State.NO_POWER, State.RECOVER}, self._clock.boot()
        if state in out and self._was not in out:
            self._since_out = now
        elif state not in out and self._was in out:
            self.out_of_service_s += now - self._since_out
        self._was = state

    async def _officer_comes(self) -> None:
        """Somebody walks over: takes away what lies there, lets out who stands there, wakes the lane where it waits for that."""
        await asyncio.sleep(self._scenario.officer.reach_s.draw(self._dice))
        self._called = False
        self.doors.take_object()
        if self._actor.state is State.HOLD:
            self._actor.post(lambda: self._order("eject"))
        elif self._actor.state is State.FAULT:
            self.doors.reset()
            self._actor.post(lambda: self._order("reset"))

    def _order(self, order: m.Order) -> None:
        self._officers.order(m.OfficerOrder(order=order, name=OFFICER))

    async def lose_links(self) -> None:
        """Until cancelled: now and then the line to the controller is gone, and whoever is inside is let out by the controller alone."""
        networks = self._scenario.networks
        mean_s = 86_400 / max(1e-9, networks.link_losses_per_lane_day.draw(self._dice))
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / mean_s))
            self.link_losses += 1
            self._actor.post(lambda: self._actor.on_controller(LINK_DOWN))
            self.doors.reset()
            await asyncio.sleep(networks.link_loss_s.draw(self._dice))
            self._link_up()

    def _link_up(self) -> None:
        self._actor.post(lambda: self._actor.on_controller(LinkUp(firmware="trial simulator")))
        self.doors.tell()

    # --- its life -----------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Until the lane is idle."""
        roles: tuple[m.Role, ...] = ("reader", "vision", "officer_screen")
        for role in roles:
            self._actor.post(lambda role=role: self._actor.on_peer(role, BACKENDS.get(role, {}), joined=True))  # type: ignore[misc] # a default binds the loop's variable
        self._link_up()
        await self.ready()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": f"lane {self.name}", "exception": error})

    async def close(self) -> None:
        """Let all that is to be written down be written."""
        await self._case.settle()
        self._account(State.OUT_OF_SERVICE if self._was is not State.OUT_OF_SERVICE else State.IDLE)
        for task in (self._running, *self._tasks):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._running, *self._tasks, return_exceptions=True)
        self._log.close()
