"""``python -m benchmarks.soak [--scale 1.0] [--seed 7] [--out soak.json] [--only NAME …]``: the long suites at full count.

``work`` is what the product spent on single answers of a chip: how many, the worst CPU time, how many took over 50 ms, the most memory.
``at_most`` is the failure rate that the counts do not rule out with 95 % confidence (Clopper and Pearson, one-sided): 3/n for none.
The file is written after each suite; a suite that is complete in it for the same commit, seed and count is not run again. Exit
status 1 on any failure, and where an answer cost over 50 ms. ``--only NAME --case N`` repeats one case and lets its exception through.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports ONNX Runtime

from benchmarks import machine
from benchmarks.soak_cases import METER
from benchmarks.soak_suites import SUITES, Suite
from faceverify.evaluation.intervals import upper_bound

FAILURES_KEPT = 20


def run(name: str, suite: Suite, cases: int, seed: int) -> dict[str, Any]:
    """One suite: what came out how often, what failed, how long it took."""
    begun = time.monotonic()
    if suite.processes == 1:
        parts = [judged(name, range(cases), seed)]
    else:
        shares = [range(first, cases, suite.processes) for first in range(suite.processes)]
        with ProcessPoolExecutor(suite.processes, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(judged, [name] * suite.processes, shares, [seed] * suite.processes))
    seen: Counter[str] = sum((part["seen"] for part in parts), Counter())
    failures = sorted((failure for part in parts for failure in part["failures"]), key=lambda failure: int(failure["case"]))
    return {
        "cases": cases,
        "failed": len(failures),
        "at_most": upper_bound(len(failures), cases),
        "failures": failures[:FAILURES_KEPT],
        "not_seen": sorted(suite.must_see - seen.keys()),
        "seen": dict(seen.most_common()),
        "work": parts[0]["work"],
        "seconds": round(time.monotonic() - begun, 1),
    }


def judged(name: str, numbers: range, seed: int) -> dict[str, Any]:
    """Some cases of a suite, one after the other, in this process."""
    seen: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    METER.reset()
    with SUITES[name].prepare() as case:
        for number in numbers:
            try:
                seen[case(dice(seed, name, number))] += 1
            except Exception as error:  # noqa: BLE001 - whatever escapes is what a soak looks for
                seen["FAILED"] += 1
                failures.append({"case": number, "what": told(error)[:4000]})
    return {"seen": seen, "failures": failures, "work": METER.report()}


def told(error: Exception) -> str:
    """What it is, what it says, and the notes to it."""
    return "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def dice(seed: int, name: str, number: int) -> random.Random:
    """The dice of one case: the same for the same seed, suite and number."""
    return random.Random(f"{seed}/{name}/{number}")


def earlier(path: Path, stamp: dict[str, Any]) -> dict[str, Any]:
    """The suites in ``path``, if they belong to ``stamp`` and a clean tree; else none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = {name: found[name] for name in stamp} == stamp
        return dict(found["suites"]) if same and not stamp["changed"] else {}
    except (OSError, ValueError, KeyError):
        return {}


def _work(suite: dict[str, Any]) -> list[str]:
    return [f"{name} {figure}" for name, figure in suite["work"].items()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full counts")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(".state/soak.json"))
    parser.add_argument("--only", nargs="+", choices=sorted(SUITES), metavar="NAME", default=list(SUITES))
    parser.add_argument("--case", type=int, help="this case alone, of the first suite of --only")
    options = parser.parse_args()
    if options.case is not None:
        with SUITES[options.only[0]].prepare() as case:
            print(case(dice(options.seed, options.only[0], options.case)))
        return 0
    stamp = {"seed": options.seed, **machine.commit()}
    suites = earlier(options.out, stamp)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        cases = max(1, round(SUITES[name].cases * options.scale))
        if suites.get(name, {}).get("cases") == cases:
            print(f"{name}: complete before")
            continue
        suites[name] = run(name, SUITES[name], cases, options.seed)
        report = {**stamp, "scale": options.scale, "machine": machine.facts(), "suites": suites}
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(
            f"{name}: {cases:,} cases, {suites[name]['failed']} failed (at most {suites[name]['at_most']:.1e}), {suites[name]['seconds']} s",
            *_work(suites[name]),
            flush=True,
        )
    bad = [name for name, of in suites.items() if of["failed"] or of["not_seen"] or of["work"].get("over_50_ms")]
    for name in bad:
        of = suites[name]
        print(f"{name}: {of['failed']} failed, never seen: {of['not_seen']}", *_work(of), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
