"""``python -m benchmarks.fleet_bench [--gates 3000] [--seconds 300] [--days 14] [--quick] [--out FILE]``: a nation's gates on this machine.

3,000 gates with 120 travellers an hour each, twenty records a traveller: 2,000 records a second, chained and signed by their gates, over TLS
into JetStream, out of it into PostgreSQL, and back as signed receipts. One after the other, on the same servers:

1. ``steady``: the gates at their pace. ``receipt``: from handing a record's parcel to the broker until its signed receipt is believed, which is
   after the database's commit; ``publish``: until the broker has the parcel. Fifty further gates have a connection each, and a process of their own:
   what these find at that load is what a gate finds. Processor and memory of each part; the gates' stands apart.
2. ``catch_up``: the same, with no collector for a while: how long until the backlog is gone.
3. ``offline``: those fifty; the same while one gate comes back after 14 days, at the product's pace of 200 records a second; then that gate is
   killed, begins again, and hurries until it has caught up. What becomes of the others' receipts in each.
4. ``ceilings``: the broker only published to, the database only copied into.

The history is read by ``autogate fleet verify`` and held against the gates' journals. Gates share two processes and a few connections, look into
their logs every two seconds rather than five times a second, give way to the servers, and all but one in fifty keep their logs in memory. Exit status
1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import fleet_ceilings, machine
from benchmarks.fleet_backlog import written_before
from benchmarks.fleet_check import checked
from benchmarks.fleet_gates import RECORDS, Gate
from benchmarks.fleet_meter import Meter
from benchmarks.fleet_world import Child, World, end_in_order

PROCESSES, COLLECTORS = 2, 1
PER_HOUR = 120.0
WHOLE = 50
"""One gate in so many has files of its own."""
SETTLE_S = 35.0
"""Until every gate has had a traveller."""
LOOK_S = 2.0
NICE = 10
"""Of the processes of 1,500 gates, which would otherwise take turns with the two cores' servers. What they use is counted all the same."""
AWAY_S = 30.0
BACK_FIRST, BACK, OTHERS = 8_000, 8_100, 50
"""Numbers of the fifty gates, and of the one that was away."""
BACK_ROWS_PER_S = 3000.0
PRODUCT_ROWS_PER_S = 200.0
MOST_PUBLISH_MS = 10.0
"""Of a gate with a connection of its own."""
MOST_BESIDE = 2.0
"""So many times as long a gate may wait for its receipts while another one catches up at the product's pace."""
MOST_HURRIED_MS = 1000.0
"""So long it may wait at most (p99) while another one sends as fast as the centre takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    gates: int
    seconds: float
    days: float
    away_s: float = AWAY_S
    settle_s: float = SETTLE_S
    ceiling_s: float = 10.0
    alone_s: float = 60.0

    @property
    def rows_per_s(self) -> float:
        return self.gates * PER_HOUR * RECORDS / 3600


def run(size: Size, folder: Path) -> dict[str, Any]:
    gates = [*range(size.gates), *range(BACK_FIRST, BACK_FIRST + OTHERS), *([BACK] if size.days else [])]
    with World(folder, gates, tls=True) as world:
        for number in range(COLLECTORS):
            world.collector(number)
        apart = world.generator(
            {"number": 10, "first": BACK_FIRST, "end": BACK_FIRST + OTHERS, "connections": OTHERS, "per_hour": PER_HOUR}
        )
        told: dict[str, Any] = {"steady": steady(world, size, apart)}
        told["catch_up"] = told["steady"].pop("catch_up")
        if size.days:
            told["offline"] = offline(world, size, apart)
        apart.order("stop")
        told["steady"]["ends"].append(world.final(apart, 400))
        world.end(apart)
        told["collectors_that_gave_up"] = world.gave_up
        told["history"] = checked(world)
        told["ceilings"] = asyncio.run(fleet_ceilings.published(world.url(), size.ceiling_s, world.certificates))
        told["ceilings"] |= {"copied": fleet_ceilings.copied(world.dsn, size.ceiling_s)}
    return told


def steady(world: World, size: Size, apart: Child) -> dict[str, Any]:
    """``apart``: gates beside them that have a connection each, and a process in which nobody waits for 1,500 others."""
    shares = [range(size.gates)[size.gates * n // PROCESSES : size.gates * (n + 1) // PROCESSES] for n in range(PROCESSES)]
    plan = {"per_hour": PER_HOUR, "look_s": LOOK_S, "gives_way": NICE}
    generators = [
        world.generator({"number": n, "first": share[0], "end": share[-1] + 1, "whole": len(share) // WHOLE, **plan})
        for n, share in enumerate(shares)
    ]
    watched(world, generators, size.settle_s)
    marked([*generators, apart])
    parts = {
        "broker": (world.nats.pid,),
        "database": (world.postgres.pid,),
        "collectors": tuple(each.pid for each in world.collectors.values()),
        "gates": tuple(each.pid for each in generators),
    }
    meter, begun = Meter(parts), world.progress(generators)
    seconds = watched(world, generators, size.seconds, meter)
    used, ended = meter.told(), world.progress(generators)
    told = {
        "seconds": round(seconds, 1),
        "made_per_s": round((ended[0] - begun[0]) / seconds, 1),
        "receipted_per_s": round((ended[1] - begun[1]) / seconds, 1),
        "outstanding": outstanding(world, generators),
        "parts": used,
        "processor_ms_of_a_gate_per_hour": round(used["gates"]["processor_s"] / seconds / size.gates * 3600 * 1000, 1),
        "gates": marked(generators),
        "apart": marked([apart])[0],
    }
    told["catch_up"] = away(world, size, generators)
    for generator in generators:
        generator.order("stop")
    told["ends"] = [world.final(generator, 400) for generator in generators]
    for generator in generators:
        world.end(generator)
    return told


def watched(world: World, generators: list[Child], seconds: float, meter: Meter | None = None) -> float:
    """Wait, and see that all live. Returns how long it was. Raises RuntimeError."""
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        time.sleep(min(2.0, seconds - elapsed))
        if meter:
            meter.look()
        world.supervise()
        for child in world.children:
            if child.process.poll():
                raise RuntimeError(f"{child.process.args!r} ended with {child.process.returncode}")
    return time.monotonic() - begun


def marked(generators: list[Child]) -> list[dict[str, Any]]:
    """What they found since the last mark."""
    for generator in generators:
        generator.order("mark")
    return [generator.wait_for("mark", 60) for generator in generators]


def outstanding(world: World, generators: list[Child]) -> int:
    made, through = world.progress(generators)
    return made - through


def away(world: World, size: Size, generators: list[Child]) -> dict[str, float]:
    """No collector for a while; then how long it takes until no more is outstanding than before."""
    before = max(outstanding(world, generators), int(size.rows_per_s * LOOK_S))
    for collector in tuple(world.collectors.values()):
        world.end(collector)
    time.sleep(size.away_s)
    behind, begun = outstanding(world, generators), time.monotonic()
    for number in range(COLLECTORS):
        world.collector(number)
    while outstanding(world, generators) > before and time.monotonic() - begun < 300:
        world.supervise()
        time.sleep(0.2)
    took = time.monotonic() - begun
    return {
        "away_s": size.away_s,
        "behind": behind,
        "caught_up_s": round(took, 1),
        "rows_per_s": round(behind / took + size.rows_per_s),
    }


def offline(world: World, size: Size, others: Child) -> dict[str, Any]:
    """Fifty gates by themselves, and while one that was away for days comes back."""
    marked([others])
    watched(world, [others], size.alone_s)
    alone = marked([others])[0]
    began = time.monotonic()
    rows = written_before(world.folder / "gates" / Gate(BACK).id, Gate(BACK), size.days, PER_HOUR)
    prepared = time.monotonic() - began
    marked([others])
    back = {"first": BACK, "end": BACK + 1, "whole": 1, "connections": 1, "travellers": 1, "per_hour": 3600.0, "drain_s": 900.0}
    at_its_pace = world.generator({"number": 11, **back})
    watched(world, [others], size.alone_s)
    beside = marked([others])[0]
    world.end(at_its_pace, signal.SIGKILL)
    hurrying = world.generator({"number": 12, "rows_per_s": BACK_ROWS_PER_S, **back})
    began = time.monotonic()
    final = world.final(hurrying, 1000)
    took = time.monotonic() - began
    hurried = marked([others])[0]
    world.end(hurrying)
    return {
        "days": size.days,
        "rows": rows,
        "written_s": round(prepared, 1),
        "pace": PRODUCT_ROWS_PER_S,
        "at_that_pace_it_takes_s": round(rows / PRODUCT_ROWS_PER_S),
        "hurrying": BACK_ROWS_PER_S,
        "caught_up_s": round(took, 1),
        "rows_per_s": round((rows - at_its_pace.last.get("through", 0)) / took),
        "drained": final["drained_s"] >= 0,
        "others_receipts": {name: each["receipt_ms"]["light"] for name, each in _three(alone, beside, hurried)},
        "others_publish": {name: each["publish_ms"]["light"] for name, each in _three(alone, beside, hurried)},
    }


def _three(*told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(("alone", "beside", "beside one that hurries"), told, strict=True)


def missed(told: dict[str, Any], size: Size) -> list[str]:
    """Goals that were not met."""
    steady_, wrong = told["steady"], list(told["history"]["findings"])
    if steady_["receipted_per_s"] < 0.99 * size.rows_per_s:
        wrong.append(f"{steady_['receipted_per_s']} records a second, not {size.rows_per_s:.0f}")
    if any(final["drained_s"] < 0 for final in steady_["ends"]):
        wrong.append("records were never acknowledged")
    if "offline" in told and not told["offline"]["drained"]:
        wrong.append("the gate that was away did not catch up")
    if (publish := steady_["apart"]["publish_ms"]["light"].get("p99", math.inf)) >= MOST_PUBLISH_MS:
        wrong.append(f"publish p99 {publish} ms, not below {MOST_PUBLISH_MS} ms")
    if "offline" in told:
        receipts = told["offline"]["others_receipts"]
        if receipts["beside"]["p99"] >= MOST_BESIDE * receipts["alone"]["p99"]:
            wrong.append(
                f"receipts p99 {receipts['beside']['p99']} ms beside the gate that was away, {receipts['alone']['p99']} ms alone"
            )
        if (hurried := receipts["beside one that hurries"]["p99"]) >= MOST_HURRIED_MS:
            wrong.append(f"receipts p99 {hurried} ms beside a gate that hurries, not below {MOST_HURRIED_MS} ms")
    return wrong


def in_words(told: dict[str, Any]) -> str:
    steady_ = told["steady"]
    lines = [f"{steady_['receipted_per_s']:,.0f} records a second receipted, for {steady_['seconds']:.0f} s"]
    lines += [f"  {_gates(each)}" for each in (*steady_["gates"], steady_["apart"])]
    for name, part in steady_["parts"].items():
        lines.append(f"  {name:<11} {part['cores']:.2f} of a core, {part['memory_mb']:,.0f} MB")
    lines.append(f"  a gate's share: {steady_['processor_ms_of_a_gate_per_hour']} ms of processor an hour")
    lines += [f"{name}: {json.dumps(told[name])}" for name in ("catch_up", "offline", "ceilings", "history") if name in told]
    return "\n".join([*lines, *(f"MISSED {what}" for what in told["missed"])])


def _gates(told: dict[str, Any]) -> str:
    return f"{told['gates']} gates ({told['whole']} with files): publish {told['publish_ms']}, receipt {told['receipt_ms']}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_bench", description=__doc__)
    parser.add_argument("--gates", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--days", type=float, default=14.0, help="how long one gate was offline; 0: leave it out")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--out", type=Path, default=Path(".state/bench-fleet.json"))
    options = parser.parse_args()
    end_in_order()
    size = Size(gates=options.gates, seconds=options.seconds, days=options.days)
    if options.quick:
        size = Size(gates=300, seconds=30.0, days=options.days / 10, away_s=5.0, ceiling_s=2.0, alone_s=20.0)
    with tempfile.TemporaryDirectory(prefix="autogate-fleet-") as name:
        told = run(size, Path(name))
    told |= {"missed": missed(told, size), "machine": machine.facts()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(in_words(told))
    return int(bool(told["missed"]))


if __name__ == "__main__":
    sys.exit(main())
