"""A demonstration's gate that is looked into while it serves: who comes, what chip and camera handed over, and what is left of it.

The scanner and the camera are simulated in this very process, which so knows every picture that it handed over; the features are made
anew from them, by the same code and weights. This process, the simulated controller and the registries' reference server are no part of
the gate: they hold the invented people on purpose, and are not searched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

import msgspec
import numpy as np

import gate.demo.director
import gate.demo.stage
import gate.service
from benchmarks import biometric_search as search
from benchmarks import machine
from benchmarks.biometric_hoarder import TOLD
from benchmarks.biometric_search import Found, Secret, Windows
from benchmarks.biometric_secrets import TellingVerifier, document, face, grey_portrait
from faceverify.packs import demo_pack
from gate.config import load
from gate.demo.cast import Traveller, load_cast
from gate.demo.console import DemoConsole
from gate.demo.director import Director
from gate.demo.stage import DemoStage
from gate.processes.channel import ChannelClosed
from gate.processes.pictures_http import BOUNDARY
from gate.processes.pictures_vision import encoded
from gate.service import Service, commands
from gate.support import gathered
from hardware.sim import camera
from hardware.sim.controller import SimulatedController
from hardware.sim.world import World, WorldServer

AFTER_IDLE_S = 2.0
"""So long after the lane is idle again nothing may be left."""
LIMIT_S = 60.0
TRAVEL_S, WALK_S, LOOK_S = 0.1, 0.1, 0.05
TIMEOUTS = "document_s = 4\nentry_s = 2\nwalk_in_s = 2\ncapture_s = 4\nexit_s = 3\nawait_officer_s = 2"
BIOMETRIC = ("lane", "reader", "vision")
"""Processes through which faces go."""
SHARED_MEMORY = Path("/dev/shm")
DISK_EVERY_S = 0.25
HOARDER = Path(__file__).with_name("biometric_hoarder.py")
FRAMES_KEPT = 60
PICTURES_S, LIVE_BYTES = 5.0, 60_000
"""Of the live picture, which moves, so many octets are looked at: two or three of them."""


class RecordedCamera(camera.CameraStage):
    """Remembers the frames that it handed over while somebody stood there, from their first one on."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.frames: deque[bytes] = deque(maxlen=FRAMES_KEPT)

    def handle(self, header: Any, bodies: list[bytes]) -> Any:
        answer, pixels = super().handle(header, bodies)
        if pixels and self._person is not None:
            self.frames.append(pixels[0])
        return answer, pixels


class OwnWorld(World):
    """The simulated scanner and camera, in this process."""

    _server: WorldServer | None = None

    def start(self, vpcd_port: int | None = None) -> None:
        with patch.object(camera, "CameraStage", RecordedCamera):
            self._server = WorldServer(self._folder, self._secret, vpcd_port)

    def place(self, passport: Any, **how: Any) -> None:
        super().place(passport, **{**how, "kbit_s": None})  # the air takes no time

    def frames(self) -> list[bytes]:
        """Those since this was last asked."""
        assert self._server is not None
        assert isinstance(self._server.camera, RecordedCamera)
        frames = list(self._server.camera.frames)
        self._server.camera.frames.clear()
        return frames

    def stop(self) -> None:
        super().stop()
        if self._server:
            self._server.close()


class QuickDoors(SimulatedController):
    def __init__(self, folder: Path, key: bytes, **how: Any) -> None:
        super().__init__(folder, key, travel_s=TRAVEL_S, **how)


