"""``autogate simulate``: a trial in jumping time, and how its computing times are measured anew."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Self

import msgspec

from gate.simulation.compute import FILE as COMPUTE_FILE
from gate.simulation.scenario import FILE as SCENARIO_FILE

MOST_DAYS = 366
BAR, REDRAW_S = 30, 0.2


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """``state`` is where the logs of the lanes go, each in a folder of its own."""
    parser.add_argument(
        "--scenario", type=Path, default=SCENARIO_FILE, metavar="FILE", help="the distributions, each with its source"
    )
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--airport", default="CGK")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same numbers")
    parser.add_argument("--state", type=Path, default=state, metavar="OUT", help="a folder that is not there yet, or is empty")
    parser.add_argument("--compute", type=Path, default=COMPUTE_FILE, metavar="FILE", help="how long the real rooms compute")
    parser.add_argument(
        "--measure",
        type=int,
        metavar="N",
        help="measure that anew by N travellers through the demonstration, write FILE, simulate nothing",
    )


def simulate_command(options: argparse.Namespace) -> int:
    """Returns 0, or 2 where it cannot be done as asked."""
    from gate.audit.log import AuditError
    from gate.simulation.measure import measure
    from gate.simulation.scenario import ScenarioError

    try:
        if options.measure:
            opened = measure(options.measure, options.compute)
            print(f"measured by {opened} travellers: {options.compute}")
            return 0
        if wrong := _refused(options):
            print(wrong, file=sys.stderr)
            return 2
        print(_words(_simulated(options), options.state))
    except (ScenarioError, AuditError, OSError, RuntimeError, msgspec.MsgspecError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _refused(options: argparse.Namespace) -> str:
    if not 1 <= options.days <= MOST_DAYS:
        return f"--days is 1 to {MOST_DAYS}"
    if options.state.exists() and (not options.state.is_dir() or any(options.state.iterdir())):
        return f"{options.state} is not empty: name another folder with --state, or remove it"
    return ""


def _simulated(options: argparse.Namespace) -> dict[str, Any]:
    from gate.simulation.compute import load_compute
    from gate.simulation.scenario import load_scenario
    from gate.simulation.trial import Wanted, simulate

    scenario, compute = load_scenario(options.scenario), load_compute(options.compute)
    wanted = Wanted(
        scenario=scenario, compute=compute, airport=options.airport, days=options.days, seed=options.seed, out=options.state
    )
    with _Bar() as bar:
        return simulate(wanted, bar.show)


class _Bar:
    """How far it is, on the standard error where that is a terminal."""

    def __init__(self) -> None:
        self._shown, self._wanted = 0.0, sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wanted:
            print(file=sys.stderr)

    def show(self, share: float, travellers: int) -> None:
        now = time.monotonic()
        if self._wanted and now - self._shown > REDRAW_S:
            self._shown, full = now, round(min(1.0, share) * BAR)
            print(f"\r[{'#' * full}{'.' * (BAR - full)}] {travellers} travellers", end="", file=sys.stderr, flush=True)


def _words(told: dict[str, Any], state: Path) -> str:
    whole = told["whole_traveller"]
    neither, bare = whole["neither_s"], whole["neither_without_chip_allowance_s"]
    lines = [
        f"simulated, seed {told['seed']}: {told['days']} days at {told['airport']}, {whole['opened']} went through; logs in {state}"
    ]
    lines.append(
        f"neither human nor door motion: p50 {bare['p50']:.2f} s, p99 {bare['p99']:.2f} s; with the chip's own computing"
    )
    lines[-1] += f" p50 {neither['p50']:.2f} s, p99 {neither['p99']:.2f} s"
    lines.append(f"doing things at once saved p50 {whole['saved_by_concurrency_s']['p50']:.2f} s")
    for bank in told["banks"]:
        waited = bank["waiting_s"]
        lines.append(
            f"{bank['name']}: {bank['arrived']} came, waited p50 {waited['p50']:.0f} s, p95 {waited['p95']:.0f} s, at most {bank['longest_queue']} in line"
        )
    return "\n".join(lines)
