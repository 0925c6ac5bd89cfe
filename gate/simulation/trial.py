"""Days of travellers before the banks of one airport, in jumping time; leaves a log for each lane and ``queue.json`` beside their folders."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from gate.audit.log import FILE_NAME, KEY_FILE
from gate.policy.schema import RuleSet, load_rules
from gate.registries.base import Source
from gate.registries.contracts import CONTRACTS
from gate.registries.offline import with_snapshot
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot_store import SnapshotStore
from gate.simulation.bank import Queue, Tally
from gate.simulation.compute import Compute
from gate.simulation.figures import SCHEMA, Passage, passage_of, whole_traveller
from gate.simulation.lane import LooseLog, SimulatedLane, Visit
from gate.simulation.people import DAY_S, HOUR_S, Day, Person, midnight, office_factors
from gate.simulation.scenario import Bank, Scenario, ScenarioError
from gate.simulation.warped import WarpedClock, WarpedLoop
from gate.simulation.world import ASKED, Books, LiveRegistry

QUEUE_FILE = "queue.json"
REFRESH_S = 900.0
"""The gates' timer fetches snapshots so often (docs/operations.md); simulated is one an hour, and the last before an outage."""
CLOSING_S = 60.0
"""After the last traveller, for what is still to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be simulated, and where its logs go."""

    scenario: Scenario
    compute: Compute
    airport: str
    days: int
    seed: int
    out: Path

    @property
    def begins(self) -> datetime:
        return midnight(self.scenario.begins, self.airport)

    @property
    def banks(self) -> list[Bank]:
        """Of that airport. Raises ScenarioError where there are none."""
        found = [bank for bank in self.scenario.bank if bank.airport == self.airport]
        if not found:
            known = ", ".join(sorted({bank.airport for bank in self.scenario.bank}))
            raise ScenarioError(f"the scenario has no bank at {self.airport!r}; it has: {known}")
        return found


