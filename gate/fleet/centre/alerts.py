"""Alerts: opened when the database shows that something is wrong, closed when it no more does (the view ``condition``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

LOCK = 0x61676174655F616C
"""One collector looks at a time."""
_SETTLES = {
    "fork": "update fork f set settled = now() from gate_log l where l.no = f.log_no and f.settled is null and l.gate = %(gate)s and l.log = %(log)s",
    "silent": "delete from gate_status where gate = %(gate)s",
}
"""What ends the cause of an alert that does not end by itself: a fork that people looked at, a gate that was taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    id: int
    kind: str
    gate: str
    log: str
    detail: str
    opened: datetime
    closed: datetime | None


async def look(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Open and close. Does nothing while another collector does. Raises psycopg.Error."""
    async with connection.transaction():
        mine = await (await connection.execute("select pg_try_advisory_xact_lock(%s)", (LOCK,))).fetchone()
        if mine != (True,):
            return
        await connection.execute("create temporary table seen on commit drop as select * from condition")
        await connection.execute(
            "insert into alert as a (kind, gate, log, detail) select kind, gate, log, min(detail) from seen group by kind, gate, log "
            "on conflict (kind, gate, log) where closed is null do update set detail = excluded.detail where a.detail <> excluded.detail"
        )
        await connection.execute(
            "update alert a set closed = now() where closed is null "
            "and not exists (select from seen s where (s.kind, s.gate, s.log) = (a.kind, a.gate, a.log))"
        )


def alerts(connection: psycopg.Connection[tuple[Any, ...]], *, closed: bool = False) -> Iterator[Alert]:
    """Open ones, oldest first; with ``closed`` those that ended, too."""
    rows = connection.execute(
        "select id, kind, gate, log, detail, opened, closed from alert where closed is null or %s order by opened, id", (closed,)
    )
    for number, kind, gate, log, detail, opened, ended in rows:
        yield Alert(id=number, kind=kind, gate=gate, log=log, detail=detail, opened=opened, closed=ended)


def settle(connection: psycopg.Connection[tuple[Any, ...]], number: int) -> bool:
    """Somebody has looked at it: end its cause where it does not end by itself. Returns whether there was such an open one."""
    with connection.transaction():
        found = connection.execute(
            "update alert set closed = now() where id = %s and closed is null returning kind, gate, log", (number,)
        ).fetchone()
        if found is None:
            return False
        kind, gate, log = found
        if statement := _SETTLES.get(kind):
            connection.execute(statement, {"gate": gate, "log": log})
    return True
