"""Reads the page's figures out of the centre's database, and says the newest to whoever looks. It may read those views and nothing else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row

from gate.fleet.page.figures import Alert, Books, Fleet, Gate, Hour, Slot, Tallied
from gate.ui.feed import NewestView

LOOK_S, COUNT_S = 2.0, 10.0
"""How often gates and alerts are looked at, and how often travellers are counted at most."""
REST = 20
"""By how much longer than it took counting rests: it shall not keep the database from what collectors bring."""
SETTINGS = "set role autogate_page; set default_transaction_read_only = on; set statement_timeout = '20s'; set jit = off"
"""The role is the schema's. Whoever logs in is a member of it, or it itself."""
CONNECT_S = 5
MOST_ALERTS = 500

_NOW = "select now()"
_GATES = "select gate, heard, state, direction, troubles, waiting_s, behind, versions, freshness, days_left from page_gate"
_ALERTS = "select code, gate, opened, detail from page_alert order by opened desc limit %s"
_SLOTS = "select airport, at, crossings, passed from page_throughput order by airport, at"
_HOURS = "select airport, crossings, passed, median_s, p95_s, sealed from page_hour"
_BOOKS = "select airport, outcome, reasons, crossings from page_books"
_TALLIES = "select airport, passed, cause, crossings, until from page_tally"


class FleetFeed(NewestView[Fleet]):
    """Follows the database ``dsn``, and comes back by itself after it was away; then the page is told so (None)."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn

    async def run(self) -> None:
        """Follow it until cancelled."""
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError, TimeoutError):
                self.show(None)
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=CONNECT_S)
        async with connection:
            await connection.execute(SETTINGS)
            fleet, due = None, 0.0
            while True:
                if fleet is None or time.monotonic() >= due:
                    began, fleet = time.monotonic(), await _counted(connection)
                    due = began + max(COUNT_S, REST * (time.monotonic() - began))
                fleet = await _looked(connection, fleet)
                self.show(fleet)
                await asyncio.sleep(LOOK_S)


async def read_fleet(connection: psycopg.AsyncConnection[Any]) -> Fleet:
    """All of it, now, as the page's role. Raises psycopg.Error."""
    await connection.execute(SETTINGS)
    return await _looked(connection, await _counted(connection))


async def _counted(connection: psycopg.AsyncConnection[Any]) -> Fleet:
    """Travellers alone."""
    async with connection.transaction():
        return Fleet(
            at=await _one(connection, _NOW),
            gates=(),
            slots=await _rows(connection, Slot, _SLOTS),
            hours=await _rows(connection, Hour, _HOURS),
            books=tuple(replace(each, reasons=tuple(each.reasons)) for each in await _rows(connection, Books, _BOOKS)),
            alerts=(),
            collected=None,
            tallies=await _rows(connection, Tallied, _TALLIES),
        )


async def _looked(connection: psycopg.AsyncConnection[Any], fleet: Fleet) -> Fleet:
    """With gates and alerts as they are now."""
    async with connection.transaction():
        gates = await _rows(connection, Gate, _GATES)
        alerts = await _rows(connection, Alert, _ALERTS, MOST_ALERTS)
        told = tuple(replace(gate, troubles=tuple(gate.troubles)) for gate in gates)
        collected = await _one(connection, "select seen from page_collector")
        return replace(fleet, at=await _one(connection, _NOW), gates=told, alerts=alerts, collected=collected)


async def _one(connection: psycopg.AsyncConnection[Any], query: LiteralString) -> Any:
    row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def _rows(connection: psycopg.AsyncConnection[Any], kind: type[Any], query: str, *values: object) -> Any:
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(query, values)
        return tuple(await cursor.fetchall())
