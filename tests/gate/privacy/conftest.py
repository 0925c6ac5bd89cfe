"""Logs of gates, as short as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gate.audit.log import FILE_NAME, AuditLog
from gate.evidence import Direction, Evidence, Stage, successful
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, LaneEvent, OfficerActed, TransactionRecord

KEY = b"k" * 32
DAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
Body = TransactionRecord | OfficerActed | LaneEvent
MakeCrossing = Callable[..., TransactionRecord]
WriteLog = Callable[..., Path]


@pytest.fixture(scope="session")
def crossing() -> MakeCrossing:
    """A crossing by the book ``key``, ``minute`` minutes into the day; it took one minute."""

    def crossing(
        minute: int, key: str = "", *, lane: str = "lane-1", demonstration: bool = False, **words: str
    ) -> TransactionRecord:
        evidence = Evidence(
            transaction=f"T-{minute}",
            lane=lane,
            checkpoint="CGK",
            direction=Direction.DEPARTURE,
            civil_date=date(2026, 3, 2),
            facts={name: successful(word) for name, word in {"nationality": "citizen", "age": "adult", **words}.items()},
        )
        decision = PolicyDecision(
            stage=Stage.EXIT, outcome=Outcome.OPEN, reasons=(), grant="g", rules=(), tolerances=(), unmet=(), rules_version="r"
        )
        started = DAY + timedelta(minutes=minute)
        return TransactionRecord(
            transaction=f"T-{minute}",
            lane=lane,
            checkpoint="CGK",
            direction=Direction.DEPARTURE,
            started=started,
            ended=started + timedelta(minutes=1),
            document_class="ordinary",
            document_key=key,
            outcome=Outcome.OPEN,
            reasons=(),
            stages=(),
            decisions=(DecisionRecord(at=started, evidence=evidence, decision=decision),),
            backends={},
            demonstration=demonstration,
        )

    return crossing


@pytest.fixture
def write_log(tmp_path: Path) -> WriteLog:
    """A state folder with a log of these bodies, each at its instant; a transaction's is its end."""

    def write_log(bodies: Iterable[Body | tuple[datetime, Body]], name: str = "state") -> Path:
        state = tmp_path / name
        state.mkdir()
        log = AuditLog(state / FILE_NAME, KEY)
        for each in bodies:
            at, body = each if isinstance(each, tuple) else (each.ended if isinstance(each, TransactionRecord) else DAY, each)
            kind = {TransactionRecord: "transaction", OfficerActed: "officer", LaneEvent: "event"}[type(body)]
            log.append(kind, getattr(body, "transaction", ""), body, at, 1.0)
        log.close()
        return state

    return write_log
