"""kill -9 where a permit, a crossing and a checkpoint become durable. Every call, in every scene: `make kill-syscalls`, and the soak."""

from __future__ import annotations

import asyncio
import os

import pytest

from benchmarks import traced
from benchmarks.kill_syscalls import strike
from benchmarks.kill_syscalls_workers import CHECKPOINTS, CROSSINGS
from benchmarks.traced import Blow

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]
LOG, OUTBOX = "state/audit.sqlite3-wal", "state/crossings.sqlite3-wal"
BLOWS = {
    "lane: a traveller passes": [
        Blow(call="fdatasync", file=LOG, number=2),  # the entry's permit is written, and not synced
        Blow(call="fdatasync", file=LOG, number=3),
        Blow(call="write", file="terminal", number=45),  # a word to the controller, on the way
    ],
    CROSSINGS: [
        Blow(call="pwrite64", file=OUTBOX, number=1),
        Blow(call="fdatasync", file=OUTBOX, number=9),
    ],
    CHECKPOINTS: [
        Blow(call="fsync", file="state/seen.jsonl", number=1),  # the witness has seen it, and nobody knows
    ],
}


@pytest.fixture(scope="module")
def results():
    if not traced.available():
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(
            "strace is not installed, or may not trace"
        )

    async def all_at_once():
        return await asyncio.gather(*(strike(scene, blows) for scene, blows in BLOWS.items()))

    return dict(zip(BLOWS, asyncio.run(all_at_once()), strict=True))


@pytest.mark.parametrize("scene", BLOWS)
def test_a_process_that_is_killed_at_a_call_loses_nothing_and_moves_no_door(results, scene):
    told = [result for result in results[scene] if not result.void]
    assert len(told) == len(BLOWS[scene]), "each blow was struck"
    assert [(result.trial.blow, result.findings) for result in told if result.findings] == []
