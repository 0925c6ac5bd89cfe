"""``python -m benchmarks.kill_syscalls [--only SCENE …] [--how kill refuse] [--part 1/4] [--at-once 6] [--out FILE]``: kill -9 at every write and sync.

First a scene is played under strace, which counts the calls by which anything lasts (``traced.LASTING``). Then it is played again for each
of them, from the same state, and the process is killed as it enters that call (``kill``), or the call is answered with an error and,
where the disk is full, every later one as well (``refuse``). After each run the process is started again on whatever is left, and held
against what others saw: the chain verifies and holds the former head; what the lane told its peers stands in the log; no door opened
without its permit; no crossing is lost or told twice; the doors are safe by the plant's own log.

What it does not show: a power cut, in which the disk forgets what was written and not yet synced. A kill leaves the page cache alone.
Threads take turns as they like, so now and then a scene has a call less: a blow that was not struck in three runs is told as ``void``. Exit
status 1 on any finding, and where more than two in a hundred blows are void.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, Protocol

from benchmarks import machine, traced
from benchmarks.kill_lane import work_off
from benchmarks.kill_results import Result, Trial
from benchmarks.kill_syscalls_lane import SCENES as LANE_SCENES
from benchmarks.kill_syscalls_lane import TracedLane
from benchmarks.kill_syscalls_officers import VERIFIED, verifiers
from benchmarks.kill_syscalls_sealing import KEYS_DESTROYED, SEALED_FIELDS, sealings
from benchmarks.kill_syscalls_workers import (
    CHECKPOINTS,
    CROSSINGS,
    FIRST_START,
    audits,
    registries,
)
from benchmarks.soak_cases import Case
from benchmarks.traced import Blow, Calls

How = Literal["kill", "refuse"]
AT_ONCE = 6
"""Runs mostly wait for doors and starts."""
TWICE = 2
"""A run whose blow was missed is played so many times more."""
MOST_VOID = 0.02
LINE = "terminal"


class Bench(Protocol):
    async def perform(self, trial: Trial) -> Result: ...


@contextlib.asynccontextmanager
async def lanes(folder: Path, count: int, scene: str) -> AsyncIterator[list[TracedLane]]:
    states = folder / "states"
    states.mkdir()
    built = [TracedLane(folder / f"lane-{number}", states) for number in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*map(stack.enter_async_context, built))
        await built[0].make_state(LANE_SCENES[scene].begins)
        yield built


Benches = Callable[[Path, int], AbstractAsyncContextManager[Sequence[Bench]]]
BENCHES: dict[str, Benches] = {
    **{scene: partial(lanes, scene=scene) for scene in LANE_SCENES},
    FIRST_START: registries,
    CROSSINGS: registries,
    CHECKPOINTS: audits,
    SEALED_FIELDS: sealings,
    KEYS_DESTROYED: sealings,
    VERIFIED: verifiers,
}
SCENES = tuple(BENCHES)


def blows(calls: Calls, how: How) -> Iterator[Blow]:
    """Each call once. Refused are writes, for the disk is full from there on, and syncs, by a disk that errs once."""
    for call, file, number in sorted(calls.made):
        if how == "kill":
            yield Blow(call=call, file=file, number=number)
        elif file == LINE:
            continue  # a line that takes nothing is a lost controller, and has tests of its own
        elif call in _SYNCS:
            yield Blow(call=call, file=file, number=number, error="EIO")
        else:
            yield Blow(call=call, file=file, number=number, error="ENOSPC", lasting=True)


_SYNCS = {"fsync", "fdatasync", "sync_file_range", "msync"}


async def run(scene: str, hows: Sequence[How], *, part: tuple[int, int] = (1, 1), at_once: int = AT_ONCE) -> dict[str, Any]:
    """Count the calls of ``scene``, then strike each of them, or one ``part`` out of so many. Raises RuntimeError where it cannot be played undisturbed."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ks-") as name:
        async with BENCHES[scene](Path(name), at_once) as benches:
            plain = await benches[0].perform(Trial(scene=scene))
            if plain.findings:
                raise RuntimeError(f"{scene}, undisturbed: {plain.findings}")
            todo = [Trial(scene=scene, blow=blow) for how in hows for blow in [*blows(plain.calls, how)][part[0] - 1 :: part[1]]]
            results = await played(benches, todo)
    return summary(scene, plain.calls, todo, results) | {"seconds": round(time.monotonic() - begun, 1)}


