"""``python -m benchmarks.model_check [--faults 2] [--quick | --whole] [--json FILE]``: the lane's model check with its figures.

Prints, for each search, states, transitions and seconds; then each seeded defect with the invariant that it broke. Exit status 1 where an
invariant does not hold (with the shortest trace that breaks it) or a defect stays unnoticed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import lane_promela
from benchmarks.lane_defects import CONTROLLERS, HOST, TABLE, controller
from benchmarks.lane_model import AnyHost, Lanes, Search

INVARIANTS = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I11", "I14")


def searches(faults: int, *, quick: bool, whole: bool) -> Iterator[tuple[str, Search]]:
    """What is searched, smallest first. ``quick``: what ``make check`` has time for; ``whole``: what takes hours, too."""
    yield "mantrap, telemetry in time, 1 fault", Lanes(faults=1, late=False)
    yield "single door, telemetry late, no fault", Lanes(faults=0, open_zone=True)
    if quick:
        return
    yield "single door, telemetry in time, 1 fault", Lanes(faults=1, late=False, open_zone=True)
    yield "any host, no fault", AnyHost(faults=0)
    yield "mantrap, telemetry late, no fault", Lanes(faults=0)
    yield f"mantrap, telemetry in time, {faults} faults", Lanes(faults=faults, late=False)
    if whole:
        yield f"any host, {faults} faults", AnyHost(faults=faults)
        yield f"single door, telemetry late, {faults} faults", Lanes(faults=faults, open_zone=True)
        yield f"mantrap, telemetry late, {faults} faults", Lanes(faults=faults)


def search(name: str, what: Search) -> dict[str, Any]:
    begun = time.process_time()
    broken = what.run()
    told = {"search": name, "states": len(what.keys), "transitions": what.transitions, "broken": broken}
    return told | {"seconds": round(time.process_time() - begun, 1)}


def noticed(name: str) -> str | None:
    """The invariant that defect ``name`` broke."""
    defective, under = CONTROLLERS[name]
    with controller(defective):
        broken = Lanes(faults=1, late=False).run() if under == TABLE else AnyHost(faults=int(under != HOST)).run()
    return broken.splitlines()[0] if broken else None


def second_opinion(faults: int) -> bool | None:
    """Whether Spin comes to the same of the table alone; None where it is not installed."""
    if absent := lane_promela.missing():
        print(f"the table alone, by Spin: not run, {', '.join(absent)} not installed")
        return None
    return lane_promela.compared(faults)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_check", description=__doc__)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the two smallest searches alone")
    parser.add_argument("--whole", action="store_true", help="late telemetry and any host under faults, too: hours")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    told, failed = [], False
    for name, what in searches(options.faults, quick=options.quick, whole=options.whole):
        told.append(result := search(name, what))
        print(
            f"{name:48} {result['states']:>9,} states {result['transitions']:>11,} transitions {result['seconds']:>8} s",
            flush=True,
        )
        if result["broken"]:
            failed = True
            print(result["broken"])
    defects = {name: noticed(name) for name in CONTROLLERS}
    for name, invariant in defects.items():
        print(f"defect: {name:44} {invariant or 'NOT NOTICED'}", flush=True)
    print(
        f"invariants {', '.join(INVARIANTS)}; {sum(map(bool, defects.values()))} of {len(defects)} defects of the controller noticed"
    )
    failed |= second_opinion(options.faults) is False
    print("defects of the table: tests/gate/test_lane_model.py, where no controller stands behind it")
    if options.json:
        options.json.write_text(json.dumps({"searches": told, "defects": defects}, indent=2) + "\n", encoding="utf-8")
    return int(failed or not all(defects.values()))


if __name__ == "__main__":
    sys.exit(main())
