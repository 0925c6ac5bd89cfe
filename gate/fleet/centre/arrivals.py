"""A message as it came from the broker, and what is believed of it. Pure; what is not believed is counted, never kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import assert_never

from gate.audit.note import Checkpoint, Note, NoteError
from gate.fleet.centre.partitions import day_of
from gate.fleet.messages import CheckpointNote, EnvelopeError, Keys, Parcel, Row, Status, believed, gate_of, instant, printable

LONGEST_WORD = 64
"""Of a transaction's id and a record's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """``gate`` is the subject's word. ``code``: a word of :data:`gate.fleet.messages.REFUSALS`."""

    gate: str
    code: str
    what: str
    sample: bytes
    """SHA-256 of the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelCame:
    parcel: Parcel
    rows: tuple[tuple[Row, date], ...]
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointCame:
    told: CheckpointNote
    checkpoint: Checkpoint
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCame:
    status: Status
    at: datetime
    freshness: dict[str, datetime]
    told: datetime


Arrival = ParcelCame | CheckpointCame | StatusCame | Refused


def arrival(subject: str, raw: bytes, told: datetime, keys: Keys, now: Callable[[], datetime]) -> Arrival:
    """What came under ``subject`` when the broker showed ``told``. Raises nothing for any bytes."""
    gate, kind = gate_of(subject), subject.rpartition(".")[2]
    try:
        match kind:
            case "crossing" | "record":
                return _parcel(believed(raw, Parcel, keys, "gate"), gate, raw, now())
            case "checkpoint":
                return _checkpoint(believed(raw, CheckpointNote, keys, "gate"), gate)
            case "status":
                return _status(believed(raw, Status, keys, "gate"), gate, told)
            case _:
                error = EnvelopeError("malformed", "no subject of a gate")
    except EnvelopeError as raised:
        error = raised
    return Refused(gate=gate, code=error.code, what=printable(str(error)), sample=hashlib.sha256(raw).digest())


def refused(came: Arrival, what: str) -> Refused:
    """``came``, which was believed, and which the database cannot take."""
    match came:
        case ParcelCame(parcel=told, raw=raw):
            gate, sample = told.gate, raw
        case CheckpointCame(told=told):
            gate, sample = told.gate, told.note.encode()
        case StatusCame(status=told):
            gate, sample = told.gate, told.gate.encode()
        case Refused():
            return came
        case _:
            assert_never(came)
    return Refused(gate=gate, code="malformed", what=printable(what), sample=hashlib.sha256(sample).digest())


def _parcel(parcel: Parcel, gate: str, raw: bytes, now: datetime) -> ParcelCame:
    _same(parcel.gate, gate)
    numbers = [row.seq for row in parcel.rows]
    if numbers[0] < 1 or any(later <= earlier for earlier, later in pairwise(numbers)):
        raise EnvelopeError("malformed", "numbers of records that do not ascend from 1")
    return ParcelCame(parcel=parcel, rows=tuple((row, _day(row, now)) for row in parcel.rows), raw=raw)


def _day(row: Row, now: datetime) -> date:
    """The day of a record that is written as :meth:`gate.audit.log.AuditLog.append` writes. Raises EnvelopeError for any other."""
    try:
        at = datetime.fromisoformat(row.at.decode("ascii"))
        words = row.transaction.decode("ascii"), row.kind.decode("ascii")
        canonical = at.tzinfo is not None and at.astimezone(UTC).isoformat().encode() == row.at
    except (ValueError, OverflowError):
        raise EnvelopeError("malformed", f"record {row.seq} is no record of a log") from None
    if not canonical or any(len(word) > LONGEST_WORD or (word and not word.isprintable()) for word in words):
        raise EnvelopeError("malformed", f"record {row.seq} is no record of a log")
    return day_of(at, now)


def _checkpoint(told: CheckpointNote, gate: str) -> CheckpointCame:
    _same(told.gate, gate)
    try:
        checkpoint = Checkpoint.parse(Note.parse(told.note).text)
    except NoteError as error:
        raise EnvelopeError("malformed", str(error)) from None
    if checkpoint.origin.rpartition("/")[2] != told.log:
        raise EnvelopeError("malformed", "a checkpoint of another log than it says")
    return CheckpointCame(told=told, checkpoint=checkpoint, at=_instant(checkpoint.at.isoformat()))


def _status(status: Status, gate: str, told: datetime) -> StatusCame:
    _same(status.gate, gate)
    texts = [status.state, *status.troubles, *status.versions, *status.versions.values(), *status.freshness, *status.refused]
    if any("\0" in text for text in texts):  # PostgreSQL keeps no such text
        raise EnvelopeError("malformed", "a status with a NUL in it")
    if not all(map(math.isfinite, (status.boot, status.waiting_s, status.days_left or 0.0))):
        raise EnvelopeError("malformed", "a status with a number that is none")
    freshness = {name: _instant(at) for name, at in status.freshness.items()}
    return StatusCame(status=status, at=_instant(status.at), freshness=freshness, told=told)


def _instant(text: str) -> datetime:
    if (at := instant(text)) is None:
        raise EnvelopeError("malformed", "an instant without its offset, or none")
    return at


def _same(told: str, gate: str) -> None:
    if told != gate:
        raise EnvelopeError("other_gate", f"a message of {told} under the subject of {gate or 'nobody'}")
