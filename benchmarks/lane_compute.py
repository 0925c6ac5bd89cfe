"""What one traveller costs the lane process itself: no model, no chip, no serial line, and the disk apart.

The real lane process (table, actor, casework, rules, audit, local socket) runs with stubs around it, one traveller upon another. Its loop
counts how long it works, that is, does not wait in its selector; the audit's thread counts how long it encodes and chains, and by itself how
long each commit takes. A process lives for one block of travellers; blocks on memory and on disk take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import lane_stubs, machine
from gate.audit.log import FILE_NAME, AuditLog, AuditWriter, open_readonly
from gate.config import Config
from gate.evidence import Direction
from gate.policy.schedule import Schedule
from gate.policy.schema import load_rules
from gate.processes import lane as lane_process
from gate.processes import messages as m
from gate.registries.answers import Answers
from gate.runtime import Runtime

MEMORY = Path("/dev/shm")
"""A tmpfs: what is left without a disk."""
BLOCK = 5_000
WARM_UP = 50
"""Travellers at the start of each process that do not count."""
FLOOR_WRITES = 200
LOG_BYTES = 2 * (4096 + 24)
"""What SQLite's log gets for a permit: two pages and their headers."""
PER_TRAVELLER_S = 0.5
"""Far more than one takes; a block that needs longer is stuck."""
P50_MS, P99_MS = 5.0, 20.0


