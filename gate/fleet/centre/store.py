"""A batch of what gates sent goes into the database in one transaction: all of it, or nothing.

Each log that the batch concerns is locked first, in the order of their numbers, so two collectors never wait for each other in a circle, and what
is read of a log then holds until the commit. Records are copied into a temporary table and inserted from there ``on conflict do nothing``: that a
record is counted once is the engine's word, whatever the bookkeeping beside it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from gate.fleet.centre.arrivals import Arrival, CheckpointCame, ParcelCame, Refused, StatusCame
from gate.fleet.centre.crossings import KIND, crossing_of
from gate.fleet.centre.linking import ANOTHER, Chain, Fork, Link
from gate.fleet.centre.partitions import ODD
from gate.fleet.centre.statuses import put_statuses
from gate.fleet.messages import Row

SESSION = "set enable_hashjoin = off; set enable_mergejoin = off; set enable_seqscan = off"
"""All that is looked up here is found by its key; no plan may read a whole day instead because a temporary table has no statistics."""
INCOMING = (
    "create temporary table if not exists incoming (log_no integer, seq bigint, day date, at timestamptz, boot double precision, "
    "transaction text, kind text, body bytea, previous bytea, hash bytea) on commit delete rows"
)
AHEAD = 64
"""Records ahead that are read beyond as many as came: most link at once, and the rest is read in another round."""
MOST_FORKS = 100
"""Of one batch that are written down; the others come again."""
OTHER_START = "the log begins with another row than it did"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class Key(NamedTuple):
    gate: str
    log: str


@dataclass(slots=True, kw_only=True)
class Log:
    """A log under its lock, and what this batch brings for it."""

    no: int
    key: Key
    start: bytes
    kept_from: int
    chain: Chain
    before: int
    evidence: dict[int, bytes] = field(default_factory=dict)
    """Number → the signed message it came in."""


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
        await _put_crossings(connection, logs)
        await _put_progress(connection, logs.values())
        forks = await _put_forks(connection, logs.values())
        await _put_checkpoints(connection, logs, notes)
        await put_statuses(connection, [one for one in arrivals if isinstance(one, StatusCame)])
        await _put_refusals(connection, [one for one in arrivals if isinstance(one, Refused)])
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
            log.evidence.setdefault(0, one.raw)
        for row, _ in one.rows:
            log.evidence.setdefault(row.seq, one.raw)
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


async def _put_crossings(connection: Connection, logs: dict[Key, Log]) -> None:
    found = [
        (log, row.seq, day, row.transaction.decode(), crossing)
        for log in logs.values()
        for row, day in log.chain.new.values()
        if row.kind == KIND and (crossing := crossing_of(row.body)) is not None
    ]
    if not found:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "insert into crossing (log_no, seq, day, gate, transaction, direction, started, ended, seconds, class, outcome, reasons, "
            "stages, demonstration) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (
                    *(log.no, seq, day, log.key.gate, transaction, each.direction, each.started, each.ended, each.seconds),
                    *(each.document_class, each.outcome, each.reasons, Jsonb(each.stages), each.demonstration),
                )
                for log, seq, day, transaction, each in found
            ],
        )


# --- bookkeeping -------------------------------------------------------------------------------------------------------------


async def _put_progress(connection: Connection, logs: Iterable[Log]) -> None:
    """What is linked waits no more; what came ahead waits; what turned out broken goes."""
    grown = [log for log in logs if log.chain.through > log.before]
    gone = [(log.no, seq, link.day) for log in logs for seq, link in log.chain.broken]
    waiting = [(log.no, seq, *log.chain.new[seq]) for log in logs for seq in log.chain.waiting]
    if grown:
        values = [log.no for log in grown], [log.chain.through for log in grown], [log.chain.hash for log in grown]
        await connection.execute(
            "update gate_log l set through = q.through, hash = q.hash, moved = now() "
            "from unnest(%s::int[], %s::bigint[], %s::bytea[]) as q (no, through, hash) where l.no = q.no",
            values,
        )
        await connection.execute(
            "delete from pending p using unnest(%s::int[], %s::bigint[]) as q (no, through) where p.log_no = q.no and p.seq <= q.through",
            values[:2],
        )
    for no, seq, day in gone:  # rare, and never many: a log stops at the first
        for table in ("event", "crossing", "pending"):
            and_day = "" if table == "pending" else " and day = %(day)s"
            await connection.execute(  # a constant name
                f"delete from {table} where log_no = %(no)s and seq = %(seq)s{and_day}",  # noqa: S608 - constants
                {"no": no, "seq": seq, "day": day},
            )
    if waiting:
        columns = list(zip(*((no, seq, day, row.previous, row.hash) for no, seq, row, day in waiting), strict=True))
        await connection.execute(
            "insert into pending (log_no, seq, day, previous, hash) "
            "select * from unnest(%s::int[], %s::bigint[], %s::date[], %s::bytea[], %s::bytea[]) on conflict do nothing",
            tuple(map(list, columns)),
        )


async def _put_forks(connection: Connection, logs: Iterable[Log]) -> int:
    """With the signed message as evidence, the first time."""
    forks = [(log, fork) for log in logs for fork in log.chain.forks]
    for log, fork in forks[:MOST_FORKS]:
        await connection.execute(
            "insert into fork (log_no, seq, told, held, what, evidence) values (%s, %s, %s, %s, %s, %s) "
            "on conflict (log_no, seq, told) do update set count = fork.count + 1, last = now()",
            (log.no, fork.seq, fork.told, fork.held, fork.what, log.evidence.get(fork.seq, b"")),
        )
    return len(forks)


async def _put_checkpoints(connection: Connection, logs: dict[Key, Log], notes: list[CheckpointCame]) -> None:
    for one in notes:
        log = logs.get(Key(one.told.gate, one.told.log))
        if log is None:
            continue  # of a log of which no record came yet: the next checkpoint says more
        signed = one.checkpoint
        await connection.execute(
            "insert into checkpoint (log_no, size, root, head, at, note) values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            (log.no, signed.size, signed.root, signed.head, one.at, one.told.note),
        )


async def _put_refusals(connection: Connection, refused: list[Refused]) -> None:
    together: dict[tuple[str, str], list[Refused]] = {}
    for one in refused:
        together.setdefault((one.gate, one.code), []).append(one)
    for (gate, code), each in sorted(together.items()):
        await connection.execute(
            "insert into refusal (gate, day, code, count, first_sample, last_sample, what) "
            "values (%s, (now() at time zone 'UTC')::date, %s, %s, %s, %s, %s) on conflict (gate, day, code) do update set "
            "count = refusal.count + excluded.count, last = now(), last_sample = excluded.last_sample, what = excluded.what",
            (gate, code, len(each), each[0].sample, each[-1].sample, each[-1].what),
        )
