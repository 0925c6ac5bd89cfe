"""The lane under load does what it does for one: each exit opened by a durable grant, each traveller on record. Nothing is timed here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks import lane_compute, lane_gates, lane_load
from gate.policy.schema import load_rules
from hardware.sim.people import Manner

TRAVELLERS = 150
pytestmark = pytest.mark.processes


@pytest.fixture
def place() -> Iterator[Path]:
    """Short enough for a socket's path."""
    with TemporaryDirectory(prefix="ag-") as name:
        yield Path(name)


def test_of_many_travellers_each_leaves_one_record_and_exits_open_for_grants_alone(place: Path):
    told = lane_compute.run_block(place, TRAVELLERS, seed=7)
    everybody = TRAVELLERS + lane_compute.WARM_UP
    assert sum(told["log"]["outcomes"].values()) == everybody
    assert told["log"]["outcomes"]["OPEN"] == told["exits opened"]
    assert 0 < told["exits opened"] < everybody
    assert told["log"]["findings"] == 0
    assert len(told["own"]) == TRAVELLERS
    assert len(told["commit"]) == told["log"]["records"]


async def test_gates_that_share_a_process_serve_their_travellers(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lane_gates, "WALK", Manner(walk_in_s=0.2, walk_out_s=0.2, react_s=0.1))
    loop, path, rules, late_ms = asyncio.get_running_loop(), place / "s", load_rules(), list[float]()
    server = await loop.create_unix_server(lambda: lane_gates.SimulatedGate(time.monotonic()), path)
    gates = [lane_gates.Gate(place / str(number), rules, late_ms) for number in range(3)]
    for gate in gates:
        await loop.create_unix_connection(lambda gate=gate: gate, path)
        gate.serve_every(3600.0)
    async with asyncio.timeout(30):
        while not all(gate.seen["OPEN"] for gate in gates):
            await asyncio.sleep(0.02)
    assert [gate.seen["sessions"] for gate in gates] == [1, 1, 1]
    assert late_ms
    await asyncio.gather(*(gate.close() for gate in gates))
    server.close()


def test_a_missed_goal_is_said_and_counts(capsys: pytest.CaptureFixture[str]):
    late = {"n": 1, "p50": 30.0, "p99": 30.0, "max": 30.0}
    part = {"runs": [{"gates": lane_gates.GATES, "loop lag": late, "seen": {"OPEN": 1}}]}
    goals = lane_gates.goals(part)
    assert sorted(goals.values()) == [False, True]
    facts = {"cpu": "c", "cores": 2, "load": [0.0], "python": "3", "commit": "0" * 40, "changed": False}
    lane_load.show({"machine": facts, "load_after": [0.0], "quick": True, "gates": part, "goals": goals})
    assert "MISSED 200 gates: loop lag" in capsys.readouterr().out
