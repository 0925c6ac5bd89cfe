"""Records and crossings lie by the day of their instant, a partition a day, made ahead and when one is needed.

A gate's clock may show anything. So only days that can be right have partitions of their own; all other records lie together under the
day :data:`ODD`, which makes an alert, and a gate with a wrong clock makes no partitions without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql

ODD = date(1, 1, 1)
PAST, AHEAD = timedelta(days=400), timedelta(days=2)
"""Days that can be right: a gate that was away for a year, and one whose day has begun already."""
TABLES = ("event", "crossing")
LOCK = 0x61676174655F7061
"""As ``pg_advisory_xact_lock`` takes it: two that make the same partition would collide."""


def day_of(at: datetime, now: datetime) -> date:
    """The day under which a record of the instant ``at`` lies (both aware): UTC's, or :data:`ODD`."""
    return at.astimezone(UTC).date() if now - PAST <= at <= now + AHEAD else ODD


class Partitions:
    """Those that are known to be there. For one connection in autocommit mode."""

    def __init__(self) -> None:
        self._there: set[date] = set()

    async def ensure(self, connection: psycopg.AsyncConnection[tuple[object, ...]], days: Iterable[date]) -> None:
        """Make what is missing, in a transaction of its own: it must hold no lock for long. Raises psycopg.Error."""
        missing = sorted(set(days) - self._there)
        if not missing:
            return
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            for day in missing:
                for table in TABLES:
                    found = await (await connection.execute("select to_regclass(%s)", (name_of(table, day),))).fetchone()
                    if found == (None,):
                        await _make(connection, table, day)
        self._there.update(missing)

    def forget(self) -> None:
        """Look again: somebody dropped some, or the database is another."""
        self._there.clear()


def ahead(now: datetime) -> list[date]:
    """The days for which partitions are made before anything comes."""
    today = now.astimezone(UTC).date()
    return [ODD, *(today + timedelta(days=more) for more in range(AHEAD.days + 1))]


def name_of(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}" if day != ODD else f"{table}_odd"


async def _make(connection: psycopg.AsyncConnection[tuple[object, ...]], table: str, day: date) -> None:
    """Made beside and attached: made as a part at once it would wait for everybody who reads, and all who write would wait behind it."""
    parent, part = sql.Identifier(table), sql.Identifier(name_of(table, day))
    await connection.execute(sql.SQL("create table {} (like {} including all)").format(part, parent))
    bounds = sql.Literal(day), sql.Literal(day + timedelta(days=1))
    await connection.execute(
        sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(parent, part, *bounds)
    )
