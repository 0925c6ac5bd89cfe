"""Whether the centre's database holds what the gates wrote down, all of it once and nothing else: held against the gates' own journals.

It reads the table of events alone, takes nothing of the collector's for true, and has what no reader in operation may have: the keys of the chains.
So it computes the hash of every record anew. A journal says what a gate made durable, and which receipts were given for it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, Self

import psycopg

from gate.audit.chain import Row, record_hash

MOST_FINDINGS = 100
EVENTS = "select seq, at, boot, transaction, kind, body, previous, hash from event where log_no = %s order by seq"
LOGS = "select gate, log, no from gate_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A gate's log as it ended: ``key`` of its chain, hash before its first record, how many, hash of the last."""

    gate: str
    log: str
    key: bytes = field(repr=False)
    start: bytes
    count: int
    head: bytes

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        return cls(
            gate=told["gate"],
            log=told["log"],
            count=told["count"],
            **{name: bytes.fromhex(told[name]) for name in ("key", "start", "head")},
        )

    @property
    def told(self) -> dict[str, Any]:
        hashes = {"key": self.key.hex(), "start": self.start.hex(), "head": self.head.hex()}
        return {"gate": self.gate, "log": self.log, "count": self.count, **hashes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """Somebody holds the centre's word for this."""

    gate: str
    log: str
    through: int
    hash: bytes


@dataclass(slots=True)
class History:
    """What was found. ``findings`` empty: the history is exact."""

    gates: int = 0
    events: int = 0
    receipts: int = 0
    findings: list[str] = field(default_factory=list)

    def find(self, what: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(what)


def judged(dsn: str, written: Iterable[Written], receipts: Iterable[Receipted] = ()) -> History:
    """Read everything. Raises psycopg.Error."""
    with psycopg.connect(dsn) as database:
        return judged_in(database, written, receipts)


def judged_in(database: psycopg.Connection[Any], written: Iterable[Written], receipts: Iterable[Receipted] = ()) -> History:
    """What the connection's transaction sees."""
    history, given = History(), _by_log(receipts)
    there = {(gate, log): number for gate, log, number in database.execute(LOGS)}
    for one in written:
        history.gates += 1
        number = there.pop((one.gate, one.log), 0)
        _judge(one, _rows(database, number), given.pop((one.gate, one.log), {}), history)
    for gate, log in there:
        history.find(f"{gate}/{log}: a log that nobody wrote")
    for gate, log in given:
        history.find(f"{gate}/{log}: receipts for a log that nobody wrote")
    return history


def _by_log(receipts: Iterable[Receipted]) -> dict[tuple[str, str], dict[int, set[bytes]]]:
    given: dict[tuple[str, str], dict[int, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for receipt in receipts:
        given[receipt.gate, receipt.log][receipt.through].add(receipt.hash)
    return given


def _judge(one: Written, rows: Iterable[Row], given: dict[int, set[bytes]], history: History) -> None:
    name, seq, last = f"{one.gate}/{one.log}", 0, one.start
    hashes: dict[int, bytes] = {0: one.start}
    for row in rows:
        if row[0] != seq + 1:
            history.find(f"{name}: record {row[0]} comes after {seq}")
        elif row[6] != last:
            history.find(f"{name}: record {row[0]} does not continue the one before")
        if record_hash(one.key, *row[:7]) != row[7]:
            history.find(f"{name}: record {row[0]} is not the one that the gate wrote")
        seq, last = row[0], row[7]
        if seq in given:
            hashes[seq] = last
        history.events += 1
    if (seq, last) != (one.count, one.head):
        history.find(f"{name}: ends with record {seq}, and the gate's log with {one.count}")
    for through, said in given.items():
        history.receipts += len(said)
        if said != {hashes.get(through)}:
            history.find(f"{name}: a receipt up to {through}, for which the record is missing or another")


def _rows(database: psycopg.Connection[Any], number: int) -> Iterator[Row]:
    """As the gate wrote them: an instant is text there, in UTC."""
    with database.cursor(binary=True) as cursor:
        for seq, at, boot, transaction, kind, body, previous, hashed in cursor.execute(EVENTS, (number,)):
            yield seq, at.astimezone(UTC).isoformat().encode(), boot, transaction.encode(), kind.encode(), body, previous, hashed


def write_journal(path: Path, written: Iterable[Written]) -> None:
    path.write_text("".join(json.dumps(one.told) + "\n" for one in written), encoding="ascii")


def read_journals(paths: Iterable[Path]) -> list[Written]:
    return [Written.of(json.loads(line)) for path in paths for line in path.read_text(encoding="ascii").splitlines()]


def read_receipts(paths: Iterable[Path]) -> Iterator[Receipted]:
    """Lines ``GATE LOG THROUGH HASH``; one that was torn at the end is left out."""
    for path in paths:
        for line in path.read_text(encoding="ascii").split("\n")[:-1]:
            gate, log, through, said = line.split()
            yield Receipted(gate=gate, log=log, through=int(through), hash=bytes.fromhex(said))
