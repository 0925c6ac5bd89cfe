"""The simulated gates of one airport in ``autogate fleet demo``: each lane has a log, keys and a publisher of its own, all in one process.

``python -m gate.fleet.demo_gates CGK --folder DIR --url URL --signer NAME:KEY …``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from gate.audit.log import FILE_NAME
from gate.audit.notary import Notary
from gate.config import Config
from gate.fleet.demo_airport import DAYS, Present, scenario, simulate
from gate.fleet.demo_keys import DemoKeys, Enrolled, audit_signer
from gate.fleet.messages import gate_id
from gate.lane import State
from gate.policy.schema import load_rules
from gate.processes.fleet import LOOK_S, NICE, FleetProcess
from gate.processes.hardening import harden
from gate.processes.messages import Histogram, LaneHealth
from gate.processes.worker import first_of
from gate.simulation.compute import load_compute
from gate.simulation.lane import SimulatedLane, lane_config
from gate.simulation.scenario import Bank
from gate.simulation.trial import Wanted

SEED = 1
SIGN_S = 10.0
"""Between two checkpoints of a log."""
LAST_S = 20.0
"""For the centre to take what is left when the demonstration ends."""
SNAPSHOTS = "snapshots"
NOTHING = Histogram(bounds=(), counts=(0,), total=0.0)


class SimulatedGate(FleetProcess):
    """The fleet's process of a simulated lane: as the real one, but it asks the lane itself how it does, and signs checkpoints beside."""

    def __init__(self, lane: SimulatedLane, config: Config, config_path: Path, audit_key: Path, rules: str) -> None:
        super().__init__(config, config_path)
        self._snapshots = config.state_dir.parent / SNAPSHOTS  # each was signed and taken in the same moment
        self._lane, self._audit_key, self._rules = lane, audit_key, rules
        self._held_since: float | None = None

    async def live(self) -> None:
        """Until cancelled."""
        await first_of(self.run(Path(), ""), self._sign())

    async def received(self) -> None:
        """Returns once the centre holds all that the log has."""
        while not await self._within(self._is_received):  # noqa: ASYNC110 - the log is a file, and tells nobody
            await asyncio.sleep(LOOK_S)

    def _is_received(self) -> bool:
        return self._outbox is not None and self._outbox.through >= self._outbox.head

    async def _follow(self, lane: Path, secret: str) -> None:  # noqa: ARG002 - there is no socket
        while True:
            self._board.told(self._health())
            await asyncio.sleep(LOOK_S)

    def _health(self) -> LaneHealth:
        state, now = self._lane.state, time.monotonic()
        self._held_since = (self._held_since or now) if state is State.HOLD else None
        return LaneHealth(
            state=state,
            in_service=True,
            causes=(),
            stuck="",
            outcomes={},
            stages={},
            link_losses={},
            damaged_frames=0,
            loop_lag=NOTHING,
            queue=0,
            clock_trusted=True,
            devices={},
            joins={},
            uptime_s=now,
            waiting_s=now - self._held_since if self._held_since else 0.0,
            versions={"rules": self._rules},
            freshness={path.stem: int(path.stat().st_mtime) for path in self._snapshots.glob("*.snapshot")},
        )

    async def _sign(self) -> None:
        """Now and then, a checkpoint of the log."""
        signer = audit_signer(self._audit_key, self._gate)
        notary = await self._within(partial(Notary, self._config.state_dir / FILE_NAME, signer))
        try:
            while True:
                await self._within(notary.look)
                await asyncio.sleep(SIGN_S)
        finally:
            await self._within(notary.close)


class Simulated:
    """All simulated gates of an airport. ``folder``: of the whole demonstration."""

    def __init__(self, airport: str, folder: Path, url: str, signers: Sequence[str], lanes: Mapping[str, int]) -> None:
        self._folder, self._url, self._signers, self._rules = folder, url, tuple(signers), load_rules()
        now = datetime.now(UTC)
        self._wanted = Wanted(
            scenario=scenario(airport, lanes, now),
            compute=load_compute(),
            airport=airport,
            days=DAYS,
            seed=SEED,
            out=folder / "gates" / airport,
        )
        self._present = Present(self._wanted.begins)
        self._gates: list[SimulatedGate] = []
        self._running: list[asyncio.Task[None]] = []

    async def run(self, before_h: float) -> None:
        """Until SIGTERM or SIGINT; then time stops, and the centre gets what it has not."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        snapshots = self._wanted.out / SNAPSHOTS
        snapshots.mkdir(parents=True)

        def joined(lane: SimulatedLane) -> None:
            loop.call_soon_threadsafe(self._join, lane)

        how = {"rules": self._rules, "before_h": before_h, "snapshots": snapshots, "joined": joined}
        threading.Thread(target=simulate, args=(self._wanted, self._present), kwargs=how, daemon=True).start()
        await ended.wait()
        self._present.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await asyncio.gather(*(gate.received() for gate in self._gates))
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.gather(*(gate.close() for gate in self._gates))

    def _join(self, lane: SimulatedLane) -> None:
        """Have ``lane`` tell the centre from now on."""
        airport = self._wanted.airport
        bank = next(bank for bank in self._wanted.banks if lane.name in bank.lane_ids)
        one = Enrolled(purpose="gate", name=gate_id(airport, lane.name), folder=self._folder / "keys" / lane.name)
        gate = SimulatedGate(
            lane, self._config(lane.name, bank, one), one.folder / "request.pem", one.audit_key, self._rules.version
        )
        self._gates.append(gate)
        self._running.append(asyncio.get_running_loop().create_task(gate.live()))

    def _config(self, lane: str, bank: Bank, one: Enrolled) -> Config:
        section = DemoKeys(folder=self._folder / "authority", people={}).section(one, self._url)
        section = msgspec.structs.replace(section, signers=self._signers)
        return msgspec.structs.replace(lane_config(self._wanted.out / lane, lane, bank), fleet=section)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gate.fleet.demo_gates")
    parser.add_argument("airport")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--signer", action="append", required=True)
    parser.add_argument("--lanes", type=json.loads, required=True, help="by direction, as JSON")
    parser.add_argument("--before", type=float, required=True, help="hours")
    options = parser.parse_args(arguments)
    harden()
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    simulated = Simulated(options.airport, options.folder, options.url, options.signer, options.lanes)
    asyncio.run(simulated.run(options.before))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
