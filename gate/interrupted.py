"""The transaction that a lane left open when it was killed: found at the next start, and closed in the log as what it was."""

from __future__ import annotations

from datetime import datetime

from gate.audit.log import AuditLog, decode
from gate.config import Config
from gate.outcome import Outcome
from gate.profiles import PROFILES
from gate.records import DecisionRecord, TransactionRecord

ENDED_BY_RESTART = "ENDED_BY_RESTART"
"""Reason of a transaction whose lane died. Who stood inside was let out of the entry; whether the exit was passed nobody saw."""
LOOKED_AT = 256
"""Records at the end of the log. A lane has one transaction at a time, and one causes about ten; lane events may follow it."""


def close_interrupted(log: AuditLog, config: Config, now: datetime, boot: float) -> str | None:
    """Write the closing record that the last transaction in ``log`` lacks. Returns its id, None where nothing was open.

    A transaction that was killed before its first decision was durable moved no door and left nothing to close. Decisions whose personal fields are
    sealed are left out: they stand in the log by themselves. Raises AuditError.
    """
    told = [record for record in log.newest(LOOKED_AT) if record.transaction]
    if not told or any(record.kind == "transaction" for record in told if record.transaction == told[-1].transaction):
        return None
    last = told[-1].transaction
    own = [record for record in told if record.transaction == last]
    told_of = [
        record for record in own if record.kind in {"permit", "decision"} and not record.gone
    ]  # the lane opens nothing sealed
    decisions = tuple(decode(record, DecisionRecord) for record in told_of)
    known = decisions[-1].evidence.value("document_class") if decisions else ""
    record = TransactionRecord(
        transaction=last,
        lane=config.lane.id,
        checkpoint=config.lane.checkpoint,
        direction=config.lane.direction,
        started=datetime.fromisoformat(own[0].at),
        ended=now,
        document_class=known,
        document_key="",
        outcome=Outcome.COUNTER,
        reasons=(ENDED_BY_RESTART,),
        stages=(),
        decisions=decisions,
        backends={},
        demonstration=PROFILES[config.profile].demonstration,
        kind=config.lane.kind,
    )
    log.append("transaction", last, record, at=now, boot=boot)
    return last
