"""What is left of a traveller whom an officer looked at: nothing, in no process and no file, once the waiting is over.

Looked for is all that ``biometric_gate`` looks for, and every picture that was handed out.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any
from unittest.mock import patch

import gate.demo.stage
from benchmarks import biometric_gate, machine
from benchmarks import biometric_search as search
from benchmarks.biometric_gate import LIMIT_S, WatchedGate, watched_gate
from benchmarks.biometric_search import Secret, Windows
from benchmarks.soak_cases import Case
from gate.demo.console import DemoConsole
from gate.demo.stage import DemoStage
from gate.processes.pictures_http import NEXT, NO_PICTURE

WAITING = "borrowed"
"""Who waits inside for an officer: a passport that is somebody else's."""
TIMEOUTS = biometric_gate.TIMEOUTS.replace("await_officer_s = 1", "await_officer_s = 6")
CONFIGURED_S = 3
"""The demonstration's wait for officers, in place of which those stand."""
LOOK_S = 1.0
SCAN = b"\xff\xda"
"""Where a JPEG's own octets begin."""
DIES = ("nobody", "vision", "pictures")
MUST_SEE = frozenset({f"{who} died" for who in DIES})


class LookedAtGate(WatchedGate):
    """A gate with officers who may look; this process does."""

    dies = "nobody"

    async def _walk(self, name: str) -> str:
        self._told = self.folder / "told"
        self._told.unlink(missing_ok=True)
        looking = asyncio.create_task(asyncio.to_thread(self._look))
        outcome = str((await self.director.play(self._quick(name))).outcome)
        await looking
        return outcome

    def _look(self) -> None:
        """As the console's page does, for a while; then somebody dies, or nobody does."""
        host, token = self._offer()
        pid = self.service.pids["pictures"]
        headers = {"Host": host, "Origin": f"http://localhost:{self.stage.console_port}"}
        with closing(HTTPConnection(host, timeout=LIMIT_S)) as chip, closing(HTTPConnection(host, timeout=LIMIT_S)) as live:
            chip.request("GET", f"/{token}/chip", headers=headers)
            portrait = chip.getresponse().read()
            live.request("GET", f"/{token}/live", headers=headers)
            answer, moving = live.getresponse(), b""
            until = time.monotonic() + LOOK_S
            while time.monotonic() < until:
                moving += answer.read1()
            self._shown = [portrait, *(part for part in moving.split(NEXT)[:-1] if SCAN in part and part != NO_PICTURE)]
            assert len(self._shown) > 2, "neither portrait nor live pictures"
            os.kill(pid, signal.SIGSTOP)  # or the case would be over before it was looked through
            stays = Windows([Secret(name="shown", content=portrait[portrait.index(SCAN) :])])
            found = search.in_processes({"pictures": pid}, stays)
            os.kill(pid, signal.SIGCONT)
            assert found, "the search does not find what is there"
            if self.dies != "nobody":
                os.kill(self.service.pids[self.dies], signal.SIGKILL)

    def _offer(self) -> tuple[str, str]:
        """Where pictures are on offer, as soon as they are."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            port, _, token = (self._told.read_text(encoding="ascii") if self._told.exists() else "").partition(" ")
            if token:
                return f"127.0.0.1:{port}", token
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
        watched_gate(hoarding=False) as watched,
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
