"""A batch of what gates sent goes into the database in one transaction: all of it, or nothing.

Each log that the batch concerns is locked first, in the order of their numbers, so two collectors never wait for each other in a circle, and what
is read of a log then holds until the commit. Records are copied into a temporary table and inserted from there ``on conflict do nothing``: that a
record is counted once is the engine's word, whatever the bookkeeping beside it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gate.fleet.centre.arrivals import Arrival, CheckpointCame, ParcelCame, Refused, StatusCame
from gate.fleet.centre.bookkeeping import Connection, put_checkpoints, put_crossings, put_forks, put_progress, put_refusals
from gate.fleet.centre.linking import ANOTHER, Chain, Fork, Key, Link, Log
from gate.fleet.centre.partitions import ODD
from gate.fleet.centre.statuses import put_statuses
from gate.fleet.centre.tallies import put_tallies
from gate.fleet.messages import Row

SESSION = "set enable_hashjoin = off; set enable_mergejoin = off; set enable_seqscan = off"
"""All that is looked up here is found by its key; no plan may read a whole day instead because a temporary table has no statistics."""
INCOMING = (
    "create temporary table if not exists incoming (log_no integer, seq bigint, day date, at timestamptz, boot double precision, "
    "transaction text, kind text, body bytea, previous bytea, hash bytea) on commit delete rows"
)
AHEAD = 64
"""Records ahead that are read beyond as many as came: most link at once, and the rest is read in another round."""
OTHER_START = "the log begins with another row than it did"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the database now holds of a log: what a receipt says."""

    gate: str
    log: str
    through: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    held: tuple[Held, ...]
    events: int
    forks: int


async def prepare(connection: Connection) -> None:
    """What a connection needs once. Raises psycopg.Error."""
    for each in SESSION.split(";"):
        await connection.execute(each)
    await connection.execute(INCOMING)


async def store(connection: Connection, arrivals: Sequence[Arrival]) -> Stored:
    """Commit what came; the partitions of its days must be there. Raises psycopg.Error, and then nothing is stored."""
    parcels = [one for one in arrivals if isinstance(one, ParcelCame)]
    notes = [one for one in arrivals if isinstance(one, CheckpointCame)]
    async with connection.transaction():
        logs = await _locked(connection, parcels, notes)
        await _link(connection, logs, parcels)
        await _put_events(connection, logs)
        await put_crossings(connection, logs.values())
        uncounted = await put_tallies(connection, logs.values())
        await put_progress(connection, logs.values())
        await put_checkpoints(connection, logs, notes)
        forks = await put_forks(connection, logs.values())
        await put_statuses(connection, [one for one in arrivals if isinstance(one, StatusCame)])
        await put_refusals(connection, [*uncounted, *(one for one in arrivals if isinstance(one, Refused))])
    held = tuple(
        Held(gate=log.key.gate, log=log.key.log, through=log.chain.through, hash=log.chain.hash)
        for log in logs.values()
        if log.chain.through and (log.chain.linked or log.chain.seen)
    )
    return Stored(held=held, events=sum(len(log.chain.new) for log in logs.values()), forks=forks)


def days(arrivals: Iterable[Arrival]) -> set[date]:
    """Those that need a partition."""
    return {day for one in arrivals if isinstance(one, ParcelCame) for _, day in one.rows}


# --- logs --------------------------------------------------------------------------------------------------------------------


async def _locked(connection: Connection, parcels: list[ParcelCame], notes: list[CheckpointCame]) -> dict[Key, Log]:
    """The logs concerned, by gate and id, locked. One of which nothing is known begins here, where records of it came."""
    starts = {Key(one.parcel.gate, one.parcel.log): one.parcel.start for one in parcels}
    wanted = sorted(starts.keys() | {Key(note.told.gate, note.told.log) for note in notes})
    found = await _logs(connection, wanted)
    if missing := [key for key in wanted if key in starts and key not in found]:
        values = [key.gate for key in missing], [key.log for key in missing], [starts[key] for key in missing]
        await connection.execute(
            "insert into gate_log (gate, log, start, hash) select gate, log, start, start "
            "from unnest(%s::text[], %s::text[], %s::bytea[]) as t (gate, log, start) order by gate, log on conflict do nothing",
            values,
        )
        found |= await _logs(connection, missing)
    return found


async def _logs(connection: Connection, wanted: list[Key]) -> dict[Key, Log]:
    if not wanted:
        return {}
    rows = await connection.execute(
        "select l.no, l.gate, l.log, l.start, l.kept_from, l.through, l.hash from gate_log l "
        "join unnest(%s::text[], %s::text[]) as t (gate, log) using (gate, log) order by l.no for update of l",
        ([key.gate for key in wanted], [key.log for key in wanted]),
        binary=True,
    )
    return {
        Key(gate, log): Log(
            no=no, key=Key(gate, log), start=start, kept_from=kept_from, chain=Chain(through, head), before=through
        )
        for no, gate, log, start, kept_from, through, head in await rows.fetchall()
    }


