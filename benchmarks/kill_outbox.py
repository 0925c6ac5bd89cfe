"""``python -m benchmarks.kill_outbox [--kills 1000] [--seed 7] [--out FILE]``: a process that writes crossings down is killed, again and again.

A process of its own forks the writers, so that each begins with a clean start and costs no import. A writer notes each step on a pipe
after it was durable, and is killed (SIGKILL) at a random moment. Then the outbox is opened as after any restart, and what it holds is
sent to the registry of the reference server, whose answers get lost on the way now and then. In the end:

* ``lost``: crossings that were noted as passed, and that the registry does not have as passed, or as permitted, and that it does not have; 0
* ``invented``: crossings that the registry has and that were noted as voided, or never begun; 0
* ``doubled``: crossings that stand in the registry twice; 0
* ``disordered``: crossings that stand in it before an earlier one; 0

Exit status 1 if one of them is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.progress import bar
from gate.evidence import Direction
from gate.registries.base import Found, Unavailable
from gate.registries.crossing import Crossing, CrossingOutbox, CrossingReply
from gate.registries.crossing_file import CrossingFile
from gate.registries.crossing_sender import CrossingSender
from gate.registries.reference.crossings import Crossings
from gate.registries.sealed import SnapshotKey

KEY = SnapshotKey.derive(b"k" * 32)
LONGEST_LIFE_S = 0.06
"""A dozen crossings on a disk that takes a few milliseconds for a commit."""
LOST_ANSWERS = 0.2
"""Share of the registry's answers that never arrive."""


def crossing(number: int) -> Crossing:
    """A crossing of a book that does not exist; its id sorts by ``number``."""
    return Crossing(
        transaction=f"{number:032x}",
        gate="kill-1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        issuing_state="IDN",
        document_number=f"X{number % 10_000_000:07}",
        document_class="ordinary",
        permitted_at=datetime.now(UTC),
        rules_version="none",
    )


# --- the writers -------------------------------------------------------------------------------------------------------------


def fork_writers() -> None:
    """For each line on standard input, ``PATH SEED NUMBER``: fork a writer, say ``F pid``, wait until it was killed, say ``D``."""
    for line in sys.stdin:
        path, seed, number = line.split()
        pid = os.fork()
        if pid == 0:
            try:
                write(Path(path), random.Random(seed), int(number))
            finally:
                os._exit(1)
        note("F", pid)
        os.waitpid(pid, 0)
        note("D", 0)


def write(path: Path, dice: random.Random, number: int) -> None:
    """Permit crossings and end them, until the end comes: B begun, P permitted, v to be voided, V voided, E passed."""
    file = CrossingFile(path, KEY, datetime.now(UTC))
    while True:
        one = crossing(number)
        note("B", number)
        file.permitted(one.transaction, msgspec.json.encode(one), one.permitted_at)
        note("P", number)
        if dice.random() < 0.2:
            note("v", number)
            file.dropped(one.transaction, "permitted")
            note("V", number)
        else:
            file.ended(one.transaction, "passed", datetime.now(UTC))
            note("E", number)
        number += 1


def note(what: str, number: int) -> None:
    os.write(1, f"{what} {number}\n".encode())


# --- the judge ---------------------------------------------------------------------------------------------------------------


class LossyRegistry:
    """The reference server's registry of crossings, at the end of a line that loses answers."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path, self._dice = path, dice
        self._registry = Crossings(path)

    async def ask(self, question: Any) -> Any:
        if not self._registry.record(question):
            return Unavailable(source="crossing", why="rejected", latency_ms=0.0)
        if self._dice.random() < LOST_ANSWERS:
            return Unavailable(source="crossing", why="timeout", latency_ms=0.0)
        now = datetime.now(UTC)
        return Found(source="crossing", as_of=now, latency_ms=0.0, freshness_s=0.0, reply=CrossingReply(answer="recorded"))

    async def close(self) -> None:
        pass

    def known(self) -> list[tuple[int, str]]:
        """Number and end of each crossing, in the order of arrival."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        told = [json.loads(line) for line in lines]
        return [(int(each["transaction"], 16), each.get("ended", "uncertain")) for each in told]


async def drain(path: Path, registry: LossyRegistry) -> int:
    """Open the outbox as after a restart and send all that can be sent. Returns how many were set aside."""

    async def no_pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    outbox = CrossingOutbox.open(path, KEY, datetime.now(UTC))
    try:
        sender = CrossingSender(outbox, registry, sleep=no_pause)
        while await sender.send_one():
            pass
        return (await outbox.standing()).aside
    finally:
        await outbox.close()


def run(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill ``kills`` writers, and say what became of their crossings."""
    dice = random.Random(seed)
    registry = LossyRegistry(folder / "registry.jsonl", dice)
    noted: dict[int, str] = {}
    aside = 0
    command = [sys.executable, "-m", "benchmarks.kill_outbox", "--writers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        try:
            for kill in bar(range(kills), "kills"):
                noted |= one_life(writers, folder / "crossings.sqlite3", dice, 1 + max(noted, default=0))
                if kill % 3 == 2:
                    aside += asyncio.run(drain(folder / "crossings.sqlite3", registry))
            aside += asyncio.run(drain(folder / "crossings.sqlite3", registry))
        finally:
            assert writers.stdin
            writers.stdin.close()
            writers.wait(10)
    return judged(noted, registry.known()) | {"kills": kills, "aside": aside}


def one_life(writers: subprocess.Popen[str], path: Path, dice: random.Random, first: int) -> dict[int, str]:
    """One writer from its fork to its end: the last step that it noted of each crossing."""
    assert writers.stdin
    assert writers.stdout
    writers.stdin.write(f"{path} {dice.random()} {first}\n")
    writers.stdin.flush()
    noted: dict[int, str] = {}
    dies_after_s = dice.uniform(0, LONGEST_LIFE_S)
    for line in writers.stdout:
        what, number = line.split()
        if what == "F":
            time.sleep(dies_after_s)
            os.kill(int(number), signal.SIGKILL)
        elif what == "D":
            return noted
        else:
            noted[int(number)] = what
    raise RuntimeError("the writers ended")


def judged(noted: dict[int, str], known: list[tuple[int, str]]) -> dict[str, int]:
    """``noted``: the last step of each crossing. What was begun may be done: a writer dies between the two as well."""
    ends, numbers = dict(known), [number for number, _ in known]
    steps = Counter(noted.values())
    return {
        "permitted": len(noted) - steps["B"],
        "passed": steps["E"],
        "voided": steps["V"] + steps["v"],
        "told": len(known),
        "uncertain": sum(end == "uncertain" for end in ends.values()),
        "lost": sum(
            (step == "E" and ends.get(number) != "passed") or (step == "P" and number not in ends)
            for number, step in noted.items()
        ),
        "invented": sum(noted.get(number, "V") == "V" for number in numbers),
        "doubled": len(numbers) - len(set(numbers)),
        "disordered": sum(after < before for before, after in pairwise(numbers)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_outbox", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--writers", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writers:
        fork_writers()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), options.kills, options.seed)
    text = json.dumps({"seed": options.seed, **report}, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 1 if any(report[wrong] for wrong in ("lost", "invented", "doubled", "disordered", "aside")) else 0


if __name__ == "__main__":
    sys.exit(main())
