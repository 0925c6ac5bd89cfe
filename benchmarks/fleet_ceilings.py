"""The least that carrying a fleet's records can cost: a broker that is only published to, and a database that only copies.

Both with the same records, on the servers of the run, for some seconds each: nothing is signed, checked, linked or answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import nats
import psycopg
from nats.js.api import RetentionPolicy, StreamConfig

from benchmarks.fleet_gates import RECORDS, traveller
from gate.fleet.nats_client import Tls

STREAM, SUBJECT = "CEILING", "ceiling"
WINDOW = 256
"""Publishes on their way at once."""
BATCH = 1000
"""Rows of one transaction."""
_TABLE = (
    "create table ceiling (gate text, log text, seq bigint, at timestamptz, boot double precision, transaction_id text, kind text, "
    "body bytea, previous bytea, hash bytea)"
)


async def published(url: str, seconds: float, certificates: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """JetStream on a file: one client publishes the records of travellers, one message each, as many at once as :data:`WINDOW`."""
    tls = Tls(**{what: Path(file) for what, file in certificates.items()}).context() if certificates else None
    client = await nats.connect(url, tls=tls)
    try:
        stream = client.jetstream()
        await stream.add_stream(
            StreamConfig(name=STREAM, subjects=[SUBJECT], retention=RetentionPolicy.LIMITS, max_bytes=1 << 30)
        )
        payload = b"".join(body for _, body in traveller(f"{0:032x}", "B00-00", datetime.now(UTC)))
        free, count, begun = asyncio.Semaphore(WINDOW), 0, time.monotonic()

        async def one() -> None:
            try:
                await stream.publish(SUBJECT, payload, timeout=30)
            finally:
                free.release()

        async with asyncio.TaskGroup() as group:
            while time.monotonic() - begun < seconds:
                await free.acquire()
                group.create_task(one())
                count += 1
        elapsed = time.monotonic() - begun
        await stream.delete_stream(STREAM)
    finally:
        await client.close()
    told = {"messages_per_s": round(count / elapsed), "rows_per_s": round(count * RECORDS / elapsed), "bytes": len(payload)}
    return {"published": told}


def copied(dsn: str, seconds: float) -> dict[str, float]:
    """COPY into a table without an index, one durable commit for each :data:`BATCH` rows."""
    with psycopg.connect(dsn) as database:
        database.execute(_TABLE)
        database.commit()
        rows = list(_rows())
        count, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            with database.cursor().copy("copy ceiling from stdin (format binary)") as copy:
                copy.set_types(["text", "text", "int8", "timestamptz", "float8", "text", "text", "bytea", "bytea", "bytea"])
                for row in rows:
                    copy.write_row(row)
            database.commit()
            count += len(rows)
        elapsed = time.monotonic() - begun
        database.execute("drop table ceiling")
        database.commit()
    return {"rows_per_s": round(count / elapsed), "commits_per_s": round(count / len(rows) / elapsed)}


def _rows() -> Iterator[tuple[object, ...]]:
    at = datetime.now(UTC)
    for number in range(BATCH // RECORDS):
        for seq, (kind, body) in enumerate(traveller(f"{number:032x}", "B00-00", at), number * RECORDS):
            yield "CGK.B00-00", "0" * 16, seq, at, 1.0, f"{number:032x}", kind, body, bytes(32), bytes(32)