async def strike(scene: str, these: Sequence[Blow]) -> list[Result]:
    """Only ``these``, all at once."""
    todo = [Trial(scene=scene, blow=blow) for blow in these]
    with tempfile.TemporaryDirectory(prefix="ks-") as name:
        async with BENCHES[scene](Path(name), len(todo)) as benches:
            return await played(benches, todo)


async def played(benches: Sequence[Bench], todo: Sequence[Trial]) -> list[Result]:
    """Every trial's last result; one that is void is played again."""
    last: dict[Trial, Result] = {}
    for _ in range(1 + TWICE):
        left = [trial for trial in todo if trial not in last or last[trial].void]
        for result in await work_off(benches, left, lambda bench, trial: bench.perform(trial)):  # type: ignore[type-var, arg-type]
            last[result.trial] = result
    return list(last.values())


def summary(scene: str, calls: Calls, todo: Sequence[Trial], results: Sequence[Result]) -> dict[str, Any]:
    counted = [result for result in results if not result.void]
    return {
        "scene": scene,
        "calls": calls.counts(),
        "hidden": calls.hidden,
        "elsewhere": calls.elsewhere,
        "struck": len(counted),
        "killed": sum(not result.trial.blow.error for result in counted if result.trial.blow),
        "void": [_told(result) for result in results if result.void],
        "findings": [_told(result) for result in counted if result.findings],
        "planned": len(todo),
    }


def too_many_void(told: dict[str, Any]) -> bool:
    """Those on the serial line do not count: how many words go over it before all is over is a matter of time."""
    return sum(each["file"] != LINE for each in told["void"]) > MOST_VOID * told["planned"]


def _told(result: Result) -> dict[str, Any]:
    assert result.trial.blow
    return asdict(result.trial.blow) | {"void": result.void, "findings": result.findings}


@contextmanager
def scenes() -> Iterator[Case]:
    """For the soak: a case is a scene, with every call of it killed and refused."""
    names = cycle(SCENES)

    def case(_dice: object) -> str:
        scene = next(names)
        told = asyncio.run(run(scene, ("kill", "refuse")))
        assert not told["findings"], told["findings"]
        assert told["struck"] > 0
        assert too_many_void(told) is False, told["void"]
        return scene

    yield case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_syscalls", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENES, metavar="SCENE", default=SCENES)
    parser.add_argument("--how", nargs="+", choices=("kill", "refuse"), default=("kill", "refuse"))
    parser.add_argument("--part", type=share, default=(1, 1), metavar="K/N", help="strike one part of the calls only")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--out", type=Path, default=Path(".state/kill-syscalls.json"))
    options = parser.parse_args()
    if not traced.available():
        print("strace is not installed", file=sys.stderr)
        return 2
    told = []
    for scene in options.only:
        told.append(asyncio.run(run(scene, options.how, part=options.part, at_once=options.at_once)))
        print(in_words(told[-1]), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine.facts(), "how": options.how, "part": options.part, "scenes": told}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(any(each["findings"] or too_many_void(each) for each in told))


def share(text: str) -> tuple[int, int]:
    """``K/N``. Raises ValueError."""
    number, of = map(int, text.split("/"))
    if not 1 <= number <= of:
        raise ValueError(text)
    return number, of


def in_words(told: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {call}" for call, number in told["calls"].items())
    struck = f"{told['struck']} struck, {told['killed']} of them killed"
    lines = [f"{told['scene']}: {counts}; hidden {told['hidden']}, elsewhere {told['elsewhere']}; {struck}"]
    lines += [f"FINDING {each}" for each in told["findings"]] + [f"VOID {each}" for each in told["void"]]
    return "\n".join([*lines, f"  {len(told['findings'])} findings, {told['seconds']} s"])


if __name__ == "__main__":
    sys.exit(main())
