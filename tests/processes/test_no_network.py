"""The network goes, and the running gate serves on from its snapshots; nobody who crossed meanwhile is missing afterwards."""

from __future__ import annotations

import argparse
import json
import time

import pytest

from gate.config import load
from gate.processes.messages import LaneHealth
from gate.registries.breaker import OPEN_S
from gate.registries.crossing import FILE_NAME
from gate.registries.crossing_file import standing
from gate.registries_command import registries_command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]  # the outbox waits longer the longer its registry was away


@pytest.fixture
def snapshots(gate_now, monkeypatch):
    """The gate with fresh snapshots; afterwards it has none, and its registries are back."""
    monkeypatch.setattr("gate.registries_command.dump_nothing", lambda: None)  # this process is not only that command's
    path = gate_now.stage.config_path
    assert registries_command(argparse.Namespace(registries="refresh", config=path)) == 0
    yield gate_now
    for file in load(path).registries.snapshots.folder.glob("*.snapshot"):
        file.unlink()
    gate_now.line.mode = "pass"
    time.sleep(OPEN_S)  # what was given up on is asked again
    gate_now.passes("service")


def told(gate) -> list[str]:
    """The transactions that the registry of crossings has, in their order."""
    path = gate.stage.registries.folder / "crossings.jsonl"
    return [json.loads(line)["transaction"] for line in path.read_bytes().splitlines()] if path.exists() else []


def test_without_a_network_travellers_pass_on_snapshots_and_are_told_of_afterwards(snapshots):
    gate = snapshots
    gate.line.mode = "down"
    crossed = [gate.passes(name) for name in ("service", "ordinary")]
    for record in crossed:
        decision = record.decisions[-1]
        assert {"PencegahanFromSnapshot", "WantedFromSnapshot", "LostAndStolenFromSnapshot"} <= set(decision.decision.tolerances)
        assert decision.evidence.value("issuance") == "active_in_snapshot"
        assert decision.evidence.facts["issuance"].as_of < record.started
    assert "ExitPermitFromSnapshot" in crossed[0].decisions[-1].decision.tolerances
    health = gate.peer("health")
    kept = {"issuance", "exit_permit", "watchlist", "lost_and_stolen"}
    gate.until(lambda: kept <= health.hear(LaneHealth).freshness.keys(), "the lane knows how old its lists are")
    health.leave()
    assert standing(gate.stage.state / FILE_NAME).waiting >= 2
    ids = [record.transaction for record in crossed]
    assert not set(ids) & set(told(gate))
    gate.line.mode = "pass"
    gate.until(lambda: told(gate)[-2:] == ids, "both crossings are told, in their order", limit_s=90)
    gate.until(lambda: standing(gate.stage.state / FILE_NAME).waiting == 0, "the outbox is empty")
