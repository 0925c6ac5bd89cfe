"""``make bench-serial``: what a command takes on each serial link, clean and bad, beside what the libraries do by themselves.

``python -m benchmarks.serial_table [--commands 2000] [--orders 400] [--only NAME …] [--out FILE.json]``. Clean: a pseudo-terminal to another
process. Bad: the same over a relay that turns a bit in a thousandth of the bytes and loses a hundredth of the bursts, both ways. A link
whose library or program is not there is left out and said so. Exit status 1 where one of the gate's own links did something twice or not
at all, left the plant unsafe, or took a second to recover.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine, serial_links, serial_osdp, serial_pymodbus
from hardware.sim.compiled import MODBUS, PROGRAM
from hardware.sim.controller import FirmwareKind

GOAL_MS = {"gate-link": 5.0, "Modbus": 5.0, "OSDP": 20.0}
"""Command → execution on a clean line, p99."""
RECOVERED_MS = 1000.0
SLOW_MS = 20.0
"""On a bad line whatever takes longer was hit: twice what a busy machine does to a command on a clean one."""

Row = dict[str, dict[str, Any]]
"""``clean`` and ``faulty``."""


def gate_controller(kind: FirmwareKind) -> Callable[[int, int], dict[str, Row]]:
    name = {"python": "gate-link, firmware in Python", "c": "gate-link, firmware in C", "modbus": "Modbus RTU, libmodbus"}[kind]

    def measure(commands: int, orders: int) -> dict[str, Row]:
        clean, faulty = serial_links.clean(kind, commands), serial_links.faulty(kind, orders, SLOW_MS)
        return {name: {"clean": clean, "faulty": faulty}}

    return measure


def pymodbus(commands: int, _orders: int) -> dict[str, Row]:
    return serial_pymodbus.clean_and_faulty(commands // 2)


def _pymodbus() -> str:
    return "" if importlib.util.find_spec("pymodbus") else "make setup-modbus"


LINKS: dict[str, tuple[Callable[[int, int], dict[str, Row]], Callable[[], str]]] = {
    "python": (gate_controller("python"), lambda: ""),
    "c": (gate_controller("c"), lambda: "" if PROGRAM.exists() else "make firmware"),
    "modbus": (gate_controller("modbus"), lambda: _pymodbus() or ("" if MODBUS.exists() else "make modbus-controller")),
    "pymodbus": (pymodbus, _pymodbus),
    "osdp": (serial_osdp.measure, lambda: "" if importlib.util.find_spec("osdp_sys") else "make setup-osdp"),
}
"""How to measure each, and what is missing for it (empty: nothing)."""


def findings(rows: dict[str, Row]) -> list[str]:
    """What the gate's own links must not do."""
    found = []
    for name, row in rows.items():
        bad = row["faulty"]
        if "unsafe" not in bad:
            continue  # a library beside ours
        found += [f"{name}: {bad[what]} {what}" for what in ("duplicates", "missing") if bad[what]]
        found += [f"{name}: {what}" for what in bad["unsafe"]]
        if bad["recovery_ms"].get("p99", 0.0) >= RECOVERED_MS:
            found.append(f"{name}: recovery took {bad['recovery_ms']['p99']:.0f} ms")
    return found


def table(rows: dict[str, Row]) -> str:
    """Milliseconds and counts, a line a link."""
    lines = [
        f"{'link':34} {'clean p50':>9} {'p99':>8} {'goal':>6} {'bad p50':>9} {'p99':>8} {'recovery p99':>12} {'twice':>6} {'of':>6}  unsafe"
    ]
    for name, row in rows.items():
        clean, bad = row["clean"], row["faulty"]
        quick = clean.get("executed_ms", clean.get("outcome_ms"))
        goal = next((f"{limit:g}" for what, limit in GOAL_MS.items() if name.startswith(what)), "")
        recovery = bad.get("recovery_ms", {}).get("p99", "")
        unsafe = "; ".join(bad["unsafe"]) or "none" if "unsafe" in bad else ""
        lines.append(
            f"{name:34} {quick['p50']:>9} {quick['p99']:>8} {goal:>6} {bad['outcome_ms']['p50']:>9} {bad['outcome_ms']['p99']:>8}"
            f" {recovery:>12} {bad['duplicates']:>6} {bad['orders']:>6}  {unsafe}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serial_table", description=__doc__)
    parser.add_argument("--commands", type=int, default=2000, help="on the clean line")
    parser.add_argument("--orders", type=int, default=400, help="to open and to shut on the bad line")
    parser.add_argument("--only", nargs="+", choices=sorted(LINKS), default=list(LINKS))
    parser.add_argument("--out", type=Path, default=Path(".state/bench-serial.json"))
    options = parser.parse_args()
    rows: dict[str, Row] = {}
    missing: dict[str, str] = {}
    for name in options.only:
        measure, lacks = LINKS[name]
        if what := lacks():
            missing[name] = what
        else:
            rows |= measure(options.commands, options.orders)
    found = findings(rows)
    floor = serial_links.floor(options.commands // 2)
    report = {
        "machine": machine.facts(),
        "floor_ms": floor,
        "faults": serial_links.FAULTS,
        "links": rows,
        "left_out": missing,
        "findings": found,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(rows), f"floor: a command's bytes to cat and back, p50 {floor['p50']}, p99 {floor['p99']} ms", sep="\n")
    print(*(f"left out: {name} ({what})" for name, what in missing.items()), *found, options.out, sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
