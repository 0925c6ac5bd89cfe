"""The lane under load does what it does for one: each exit opened by a durable grant, each traveller on record. Nothing is timed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks import lane_compute, lane_gates, lane_load

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


def test_gates_that_share_a_process_serve_their_travellers(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lane_gates, "WARM_UP_S", 0.5)
    told = lane_gates.measure(4, 5.0, place)
    assert told["seen"]["sessions"] == 4
    assert told["seen"]["OPEN"] >= 1
    assert not told["seen"].get("broken")


def test_a_missed_goal_is_said_and_counts(capsys: pytest.CaptureFixture[str]):
    late = {"n": 1, "p50": 30.0, "p99": 30.0, "max": 30.0}
    part = {"runs": [{"gates": lane_gates.GATES, "loop lag": late, "seen": {"OPEN": 1}}]}
    goals = lane_gates.goals(part)
    assert sorted(goals.values()) == [False, True]
    facts = {"cpu": "c", "cores": 2, "load": [0.0], "python": "3", "commit": "0" * 40, "changed": False}
    lane_load.show({"machine": facts, "load_after": [0.0], "quick": True, "gates": part, "goals": goals})
    assert "MISSED 200 gates: loop lag" in capsys.readouterr().out
