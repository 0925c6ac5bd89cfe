"""``python -m benchmarks.lane_load [--quick] [--only compute gates lag] [--out FILE.json]``: what the lane costs and how late it is.

compute: what one traveller costs the lane itself, on memory and on disk. gates: how many lanes two cores carry. lag: the loop of the lane in
the running demonstration. Exit status 1 where a goal is missed; figures of ``--quick`` are hints.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import lane_compute, lane_gates, lane_lag, machine

PARTS = ("compute", "gates", "lag")
TRANSACTIONS, QUICK_TRANSACTIONS = 100_000, 2_000
SECONDS, QUICK_SECONDS = 30.0, 10.0
TRAVELLERS, QUICK_TRAVELLERS = 60, 4


def compute(*, quick: bool, disk: Path) -> dict[str, Any]:
    return lane_compute.measure(QUICK_TRANSACTIONS if quick else TRANSACTIONS, disk)


def gates(*, quick: bool, disk: Path) -> dict[str, Any]:
    """More and more gates, until the lag is over its goal; only as many as were promised where ``quick``."""
    runs: list[dict[str, Any]] = []
    for count in (lane_gates.GATES,) if quick else lane_gates.STEPS:
        with lane_lag.BareLoop() as floor:
            told = lane_gates.measure(count, QUICK_SECONDS if quick else SECONDS, disk)
            runs.append(told | floor.end())
        if told["loop lag"]["p99"] > lane_gates.P99_MS and count >= lane_gates.GATES:
            break
    return {"runs": runs}


def lag(*, quick: bool, disk: Path) -> dict[str, Any]:
    del disk  # the demonstration keeps its state in a folder of its own
    count = QUICK_TRAVELLERS if quick else TRAVELLERS
    return {lane_lag.BUSY: lane_lag.measure(count), lane_lag.CROWDED: lane_lag.measure(count, crowded=True)}


MEASURE = {"compute": compute, "gates": gates, "lag": lag}
GOALS = {"compute": lane_compute.goals, "gates": lane_gates.goals, "lag": lane_lag.goals}


def show(report: Mapping[str, Any]) -> None:
    """The figures as lines of text."""
    before = report["machine"]
    print(
        f"{before['cpu']}, {before['cores']} cores, load {before['load'][0]} → {report['load_after'][0]}, Python {before['python']}"
    )
    print(
        f"commit {before['commit'][:12]}{', changed' if before['changed'] else ''}{', QUICK: hints alone' if report['quick'] else ''}"
    )
    for part in PARTS:
        if part in report:
            _tell(report[part], part)
    for name, met in report["goals"].items():
        print(f"  {'met   ' if met else 'MISSED'} {name}")


def _tell(told: Any, name: str) -> None:
    """Spreads on a line each, everything else as it is; runs by the number of their gates."""
    match told:
        case {"p50": p50, "p99": p99, "max": worst, "n": count}:
            print(f"  {name:78} p50 {p50:8.3f}  p99 {p99:8.3f}  max {worst:8.3f} ms  (n = {count})")
        case {"runs": list(runs)}:
            for run in runs:
                _tell(run, f"{run['gates']} gates")
        case dict():
            for key, value in told.items():
                _tell(value, f"{name}, {key}")
        case _:
            print(f"  {name:78} {told}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five minutes instead of three quarters of an hour")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, help="write all figures to this file (JSON)")
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine.facts(), "quick": options.quick, "goals": {}}
    state = machine.REPOSITORY / ".state"
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=state) as disk:
        for part in options.only:
            report[part] = MEASURE[part](quick=options.quick, disk=Path(disk))
            report["goals"] |= GOALS[part](report[part])
    report["load_after"] = machine.facts()["load"]
    show(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
