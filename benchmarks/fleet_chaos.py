"""``python -m benchmarks.fleet_chaos [--events 2000000] [--minutes 15] [--seed 7] [--out FILE]``: a fleet in which everything fails, all the time.

Honest gates write records as fast as they are acknowledged. Between them and the broker, and between broker and collectors, there are lines that
lose, double and disorder a twentieth of the messages each (:mod:`benchmarks.fleet_relay`; plain TCP, for TLS would end before them). Meanwhile:

* ``broker killed``: SIGKILL, and started again on its files
* ``broker forgets``: killed, and started on files of some time ago: what it has confirmed since is gone
* ``broker empty``: killed, and started on an empty disk
* ``collector killed``: SIGKILL to one of two, and started again
* ``database killed``: SIGKILL, and started again on its files; it syncs to the disk as in operation
* somebody hostile at the broker sends what he hears again, altered and under other names, and noise (:mod:`benchmarks.fleet_hostile`)
* ``power cuts``: gates that begin as a power cut left their files, of which the centre already has what they had sent

In the end ``autogate fleet verify`` reads the database alone, and the gates' journals are held against it: of every log each record once, unchanged,
in its order; every receipt that was ever given is kept. During the run some of the collectors' acknowledgements and receipts are held against the
database at the moment at which they are given. Exit status 1 on any finding.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from nats.aio.client import Client

from benchmarks import fleet_power, machine
from benchmarks.fleet_check import checked
from benchmarks.fleet_gates import RECORDS, REVIVED, Gate
from benchmarks.fleet_power import Cut
from benchmarks.fleet_world import Child, World, end_in_order
from benchmarks.progress import Bar
from gate.fleet.centre.broker import EVENTS, prepare
from gate.fleet.connection import Connection
from gate.fleet.messages import message_id, sealed, subject

PROCESSES, COLLECTORS = 2, 2
EVERY_S, DOWN_S = (6.0, 14.0), (0.5, 3.0)
"""Between two faults, and how long what was killed stays away."""
RESEND_S = 10.0
"""Instead of the product's half a minute: a run is shorter than an outage."""
FAULTS = ("broker killed", "broker forgets", "broker empty", "collector killed", "database killed")
WEIGHTS = (3, 1, 1, 4, 2)
OUTSTANDING = 40_000
"""Records made and not acknowledged, in a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    events: int
    minutes: float
    gates: int = 600
    whole: int = 10
    cuts: int = 40
    power: tuple[int, int] = (12, 500)
    """Travellers and random moments of the life whose every end is judged by itself."""
    every_s: tuple[float, float] = EVERY_S
    faults: tuple[str, ...] = FAULTS
    resend_s: float = RESEND_S
    drain_s: float = 400.0

    @property
    def travellers(self) -> int:
        """Of a gate."""
        return -(-self.events // (self.gates * RECORDS))

    @property
    def revived(self) -> tuple[int, ...]:
        return tuple(range(REVIVED - self.cuts, REVIVED))


@dataclass(slots=True)
class Chaos:
    """A run."""

    world: World
    size: Size
    dice: random.Random
    recorded: Path
    """Where the life was recorded that the power cuts ended."""
    relays: list[Child] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    _kept: Path | None = None

    def run(self, cuts: list[Cut]) -> dict[str, Any]:
        begun = time.monotonic()
        self.relays = [self.world.relay("gates", 1), self.world.relay("collectors", 2, "--dsn", self.world.dsn)]
        ports = [relay.wait_for("port", 20) for relay in self.relays]
        for number in range(COLLECTORS):
            self.world.collector(number, ports[1])
        asyncio.run(self._earlier_lives(cuts))
        generators = [self._generator(number, ports[0]) for number in range(PROCESSES)]
        hostile = self.world.hostile(self.dice.randrange(1 << 30))
        self._disturb(generators, ports[1], begun + self.size.minutes * 60)
        made_s = time.monotonic() - begun
        ends = [self.world.final(generator, self.size.drain_s + 60) for generator in generators]
        drained_s = time.monotonic() - begun
        for child in (hostile, *generators, *self.world.collectors.values(), *self.relays):
            self.world.end(child)
        left = asyncio.run(left_in_the_broker(self.world.url()))
        promises = self.relays[1].last
        return {
            "events": sum(end["made"] for end in ends),
            "seconds": round(drained_s, 1),
            "events_per_s": round(sum(end["made"] for end in ends) / drained_s),
            "made_s": round(made_s, 1),
            "faults": dict(sorted(self.done.items())),
            "collectors_that_gave_up": self.world.gave_up,
            "frames": _sums([relay.last.get("frames", {}) for relay in self.relays]),
            "left_in_the_broker": left,
            "hostile": hostile.last.get("sent", {}),
            "refused": refused(self.world.dsn),
            "promises": promises.get("promises", {}),
            "broken": promises.get("broken", []),
            "ends": ends,
        }

    def _generator(self, number: int, port: int) -> Child:
        share = range(self.size.gates)[self.size.gates * number // PROCESSES : self.size.gates * (number + 1) // PROCESSES]
        plan = {"number": number, "first": share[0], "end": share[-1] + 1, "whole": self.size.whole // PROCESSES}
        plan |= {"revived": self.size.revived[number::PROCESSES], "connections": 4, "per_hour": 0.0, "outstanding": OUTSTANDING}
        plan |= {
            "travellers": self.size.travellers,
            "rows_per_s": 10_000.0,
            "resend_s": self.size.resend_s,
            "drain_s": self.size.drain_s,
        }
        return self.world.generator(plan, port)

    async def _earlier_lives(self, cuts: list[Cut]) -> None:
        """What those gates sent whose power then failed, and what was left of their files."""
        client = Client()
        await client.connect(self.world.url())
        try:
            await prepare(client)
            for number, cut in zip(self.size.revived, cuts, strict=True):
                gate = Gate(number, log_of=REVIVED)
                folder = self.world.folder / "gates" / gate.id
                folder.parent.mkdir(exist_ok=True)
                fleet_power.restored(cut, folder)
                (folder / fleet_power.CURSOR).unlink(missing_ok=True)  # signed for the gate of the recording; costs sending again
                for parcel in fleet_power.earlier(self.recorded, cut.told, gate.id):
                    await Connection(client, gate.id).send(
                        subject(gate.id, "record"), sealed(gate.signer, parcel), message_id(parcel)
                    )
                self.done["power cuts"] += 1
        finally:
            await client.close()

    # --- faults ---------------------------------------------------------------------------------------------------------------

    def _disturb(self, generators: list[Child], port: int, until: float) -> None:
        """One after the other until all is made, or until it must be."""
        bar, last = Bar(self.size.events, "records"), 0
        for what in self._faults():
            wait_until = time.monotonic() + self.dice.uniform(*self.size.every_s)
            while time.monotonic() < wait_until:
                time.sleep(0.1)
                last = bar_to(bar, last, self.world.progress(generators)[1])
                self.world.supervise()
                if any("final" in each.last for each in generators) or self.world.progress(generators)[0] >= self._whole:
                    bar.end()
                    return
                if time.monotonic() > until:
                    for generator in generators:
                        generator.order("stop")
                    bar.end()
                    return
            self._strike(what, port)
            self.done[what] += 1

    @property
    def _whole(self) -> int:
        return (self.size.gates + self.size.cuts) * self.size.travellers * RECORDS

    def _faults(self) -> Iterator[str]:
        """Each once, in any order, then at random."""
        yield from self.dice.sample(self.size.faults, len(self.size.faults))
        weights = [WEIGHTS[FAULTS.index(each)] for each in self.size.faults]
        while True:
            yield self.dice.choices(self.size.faults, weights)[0]

    def _strike(self, what: str, port: int) -> None:
        down_s, world = self.dice.uniform(*DOWN_S), self.world
        match what:
            case "collector killed":
                number = self.dice.randrange(COLLECTORS)
                world.end(world.collectors[number], signal.SIGKILL)
                time.sleep(down_s)
                world.collector(number, port)
            case "database killed":
                world.postgres.kill()
                time.sleep(down_s)
                world.postgres.restart()
            case "broker killed":
                self._broker(down_s, self._keep)
            case "broker forgets":
                self._broker(down_s, self._forget)
            case _:
                self._broker(down_s, lambda: world.jetstream_as_of(None))

    def _broker(self, down_s: float, meanwhile: Callable[[], None]) -> None:
        self.world.nats.kill()
        meanwhile()
        time.sleep(down_s)
        self.world.nats.restart()

    def _keep(self) -> None:
        """A copy of its files, for a broker that forgets."""
        kept = self.world.folder / "jetstream-kept"
        shutil.rmtree(kept, ignore_errors=True)
        self._kept = shutil.copytree(self.world.folder / "nats" / "jetstream", kept)

    def _forget(self) -> None:
        self.world.jetstream_as_of(self._kept)


def bar_to(bar: Bar, last: int, now: int) -> int:
    for _ in range(max(0, now - last)):
        bar.step()
    return max(last, now)


async def left_in_the_broker(url: str) -> int:
    """Messages that no collector was ever given, or that are out with one that was ended."""
    client = Client()
    await client.connect(url)
    try:
        return (await client.jetstream().stream_info(EVENTS)).state.messages
    finally:
        await client.close()


def refused(dsn: str) -> dict[str, int]:
    """What the centre did not believe, by why."""
    with psycopg.connect(dsn) as database:
        return dict(database.execute("select code, sum(count)::int from refusal group by code order by code").fetchall())


def _sums(counts: list[dict[str, int]]) -> dict[str, int]:
    return dict(sorted(sum(map(Counter, counts), Counter[str]()).items()))


def run(size: Size, seed: int, folder: Path) -> dict[str, Any]:
    """All of it, the verdict included."""
    dice = random.Random(seed)
    power, recorded = fleet_power.run(*size.power, seed), folder / "recorded"
    cuts = power_cuts(recorded, size.cuts, seed) if size.cuts else []
    with World(folder / "world", range(size.gates), revived=size.revived) as world:
        told = Chaos(world, size, dice, recorded).run(cuts)
        return told | {"seed": seed, "power": power, "history": checked(world)}


def power_cuts(folder: Path, count: int, seed: int) -> list[Cut]:
    """Of one recorded life, drawn from all its ends."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [fleet_power.frozen(cut) for cut in fleet_power.cuts(folder, fleet_power.record(folder, 12, seed), 100, seed)]
    begun = [cut for cut in found if cut.told.written]
    return random.Random(seed).sample(begun, count)


