"""``python -m benchmarks.mrz_parse_peers [--peers PYTHON] [--out JSON]``: our parser beside PyPI's ``mrz`` and PassportEye's, text to fields.

``PYTHON`` is the interpreter of an environment of its own that has ``mrz`` and ``PassportEye`` (GPL-3 and MIT: run here, never packaged).
All take turns on the same 1,000 passports; each parse is timed by itself. ``right``: parses in which the parser says that every check
digit agrees, which all of them do. Without ``--peers`` only ours and the plain expression stand there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from benchmarks import machine
from benchmarks.mrz_plain import zones

ROUNDS = 3
REPEATS = 5
"""Passes over the documents in each round."""
SECONDS = 300.0
"""For one parser's turn; the slowest takes a few."""
PARSERS = {
    "ours": "import mrz\nparse = lambda lines: mrz.parse(lines).check_digits_ok",
    "plain expression": "from benchmarks.mrz_plain import plain\nparse = lambda lines: plain(lines)['ok']",
    "mrz (PyPI)": "from mrz.checker.td3 import TD3CodeChecker\nparse = lambda lines: bool(TD3CodeChecker('\\n'.join(lines)))",
    "PassportEye": "from passporteye.mrz.text import MRZ\nparse = lambda lines: MRZ(list(lines)).valid",
}
OURS = ("ours", "plain expression")
TIMED = """
import json, sys, time
zones = [tuple(lines) for lines in json.load(sys.stdin)]
now, taken, right = time.perf_counter_ns, [], 0
for lines in zones[:100]:
    parse(lines)
begun = time.process_time_ns()
for _ in range({repeats}):
    for lines in zones:
        parse(lines)
processor = time.process_time_ns() - begun
for lines in zones:
    start = now()
    right += bool(parse(lines))
    taken.append(now() - start)
print(json.dumps({{"processor_ns": processor / ({repeats} * len(zones)), "taken_ns": taken, "right": right}}))
"""


def turn(parser: str, python: str, documents: str) -> dict:
    """One parser's turn in a process of its own; outside the repository for a peer, so that it finds its own ``mrz``."""
    folder, alone = (Path(__file__).parents[1], []) if parser in OURS else (Path("/"), ["-I"])
    command = [python, *alone, "-c", PARSERS[parser] + TIMED.format(repeats=REPEATS)]
    run = subprocess.run(command, input=documents, cwd=folder, capture_output=True, text=True, check=True, timeout=SECONDS)
    return json.loads(run.stdout)


def compare(
    pythons: Mapping[str, str], documents: Sequence[tuple[str, ...]], rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Parser → its figures. ``pythons``: the interpreter of each parser that takes part."""
    turns: dict[str, list[dict]] = {name: [] for name in pythons}
    for _ in range(rounds):
        for name, results in turns.items():
            results.append(turn(name, pythons[name], json.dumps(documents)))
    return {name: _figures(results) for name, results in turns.items()}


def _figures(results: Sequence[dict]) -> dict[str, float]:
    taken = sorted(each for result in results for each in result["taken_ns"])
    hundredths = quantiles(taken, n=100, method="inclusive")
    return {
        "parses_per_second": round(1e9 / min(result["processor_ns"] for result in results)),
        "median_us": round(hundredths[49] / 1000, 2),
        "p99_us": round(taken[-(-len(taken) * 99 // 100) - 1] / 1000, 2),
        "right": sum(result["right"] for result in results),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_parse_peers", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    documents = zones("TD3")
    pythons = {name: python for name in PARSERS if (python := sys.executable if name in OURS else options.peers)}
    told = compare(pythons, documents)
    report = {"machine": machine.facts(), "documents": len(documents), "rounds": ROUNDS, "parsers": told}
    print(f"{'parser':20}{'parses/s':>12}{'median µs':>12}{'p99 µs':>10}{'right':>8}")
    for name, figures in told.items():
        print(
            f"{name:20}{figures['parses_per_second']:>12,}{figures['median_us']:>12}{figures['p99_us']:>10}{figures['right']:>8}"
        )
    if options.out:
        options.out.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
