"""What a trial report is made of, read from gates' state folders, and what was left out of it, and why: nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from gate.audit.chain import AuditReader, AuditRecord
from gate.audit.log import FILE_NAME, AuditError, open_readonly
from gate.records import LaneEvent, OfficerActed, TransactionRecord
from gate.report.official import gate_name
from gate.report.trial_clock import Moment, gates_apart, undated_moments
from gate.report.trial_queue import Queues, read_queues

BATCH = 500
EXAMPLES = 3
"""Records that are named under each reason why some were left out."""
GONE = "what was found cannot be read any more (its keys were destroyed, or are not here)"
ANOTHER_SCHEMA, BROKEN = "written by another release: its fields are not those of this one", "broken: cannot be read"
UNDATED = "counted, but left out of hours, days and periods: the gate's clock is not believed"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Records that do not count, or not everywhere. ``where``: the gate, or its state folder."""

    where: str
    why: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLog:
    """One gate's log but for its transactions. ``events``: (instant, instant of the record before it, event)."""

    name: str
    events: tuple[tuple[datetime, datetime, LaneEvent], ...] = ()
    orders: tuple[OfficerActed, ...] = ()
    span: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything. ``records``: those that count, by time; ``undated``: (lane, transaction) of those whose date nobody can trust."""

    records: tuple[TransactionRecord, ...]
    left_out: tuple[LeftOut, ...] = ()
    gates: tuple[GateLog, ...] = ()
    queues: Queues = field(default_factory=Queues)
    undated: frozenset[tuple[str, str]] = frozenset()

    @property
    def dated(self) -> tuple[TransactionRecord, ...]:
        return tuple(record for record in self.records if (record.lane, record.transaction) not in self.undated)

    @property
    def of_doubtful_clocks(self) -> frozenset[str]:
        """Gates of which not every date is believed."""
        lanes = {lane for lane, _ in self.undated}
        return frozenset(gate_name(record.checkpoint, record.lane) for record in self.records if record.lane in lanes)


class Tally:
    """Counts what is left out, by place and reason, in the order in which it was met."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def add(self, where: str, why: str, which: str) -> None:
        self._found.setdefault((where, why), []).append(which)

    def told(self) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(where=where, why=why, count=len(which), examples=tuple(which[:EXAMPLES]))
            for (where, why), which in self._found.items()
        )


def gathered(states: Sequence[Path], sealing_key: Path | None = None, *, now: datetime | None = None) -> Material:
    """Read the logs in ``states``. Raises AuditError where one is absent or cannot be opened; whatever is bad inside is told instead.

    ``now``: when the report is made; a record of real travellers cannot be younger.
    """
    tally, records, gates, undated = Tally(), list[TransactionRecord](), list[GateLog](), set[tuple[str, str]]()
    for state, name in _names(states).items():
        with open_readonly(state / FILE_NAME, sealing_key=sealing_key) as log:
            own, gate, doubted = _one_gate(log, name, tally)
        records += own
        gates.append(gate)
        undated |= {(record.lane, record.transaction) for record in own if record.transaction in doubted}
    queues, problems = read_queues(states, {record.lane for record in records} or {state.resolve().name for state in states})
    for file, problem in problems:
        tally.add(file, problem, "")
    return sifted(records, tally=tally, gates=gates, queues=queues, undated=undated, now=now or datetime.now(UTC))