def wrong(told: dict[str, Any]) -> list[str]:
    """Whatever was found."""
    found = [*told["history"]["findings"], *told["broken"], *told["power"]["findings"]]
    for end in told["ends"]:
        if end["drained_s"] < 0:
            found.append(f"{end['made'] - end['through']} records were never acknowledged")
        found += [f"a receipt that was not believed: {what}, {count} times" for what, count in end["refused"].items()]
        found += end["problems"]
    return found


def in_words(told: dict[str, Any]) -> str:
    history = told["history"]
    lines = [
        f"{told['events']:,} records in {told['seconds']:.0f} s ({told['events_per_s']:,} a second), seed {told['seed']}",
        "faults: " + ", ".join(f"{count} × {what}" for what, count in told["faults"].items()),
        "frames: " + ", ".join(f"{count:,} {what}" for what, count in told["frames"].items()),
        f"hostile messages: {told['hostile']}; refused: {told['refused']}",
        f"left in the broker: {told['left_in_the_broker']} messages",
        f"power cuts, each by itself: {told['power']['states']}, of them at random {told['power']['of_them_random']}",
        f"promises looked at: {told['promises']}",
        f"history: {history['gates']} logs, {history['events']:,} records, {history['receipts']:,} receipts",
        f"read in {history['reader_s']} s by the independent reader, in {history['journals_s']} s by the journals",
    ]
    return "\n".join([*lines, *(f"FINDING {what}" for what in told["findings"]), f"{len(told['findings'])} findings"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--minutes", type=float, default=15.0, help="after which no more is made")
    parser.add_argument("--gates", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(".state/chaos-fleet.json"))
    options = parser.parse_args()
    end_in_order()
    size = Size(events=options.events, minutes=options.minutes, gates=options.gates)
    with tempfile.TemporaryDirectory(prefix="autogate-chaos-") as name:
        told = run(size, options.seed, Path(name))
    told |= {"findings": wrong(told), "machine": machine.facts()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(in_words(told))
    return int(bool(told["findings"]))


if __name__ == "__main__":
    sys.exit(main())