# --- the gate ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process of ``role`` gets the signal ``number``, so many seconds after a traveller set out."""

    role: str
    number: signal.Signals
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What became of a traveller, the windows that were looked for, and where any were found."""

    outcome: str
    windows: Windows = field(repr=False)
    in_memory: dict[str, Found]
    on_disk: dict[str, Found]


class WatchedGate:
    """A gate that runs, and what may be asked about its memory and its disk. For one thread."""

    def __init__(self, folder: Path, hoarding: bool = False) -> None:
        """``hoarding``: its processes keep all that they see (``biometric_hoarder``), until :meth:`crash` brings honest ones."""
        cast = load_cast()
        self.cast: dict[str, Traveller] = {traveller.id: traveller for traveller in cast.traveller}
        self.folder, self._hoarding = folder, hoarding
        self._verifier = TellingVerifier(demo_pack(folder / "packs"))
        ports = machine.free_ports(3)
        console = DemoConsole(ports[2], None)
        self.stage = DemoStage(cast, folder / "state", (ports[0], ports[1]), folder / "packs", console=console)
        self._there_before = search.files_below([SHARED_MEMORY])
        self._met_on_disk: dict[str, Found] = {}
        self._frames: list[bytes] = []
        self._shown: list[bytes] = []
        self._before: list[Secret] = []
        self._cores = core_files()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self.stage.__enter__()
        try:
            self._runner.run(self._open())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())
        self._runner.close()
        self._verifier.close()
        self.stage.__exit__()

    async def _open(self) -> None:
        text = self.stage.config_path.read_text(encoding="utf-8")
        quick = re.sub(r"capture_s = 8\nawait_officer_s = \d+", TIMEOUTS, text)
        assert quick != text
        self.stage.config_path.write_text(quick, encoding="utf-8")
        config = load(self.stage.config_path)
        self._honest = commands(self.stage.config_path, config, self.stage.runtime)
        self._honest["pictures"] = self._replaced("pictures")  # says where they are, and is honest all the same
        self._config = config
        started = self._hoarders() if self._hoarding else self._honest
        self.service = Service(started, self.stage.log, self.stage.runtime)
        self._supervision = asyncio.create_task(self._supervise())
        self.director = Director(self.stage, SimpleNamespace(stage=lambda _: None))  # type: ignore[arg-type]  # nobody watches
        await self._until(self._joined, "the lane listens")
        await self.director.until_ready()

    def _hoarders(self) -> dict[str, list[str]]:
        """The commands, with the processes that see faces replaced."""
        return {**self._honest, **{role: self._replaced(role) for role in BIOMETRIC}}

    def _replaced(self, role: str) -> list[str]:
        """``python -m gate.processes.ROLE …`` becomes the hoarder."""
        return [sys.executable, "-P", str(HOARDER), role, *self._honest[role][3:]]

    async def _close(self) -> None:
        if hasattr(self, "director"):
            self._supervision.cancel()
            await self.director.leave()
        if hasattr(self, "service"):
            await asyncio.to_thread(self.service.stop, at_once=True)

    async def _joined(self) -> bool:
        try:
            await self.director.join()
        except ChannelClosed:
            return False
        return True

    async def _supervise(self) -> None:
        while True:
            self.service.poll()
            await asyncio.sleep(0.05)

    async def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not await condition():
            assert time.monotonic() < deadline, f"{what}: not within {LIMIT_S:.0f} s, see {self.stage.log}"
            await asyncio.sleep(0.02)

    # --- travellers ------------------------------------------------------------------------------------------------------------

    def send(self, name: str, *, bundle: bool = False) -> Left:
        """One traveller, from the first step to the last, and whatever the lane does before it takes the next one. ``bundle``: then a
        support bundle is made, and looked into.
        """
        return self._runner.run(self._looked_into(name, self._walk(name), bundle=bundle))

    def send_into_crash(self, name: str, crash: Crash) -> Left:
        """A traveller under whom a process of the gate dies."""
        return self._runner.run(self._looked_into(name, self._walk_into_crash(name, crash)))

    def crash(self, number: signal.Signals) -> None:
        """Have the processes that see faces die, and wait for honest ones. What was seen by then is looked for after the next traveller."""
        self._runner.run(self._crash(set(BIOMETRIC), number))
        self._runner.run(self.director.until_ready())

    async def _walk(self, name: str) -> str:
        looking = asyncio.create_task(self._look_on())
        try:
            return str((await self.director.play(self._quick(name))).outcome)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look_on(self) -> None:
        """Be the officer's browser: as soon as pictures are on offer, look at both."""
        told = self.folder / "told"
        told.unlink(missing_ok=True)
        while True:
            port, _, token = (told.read_text(encoding="ascii") if told.exists() else "").partition(" ")
            if token:
                shown = await asyncio.to_thread(pictures_shown, int(port), token, self._config.console.page_origin)
                self._shown += shown
                return
            await asyncio.sleep(0.02)

    def _quick(self, name: str) -> Traveller:
        """Who comes alone is quick; of two the second would find the entry shut, and there would be nothing to see."""
        traveller = self.cast[name]
        if traveller.behaviour.people > 1:
            return traveller
        return msgspec.structs.replace(traveller, behaviour=msgspec.structs.replace(traveller.behaviour, walk_s=WALK_S))

    async def _walk_into_crash(self, name: str, crash: Crash) -> str:
        walk = asyncio.create_task(self._walk(name))
        await asyncio.wait({walk}, timeout=crash.after_s)
        await self._crash({crash.role}, crash.number)
        if crash.role == "lane":  # who looks on cannot tell any more what became of them
            walk.cancel()
            await asyncio.gather(walk, return_exceptions=True)
            await self.director._walk_away(self._quick(name))
            return "crashed"
        return await walk

    async def _crash(self, roles: set[str], number: signal.Signals) -> None:
        before = self.service.pids
        for process in self.service._processes:
            process.command = self._honest[process.name]
        for role in roles:
            os.kill(before[role], number)
        self.director._seen.ready = False

        async def replaced() -> bool:
            return all(self.service.pids[role] != before[role] for role in roles)

        await self._until(replaced, f"{sorted(roles)} are started again")

    # --- what is left ------------------------------------------------------------------------------------------------------------

    async def _looked_into(self, name: str, work: Coroutine[Any, Any, str], *, bundle: bool = False) -> Left:
        """Do ``work`` while the disk is looked at all the time; then, :data:`AFTER_IDLE_S` after the lane is idle, look everywhere."""
        dg2 = self.stage.passports[name].files.get("DG2", b"")
        known = Windows(document(dg2) if dg2 else [], [grey_portrait()])
        watch = asyncio.create_task(self._watch_disk(known))
        try:
            outcome = await work
            await self.director.until_ready()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        idle = time.monotonic()
        windows = await asyncio.to_thread(self._secrets, dg2)
        await asyncio.sleep(idle + AFTER_IDLE_S - time.monotonic())
        in_memory = await asyncio.to_thread(search.in_processes, self.service.pids, windows)
        on_disk = {**self._met_on_disk, **await asyncio.to_thread(self._on_disk, windows)}
        if bundle:
            parts = await asyncio.to_thread(gathered, self._config, self.stage.state)
            on_disk |= {f"support bundle, {part}": told for part, content in parts.items() if (told := windows.found_in(content))}
        return Left(outcome=outcome, windows=windows, in_memory=in_memory, on_disk=on_disk)

    def _secrets(self, dg2: bytes) -> Windows:
        """What the chip showed and what the camera last saw of anybody, and what was made of both; of the traveller before, too."""
        world = self.stage.world
        assert isinstance(world, OwnWorld)
        self._frames = world.frames() or self._frames
        seen = [*document(dg2), *face(self._verifier, dg2, self._frames)] if dg2 else []
        shown = [Secret(name="pictures shown", content=each) for each in self._shown]
        self._shown = []
        before, self._before = self._before, [*seen, *shown]
        return Windows([*before, *self._before], [grey_portrait(), encoded(np.full((480, 373, 3), 128, np.uint8))])

    async def _watch_disk(self, windows: Windows) -> None:
        while True:
            self._met_on_disk.update(await asyncio.to_thread(self._on_disk, windows))
            await asyncio.sleep(DISK_EVERY_S)

    def _on_disk(self, windows: Windows) -> dict[str, Found]:
        """By file: the state folder with log and journals, the temporary folder of the run, shared memory, and any core file."""
        places = [self.folder / "state", self.folder / "tmp", SHARED_MEMORY]
        found = search.in_files(places, windows, frozenset(self._there_before))
        return found | {str(core): Counter({"a core": 1}) for core in core_files() - self._cores}


