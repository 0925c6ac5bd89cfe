"""How soon fire frees both doors, whatever the host is doing: ``python -m benchmarks.fire_test [--trials 240] [--lanes 10] [--out FILE.json]``

A trial: a traveller comes as far as the trial's place, the host works on, is killed or is stopped, and at a random moment the fire input
comes on. Judged by the plant's own log: from the input to the moment at which both leaves are unlocked and without drive. Exit status 1 on
any finding, and where more than 1 % of the trials were void: too late, and the controller's own process held up for more than 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.kill_controller import boot
from benchmarks.kill_judge import Line
from benchmarks.kill_lane import PLACES, KillLane, Place, both, lanes, work_off

EGRESS_S = 0.05
SEEN_S = 2.0
"""Whoever has not seen both doors free by then calls it a finding."""
MOST_VOID = 0.01
HOSTS = ("alive", "dead", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """``fire_s``: how long after the traveller came to ``place``; the host, if it is to, dies up to 3 s before."""

    number: int
    place: Place
    host: str
    fire_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    trial: Trial
    firmware: str
    egress: float | None
    """Seconds from the input to both doors free; None: not seen."""
    violations: tuple[str, ...]
    void: float

    @property
    def findings(self) -> list[str]:
        late = self.egress is None or self.egress > EGRESS_S
        return [*self.violations, *([f"both doors free after {self.egress} s"] if late else [])]


def plan(trials: int, seed: int) -> list[Trial]:
    dice = random.Random(f"{seed} fire")
    return [
        Trial(
            number=number,
            place=dice.choice(PLACES),
            host=HOSTS[number % len(HOSTS)],
            fire_s=dice.uniform(0, 3.0 if number % len(HOSTS) else 0.6),
        )
        for number in range(trials)
    ]


def egress(lines: Sequence[Line]) -> float | None:
    """Seconds from the fire input to both leaves unlocked and without drive; None where that did not come."""
    free: dict[str, float] = {}
    began = None
    for line in lines:
        door, _, word = line.what.partition(" ")
        if line.what == "fire on":
            began = line.boot
        elif word == "released":
            free[door] = line.boot
        elif door in free:
            del free[door]
    return max(0.0, max(free.values()) - began) if began is not None and len(free) == 2 else None


async def perform(lane: KillLane, trial: Trial) -> Result:
    await lane.start_host()
    lane.lines.clear()
    lane.held_up.clear()
    await lane.bring(trial.place)
    if trial.host != "alive":
        lane.strike(signal.SIGKILL if trial.host == "dead" else signal.SIGSTOP)
    await asyncio.sleep(trial.fire_s)
    began = boot()
    await lane.order("fire", on=True)
    with contextlib.suppress(TimeoutError):  # the result says so
        await lane.until(lambda: egress(lane.lines) is not None, "both doors are free", SEEN_S)
    told = await lane.order("witness")
    took = egress(lane.lines)
    late = took is None or took > EGRESS_S  # a hold-up makes it worse, never better
    void = lane.held_up_between(began, boot()) if late else 0.0
    result = Result(trial=trial, firmware=lane.firmware, egress=took, violations=tuple(told["violations"]), void=void)
    await lane.end_host()
    await lane.until(lambda: lane.inside() == 0, "whoever was inside went out")
    await lane.order("leave")
    await lane.order("fire", on=False)
    return result


async def run(trials: Sequence[Trial], count: int, firmwares: Sequence[str]) -> list[Result]:
    async with lanes(count, firmwares) as built:
        return await work_off(built, trials, perform)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    counted = [result for result in results if not result.void]
    figures = [result.egress * 1000 for result in counted if result.egress is not None]
    return {
        "trials": len(counted),
        "void": len(results) - len(counted),
        "by_host": dict(Counter(result.trial.host for result in counted)),
        "by_firmware": dict(Counter(result.firmware for result in counted)),
        "egress_ms": machine.spread(figures, 1) if figures else {"n": 0},
        "limit_ms": EGRESS_S * 1000,
        "findings": [{**asdict(result), "findings": result.findings} for result in counted if result.findings],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fire_test", description=__doc__)
    parser.add_argument("--trials", type=int, default=240)
    parser.add_argument("--lanes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(".state/fire-test.json"))
    parser.add_argument("--firmware", nargs="+", choices=("python", "c"), default=both())
    parser.add_argument("--most-void", type=float, default=MOST_VOID, help="share of void trials that fails the run")
    options = parser.parse_args()
    results = asyncio.run(run(plan(options.trials, options.seed), options.lanes, options.firmware))
    figures = summary(results)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine.facts(), **figures, "results": [asdict(result) for result in results]}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(
        f"fire: {figures['trials']} trials, {figures['void']} void; {figures['by_host']}, {figures['by_firmware']}",
        f"both doors free (at most {EGRESS_S * 1000:.0f} ms): {figures['egress_ms']}",
        *(f"FINDING {finding}" for finding in figures["findings"]),
        f"{len(figures['findings'])} findings: {options.out}",
        sep="\n",
    )
    return int(bool(figures["findings"]) or figures["void"] > options.most_void * len(results))


if __name__ == "__main__":
    sys.exit(main())
