"""What is left of a traveller whom an officer looked at: nothing, in no process and no file, once the waiting is over.

Looked for is all that ``biometric_gate`` looks for, and every picture that was handed out.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gate.demo.stage
from benchmarks import biometric_gate, machine
from benchmarks import biometric_search as search
from benchmarks.biometric_gate import LIMIT_S, WatchedGate, watched_gate
from benchmarks.biometric_search import Secret, Windows
from benchmarks.biometric_secrets import document, face, grey_portrait
from benchmarks.soak_cases import Case
from gate.demo.console import DemoConsole
from gate.demo.stage import DemoStage
from gate.processes.pictures_http import NEXT, NO_PICTURE

TELLING = Path(__file__).with_name("pictures_told.py")
WAITING = "borrowed"
"""Who waits inside for an officer: a passport that is somebody else's."""
TIMEOUTS = biometric_gate.TIMEOUTS.replace("await_officer_s = 1", "await_officer_s = 4")
CONFIGURED_S = 3
"""The demonstration's wait for officers, in place of which those stand."""
LOOK_S = 1.5
SCAN = b"\xff\xda"
"""Where a JPEG's own octets begin: the tables before are in every one, and in every decoder."""
DIES = ("nobody", "vision", "pictures")
MUST_SEE = frozenset({f"{who} died" for who in DIES})


class LookedAtGate(WatchedGate):
    """A gate with officers who may look; this process does."""

    def __init__(self, folder: Path, hoarding: bool = True) -> None:
        super().__init__(folder, hoarding)
        self.dies = "nobody"
        self._told, self._shown = folder / "told.json", list[bytes]()

    def _hoarders(self) -> dict[str, list[str]]:
        """The honest commands; the pictures process tells where it listens."""
        return {**self._honest, "pictures": [sys.executable, "-P", str(TELLING), str(self._told), *self._honest["pictures"][3:]]}

    async def _walk(self, name: str) -> str:
        self._shown.clear()
        looking = asyncio.create_task(asyncio.to_thread(self._look))
        outcome = await super()._walk(name)
        await looking
        return outcome

    def _secrets(self, dg2: bytes) -> Windows:
        world: Any = self.stage.world
        self._frames = world.frames() or self._frames
        shown = [Secret(name="shown", content=picture[picture.index(SCAN) :]) for picture in self._shown]
        return Windows([*shown, *document(dg2), *face(self._verifier, dg2, self._frames)], [grey_portrait()])

    def _look(self) -> None:
        """As the console's page does, for a while; then somebody dies, or nobody does."""
        host, token = self._offer()
        headers = {"Host": host, "Origin": f"http://localhost:{self.stage.console_port}"}
        with closing(HTTPConnection(host, timeout=LIMIT_S)) as chip, closing(HTTPConnection(host, timeout=LIMIT_S)) as live:
            chip.request("GET", f"/{token}/chip", headers=headers)
            self._shown.append(chip.getresponse().read())
            live.request("GET", f"/{token}/live", headers=headers)
            answer, moving = live.getresponse(), b""
            until = time.monotonic() + LOOK_S
            while time.monotonic() < until:
                moving += answer.read1()
            self._shown += [part for part in moving.split(NEXT)[:-1] if SCAN in part and part != NO_PICTURE]
            assert len(self._shown) > 2, "neither portrait nor live pictures"
            pid = self.service.pids["pictures"]
            shown = Windows([Secret(name="shown", content=self._shown[-1])])
            assert search.in_processes({"pictures": pid}, shown), "the search does not find what is there"
            if self.dies != "nobody":
                os.kill(self.service.pids[self.dies], signal.SIGKILL)

    def _offer(self) -> tuple[str, str]:
        """Where pictures are on offer, as soon as they are."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                told = json.loads(self._told.read_text(encoding="ascii"))
                if told.get("token"):
                    return f"127.0.0.1:{told['port']}", told["token"]
            time.sleep(0.02)
        raise AssertionError(f"nobody could be looked at, see {self.stage.log}")


@contextmanager
def nothing_left() -> Iterator[Case]:
    """A traveller who waits for an officer, and is looked at, a case."""
    port = machine.free_ports(1)[0]
    stage = partial(_Stage, console=DemoConsole(port, None))
    with (
        patch.object(gate.demo.stage, "AWAIT_OFFICER_S", CONFIGURED_S),
        patch.object(biometric_gate, "TIMEOUTS", TIMEOUTS),
        patch.object(biometric_gate, "DemoStage", stage),
        patch.object(biometric_gate, "WatchedGate", LookedAtGate),
        watched_gate(hoarding=True) as watched,
    ):
        assert isinstance(watched, LookedAtGate)

        def case(dice: random.Random) -> str:
            watched.dies = dice.choice(DIES)
            left = watched.send(WAITING)
            assert len(left.windows) > 10_000, "hardly anything was looked for"
            assert not left.in_memory, f"{watched.dies} died: {left.in_memory}"
            assert not left.on_disk, f"{watched.dies} died: {left.on_disk}"
            return f"{watched.dies} died"

        yield case


class _Stage(DemoStage):
    """Remembers where its console would be."""

    def __init__(self, *arguments: Any, console: DemoConsole, **how: Any) -> None:
        super().__init__(*arguments, console=console, **how)
        self.console_port = console.port
