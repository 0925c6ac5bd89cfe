"""A lane process that runs, before a simulated controller: people bring other rules into force while a traveller stands there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from gate.audit.log import FILE_NAME, decode, gate_key, open_readonly
from gate.clock import SystemClock
from gate.processes import messages as m
from gate.profiles import DEMO_MARKER
from gate.records import RulesInForce, TransactionRecord
from gate.replay import replay_command
from gate.runtime import Runtime
from hardware.sim.controller import SimulatedController

pytestmark = pytest.mark.processes
LIMIT_S = 30
Crew = Any
"""``tests/gate/conftest.py`` makes it."""
CONFIG = """\
profile = "demo"
state_dir = "{state}"

[lane]
id = "1"
checkpoint = "CGK"
direction = "departure"

[timeouts]
document_s = 60

[scanner]
kind = "simulator"
address = "world"

[camera]
kind = "simulator"
address = "world"

[controller]
device = "{tty}"
key_file = "{key}"

[face]
pack = "demo"
packs_dir = "packs"

[trust]
store = "trust"

[rules]
store = "{store}"
signers = {signers}
"""


class Gate:
    """The lane process, and everything around it."""

    def __init__(self, house, runtime: Runtime, crew: Crew) -> None:
        self.house, self.runtime, self.crew = house, runtime, crew
        key_file = house.state / "gate.key"
        key_file.write_text("5b1e9c02d7f4438a60b93e77c1250fae" * 2)
        self.controller = SimulatedController(runtime.folder, gate_key(key_file))
        trust = runtime.folder / "trust"
        trust.mkdir()
        (trust / DEMO_MARKER).touch()
        self._config = runtime.folder / "gate.toml"
        text = CONFIG.format(
            state=house.state, tty=self.controller.tty, key=key_file, store=house.folder, signers=json.dumps(house.signers)
        )
        self._config.write_text(text)
        self.lane: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self.controller.start()
        command = [
            sys.executable,
            "-m",
            "gate.processes.lane",
            "--config",
            str(self._config),
            "--runtime",
            str(self.runtime.folder),
        ]
        self.lane = await asyncio.to_thread(subprocess.Popen, command, stderr=subprocess.PIPE)
        for role in ("reader", "vision", "officer_screen", "director"):
            await self.crew.join(role, self._alive)
        return self

    def _alive(self) -> None:
        assert self.lane.poll() is None, self.lane.stderr.read()

    async def __aexit__(self, *_: object) -> None:
        await self.crew.leave()
        self.lane.terminate()
        _, said = await asyncio.to_thread(self.lane.communicate, timeout=LIMIT_S)
        self.said = said.decode()

    def close(self) -> None:
        """Whatever became of the test."""
        if self.lane is not None:
            self.lane.kill()
            self.lane.wait()
            self.lane.stderr.close()
        self.controller.stop()

    async def begin(self) -> str:
        """A traveller lays a document on the glass; the id of their transaction."""
        crew = self.crew
        await crew.eventually(lambda: crew.newest("director", m.LaneReady), "the lane is free")
        crew.heard["director"].clear()
        crew.heard["reader"].clear()
        await crew.say("reader", m.DocumentPlaced(boot=SystemClock().boot()))
        return (await crew.eventually(lambda: crew.newest("reader", m.ReadDocument), "the lane begins")).transaction

    async def end(self, transaction: str) -> TransactionRecord:
        """The document turns out to say nothing at all, and is taken away."""
        crew, now = self.crew, SystemClock().boot()
        await crew.say("reader", m.DocumentChecked(transaction=transaction, facts={}, stages=(), last_byte_boot=now))
        await crew.say("reader", m.DocumentRemoved())
        told = await crew.eventually(lambda: crew.newest("director", m.TransactionEnded), "the traveller is referred")
        return told.record

    def switches(self) -> list[RulesInForce]:
        with open_readonly(self.house.state / FILE_NAME) as log:
            events = [record for record in log.records("event") if b"rules_version" in record.body]
            return [decode(record, RulesInForce) for record in events]

    def warned(self) -> bool:
        view = self.crew.newest("officer_screen", m.OfficerView)
        return view is not None and any(warning.startswith("rules: ") for warning in view.warnings)


@pytest.fixture
def gate(house, crew):
    runtime = Runtime.create()
    house.bring("old")
    gate = Gate(house, runtime, crew(runtime))
    yield gate
    gate.close()
    runtime.remove()


def judged_by(record: TransactionRecord) -> set[str]:
    return {each.decision.rules_version.partition("@")[0] for each in record.decisions}


async def test_a_lane_switches_between_travellers_and_stays_with_what_it_has_where_the_next_is_not_signed(gate, house, capsys):
    async with gate:
        first = await gate.begin()
        house.bring("new", begins=datetime.now(UTC) + timedelta(seconds=1))
        await gate.crew.eventually(lambda: len(gate.switches()) == 2, "the switch is written down")
        assert judged_by(await gate.end(first)) == {"old"}  # who began before it is judged as they began
        assert judged_by(await gate.end(await gate.begin())) == {"new"}
        house.active.write_bytes(house.sign(house.add("third"), "siti").encoded)
        await gate.crew.eventually(gate.warned, "officers are told")
        assert judged_by(await gate.end(await gate.begin())) == {"new"}
    before, after = gate.switches()
    assert (before.before, after.before, after.people) == ("", before.rules_version, ("budi", "siti"))
    assert "signed by 1 of 2 people" in gate.said
    assert replay_command(house.state) == 0
    assert "replay to the same" in capsys.readouterr().out


async def test_a_lane_whose_rules_nobody_signed_does_not_start_and_says_what_to_do(gate, house):
    (house.versions.find("1").path / "rules.toml").write_bytes(b"")
    with pytest.raises(AssertionError, match="was changed: put back what was signed"):
        async with gate:
            pass
    assert gate.lane.wait(LIMIT_S) == 2
