"""A hand that plays controller and workers around the lane's real actor, casework, table, rules and log."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gate.audit.log import FILE_NAME, AuditError, AuditLog, AuditWriter, open_readonly
from gate.clock import SystemClock
from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Timeouts, Trust
from gate.evidence import CheckResult, Direction, Fact, successful
from gate.lane import State
from gate.policy.schema import load_rules
from gate.processes import messages as m
from gate.processes.actor import LaneActor
from gate.processes.casework import Casework
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.display import Display
from gate.processes.panel_watch import PanelWatch
from gate.processes.pictures_lane import PictureDesk
from gate.processes.sight import OLDEST_S
from gate.records import TransactionRecord
from gate.registries.answers import Answers
from gate.runtime import Runtime
from hardware.controller.link import LinkUp
from hardware.controller.protocol import (
    LaneKind,
    Leaf,
    OpenExit,
    Telemetry,
)

KEY = b"k" * 32
RULES = load_rules()
CHIP = {
    "chip": "read",
    "access": "bac",
    "card_access": "not_offered",
    "dg1_mrz": "equal",
    "passive_authentication": "authentic",
    "revocation": "good",
    "chip_authenticity": "genuine",
}


def facts(**words: str) -> dict[str, Fact]:
    return {name: successful(word) for name, word in words.items()}


class Log(AuditWriter):
    """The real log; ``open`` holds back what is to be written, ``full`` refuses it."""

    def __init__(self, path: Path) -> None:
        super().__init__(AuditLog(path, KEY))
        self.gate, self.full = asyncio.Event(), False
        self.gate.set()

    async def append(self, *arguments: Any, **named: Any) -> int:
        await self.gate.wait()
        if self.full:
            raise AuditError("disk full")
        return await super().append(*arguments, **named)


class Hand:
    """Plays everything around the actor."""

    chip = CHIP

    def __init__(
        self,
        folder: Path,
        kind: LaneKind = "mantrap",
        longer_times: float = 1.0,
        *,
        clock: SystemClock | None = None,
        oldest_s: float = math.inf,
        **timeouts: float,
    ) -> None:
        """``oldest_s``: of telemetry, which by default tells no time and is always of now."""
        self.folder, self._timeless = folder, oldest_s == math.inf
        config = Config(
            profile="demo",
            state_dir=folder,
            lane=Lane(id="x", checkpoint="CGK", direction=Direction.DEPARTURE, kind=kind),
            timeouts=Timeouts(**timeouts),
            scanner=Scanner(kind="simulator", address="x"),
            camera=Camera(kind="simulator", address="x"),
            controller=Controller(device="x"),
            face=Face(pack="demo", packs_dir=folder),
            trust=Trust(store=folder),
        )
        self.clock = clock or SystemClock()
        self.log = Log(folder / FILE_NAME)
        self.told: list[tuple[str, m.AnyMessage]] = []
        self.commands: list[Any] = []
        self.renewed = self.handled = 0
        self.crossings: list[tuple[str, str]] = []
        """Whom the outbox of crossings was told of, and how; ``crossing_durable``: what it answers."""
        self.crossing_durable = True
        self.issuer_portrait, self.lies = "", dict[str, str]()
        self.case = Casework(config, RULES, self.log, clock=self.clock, helpers=self, key=KEY)
        self.pictures = PictureDesk(self.clock.boot, self.tell, self.case.pictures_shown)
        display = Display(config, self.tell, PanelWatch(self.clock.boot, self.case.note_panel), self.pictures)
        self.actor = LaneActor(
            config.timeouts, self.clock, self, self.case, display, kind=kind, longer_times=longer_times, oldest_s=oldest_s
        )
        self.running = asyncio.create_task(self.actor.run())
        self._plant = {"entry": Leaf.LOCKED, "exit": Leaf.LOCKED, "occupancy": 0, "object_left": False}
        self._plant |= {"entry_clear": True, "exit_clear": True, "emergency": False, "mains": True, "leased": False}

    # what the actor asks for

    def command(self, command: Any) -> None:
        self.commands.append(command)

    def next_command_id(self) -> int:
        return len(self.commands) + 1

    def renew(self) -> None:
        self.renewed += 1

    def tell(self, role: str, message: m.AnyMessage) -> None:
        self.told.append((role, message))

    def ask_registries(self, *_: Any) -> dict[str, Any]:
        async def answer(**words: str) -> Answers:
            return Answers(facts=facts(**words, **self.lies), portrait_sha256=self.issuer_portrait)

        return {
            "issuance": answer(issuance="active", document_model="chip_expected"),
            "watchlist": answer(pencegahan="clear", wanted="clear"),
            "lost_and_stolen": answer(sltd="clear"),
        }

    async def crossing_permitted(self, record: Any) -> bool:
        self.crossings.append((record.evidence.transaction, "permitted"))
        return self.crossing_durable

    def crossing_ended(self, transaction: str, end: str, *, at: Any) -> None:
        self.crossings.append((transaction, end))

    # what happens to it

    @property
    def state(self) -> State:
        return self.actor._lane.state

    async def settle(self) -> None:
        """Until everything that was put into the queue so far, and what came of it, is handled."""
        for _ in range(4):
            handled = asyncio.Event()
            self.actor.post(handled.set)
            await handled.wait()
            await asyncio.sleep(0.005 if self.case._tasks else 0)  # something is on its way to the disk

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.002)

    async def say(self, role: str, message: m.AnyMessage) -> None:
        self.actor.post(lambda: self.actor.on_message(role, message))
        await self.settle()

    async def plant(self, *, late_s: float = 0.0, **changes: Any) -> None:
        """Telemetry, which took ``late_s`` to be heard."""
        self._plant |= changes
        uptime_s = 0.0 if self._timeless else self.clock.boot() - late_s
        told = Telemetry(uptime_ms=round(uptime_s * 1000), **self._plant)
        self.actor.post(lambda: self.actor.on_controller(told))
        await self.settle()

    async def controller(self, event: Any) -> None:
        self.actor.post(lambda: self.actor.on_controller(event))
        await self.settle()

    async def peer(self, role: str, *, joined: bool = True, **backends: str) -> None:
        self.actor.post(lambda: self.actor.on_peer(role, backends, joined=joined))
        await self.settle()

    async def ready(self) -> None:
        await self.controller(LinkUp(firmware="firmware"))
        for role in ("reader", "vision", "officer_screen"):
            await self.peer(role)
        await self.plant()
        assert self.state is State.IDLE

    async def document(self, *, dg2_sha256: str = "", trust: str = "", **chip: str) -> None:
        await self.say("reader", m.DocumentPlaced(boot=0.0))
        assert self.case.running
        self.transaction = self.case.running.id
        await self.say(
            "reader",
            m.MrzRead(
                transaction=self.transaction,
                facts=facts(mrz="read", infrared="present", nationality="citizen", age="adult", expiry="valid"),
                issuing_state="IDN",
                document_code="P",
                document_number="X1",
                primary_identifier="A",
                secondary_identifier="B",
                date_of_birth="800101",
                sex="F",
            ),
        )
        await self.say(
            "reader",
            m.DocumentChecked(
                transaction=self.transaction,
                facts=facts(**(CHIP | chip)),
                stages=(),
                portrait=b"P",
                dg2_sha256=dg2_sha256,
                trust=trust,
                last_byte_boot=0.0,
            ),
        )

    async def inside(self) -> None:
        """An honest traveller stands between the locked doors."""
        await self.document()
        await self.until(lambda: self.state is State.ENTRY_OPEN)
        await self.plant(entry=Leaf.OPEN)
        await self.plant(occupancy=1)
        await self.plant(entry=Leaf.LOCKED)
        assert self.state is State.CAPTURE

    async def face(self, word: str = "match", boot: float | None = None) -> None:
        told = facts(face=word) | {"pad": Fact(value="not_available", result=CheckResult.NOT_SUPPORTED)}
        frame = self.clock.boot() if boot is None else boot
        message = m.FaceChecked(transaction=self.transaction, facts=told, stages=(), chosen_frame_boot=frame)
        await self.say("vision", message)

    def opened_exit(self) -> bool:
        return any(isinstance(command, OpenExit) for command in self.commands)

    async def record(self) -> TransactionRecord:
        """The record of the last transaction, from the disk."""
        await self.until(lambda: self.case.running is None)
        for _ in range(500):
            with open_readonly(self.folder / FILE_NAME) as log:
                if records := [record for record in log.transactions() if record.transaction == self.transaction]:
                    return records[-1]
            await asyncio.sleep(0.01)
        raise AssertionError("no record was written")

    async def close(self) -> None:
        self.log.gate.set()
        self.running.cancel()
        await asyncio.gather(self.running, *self.case._tasks, return_exceptions=True)
        self.log.close()


@pytest.fixture
async def hand(tmp_path):
    hand = Hand(tmp_path, walk_in_s=1, capture_s=2, exit_s=1, await_officer_s=1)
    await hand.ready()
    yield hand
    await hand.close()


@pytest.fixture
async def patient(tmp_path):
    """A lane that waits twice as long for who asks for it."""
    hand = Hand(tmp_path, longer_times=2.0, walk_in_s=20, capture_s=20, exit_s=20, await_officer_s=20)
    await hand.ready()
    yield hand
    await hand.close()


@pytest.fixture
async def single(tmp_path):
    hand = Hand(tmp_path, kind="single_door", capture_s=2, exit_s=1, await_officer_s=1)
    await hand.ready()
    await hand.plant(occupancy=1)
    yield hand
    await hand.close()


class StandingClock(SystemClock):
    """Boot time goes on when a test says so: a process that is stopped for a while does nothing meanwhile, and then finds it is later."""

    boot_s = 1000.0

    def boot(self) -> float:
        return self.boot_s


@pytest.fixture
async def stoppable(tmp_path):
    """A lane with the real bounds on how old telemetry may be, and with all the time in the world for its travellers."""
    times = dict.fromkeys(("document_s", "walk_in_s", "capture_s", "exit_s", "await_officer_s"), 20.0)
    hand = Hand(tmp_path, clock=StandingClock(), oldest_s=OLDEST_S, **times)
    await hand.ready()
    yield hand
    await hand.close()


class Crew:
    """Everybody whom a lane process under test knows, played by the test: each keeps what they were told."""

    LIMIT_S = 30

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._channels: dict[str, Channel] = {}
        self._listening: list[asyncio.Task[None]] = []
        self.heard: dict[str, list[Any]] = {}

    async def join(self, role: Any, alive: Callable[[], None], heed: Callable[[Any], Awaitable[None]] | None = None) -> None:
        """Wait until the lane listens, for as long as ``alive`` raises nothing. ``heed`` is told what comes."""
        async with asyncio.timeout(self.LIMIT_S):
            while role not in self._channels:
                alive()
                try:
                    self._channels[role] = await connect(self._runtime.lane_socket, role, self._runtime.secret_for(role))
                except ChannelClosed:
                    await asyncio.sleep(0.05)
        self.heard[role] = []
        self._listening.append(asyncio.create_task(self._listen(role, heed)))

    async def _listen(self, role: str, heed: Callable[[Any], Awaitable[None]] | None) -> None:
        with suppress(ChannelClosed):
            while True:
                self.heard[role].append(message := await self._channels[role].receive())
                if heed:
                    await heed(message)

    async def say(self, role: str, message: Any) -> None:
        await self._channels[role].send(message)

    def newest(self, role: str, kind: type) -> Any:
        return next((each for each in reversed(self.heard[role]) if isinstance(each, kind)), None)

    async def eventually(self, condition: Callable[[], Any], what: str) -> Any:
        """The first true value of ``condition``."""
        try:
            async with asyncio.timeout(self.LIMIT_S):
                while not (value := condition()):
                    await asyncio.sleep(0.02)
                return value
        except TimeoutError:
            raise AssertionError(f"{what}: not within {self.LIMIT_S} s") from None

    async def leave(self) -> None:
        for channel in self._channels.values():
            await channel.close()


@pytest.fixture
def crew():
    """Makes the :class:`Crew` of a runtime."""
    return Crew