class Airport:
    """Make it on the loop."""

    def __init__(self, wanted: Wanted, rules: RuleSet, snapshots: Path, progress: Callable[[float, int], None]) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpedLoop)
        self._wanted, self._rules, self._progress, self._loop = wanted, rules, progress, loop
        self._clock = WarpedClock(loop, wanted.begins.astimezone(UTC))
        self._books = Books(OKPKey.generate_key("Ed25519"))
        secret = hashlib.sha256(f"autogate simulation {wanted.seed}".encode()).hexdigest()
        self._key, self._count = secret.encode(), 0
        self._passages: list[Passage] = []
        self._impostors: list[str] = []
        self._store = SnapshotStore(folder=snapshots, key=SnapshotKey.derive(self._key), gate=wanted.airport)
        self._sources: list[Source[Any]] = []
        self._lanes: list[SimulatedLane] = []

    async def run(self) -> dict[str, Any]:
        """All days. Returns what goes into the queue file."""
        wanted, banks = self._wanted, self._wanted.banks
        people = [self._people(bank) for bank in banks]
        queues = [Queue(bank, [self._lane(bank, name) for name in bank.lane_ids], self._left) for bank in banks]
        for bank, crowd in zip(banks, people, strict=True):
            self._books.learn(crowd, bank.direction, wanted.begins)
        self._books.away = self._outages()
        beside: list[asyncio.Future[None]] = [self._loop.create_task(self._refresh())]
        await asyncio.gather(*(lane.open() for lane in self._lanes))
        beside += [self._loop.create_task(lane.lose_links()) for lane in self._lanes]
        serving = asyncio.gather(*(queue.serve(crowd) for queue, crowd in zip(queues, people, strict=True)))
        everything: list[asyncio.Future[Any]] = [serving, *beside]
        await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        for task in (task for task in beside if task.done()):
            task.result()  # what ended before the travellers did has failed
        await serving
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await asyncio.sleep(CLOSING_S)
        await asyncio.gather(*(lane.close() for lane in self._lanes))
        await asyncio.gather(*(source.close() for source in self._sources))
        return self._told([queue.tally for queue in queues])

    def _people(self, bank: Bank) -> list[Person]:
        wanted = self._wanted
        factors = office_factors(wanted.scenario, wanted.seed)
        days = [
            Day(scenario=wanted.scenario, bank=bank, seed=wanted.seed, day=day, factors=factors) for day in range(wanted.days)
        ]
        found = [one for day in days for one in day.travellers()]
        return sorted(found, key=lambda one: one.arrives)

    def _lane(self, bank: Bank, name: str) -> SimulatedLane:
        wanted, folder = self._wanted, self._wanted.out / name
        folder.mkdir(parents=True)
        (folder / KEY_FILE).write_text(self._key.decode("ascii") + "\n", encoding="ascii")
        lane = SimulatedLane(
            name,
            bank,
            LooseLog(folder / FILE_NAME, self._key),
            scenario=wanted.scenario,
            compute=wanted.compute,
            rules=self._rules,
            clock=self._clock,
            sources={registry: self._source(registry, name) for registry in ASKED},
            key=self._key,
            seed=wanted.seed,
        )
        self._lanes.append(lane)
        return lane

    def _source(self, registry: str, lane: str) -> Source[Any]:
        dice, latency_s = random.Random(f"{self._wanted.seed} {lane} {registry}"), self._wanted.scenario.networks.latency_s
        live = LiveRegistry(registry, self._books, latency_s, dice=dice, clock=self._clock)
        source: Source[Any] = with_snapshot(live, CONTRACTS[registry], self._store, wall=self._clock.wall)
        self._sources.append(source)
        return source

    def _outages(self) -> list[tuple[float, float]]:
        """When no registry answers at all, as long as drawn."""
        dice, networks = random.Random(f"{self._wanted.seed} outages"), self._wanted.scenario.networks
        begins = [day * DAY_S + dice.uniform(0, DAY_S) for day in range(self._wanted.days) if networks.outage.draw(dice)]
        return [(moment, moment + networks.outage_s.draw(dice)) for moment in begins]

    async def _refresh(self) -> None:
        """Until cancelled: snapshots are taken every hour, and as shortly before an outage as the gates' timer would have taken them."""
        dice, away = random.Random(f"{self._wanted.seed} snapshots"), self._books.away
        hourly = range(0, int((self._wanted.days + 1) * DAY_S), HOUR_S)
        shortly = [max(0.0, begins - dice.uniform(0, REFRESH_S)) for begins, _ in away]
        for at in sorted([*hourly, *shortly]):
            if not any(begins <= at < ends for begins, ends in away):
                await asyncio.sleep(max(0.0, at - self._loop.time()))
                until = [ends + HOUR_S for begins, ends in away if at <= begins <= at + HOUR_S]
                self._books.publish(self._store, self._clock.wall(), (at - HOUR_S, max([at + 2 * HOUR_S, *until])))
        await asyncio.Event().wait()

    def _left(self, visit: Visit) -> None:
        if passage := passage_of(visit):
            self._passages.append(passage)
        if visit.person.impostor != "none":
            self._impostors += visit.transactions
        self._count += 1
        self._progress(self._loop.time() / (self._wanted.days * DAY_S), self._count)

    def _told(self, tallies: Sequence[Tally]) -> dict[str, Any]:
        wanted = self._wanted
        return {
            "schema": SCHEMA,
            "simulated": True,
            "scenario": wanted.scenario.name,
            "seed": wanted.seed,
            "days": wanted.days,
            "airport": wanted.airport,
            "begins": wanted.begins.isoformat(),
            "ends": self._clock.wall().astimezone(wanted.begins.tzinfo).isoformat(timespec="seconds"),
            "computing_measured": {"on": wanted.compute.measured, "machine": wanted.compute.machine},
            "banks": [tally.told(wanted.begins) for tally in tallies],
            "whole_traveller": whole_traveller(self._passages),
            "impostors": self._impostors,
            "lanes": [
                {
                    "lane": lane.name,
                    "open_s": round(self._loop.time(), 1),
                    "out_of_service_s": round(lane.out_of_service_s, 1),
                    "link_losses": lane.link_losses,
                }
                for lane in self._lanes
            ],
        }


def simulate(wanted: Wanted, progress: Callable[[float, int], None] = lambda _share, _count: None) -> dict[str, Any]:
    """Run it on a loop of its own, and write the queue file. Raises ScenarioError, OSError, AuditError."""
    assert wanted.banks
    loop = WarpedLoop()
    broken: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: broken.append(context))

    async def run(snapshots: Path) -> dict[str, Any]:
        return await Airport(wanted, load_rules(), snapshots, progress).run()

    try:
        with tempfile.TemporaryDirectory(prefix="autogate-simulation-") as name:
            told = loop.run_until_complete(run(Path(name)))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    if broken:
        raise RuntimeError(f"a simulated lane broke: {broken[0]}") from broken[0].get("exception")
    (wanted.out / QUEUE_FILE).write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    return told