def sifted(
    records: Iterable[TransactionRecord],
    *,
    tally: Tally | None = None,
    gates: Sequence[GateLog] = (),
    queues: Queues | None = None,
    undated: Iterable[tuple[str, str]] = (),
    now: datetime | None = None,
) -> Material:
    """The records that count, in time order, and what was left out. Takes any records in any order, none included."""
    tally, kept = tally or Tally(), dict[tuple[str, str], TransactionRecord]()
    for record in records:
        key = (record.lane, record.transaction)
        if record.started.tzinfo is None or record.ended.tzinfo is None:
            tally.add(record.lane, "its times have no zone", record.transaction)
        elif record.ended < record.started:
            tally.add(record.lane, "ends before it starts", record.transaction)
        elif key in kept:
            tally.add(record.lane, "the same transaction again; the first one counts", record.transaction)
        else:
            kept[key] = record
    ordered = tuple(sorted(kept.values(), key=lambda record: (record.started, record.lane, record.transaction)))
    doubted = (set(undated) | gates_apart(ordered, now)) & kept.keys()
    for lane, transaction in sorted(doubted):
        tally.add(lane, UNDATED, transaction)
    return Material(
        records=ordered,
        left_out=tally.told(),
        gates=tuple(gates),
        queues=queues or Queues(),
        undated=frozenset(doubted),
    )


def _names(states: Sequence[Path]) -> dict[Path, str]:
    """Each folder once, with the shortest name that tells it from the others."""
    folders = list(dict.fromkeys(states))
    ends = [state.resolve().name for state in folders]
    return {state: end if ends.count(end) == 1 else str(state) for state, end in zip(folders, ends, strict=True)}


def _one_gate(log: AuditReader, name: str, tally: Tally) -> tuple[list[TransactionRecord], GateLog, set[str]]:
    records: list[TransactionRecord] = []
    events: list[tuple[datetime, datetime, LaneEvent]] = []
    orders: list[OfficerActed] = []
    moments: list[Moment] = []
    for raw in _rows(log, name, tally):
        at = datetime.fromisoformat(raw.at)
        before = moments[-1].at if moments else at
        moments.append(Moment(at=at, boot=raw.boot, transaction=raw.transaction))
        match raw.kind:
            case "transaction" if {"findings", "document"} & set(raw.gone):
                tally.add(name, GONE, raw.transaction)
            case "transaction" if record := _decoded(raw, TransactionRecord, name, tally):
                records.append(record)
            case "event" if b'"after"' in raw.body and (event := _decoded(raw, LaneEvent, name, tally)):
                events.append((at, before, event))
            case "officer" if order := _decoded(raw, OfficerActed, name, tally):
                orders.append(order)
            case _:
                pass  # decisions stand in their transactions; who looked at what is for auditors
    span = (min(each.at for each in moments), max(each.at for each in moments)) if moments else None
    whose = gate_name(records[0].checkpoint, records[0].lane) if records else name
    gate = GateLog(name=whose, events=tuple(events), orders=tuple(orders), span=span)
    return records, gate, undated_moments(moments)


def _rows(log: AuditReader, name: str, tally: Tally) -> Iterator[AuditRecord]:
    """Every record that can be read; where the file is damaged, one at a time around the place."""
    last, end = 0, log.head().seq
    while last < end:
        try:
            batch = log.rows(last, BATCH)
        except AuditError:
            batch = [row for seq in range(last + 1, min(last + BATCH, end) + 1) if (row := _row(log, seq, name, tally))]
            last = min(last + BATCH, end)
        else:
            last = batch[-1][0] if batch else end
        for row in batch:
            try:
                yield _checked(log.opened(row))
            except (AuditError, ValueError):
                tally.add(name, BROKEN, f"record {row[0]}")


def _checked(record: AuditRecord) -> AuditRecord:
    """Raises ValueError where its time is none, or has no zone."""
    if datetime.fromisoformat(record.at).tzinfo is None:
        raise ValueError(record.at)
    return record


def _row(
    log: AuditReader, seq: int, name: str, tally: Tally
) -> tuple[int, bytes, float, bytes, bytes, bytes, bytes, bytes] | None:
    try:
        return log.row(seq)
    except AuditError:
        tally.add(name, BROKEN, f"record {seq}")
        return None


def _decoded(raw: AuditRecord, kind: type[T], name: str, tally: Tally) -> T | None:
    try:
        return msgspec.json.decode(raw.body, type=kind)
    except msgspec.ValidationError as error:
        tally.add(name, ANOTHER_SCHEMA, f"record {raw.seq}: {error}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        tally.add(name, BROKEN, f"record {raw.seq}")
    return None
