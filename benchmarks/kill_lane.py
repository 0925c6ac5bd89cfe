"""One lane to kill hosts in: the real lane process on a pseudo-terminal, a controller that witnesses, and stubbed workers beside them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar, get_args

from benchmarks.kill_controller import boot
from benchmarks.kill_judge import Line
from benchmarks.progress import Bar
from gate.demo.cast import load_cast
from gate.evidence import Fact, successful
from gate.processes import messages as m
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.profiles import DEMO_MARKER
from gate.registries.answers import Answers
from gate.runtime import Runtime
from hardware.sim.compiled import PROGRAM

LIMIT_S = 20.0
JOIN_EVERY_S = 0.02
WALK_S = 0.8
KEY = secrets.token_bytes(32)
SECRET = secrets.token_hex(32)
CONFIG = """\
profile = "demo"
state_dir = "{folder}/state"
[lane]
id = "{name}"
checkpoint = "CGK"
direction = "departure"
[timeouts]
capture_s = 15
await_officer_s = 15
[scanner]
kind = "simulator"
address = "{folder}"
[camera]
kind = "simulator"
address = "{folder}"
[controller]
device = "{folder}/gate-controller"
key_file = "{folder}/key"
[face]
pack = "demo"
packs_dir = "{folder}"
[trust]
store = "{folder}/trust"
[registries.issuance]
url = "http://127.0.0.1:1"
key = "{folder}/none"
[registries.watchlist]
url = "http://127.0.0.1:1"
key = "{folder}/none"
[registries.lost_and_stolen]
url = "http://127.0.0.1:1"
key = "{folder}/none"
"""

Place = Literal["idle", "entry opening", "entry closing", "capture", "hold", "exit opening", "exit closing"]
"""How far a traveller comes before the host dies."""
T = TypeVar("T")


class Voidable(Protocol):
    """A result that proves nothing if ``void`` (seconds for which the witness was held up) is not 0."""

    @property
    def void(self) -> float: ...


R = TypeVar("R", bound=Voidable)
PLACES: tuple[Place, ...] = get_args(Place)

_MRZ = {"mrz": "read", "infrared": "present", "nationality": "citizen", "age": "adult", "expiry": "valid"}
_CHIP = {
    "access": "bac",
    "card_access": "not_offered",
    "chip": "read",
    "passive_authentication": "authentic",
    "dg1_mrz": "equal",
    "revocation": "good",
    "chip_authenticity": "genuine",
}
_REGISTRIES = {
    "issuance": {"issuance": "active", "document_model": "chip_expected"},
    "watchlist": {"pencegahan": "clear", "wanted": "clear"},
    "lost_and_stolen": {"sltd": "clear"},
}


def facts(words: Mapping[str, str]) -> dict[str, Fact]:
    return {name: successful(word) for name, word in words.items()}


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Busy processes beside the lanes."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def both() -> list[str]:
    """The firmwares that are there; where every real component is required, the one in C has to be."""
    required = os.environ.get("AUTOGATE_REQUIRE_ALL") == "1"
    return ["python", "c"] if required or PROGRAM.exists() else ["python"]


@contextlib.asynccontextmanager
async def lanes(count: int, firmwares: Sequence[str]) -> AsyncIterator[list[KillLane]]:
    """So many lanes with controllers of these firmwares by turns; on exit all their processes have ended."""
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        built = [KillLane(Path(name) / f"lane-{n}", firmwares[n % len(firmwares)]) for n in range(count)]
        async with contextlib.AsyncExitStack() as stack:
            await asyncio.gather(*map(stack.enter_async_context, built))
            yield built


async def work_off(lanes: Sequence[KillLane], todo: Sequence[T], perform: Callable[[KillLane, T], Awaitable[R]]) -> list[R]:
    """Perform everything in ``todo`` on whichever lane is free; once more, and in the end, what a result says is void."""
    results: list[R] = []
    waiting, again, shown = list(reversed(todo)), len(todo) // 2, Bar(len(todo), "trials")

    async def work(lane: KillLane) -> None:
        nonlocal again
        while waiting:
            trial = waiting.pop()
            results.append(await perform(lane, trial))
            shown.step()
            if results[-1].void and again:
                again -= 1
                waiting.insert(0, trial)

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(work(lane))
    shown.end()
    return results


class KillLane:
    """Use it as an async context manager. Whatever takes longer than :data:`LIMIT_S` raises TimeoutError."""

    def __init__(self, folder: Path, firmware: str) -> None:
        self.firmware, self.name = firmware, folder.name
        self._folder, self._runtime = folder, Runtime(folder)
        self.lines: list[Line] = []
        self.held_up: list[tuple[float, float]] = []
        """When the witness was held up, and for how long."""
        self.heard: list[m.AnyMessage] = []
        """What the lane said to its peers since the host started."""
        self.before: Sequence[str] = ()
        """Command and arguments that the next host is to be started by."""
        self._news = asyncio.Condition()
        self._host: subprocess.Popen[bytes] | None = None
        self._peers: dict[m.Role, Channel] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        folder = self._folder
        (folder / "state").mkdir(parents=True)
        (folder / "trust").mkdir()
        (folder / "trust" / DEMO_MARKER).touch()
        (folder / "key").write_text(KEY.hex(), encoding="ascii")
        (folder / "controller.key").write_bytes(KEY.hex().encode())
        self._runtime.secret_file.write_text(SECRET, encoding="ascii")
        (folder / "gate.toml").write_text(CONFIG.format(folder=folder, name=self.name), encoding="utf-8")
        command = ["-m", "benchmarks.kill_controller", "--tty-link", str(folder / "gate-controller"), "--firmware", self.firmware]
        command += ["--control", str(folder / "control.sock"), "--key-file", str(folder / "controller.key")]
        pipe = asyncio.subprocess.PIPE
        self._controller = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=pipe, stdout=pipe)
        self._witness = asyncio.create_task(self._listen_to_witness())
        await self.until(lambda: (folder / "control.sock").exists() and bool(self.lines), "the controller is there")
        self._orders = await asyncio.open_unix_connection(str(folder / "control.sock"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_host()
        if stdin := self._controller.stdin:
            stdin.close()
        await self._controller.wait()
        self._witness.cancel()
        self._orders[1].close()

    # --- the plant --------------------------------------------------------------------------------------------------------

    async def _listen_to_witness(self) -> None:
        assert self._controller.stdout is not None
        async for line in self._controller.stdout:
            told = json.loads(line)
            async with self._news:
                if told["what"] == "held up":
                    self.held_up.append((told["boot"], told["seconds"]))
                else:
                    self.lines.append(Line(boot=told["boot"], what=told["what"]))
                self._news.notify_all()

    async def order(self, do: str, **how: Any) -> dict[str, Any]:
        """An order to the plant, and its answer."""
        reader, writer = self._orders
        writer.write(json.dumps({"do": do, **how}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), LIMIT_S))
        assert answer["ok"], answer
        return answer

    def inside(self) -> int:
        return sum((line.what == "passage entry in") - (line.what.endswith(" out")) for line in self.lines)

    async def until(self, condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait for news that make ``condition`` true. Raises TimeoutError."""
        try:
            async with asyncio.timeout(limit_s), self._news:
                await self._news.wait_for(condition)
        except TimeoutError as error:
            raise TimeoutError(f"{self.name}: {what}: not within {limit_s:g} s; {self.lines[-5:]} {self.heard[-3:]}") from error

    async def until_line(self, what: str, since: int) -> None:
        await self.until(lambda: any(line.what == what for line in self.lines[since:]), what)

    # --- the host ---------------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self._host is not None
        return self._host.pid

    async def start_host(self) -> None:
        """A fresh lane process, its workers joined, idle and ready to serve."""
        self.heard.clear()
        command = [*self.before, sys.executable, "-m", "gate.processes.lane", "--config", str(self._folder / "gate.toml")]
        with (self._folder / "log").open("ab") as log:
            self._host = subprocess.Popen(  # noqa: ASYNC220 - forks and returns; its end is waited for in a thread
                [*command, "--runtime", str(self._folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        roles: tuple[m.Role, ...] = ("director", "officer_screen", "reader", "vision", "registries")
        for role in roles:
            self._peers[role] = channel = await asyncio.wait_for(self._join(role), LIMIT_S)
            self._tasks.append(asyncio.create_task(self._listen(channel)))
        await self.until_heard(m.LaneReady)

    async def _join(self, role: m.Role) -> Channel:
        while True:
            if self._host is not None and self._host.poll() is not None:
                raise RuntimeError(f"the host ended by itself: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")
            try:
                return await connect(self._runtime.lane_socket, role, self._runtime.secret_for(role))
            except ChannelClosed:
                await asyncio.sleep(JOIN_EVERY_S)

    async def _listen(self, channel: Channel) -> None:
        with contextlib.suppress(ChannelClosed):
            while True:
                message = await channel.receive()
                async with self._news:
                    self.heard.append(message)
                    self._news.notify_all()
                await self.heed(message)

    async def heed(self, message: m.AnyMessage) -> None:
        """The workers' part of what the lane says."""
        match message:
            case m.ReadDocument():
                await self._read(message.transaction)
            case m.AskRegistries():
                await self._answer(message)
            case _:
                pass

    async def end_host(self) -> None:
        """Kill the host, if one is there, and forget its channels."""
        if self._host is not None:
            self._host.kill()
            await asyncio.to_thread(self._host.wait)
            self._host = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._peers.values():
            channel.abort()
        self._tasks.clear()
        self._peers.clear()
        self._runtime.lane_socket.unlink(missing_ok=True)

    async def until_heard(self, kind: type[m.AnyMessage], limit_s: float = LIMIT_S) -> Any:
        def found() -> list[m.AnyMessage]:
            return [message for message in self.heard if isinstance(message, kind)]

        await self.until(lambda: bool(found()), kind.__name__, limit_s)
        return found()[-1]

    def held_up_between(self, since: float, until: float) -> float:
        """The longest that the witness was held up meanwhile, in seconds; 0 where it ticked in time."""
        return max((seconds for at, seconds in self.held_up if since <= at and at - seconds <= until), default=0.0)

    def strike(self, number: signal.Signals) -> float:
        """Send the host a signal; boot seconds just before."""
        at = boot()
        os.kill(self.pid, number)
        return at

    # --- the traveller ------------------------------------------------------------------------------------------------------

    async def bring(self, place: Place) -> None:
        """Let a traveller come as far as ``place``. The host is ready and nobody is there."""
        if place == "idle":
            return
        since = len(self.lines)
        await self.order("arrive", walk_in_s=WALK_S, walk_out_s=WALK_S, react_s=0.1)
        await self._peers["reader"].send(m.DocumentPlaced(boot=boot()))
        await self.until_line("entry opening", since)
        if place == "entry opening":
            return
        await self.until_line("entry closing", since)
        if place == "entry closing":
            return
        asked = await self.until_heard(m.StartCapture)
        if place == "capture":
            return
        await self._look(asked.transaction, "no_match" if place == "hold" else "match")
        if place != "hold":
            await self.until_line(place, since)

    async def _read(self, transaction: str) -> None:
        """The reader's part: a sound document."""
        book = next(each.document for each in load_cast().traveller if each.id == "ordinary")
        await self._peers["reader"].send(
            m.MrzRead(
                transaction=transaction,
                facts=facts(_MRZ),
                issuing_state="IDN",
                document_code="P",
                document_number=book.number,
                primary_identifier=book.primary,
                secondary_identifier=book.secondary,
                date_of_birth=book.birth,
                sex=book.sex,
            )
        )
        checked = m.DocumentChecked(transaction=transaction, facts=facts(_CHIP), stages=(), portrait=b"x", last_byte_boot=boot())
        await self._peers["reader"].send(checked)

    async def _answer(self, asked: m.AskRegistries) -> None:
        """The registries' part: nothing is known against anybody."""
        for registry, words in _REGISTRIES.items():
            told = m.RegistryAnswered(transaction=asked.read.transaction, registry=registry, answers=Answers(facts=facts(words)))
            await self._peers["registries"].send(told)

    async def _look(self, transaction: str, word: str) -> None:
        """Vision's part: what it saw."""
        seen = facts({"face": word, "pad": "bona_fide"})
        told = m.FaceChecked(transaction=transaction, facts=seen, stages=(), chosen_frame_boot=boot())
        await self._peers["vision"].send(told)
