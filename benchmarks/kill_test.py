"""``make kill-test``: hosts that die at random moments. What they leave behind is judged by the plant's own log.

``python -m benchmarks.kill_test [--trials 1002] [--lanes 10] [--seed 7] [--out FILE.json] [--firmware python c]``

A trial: the real lane process serves (its workers are stubbed), a traveller comes as far as the trial's place, the host gets SIGKILL or
SIGSTOP at a random moment there, and the controller is watched until nothing moves and nobody is inside. The next trial's host starts on
the state that this one left. The second half runs beside as many busy processes as there are processors. A trial is void where the
controller's own process was held up for more than 20 ms at the last renewal, which it may then have heard late, or before a leaf that
stopped too late; it is counted, and run again. (Any other hold-up only makes a figure worse, so what passes in spite of it passes.) Exit
status 1 on any finding, and where more than 1 % were void.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
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
from benchmarks.kill_judge import MOTION_S, OUT_S, REST_S, Death, Verdict, judge
from benchmarks.kill_lane import KillLane, Place, both, lanes, load, work_off

WATCHED_S = 1.4
"""A trial with nobody inside is watched so long after the death: all that may move has come to rest in the first second."""
SHUT_IN_S = OUT_S + 2.0
NEAR_S = 0.01
"""A tick: what the witness heard within one of a hold-up may have come at any time during it."""
MOST_VOID = 0.01
DIE_WITHIN_S: dict[Place, float] = {
    "idle": 0.3,
    "entry opening": 0.55,
    "entry closing": 0.55,
    "capture": 0.6,
    "hold": 0.6,
    "exit opening": 0.55,
    "exit closing": 0.55,
}
"""After coming to the place: a leaf travels for 0.6 s."""
THIRDS: tuple[tuple[Place, ...], ...] = (
    ("idle",),
    ("capture",),
    ("entry opening", "entry closing", "exit opening", "exit closing", "hold"),
)
"""The trap empty, occupied, a leaf moving (a face that does not match is let out by the entry): a third of the trials each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be done."""

    number: int
    place: Place
    signal: str
    wait_s: float
    loaded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    trial: Trial
    lane: str
    firmware: str
    verdict: Verdict
    held_up: float
    """The longest that the witness was held up in the judged second, void or not."""

    @property
    def void(self) -> float:
        return self.verdict.void


def plan(trials: int, seed: int) -> list[Trial]:
    """Thirds by place, either signal, in random order; the second half under load."""
    dice = random.Random(f"{seed} kill")
    places = [dice.choice(THIRDS[number % len(THIRDS)]) for number in range(trials)]
    dice.shuffle(places)
    return [
        Trial(
            number=number,
            place=place,
            signal=dice.choice(("SIGKILL", "SIGSTOP")),
            wait_s=dice.uniform(0, DIE_WITHIN_S[place]),
            loaded=number >= trials // 2,
        )
        for number, place in enumerate(places)
    ]


async def perform(lane: KillLane, trial: Trial) -> Result:
    """One trial, from a host that starts to a trap that is empty and locked."""
    await lane.start_host()
    lane.lines.clear()
    lane.held_up.clear()
    await lane.bring(trial.place)
    await asyncio.sleep(trial.wait_s)
    died = lane.strike(signal.Signals[trial.signal])
    await asyncio.sleep(WATCHED_S)
    with contextlib.suppress(TimeoutError):
        await lane.until(lambda: lane.inside() == 0, "the trap is empty", SHUT_IN_S - WATCHED_S)
    told = await lane.order("witness")
    await asyncio.sleep(0)  # what it said before
    death = Death(at=died, renewed=told["renewed"], watched=told["now"])
    verdict = judge(lane.lines, death, held_up=lane.held_up_between(death.renewed - NEAR_S, death.renewed + NEAR_S))
    held_up = lane.held_up_between(death.renewed, death.renewed + REST_S)
    if verdict.late and held_up:
        verdict = judge(lane.lines, death, held_up=held_up)
    await lane.end_host()
    await lane.order("leave")
    return Result(trial=trial, lane=lane.name, firmware=lane.firmware, verdict=verdict, held_up=held_up)


async def run(trials: Sequence[Trial], count: int, firmwares: Sequence[str]) -> list[Result]:
    """All trials, as many at once as there are lanes."""
    results: list[Result] = []
    async with lanes(count, firmwares) as built:
        for loaded in (False, True):
            todo = [trial for trial in trials if trial.loaded is loaded]
            with load(len(os.sched_getaffinity(0)) if loaded else 0):
                results += await work_off(built, todo, perform)
    return results


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Counts and worst figures (ms) of the trials that count, and every finding."""
    counted = [result for result in results if not result.void]
    voids = len(results) - len(counted)
    verdicts = [result.verdict for result in counted]
    return {
        "trials": len(counted),
        "void": voids,
        "void_share": round(voids / len(results), 4) if results else 1.0,
        "held_up_but_counted": sum(result.held_up > 0 for result in counted),
        "by_moment": dict(Counter(verdict.moment for verdict in verdicts)),
        "by_signal": dict(Counter(result.trial.signal for result in counted)),
        "by_firmware": dict(Counter(result.firmware for result in counted)),
        "loaded": sum(result.trial.loaded for result in counted),
        "left_by": dict(Counter(verdict.left_by for verdict in verdicts if verdict.left_by)),
        "waited_for_a_threshold": sum(verdict.waited for verdict in verdicts),
        "motion_ms": _spread([verdict.motion for verdict in verdicts if verdict.motion]),
        "rest_ms": _spread([verdict.rest for verdict in verdicts if verdict.rest]),
        "out_ms": _spread([verdict.out for verdict in verdicts if verdict.out is not None]),
        "limits_ms": {"motion": MOTION_S * 1000, "rest": REST_S * 1000, "out": OUT_S * 1000},
        "findings": [
            {**asdict(result.trial), "lane": result.lane, "firmware": result.firmware, "finding": finding}
            for result in counted
            for finding in result.verdict.findings
        ],
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return machine.spread([1000 * each for each in seconds], 1) if seconds else {"n": 0}


def told(figures: dict[str, Any]) -> str:
    """The summary in words."""
    counts = f"{figures['trials']} trials, {figures['void']} void ({figures['void_share']:.2%}), {figures['loaded']} under load"
    lines = [f"{counts}; {figures['by_moment']}, {figures['by_signal']}, {figures['by_firmware']}"]
    for name, what in (("motion", "driven open"), ("rest", "at rest"), ("out", "occupant out")):
        spread = figures[f"{name}_ms"]
        values = ", ".join(f"{key} {value}" for key, value in spread.items())
        lines.append(f"{what:>14} (at most {figures['limits_ms'][name]:.0f} ms): {values}")
    lines += [f"FINDING {finding}" for finding in figures["findings"]]
    return "\n".join([*lines, f"{len(figures['findings'])} findings; occupants left by {figures['left_by']}"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_test", description=__doc__)
    parser.add_argument("--trials", type=int, default=1002)
    parser.add_argument("--lanes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(".state/kill-test.json"))
    parser.add_argument("--firmware", nargs="+", choices=("python", "c"), default=both())
    parser.add_argument("--most-void", type=float, default=MOST_VOID, help="share of void trials that fails the run")
    parser.add_argument("--at-least", type=int, help="trials that must count (all, if not said)")
    options = parser.parse_args()
    begun = boot()
    results = asyncio.run(run(plan(options.trials, options.seed), options.lanes, options.firmware))
    figures = {**summary(results), "seconds": round(boot() - begun, 1), "lanes": options.lanes, "seed": options.seed}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    raw = [asdict(result) for result in results]
    report = {"machine": machine.facts(), **figures, "results": raw}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(told(figures), f"{figures['seconds']} s, {options.lanes} lanes: {options.out}", sep="\n")
    enough = figures["trials"] >= (options.at_least or options.trials)
    return int(bool(figures["findings"]) or figures["void_share"] > options.most_void or not enough)


if __name__ == "__main__":
    sys.exit(main())
