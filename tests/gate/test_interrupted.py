"""A lane that was killed leaves no transaction without an end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.audit.log import FILE_NAME, AuditLog
from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Timeouts, Trust
from gate.decision import decide_entry
from gate.evidence import Direction
from gate.interrupted import ENDED_BY_RESTART, close_interrupted
from gate.policy.schema import load_rules
from gate.records import DecisionRecord, LaneEvent
from gate.transaction import Transaction

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        profile="demo",
        state_dir=tmp_path,
        lane=Lane(id="lane-1", checkpoint="CGK", direction=Direction.DEPARTURE),
        timeouts=Timeouts(),
        scanner=Scanner(kind="simulator", address="x"),
        camera=Camera(kind="simulator", address="x"),
        controller=Controller(device="x"),
        face=Face(pack="demo", packs_dir=tmp_path),
        trust=Trust(store=tmp_path),
    )


@pytest.fixture
def log(tmp_path: Path):
    with AuditLog(tmp_path / FILE_NAME, b"k" * 32) as log:
        yield log


def begun(log: AuditLog, name: str) -> DecisionRecord:
    running = Transaction(
        transaction=name, lane="lane-1", checkpoint="CGK", direction=Direction.DEPARTURE, started=NOW, boot=0.0, profile="demo"
    )
    evidence = running.evidence(NOW)
    record = running.decided(NOW, evidence, decide_entry(evidence, load_rules(), NOW))
    log.append("decision", name, record, at=NOW, boot=1.0)
    return record


def test_the_transaction_of_a_killed_lane_is_closed_once(log: AuditLog, config: Config):
    decision = begun(log, "a")
    event = LaneEvent(before="capture", after="hold", event="plant", entry="locked", exit="locked", occupancy=None)
    log.append("event", "a", event, at=NOW, boot=2.0)
    log.append("event", "", event, at=NOW, boot=3.0)
    assert close_interrupted(log, config, NOW, 4.0) == "a"
    (closing,) = log.transactions()
    assert (closing.transaction, closing.reasons, closing.decisions) == ("a", (ENDED_BY_RESTART,), (decision,))
    assert closing.outcome == "COUNTER"
    assert close_interrupted(log, config, NOW, 5.0) is None
    assert log.verify() == []


def test_a_log_without_an_open_transaction_gets_nothing(log: AuditLog, config: Config):
    assert close_interrupted(log, config, NOW, 4.0) is None
    assert log.head().seq == 0