async def _link(connection: Connection, logs: dict[Key, Log], parcels: list[ParcelCame]) -> None:
    """Give each log what came of it, and count what now continues it."""
    for one in parcels:
        log = logs[Key(one.parcel.gate, one.parcel.log)]
        if one.parcel.start != log.start:
            log.chain.forks.append(Fork(seq=0, held=log.start, told=one.parcel.start, what=OTHER_START))
            log.evidence[0, one.parcel.start] = one.raw
        for row, _ in one.rows:
            log.evidence.setdefault((row.seq, row.hash), one.raw)
    await _read_waiting(connection, logs, parcels)
    for one in parcels:
        log = logs[Key(one.parcel.gate, one.parcel.log)]
        if one.parcel.start == log.start:
            log.chain.take(one.rows)
    growing = [log for log in logs.values() if log.chain.through + 1 in log.chain.new]
    while growing:
        before = [log.chain.through for log in growing]
        full = await _read_ahead(connection, growing, [len(log.chain.new) + AHEAD for log in growing])
        for log in growing:
            log.chain.link()
        growing = [log for log, was in zip(growing, before, strict=True) if log.no in full and log.chain.through > was]


async def _read_waiting(connection: Connection, logs: dict[Key, Log], parcels: list[ParcelCame]) -> None:
    """Which of the numbers that came are waiting already: the same record twice, or another under its number."""
    by_no = {log.no: log for log in logs.values()}
    asked = [(logs[Key(one.parcel.gate, one.parcel.log)].no, row.seq) for one in parcels for row, _ in one.rows]
    if not asked:
        return
    rows = await connection.execute(
        "select p.log_no, p.seq, p.day, p.previous, p.hash from unnest(%s::int[], %s::bigint[]) as q (log_no, seq) "
        "join pending p using (log_no, seq)",
        tuple(map(list, zip(*asked, strict=True))),
        binary=True,
    )
    async for no, seq, day, previous, digest in rows:
        by_no[no].chain.ahead[seq] = Link(day, previous, digest)


async def _read_ahead(connection: Connection, logs: list[Log], asked: list[int]) -> set[int]:
    """The waiting records next behind what is linked, so many of each log. Returns the logs that may have more of them."""
    by_no = {log.no: log for log in logs}
    counts = dict.fromkeys(by_no, 0)
    rows = await connection.execute(
        "select q.no, p.seq, p.day, p.previous, p.hash from unnest(%s::int[], %s::bigint[], %s::int[]) as q (no, after, most) "
        "cross join lateral (select * from pending where log_no = q.no and seq > q.after order by seq limit q.most) p",
        ([log.no for log in logs], [log.chain.through for log in logs], asked),
        binary=True,
    )
    async for no, seq, day, previous, digest in rows:
        by_no[no].chain.ahead.setdefault(seq, Link(day, previous, digest))
        counts[no] += 1
    return {log.no for log, most in zip(logs, asked, strict=True) if counts[log.no] == most}


# --- records -----------------------------------------------------------------------------------------------------------------


async def _put_events(connection: Connection, logs: dict[Key, Log]) -> None:
    """Store new records, and compare those whose number was taken."""
    new = [(log.no, day, row) for log in logs.values() for row, day in log.chain.new.values()]
    doubtful = [(log, row, day) for log in logs.values() for row, day in log.chain.seen if row.seq >= log.kept_from]
    if new:
        async with connection.cursor() as cursor, cursor.copy("copy incoming from stdin (format binary)") as copy:
            copy.set_types(["int4", "int8", "date", "timestamptz", "float8", "text", "text", "bytea", "bytea", "bytea"])
            for no, day, row in new:
                await copy.write_row(_columns(no, day, row))
        done = await connection.execute(
            "insert into event (log_no, seq, day, at, boot, transaction, kind, body, previous, hash) "
            "select * from incoming on conflict do nothing"
        )
        if done.rowcount < len(new):  # somebody has set the bookkeeping back: what is there decides
            doubtful += [(log, row, day) for log in logs.values() for row, day in log.chain.new.values()]
    if doubtful:
        await _compare(connection, doubtful)


def _columns(no: int, day: date, row: Row) -> tuple[Any, ...]:
    at = datetime.fromisoformat(row.at.decode())
    words = row.transaction.decode(), row.kind.decode()
    return (no, row.seq, day, at, row.boot, *words, row.body, row.previous, row.hash)


async def _compare(connection: Connection, doubtful: list[tuple[Log, Row, date]]) -> None:
    """A record that is there must be the same."""
    columns = [[log.no for log, _, _ in doubtful], [row.seq for _, row, _ in doubtful], [day for _, _, day in doubtful]]
    found = await connection.execute(
        "select coalesce((select e.hash from event e where e.log_no = q.no and e.seq = q.seq and e.day = q.day), "
        "(select e.hash from event e where e.log_no = q.no and e.seq = q.seq and e.day = %s)) "
        "from unnest(%s::int[], %s::bigint[], %s::date[]) with ordinality as q (no, seq, day, place) order by q.place",
        (ODD, *columns),
        binary=True,
    )
    for (log, row, _), (held,) in zip(doubtful, await found.fetchall(), strict=True):
        if held != row.hash:
            log.chain.forks.append(Fork(seq=row.seq, held=held or b"", told=row.hash, what=ANOTHER))
