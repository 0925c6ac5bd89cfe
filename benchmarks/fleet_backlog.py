"""The log of a gate that was away for days: real files, written at once rather than as the days went by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.fleet_gates import Gate, traveller
from gate.audit.chain import Row, chain_key, record_hash
from gate.audit.log import FILE_NAME, AuditLog

AT_ONCE = 20_000
INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def written_before(folder: Path, gate: Gate, days: float, per_hour: float) -> int:
    """Make its log in ``folder``. Returns how many records it has."""
    folder.mkdir(parents=True)
    log = AuditLog(folder / FILE_NAME, gate.secret)
    head = log.head()
    log.close()
    count, seq = 0, head.seq
    with sqlite3.connect(folder / FILE_NAME) as database:
        batch: list[tuple[object, ...]] = []
        for row in _rows(gate, head.hash, days, per_hour):
            batch.append((row[0], row[1].decode(), row[2], row[3].decode(), row[4].decode(), *row[5:]))
            count, seq = count + 1, row[0]
            if len(batch) == AT_ONCE:
                database.executemany(INSERT, batch)
                batch.clear()
        database.executemany(INSERT, batch)
    database.close()
    assert seq == count
    return count


def _rows(gate: Gate, last: bytes, days: float, per_hour: float) -> Iterator[Row]:
    key, seq, count = chain_key(gate.secret), 0, int(days * 24 * per_hour)
    begins = datetime.now(UTC) - timedelta(days=days)
    for number in range(count):
        at = begins + timedelta(hours=number / per_hour)
        transaction, moment = f"{gate.number:016x}{number:016x}", at.isoformat().encode()
        for kind, body in traveller(transaction, gate.lane, at):
            seq += 1
            whose = b"" if kind == "event" else transaction.encode()
            columns = (seq, moment, float(number), whose, kind.encode(), body, last)
            row = (*columns, record_hash(key, *columns))
            yield row
            last = row[7]
