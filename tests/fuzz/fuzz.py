"""All targets, sharing a time: ``python tests/fuzz/fuzz.py --seconds 60``. Status 1 where one found an input that breaks a rule.

Prints executions and coverage of each target. What was found is written to ``.state/fuzz``: the input as hex, and its traceback. Corpora are
kept in a temporary folder; each run starts from the seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import secrets
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script: benchmarks is no installed package

from benchmarks.soak_chip import TARGETS  # noqa: E402 - found by the path above

GRACE_S = 60
"""Seconds beyond its time after which a target is ended: longer than any limit that it sets itself."""
SHOWN = 20_000
"""Characters of a report that are printed; all of it is kept."""
EXECUTED, COVERED = re.compile(r"number_of_executed_units: (\d+)"), re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``covered`` are libFuzzer's counts of branches after the seeds, and at the end; empty without atheris. ``found`` is a report."""

    name: str
    executed: int
    covered: tuple[int, int] | None
    found: str


def run(name: str, folder: Path, arguments: list[str]) -> Outcome:
    """One target in a process of its own."""
    own = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, str(HERE / "target.py"), name, *arguments]
    seconds = int(arguments[arguments.index("--seconds") + 1])
    environment = os.environ | {"TMPDIR": str(own)}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds + GRACE_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(name=name, executed=0, covered=None, found=f"no end after {seconds + GRACE_S} s")
    executed, covered = EXECUTED.search(ended.stderr), [int(count) for count in COVERED.findall(ended.stderr)]
    found = "" if ended.returncode == 0 and executed else _report(ended, own)
    return Outcome(
        name=name,
        executed=int(executed[1]) if executed else 0,
        covered=(covered[0], covered[-1]) if covered else None,
        found=found,
    )


def _report(ended: subprocess.CompletedProcess[str], folder: Path) -> str:
    """What the target says; where libFuzzer ended it (a hang, too much memory, a crash in native code), the input and its words."""
    if "input: " in ended.stdout:
        return ended.stdout.strip()
    inputs = [f"input: {path.read_bytes().hex()}" for path in folder.rglob("found-*")]
    return "\n".join([f"status {ended.returncode}", *inputs, ended.stdout[-4000:], ended.stderr[-4000:]])


def engine() -> str:
    """The best one that there is. SystemExit where the best is required and absent."""
    if importlib.util.find_spec("atheris"):
        return "atheris"
    if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
        raise SystemExit("AUTOGATE_REQUIRE_ALL=1, but atheris is absent: make setup-fuzz")
    print("atheris is absent (make setup-fuzz): changes are blind")
    return "blind"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=sorted(TARGETS), metavar="NAME", default=list(TARGETS))
    parser.add_argument("--engine", choices=["atheris", "blind"])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--with", dest="first", help="a file that each target runs before")
    parser.add_argument("--out", type=Path, default=Path(".state/fuzz"))
    options = parser.parse_args()
    chosen = options.engine or engine()
    share = max(2, round(options.seconds * options.at_once / len(options.only)))
    arguments = ["--seconds", str(share), "--engine", chosen, "--seed", str(options.seed)]
    arguments += ["--with", options.first] if options.first else []
    print(
        f"{len(options.only)} targets, {share} s each, {options.at_once} at once, engine {chosen}, seed {options.seed}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="autogate-fuzz-") as folder, ThreadPoolExecutor(options.at_once) as pool:
        outcomes = []
        for outcome in pool.map(lambda name: run(name, Path(folder), arguments), options.only):
            outcomes.append(outcome)
            _print(outcome, options.out)
    bad = [outcome.name for outcome in outcomes if outcome.found]
    print(f"{sum(outcome.executed for outcome in outcomes):,} executions, {len(bad)} targets with a finding", *bad)
    return 1 if bad else 0


def _print(outcome: Outcome, out: Path) -> None:
    covered = "" if outcome.covered is None else f", branches {outcome.covered[0]} → {outcome.covered[1]}"
    print(f"{outcome.name}: {outcome.executed:,} executions{covered}", flush=True)
    if outcome.found:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{outcome.name}.txt").write_text(outcome.found + "\n", encoding="utf-8")
        print(f"FOUND in {outcome.name} (kept in {out / outcome.name}.txt)\n{outcome.found[:SHOWN]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