class Idle(selectors.DefaultSelector):
    """Knows how long the loop had nothing to do."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> Any:
        begun = time.perf_counter()
        try:
            return super().select(timeout)
        finally:
            self.seconds += time.perf_counter() - begun


class TimedLog(AuditLog):
    """The real log; tells its own work from the commit."""

    def __init__(self, path: Path, key: bytes) -> None:
        super().__init__(path, key)
        self.work_s = 0.0
        self.commits_ms: list[float] = []

    def append(self, kind: str, transaction: str, body: bytes | msgspec.Struct, at: datetime, boot: float) -> int:
        begun = time.perf_counter()
        number = super().append(kind, transaction, body, at, boot)
        self.work_s += time.perf_counter() - begun - self.commits_ms[-1] / 1000
        return number

    def _insert(self, row: tuple[object, ...]) -> None:
        begun = time.perf_counter()
        super()._insert(row)
        self.commits_ms.append((time.perf_counter() - begun) * 1000)


class Lane(lane_process.LaneProcess):
    """The lane process with doors and registries that answer at once. Ends itself after ``travellers``."""

    def __init__(self, folder: Path, runtime: Runtime, log: TimedLog, idle: Idle, *, travellers: int) -> None:
        super().__init__(lane_stubs.config(folder), runtime, lane_stubs.KEY, Schedule.unsigned(load_rules()), AuditWriter(log))
        self._audit, self._idle, self._left = log, idle, travellers
        self.marks: list[tuple[float, float, float]] = []
        """At each traveller's end: seconds that the loop has worked, its processor time, the audit's own work."""

    def _open_link(self, config: Config, key: bytes) -> lane_stubs.Doors:
        self.doors = lane_stubs.Doors(self._on_controller)
        return self.doors

    def ask_registries(
        self, read: m.MrzRead, document_class: str, direction: Direction
    ) -> Mapping[str, Coroutine[None, None, Answers]]:
        return lane_stubs.registry_answers()

    def tell(self, role: m.Role, message: m.AnyMessage) -> None:
        super().tell(role, message)
        if isinstance(message, m.TransactionEnded):
            self.marks.append((time.perf_counter() - self._idle.seconds, time.thread_time(), self._audit.work_s))
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGTERM)


def block(folder: Path, runtime: Runtime, travellers: int) -> dict[str, Any]:
    """Serve ``travellers`` and WARM_UP before them in this process; what each took (ms), and what the log says of it."""
    lane_process.PEER_PAUSE_S = 1e-9  # stubs are faster than any honest worker, and their turn is not what is measured
    lane_process.PEER_BURST = 1 << 30
    sys.setswitchinterval(lane_process.SWITCH_INTERVAL_S)
    log, idle = TimedLog(folder / FILE_NAME, lane_stubs.KEY), Idle()

    async def serve() -> Lane:
        lane = Lane(folder, runtime, log, idle, travellers=travellers + WARM_UP)
        lane_process.first_in_line()
        await lane.run()
        return lane

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(idle)) as runner:
        lane = runner.run(serve())
    return _told(lane.marks[WARM_UP - 1 :]) | {
        "commit": log.commits_ms,
        "exits opened": lane.doors.exits_opened,
        "lag": {"counts": lane.actor.lag.counts, "worst": round(lane.actor.lag.worst_ms, 2)},
        "fsync": _floor(folder),
        "log": _log_says(folder),
    }


def _told(marks: list[tuple[float, float, float]]) -> dict[str, Any]:
    steps = [[(after - before) * 1000 for before, after in zip(*pair, strict=True)] for pair in pairwise(marks)]
    return {
        "own": [worked + audit for worked, _, audit in steps],
        "loop": [worked for worked, _, _ in steps],
        "loop, processor time": [processor for _, processor, _ in steps],
        "audit thread, without commits": [audit for _, _, audit in steps],
    }


def _floor(folder: Path) -> list[float]:
    """Milliseconds of a bare append and fdatasync of as many bytes, in the same folder."""
    taken, file = [], os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(FLOOR_WRITES):
        begun = time.perf_counter()
        os.write(file, bytes(LOG_BYTES))
        os.fdatasync(file)
        taken.append((time.perf_counter() - begun) * 1000)
    os.close(file)
    return taken


def _log_says(folder: Path) -> dict[str, Any]:
    """Outcomes of the transactions on record, permits for the exit among them, and what an examination of the chain finds."""
    with open_readonly(folder / FILE_NAME, lane_stubs.KEY) as log:
        outcomes = Counter(record.outcome for record in log.transactions())
        return {"outcomes": dict(outcomes), "records": log.head().seq, "findings": len(log.verify())}


# --- many blocks -----------------------------------------------------------------------------------------------------------


def run_block(place: Path, travellers: int, seed: int) -> dict[str, Any]:
    """One block in a process of its own, its peers in another. Raises RuntimeError with what was said where it fails."""
    runtime = Runtime.create()
    with tempfile.TemporaryDirectory(prefix="autogate-bench-", dir=place) as name:
        common = [sys.executable, "-m", "benchmarks.lane_compute", "--runtime", str(runtime.folder), "--travellers"]
        peers = subprocess.Popen([*common, str(travellers + WARM_UP), "--seed", str(seed)], cwd=machine.REPOSITORY)
        try:
            limit = 60 + PER_TRAVELLER_S * travellers
            command = [*common, str(travellers), "--folder", name]
            told = subprocess.run(command, cwd=machine.REPOSITORY, capture_output=True, text=True, check=False, timeout=limit)
        finally:
            peers.terminate()
            peers.wait()
            runtime.remove()
    if told.returncode:
        raise RuntimeError(f"the lane ended with {told.returncode}\n{told.stderr}")
    return dict(json.loads(told.stdout))


def measure(travellers: int, disk: Path, seed: int = 1) -> dict[str, Any]:
    """``travellers`` in blocks, on memory and on ``disk`` in turn."""
    places = {"memory": MEMORY, "disk": disk}
    blocks: dict[str, list[dict[str, Any]]] = {name: [] for name in places}
    left, number = travellers, 0
    while left > 0:
        name, size = list(places)[number % 2], min(left, BLOCK, -(-travellers // 2))
        blocks[name].append(run_block(places[name], size, seed + number))
        left, number = left - size, number + 1
    return {name: _summary(each) for name, each in blocks.items()} | {"travellers": travellers, "seed": seed}


def _summary(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    timed = ("own", "loop", "loop, processor time", "audit thread, without commits", "commit", "fsync")
    outcomes: Counter[str] = Counter()
    for one in blocks:
        outcomes.update(one["log"]["outcomes"])
    return {name: machine.spread([value for one in blocks for value in one[name]], 3) for name in timed} | {
        "outcomes": dict(outcomes),
        "exits opened": sum(one["exits opened"] for one in blocks),
        "records": sum(one["log"]["records"] for one in blocks),
        "findings in the logs": sum(one["log"]["findings"] for one in blocks),
    }


def goals(report: Mapping[str, Any]) -> dict[str, bool]:
    """Which goal is met."""
    return {
        f"own compute of a transaction, log on {name}: p50 < {P50_MS:.0f} ms, p99 < {P99_MS:.0f} ms": (
            report[name]["own"]["p50"] < P50_MS and report[name]["own"]["p99"] < P99_MS
        )
        for name in ("memory", "disk")
    } | {
        f"{name}: every exit was opened by a durable grant, and no record is wrong": (
            report[name]["exits opened"] == report[name]["outcomes"].get("OPEN", 0) and not report[name]["findings in the logs"]
        )
        for name in ("memory", "disk")
    }


def main() -> int:
    """A part of a block: with ``--folder`` the lane, without it its peers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_compute", description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--travellers", type=int, required=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    runtime = Runtime(options.runtime)
    if options.folder:
        print(json.dumps(block(options.folder, runtime, options.travellers)))
    else:
        asyncio.run(lane_stubs.Peers(runtime, options.travellers, options.seed).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
