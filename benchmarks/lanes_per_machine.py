"""How many lanes does this machine carry before their travellers feel it? ``python -m benchmarks.lanes_per_machine [--lanes 1,2,3,4,6] [--travellers 20]``

Each lane is a demonstration with all its processes and its registries' reference servers: heavier than a lane whose registries are elsewhere. Ordinary travellers follow
one another without a pause, walking as fast as people do, which is about twice as many an hour as gates count. What is told is time that was neither people nor doors;
one lane alone stands beside the others, in the same run. Pictures, faces and chips are simulated, the chip's link unpaced.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.progress import bar
from gate.audit.log import FILE_NAME, open_readonly
from gate.records import TransactionRecord
from gate.report.trial_times import seconds_of, split_of
from gate.simulation.measure import measured

WALK_S = 1.4
"""The median of ``walk_in_s`` and ``walk_out_s`` in ``gate/simulation/scenarios.toml``."""
GOAL_MS = (1500.0, 3000.0)
"""Neither people nor doors: median, and 99th percentile."""


def nearest(ranked: Sequence[float], share: float) -> float:
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def processor_s() -> float:
    """Seconds that the processors worked since the machine started, all together."""
    told = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, _, _, interrupt, soft, _ = map(int, told)
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def lane(travellers: int, folder: Path) -> list[TransactionRecord]:
    """The transactions of one lane. Raises RuntimeError where its demonstration failed."""
    folder.mkdir()
    measured(travellers, folder, walk_s=WALK_S)
    with open_readonly(folder / "state" / FILE_NAME) as log:
        return list(log.transactions())


def together(lanes: int, travellers: int) -> dict[str, Any]:
    """``lanes`` of them at once."""
    with tempfile.TemporaryDirectory(prefix="autogate-lanes-") as name, ThreadPoolExecutor(lanes) as pool:
        worked, began = processor_s(), os.times().elapsed
        records = [
            record for each in pool.map(lambda number: lane(travellers, Path(name, str(number))), range(lanes)) for record in each
        ]
        worked, took = processor_s() - worked, os.times().elapsed - began
    neither = sorted(split_of(record).machine for record in records)
    whole = sorted(1000 * seconds_of(record) for record in records)
    return {
        "lanes": lanes,
        "transactions": len(records),
        "opened": sum(record.outcome == "OPEN" for record in records),
        "neither_ms": {"p50": nearest(neither, 0.5), "p99": nearest(neither, 0.99), "max": neither[-1]},
        "whole_ms": {"p50": nearest(whole, 0.5), "p99": nearest(whole, 0.99)},
        "travellers_per_lane_hour": 3600_000 / nearest(whole, 0.5),
        "busy_processors": worked / took,
        "met": nearest(neither, 0.5) <= GOAL_MS[0]
        and nearest(neither, 0.99) <= GOAL_MS[1]
        and all(record.outcome == "OPEN" for record in records),
    }


def line(told: dict[str, Any]) -> str:
    neither = told["neither_ms"]
    return (
        f"{told['lanes']} lanes: {told['opened']} of {told['transactions']} opened, neither people nor doors p50 {neither['p50']:.0f}, p99 {neither['p99']:.0f} ms, "
        f"whole p50 {told['whole_ms']['p50'] / 1000:.1f} s, {told['busy_processors']:.2f} processors busy, goal {'met' if told['met'] else 'missed'}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lanes_per_machine", description=__doc__)
    parser.add_argument("--lanes", default="1,2,3,4,6", help="how many at once, one after another")
    parser.add_argument("--travellers", type=int, default=20, help="for each lane")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the figures as JSON")
    options = parser.parse_args()
    counts = sorted({int(each) for each in options.lanes.split(",")})
    facts, found = machine.facts(), []
    for count in bar(counts, "lanes"):
        found.append(together(count, options.travellers))
        print(line(found[-1]), flush=True)
    carried = [each["lanes"] for each in found if each["met"]]
    print(f"{facts['cores']} processors carry {max(carried, default=0)} of these lanes at the goal")
    if options.out:
        options.out.write_text(json.dumps({"machine": facts, "lanes": found}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
