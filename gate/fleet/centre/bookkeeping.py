"""What is kept beside the records: how far logs have come, crossings as figures, forks, checkpoints, refusals.

Each function is a part of the one transaction of :func:`gate.fleet.centre.store.store`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from gate.fleet.centre.arrivals import CheckpointCame, Refused
from gate.fleet.centre.crossings import KIND, crossing_of
from gate.fleet.centre.linking import Fork, Key, Log

MOST_FORKS = 200
"""Of one log that are written down: whoever holds a gate's keys can invent more without end, and nobody looks at so many."""
_FORK = """
insert into fork (log_no, seq, told, held, what, evidence) select %(no)s, %(seq)s, %(told)s, %(held)s, %(what)s, %(evidence)s
where (select count(*) from fork where log_no = %(no)s) < %(most)s
    or exists (select from fork where log_no = %(no)s and seq = %(seq)s and told = %(told)s)
on conflict (log_no, seq, told) do update set count = fork.count + 1, last = now() returning count
"""
_CROSSINGS = """
insert into crossing (log_no, seq, day, gate, transaction, direction, started, ended, seconds, class, outcome, reasons, stages, demonstration)
select log_no, seq, day, gate, transaction, direction, started, ended, seconds, document_class, outcome, reasons, stages, demonstration
from jsonb_to_recordset(%s) as r (log_no integer, seq bigint, day date, gate text, transaction text, direction text, started timestamptz,
    ended timestamptz, seconds real, document_class text, outcome text, reasons text[], stages jsonb, demonstration boolean)
on conflict do nothing
"""
TWO_ROOTS, OTHER_HEAD = "the gate signed two checkpoints of that size", "the gate signed for another record than it sent"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


async def put_crossings(connection: Connection, logs: Iterable[Log]) -> None:
    """All in one statement: the counts beside them are made once for each."""
    found = [
        {
            "log_no": log.no,
            "seq": row.seq,
            "day": day,
            "gate": log.key.gate,
            "transaction": row.transaction.decode(),
            "seconds": told.seconds,
        }
        | asdict(told)
        for log in logs
        for row, day in log.chain.new.values()
        if row.kind == KIND and (told := crossing_of(row.body)) is not None
    ]
    if found:
        await connection.execute(_CROSSINGS, (Jsonb(msgspec.to_builtins(found)),))


async def put_progress(connection: Connection, logs: Iterable[Log]) -> None:
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
        for table in ("event", "crossing", "pending", "tally"):
            and_day = " and day = %(day)s" if table in {"event", "crossing"} else ""
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


async def put_forks(connection: Connection, logs: Iterable[Log]) -> int:
    """With the signed message as evidence, once for all that it told."""
    count = 0
    for log in logs:
        count, shown = count + len(log.chain.forks), set[bytes]()
        for fork in log.chain.forks[:MOST_FORKS]:
            evidence = log.evidence.get((fork.seq, fork.told), b"")
            known = {"no": log.no, "seq": fork.seq, "told": fork.told, "held": fork.held, "what": fork.what, "most": MOST_FORKS}
            done = await connection.execute(_FORK, known | {"evidence": b"" if evidence in shown else evidence})
            if await done.fetchone() == (1,):
                shown.add(evidence)
    return count


async def put_checkpoints(connection: Connection, logs: dict[Key, Log], notes: list[CheckpointCame]) -> None:
    """Keep them; what the gate signed twice, or about another record than it sent, is a fork. The root is the reader's to compute."""
    for one in notes:
        log, signed = logs.get(Key(one.told.gate, one.told.log)), one.checkpoint
        if log is None:
            continue  # of a log of which no record came yet: the next checkpoint says more
        found = await connection.execute(
            "insert into checkpoint (log_no, size, root, head, at, note) values (%(no)s, %(size)s, %(root)s, %(head)s, %(at)s, %(note)s) "
            "on conflict do nothing returning "
            "(select c.root from checkpoint c where c.log_no = %(no)s and c.size = %(size)s and c.root <> %(root)s limit 1)",
            {
                "no": log.no,
                "size": signed.size,
                "root": signed.root,
                "head": signed.head,
                "at": one.at,
                "note": one.told.note,
            },
        )
        other = await found.fetchone()
        chain, evidence = log.chain, one.told.note.encode()
        if other and other[0]:
            chain.forks.append(Fork(seq=signed.size, held=other[0], told=signed.root, what=TWO_ROOTS))
            log.evidence[signed.size, signed.root] = evidence
        if signed.size == chain.through and signed.head != chain.hash:
            chain.forks.append(Fork(seq=signed.size, held=chain.hash, told=signed.head, what=OTHER_HEAD))
            log.evidence[signed.size, signed.head] = evidence


async def put_refusals(connection: Connection, refused: list[Refused]) -> None:
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
