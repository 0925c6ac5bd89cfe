"""Gates' tallies of official books (:mod:`gate.audit.tally`): one for each gate and day, and only where it can be what it says.

A record that is no such tally stays in its log as any other does, counts for nothing here, and is a refusal that people are told of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date

import msgspec
from psycopg.types.json import Jsonb

from gate.audit.tally import KIND, fault
from gate.fleet.centre.arrivals import Refused
from gate.fleet.centre.bookkeeping import Connection
from gate.fleet.centre.linking import Log
from gate.fleet.messages import Row
from gate.records import Tally

SECOND = "another one of that day is here"
_tallies = msgspec.json.Decoder(Tally)


def tally_in(body: bytes, day: date) -> Tally | str:
    """The tally in a record of :data:`~gate.audit.tally.KIND` that lies under ``day``, or why there is none. Any bytes in."""
    try:
        told = _tallies.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "it cannot be read"
    return fault(told, day) or told


async def put_tallies(connection: Connection, logs: Iterable[Log]) -> list[Refused]:
    """A part of the one transaction of :func:`gate.fleet.centre.store.store`. Returns what was not believed."""
    refused = []
    for log in logs:
        for row, day in log.chain.new.values():
            if row.kind == KIND.encode() and (why := await _put(connection, log, row, day)):
                sample = hashlib.sha256(row.body).digest()
                refused.append(
                    Refused(gate=log.key.gate, code="malformed", what=f"a tally, record {row.seq}: {why}", sample=sample)
                )
    return refused


async def _put(connection: Connection, log: Log, row: Row, day: date) -> str:
    """Why it is not kept; empty: it is."""
    told = tally_in(row.body, day)
    if isinstance(told, str):
        return told
    values = (log.key.gate, told.day, log.no, row.seq, told.demonstration, told.unread, Jsonb(msgspec.to_builtins(told.counts)))
    await connection.execute(
        "insert into tally (gate, day, log_no, seq, demonstration, unread, counts) values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        values,
    )
    held = await connection.execute("select log_no, seq from tally where gate = %s and day = %s", values[:2])
    return "" if await held.fetchone() == (log.no, row.seq) else SECOND