def pictures_shown(port: int, token: str, origin: str) -> list[bytes]:
    """The chip's portrait and the first live picture, as a browser gets them; what is not to be had is left out."""
    shown = []
    for which in ("chip", "live"):
        line = HTTPConnection("localhost", port, timeout=PICTURES_S)
        with contextlib.closing(line), contextlib.suppress(OSError, HTTPException):
            line.request("GET", f"/{token}/{which}", headers={"Origin": origin})
            answer = line.getresponse()
            if answer.status == HTTPStatus.OK:
                shown += [answer.read()] if which == "chip" else _parts(answer.read(LIVE_BYTES))
    return shown


def _parts(stream: bytes) -> list[bytes]:
    """The pictures in a stream of several, the last of which is cut off, without the words between them."""
    return [part.partition(b"\r\n--" + BOUNDARY.encode())[0] for part in stream.split(b"\r\n\r\n")[1:]]


def core_files() -> set[Path]:
    """Where the kernel writes cores, as far as it writes files at all (core(5))."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()
    if pattern.startswith("|"):
        return set()
    place = Path.cwd() / pattern
    return set(place.parent.glob(place.name.split("%")[0] + "*"))


@contextlib.contextmanager
def watched_gate(*, hoarding: bool = False) -> Iterator[WatchedGate]:
    """A gate in a folder of its own, where its temporary files lie, too."""
    with tempfile.TemporaryDirectory(prefix="ag-") as name, contextlib.ExitStack() as patches:
        folder = Path(name)
        (folder / "tmp").mkdir()
        patches.enter_context(patch.dict(os.environ, {"TMPDIR": str(folder / "tmp"), TOLD: str(folder / "told")}))
        patches.enter_context(patch.object(tempfile, "tempdir", str(folder / "tmp")))
        patches.enter_context(patch.object(gate.demo.stage, "World", OwnWorld))
        patches.enter_context(patch.object(gate.demo.stage, "SimulatedController", QuickDoors))
        patches.enter_context(patch.object(gate.demo.director, "LOOK_S", LOOK_S))
        patches.enter_context(
            patch.object(gate.service, "RESTARTS", 1000)
        )  # more are killed here in a minute than elsewhere in years
        with WatchedGate(folder, hoarding) as watched:
            yield watched
