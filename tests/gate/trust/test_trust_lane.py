"""A reader and a lane that run, before simulated devices: two people revoke a signer of documents while travellers come, and nothing is restarted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from gate.audit.log import gate_key
from gate.evidence import successful
from gate.processes import messages as m
from gate.processes.hardening import WIPING
from gate.profiles import DEMO_MARKER
from gate.records import TransactionRecord
from gate.registries.answers import Answers
from gate.runtime import Runtime
from hardware.sim.controller import SimulatedController
from hardware.sim.world import World

pytestmark = pytest.mark.processes
Keepers, Crew = Any, Any
"""Both made by a ``conftest.py``."""
COMMON = """\
profile = "{profile}"
state_dir = "{state}"

[lane]
id = "1"
checkpoint = "CGK"
direction = "departure"

[timeouts]
walk_in_s = 1

[scanner]
kind = "simulator"
address = "{folder}"
mrz = "device"

[camera]
kind = "simulator"
address = "{folder}"

[controller]
device = "{tty}"
key_file = "{key}"

[face]
pack = "demo"
packs_dir = "packs"
"""
REGISTRIES = {
    "issuance": {"issuance": "active", "document_model": "chip_expected"},
    "watchlist": {"pencegahan": "clear", "wanted": "clear"},
    "lost_and_stolen": {"sltd": "clear"},
}
READER = """\
import runpy
import gate.profiles
from gate.processes import trust_watch
gate.profiles.REFUSALS["trial"] = ()  # its devices are simulated; whose signatures it wants is as in operation
trust_watch.LOOK_S = 0.05
runpy.run_module("gate.processes.reader", run_name="__main__")
"""


class Gate:
    """Lane and reader, and the simulated devices; everybody else is the test."""

    def __init__(self, keepers: Keepers, runtime: Runtime, crew: Crew) -> None:
        self._keepers, self.runtime, self.crew = keepers, runtime, crew
        key_file = keepers.state_dir / "gate.key"
        key_file.write_text("5b1e9c02d7f4438a60b93e77c1250fae" * 2)
        self.controller = SimulatedController(runtime.folder, gate_key(key_file), travel_s=0.1)
        self.world = World(runtime.folder, runtime.secret)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (demo := runtime.folder / "demo").mkdir()
        (demo / DEMO_MARKER).touch()
        asked = "".join(f'[registries.{name}]\nurl = "http://127.0.0.1:9"\nkey = "none.pem"\n' for name in REGISTRIES)
        told = {"state": keepers.state_dir, "folder": runtime.folder, "tty": self.controller.tty, "key": key_file}
        self._write("lane", COMMON.format(profile="demo", **told) + f'[trust]\nstore = "{demo}"\n{asked}')
        signed = f'[trust]\nstore = "{keepers.folder}"\nsigners = {json.dumps(keepers.signers)}\n'
        self._write("reader", COMMON.format(profile="trial", **told) + signed)

    def _write(self, process: str, text: str) -> Path:
        file = self.runtime.folder / f"{process}.toml"
        file.write_text(text)
        return file

    def _start(self, process: str, *program: str) -> None:
        named = ["--config", str(self.runtime.folder / f"{process}.toml"), "--runtime", str(self.runtime.folder)]
        said = (self.runtime.folder / f"{process}.log").open("wb")
        with said:
            self.processes[process] = subprocess.Popen(
                [sys.executable, *program, *named], stderr=said, env={**os.environ, **WIPING}
            )

    async def __aenter__(self) -> Self:
        self.controller.start()
        self.world.start()
        self._start("lane", "-m", "gate.processes.lane")
        self._start("reader", "-c", READER)
        for role in ("vision", "officer_screen", "director", "health"):
            await self.crew.join(role, self._alive)
        await self.crew.join("registries", self._alive, self._answer)
        await self.crew.eventually(lambda: self.newest("director", m.LaneReady), f"the lane serves: {self.said()}")
        return self

    def said(self) -> str:
        return "".join((self.runtime.folder / f"{process}.log").read_text() for process in self.processes)

    def _alive(self) -> None:
        assert [each.poll() for each in self.processes.values()] == [None, None], self.said()

    async def _answer(self, message: Any) -> None:
        """As the registries' process, which knows nothing against anybody."""
        if isinstance(message, m.AskRegistries):
            for name, words in REGISTRIES.items():
                answers = Answers(facts={fact: successful(word) for fact, word in words.items()})
                told = m.RegistryAnswered(transaction=message.read.transaction, registry=name, answers=answers)
                await self.crew.say("registries", told)

    async def __aexit__(self, *_: object) -> None:
        await self.crew.leave()

    def close(self) -> None:
        """Whatever became of the test."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.world.stop()
        self.controller.stop()

    def newest(self, role: str, kind: type) -> Any:
        return self.crew.newest(role, kind)

    async def lay(self, book: Any) -> None:
        await self.crew.eventually(lambda: self.newest("director", m.LaneReady), "the lane is free")
        self.crew.heard["director"].clear()
        await asyncio.to_thread(self.world.place, book, kbit_s=None)

    async def record(self) -> TransactionRecord:
        return (await self.crew.eventually(lambda: self.newest("director", m.TransactionEnded), "the transaction ends")).record

    async def told(self, condition) -> m.LaneHealth:
        """The first health from now on that meets ``condition``."""
        self.crew.heard["health"].clear()
        return await self.crew.eventually(
            lambda: next(
                (each for each in self.crew.heard["health"] if isinstance(each, m.LaneHealth) and condition(each)), None
            ),
            "the lane's health",
        )


@pytest.fixture
def gate(keepers, crew):
    runtime = Runtime.create()
    gate = Gate(keepers, runtime, crew(runtime))
    yield gate
    gate.close()
    runtime.remove()


def by(version: int) -> Any:
    return lambda health: health.versions["trust"].startswith(f"version {version} ")


async def test_the_next_document_of_a_revoked_signer_is_refused_without_a_restart(gate, keepers, book):
    async with gate:
        await gate.lay(book)
        await gate.crew.eventually(lambda: gate.newest("registries", m.AskRegistries), "it is being read")
        keepers.bring(keepers.store(keepers.state.signer))
        first = await gate.record()
        assert first.decisions[0].decision.outcome == "OPEN", first.decisions[0].decision
        assert first.backends["trust"].startswith("version 1 ")
        assert by(1)(await gate.told(lambda _: True)), "what lies there is judged by what was in force"

        await asyncio.to_thread(gate.world.lift)
        assert (await gate.told(by(2))).trust_problem == ""
        await gate.lay(book)
        second = await gate.record()
        assert (second.outcome, second.reasons) == ("HOLD", ("SIGNER_REVOKED",))
        assert second.backends["trust"].startswith("version 2 ")
        await asyncio.to_thread(gate.world.lift)

        alone = keepers.sign(keepers.versions.add(keepers.store()), "siti")
        keepers.lay(alone.encoded)
        health = await gate.told(lambda health: health.trust_problem)
        assert (health.trust_problem, by(2)(health)) == ("statement 3 is signed by 1 of 2 people (siti)", True)
        warnings = gate.newest("officer_screen", m.OfficerView).warnings
        assert "trust: statement 3 is signed by 1 of 2 people (siti)" in warnings
        assert [each.poll() for each in gate.processes.values()] == [None, None]
