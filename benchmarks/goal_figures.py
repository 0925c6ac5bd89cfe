"""``python -m benchmarks.goal_figures [--runs N] [--reads N] [--documents N] [--starts N] [--out FILE.json]``: the promised figures.

Runs the real demonstration with N ordinary travellers, reads paced chips, judges fresh documents, loads the trust store, starts the processes of a fresh installation several times,
and weighs a fresh core installation (``--quick``: a tenth of it all). Exit status 1 where a goal is missed. Needs uv's package cache or the registry for the last two (``--travellers-only``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import chip_paced, installation, machine, pki_fresh, pki_store, travellers

COMPUTE_MS, READY_S, CORE_MIB = 60.0, 3.0, 335.0
"""The goals: p99 of each computation, processes ready with our modules compiled (median), core installation with bytecode."""
TOLD = ("decision.entry", "decision.exit", "commit.entry", "commit.exit", "face.reference")
AFTER_FRAME = "chosen frame → exit command, without commit"
WORST_SHOWN = 3


def travelling(runs: int) -> dict[str, Any]:
    """What ``runs`` travellers took, in milliseconds, and the worst of them with what they waited for."""
    with machine.Hiccups() as hiccups:
        transactions = travellers.run(runs)
    stages, commands = travellers.stages(transactions), travellers.to_the_command(transactions)
    return {
        "travellers": len(transactions),
        "opened": sum(one["outcome"] == "OPEN" for one in transactions),
        "lateness of a 5 ms sleep meanwhile": hiccups.spread(),
        "figures": {name: stages[name] for name in TOLD} | commands,
        "first after the start": travellers.durations(transactions[0]),
        "slowest at the exit": [
            {"place": place} | travellers.durations(one)
            for place, one in sorted(enumerate(transactions, 1), key=lambda each: -travellers.exit_ms(each[1]))[:WORST_SHOWN]
        ],
        "stages": stages,
    }


def goals(report: Mapping[str, Any]) -> dict[str, bool]:
    """Which goal is met."""
    figures = report["travelling"]["figures"]
    met = {
        f"everybody got through: {report['travelling']['opened']} of {report['travelling']['travellers']}": (
            report["travelling"]["opened"] == report["travelling"]["travellers"]
        ),
        f"chip's last byte → entry decision, p99 ≤ {COMPUTE_MS:.0f} ms": figures["decision.entry"]["p99"] <= COMPUTE_MS,
        f"{AFTER_FRAME}, p99 ≤ {COMPUTE_MS:.0f} ms": figures[AFTER_FRAME]["p99"] <= COMPUTE_MS,
    }
    if "chip" in report:
        met |= chip_paced.goals(report["chip"])
    if "passive authentication" in report:
        met |= pki_fresh.goals(report["passive authentication"])
    if report.get("trust store"):
        met |= pki_store.goals(report["trust store"])
    if "ready" in report:
        met[f"ready, our modules compiled, median ≤ {READY_S:.0f} s"] = report["ready"]["our modules compiled"]["p50"] <= READY_S
        met[f"core installation ≤ {CORE_MIB:.0f} MiB"] = report["core_mib"]["total"] <= CORE_MIB
    return met


def show(report: Mapping[str, Any]) -> None:
    """The figures as lines of text."""
    before, after = report["machine"], report["load_after"]
    print(f"{before['cpu']}, {before['cores']} cores, load {before['load'][0]} → {after[0]}, Python {before['python']}")
    quick = ", QUICK: hints alone" if report["quick"] else ""
    print(f"commit {before['commit'][:12]}{', changed' if before['changed'] else ''}{quick}")
    meanwhile = "lateness of a 5 ms sleep meanwhile"
    for name, figure in {meanwhile: report["travelling"][meanwhile], **report["travelling"]["figures"]}.items():
        print(f"  {name:48} {_line(figure)} ms")
    for name, told in report.get("chip", {}).items():
        print(f"  chip at {name}: " + ", ".join(f"{what} {figure}" for what, figure in told.items()))
    for part in ("passive authentication", "trust store"):
        for name, told in report.get(part, {}).items():
            print(f"  {part}, {name}: " + ", ".join(f"{what} {figure}" for what, figure in told.items()))
    for name, figure in report.get("ready", {}).items():
        print(f"  {'process start → ready, ' + name:48} {_line(figure)} s")
    for name, mib in report.get("core_mib", {}).items():
        print(f"  {'core installation, ' + name:48} {mib} MiB")
    for name, met in report["goals"].items():
        print(f"  {'met   ' if met else 'MISSED'} {name}")


def _line(figure: Mapping[str, float]) -> str:
    return f"p50 {figure['p50']:7.2f}  p99 {figure['p99']:7.2f}  max {figure['max']:7.2f}  (n = {figure['n']})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goal_figures", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="travellers, four seconds each (100)")
    parser.add_argument(
        "--reads", type=int, default=30, help="paced readings at each rate in each length, 9 s in all (30; 0: none)"
    )
    parser.add_argument(
        "--documents", type=int, default=1000, help="fresh documents of each kind of key, 2 minutes in all (1000; 0: none)"
    )
    parser.add_argument("--starts", type=int, default=7, help="starts of the processes, of each kind (7)")
    parser.add_argument(
        "--travellers-only", action="store_true", help="leave out the fresh installations (and chips with --reads 0)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything and no fresh installations: hints alone")
    parser.add_argument("--out", type=Path, help="write all figures to this file (JSON)")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.reads, options.documents, options.travellers_only = 10, 3, 100, True
    report: dict[str, Any] = {"machine": machine.facts(), "quick": options.quick, "travelling": travelling(options.runs)}
    if options.reads:
        report["chip"] = chip_paced.interleaved(options.reads)
    if options.documents:
        report["passive authentication"] = {kind: pki_fresh.interleaved(kind, options.documents) for kind in pki_fresh.KINDS}
        report["trust store"] = {} if pki_store.absent() else pki_store.interleaved()
    if not options.travellers_only:
        with tempfile.TemporaryDirectory(prefix="autogate-install-") as scratch:
            report["core_mib"] = installation.size(Path(scratch))
            report["ready"] = installation.ready(Path(scratch), options.starts)
    report["load_after"] = machine.facts()["load"]
    report["goals"] = goals(report)
    show(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
