"""``make bench``, ``make bench-report``, ``make bench-check``: run the benchmarks, show what they came to over time, notice what got slower.

``python -m benchmarks.history run [--quick | --full] [--out DIR] [what pytest takes]`` saves one run; ``report`` renders all runs of the
folder as one page and prints the newest; ``check`` compares the newest run's ratios with the recorded ones and ends with 1 where one grew
beyond what is allowed, with 2 where there is nothing to compare; ``record`` makes the newest runs the baseline.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import history_page, history_ratios
from benchmarks.history_runs import read_runs
from benchmarks.machine import REPOSITORY

FOLDER = Path(".state/bench")
LONG = ("audit", "chip_paced", "chip_pcsc", "chip_resume", "face_peers", "pki_peers", "mrz_peers", "serial_peers")
"""Suites of which one round takes from seconds to a minute: no part of a quick run."""
QUICK = ["--benchmark-max-time=0.2", *(f"--ignore=benchmarks/test_{name}.py" for name in LONG)]
FULL = ["--benchmark-max-time=5", "--benchmark-min-rounds=20"]
LONGEST_S = 600
"""A suite that measures peers one after another takes minutes; what takes longer than this is stuck."""


def run(folder: Path, arguments: list[str]) -> int:
    """pytest's exit status. The run lies in ``folder`` under the time at which it began."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder.resolve() / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    suites = [] if any(each.partition("::")[0].endswith(".py") for each in arguments) else ["benchmarks"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *suites,
        "--benchmark-only",
        f"--timeout={LONGEST_S}",
        f"--benchmark-json={out}",
        *arguments,
    ]
    status = subprocess.call(command, cwd=REPOSITORY)
    if out.exists() and not out.stat().st_size:
        out.unlink()  # opened before anything was measured
    print(f"{out}\nmake bench-report shows it beside earlier runs." if out.exists() else "no run was saved", flush=True)
    return status


def report(folder: Path, out: Path) -> int:
    """0; 2 where there is no run."""
    runs, left_out = read_runs(folder)
    if not runs:
        return _nothing(folder, left_out)
    known, kept = history_ratios.declared(), history_ratios.baseline()
    print(*history_page.lines(runs, known, kept, left_out), sep="\n")
    out.write_text(history_page.render(runs, known, kept, left_out), encoding="utf-8")
    print(out)
    return 0


def check(folder: Path, *, complete: bool) -> int:
    """0: no ratio grew too much; 1: one did, and it is named; 2: there was nothing to compare.

    ``complete``: a ratio to a floor that was recorded and is not in the run is a finding, too. A peer may be absent.
    """
    runs, left_out = read_runs(folder)
    if not runs:
        return _nothing(folder, left_out)
    known, kept = history_ratios.declared(), history_ratios.baseline()
    verdicts = history_ratios.judge(runs[-1], known.ratios, kept["ratios"])
    words = [verdict.word for verdict in verdicts]
    for verdict in verdicts:
        if verdict.word == "regression":
            print(f"REGRESSION {history_page.told(verdict)}")
    lost = [verdict.ratio.name for verdict in verdicts if complete and verdict.lost]
    print(*(f"NOT MEASURED {name}" for name in lost), sep="\n", end="\n" * bool(lost))
    compared = words.count("held") + words.count("regression")
    print(
        f"{runs[-1].name}: {compared} of {len(verdicts)} ratios compared, {words.count('regression')} beyond what is allowed;",
        end=" ",
    )
    print(f"not measured in this run: {words.count('not measured')}, not recorded: {words.count('not recorded')}")
    if kept.get("machine", {}).get("cpu", "") not in ("", runs[-1].machine.get("cpu")):
        print(f"the ratios were recorded on another processor: {kept['machine']['cpu']}")
    if not compared:
        print("nothing could be compared", file=sys.stderr)
        return 2
    return int("regression" in words or bool(lost))


def record(folder: Path, count: int) -> int:
    """The newest ``count`` runs become the baseline."""
    runs, left_out = read_runs(folder)
    if not runs:
        return _nothing(folder, left_out)
    kept = history_ratios.record(runs[-count:], history_ratios.declared().ratios, history_ratios.baseline()["ratios"])
    history_ratios.BASELINE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(kept['ratios'])} ratios of {kept['runs']} runs: {history_ratios.BASELINE}")
    return 0


def _nothing(folder: Path, left_out: list[str]) -> int:
    print(f"no run in {folder}: make bench", *left_out, sep="\n", file=sys.stderr)
    return 2


def main(arguments: list[str] | None = None) -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__, formatter_class=plain)
    parser.add_argument("command", choices=("run", "report", "check", "record"))
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"where the runs lie ({FOLDER})")
    parser.add_argument("--quick", action="store_true", help="run: no peers and few rounds, a minute")
    parser.add_argument(
        "--full", action="store_true", help="run: five seconds of rounds for each benchmark, a quarter of an hour"
    )
    parser.add_argument("--complete", action="store_true", help="check: no recorded ratio to a floor may be missing from the run")
    parser.add_argument("--page", type=Path, metavar="FILE", help="report: the page (history.html in the folder of the runs)")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="record: medians of the newest N runs (1)")
    options, rest = parser.parse_known_args(arguments)
    match options.command:
        case "run":
            return run(options.out, (QUICK if options.quick else FULL if options.full else []) + rest)
        case "report":
            return report(options.out, options.page or options.out / "history.html")
        case "check":
            return check(options.out, complete=options.complete)
        case _:
            return record(options.out, options.runs)


if __name__ == "__main__":
    sys.exit(main())
