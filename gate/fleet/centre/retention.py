"""Records whose time is over are dropped, by whole days; of what is dropped the Merkle tree's edge stays, so the rest can still be verified.

A log is only ever cut from its beginning. So a record stays for as long as one before it must, and one that lies under no day that can be right
goes by when it was received.
"""

from __future__ import annotations

from datetime import date

from psycopg import sql

from gate.audit.tree import Frontier
from gate.fleet.centre.partitions import ODD, TABLES, name_of
from gate.fleet.centre.records import Connection, leaf_of, records

LOCK_WAIT = "10s"
"""Whatever is dropped waits so long for those who read (``verify`` does for minutes): collectors wait behind it meanwhile."""
COUNTED_DAYS = 7
"""How many days' counts by the half hour stay: the fleet page shows twelve hours."""


def due(connection: Connection, before: date) -> tuple[int, list[date]]:
    """How many records are due that lie before the day ``before``, and which days."""
    days = [day for day in _days(connection, "event") if day < before]
    counted = connection.execute("select count(*) from event where day < %s and day <> %s", (before, ODD)).fetchone()
    return (counted[0] if counted else 0), days


def drop(connection: Connection, before: date) -> int:
    """Drop what is due; returns how many records. A connection in autocommit mode.

    Raises psycopg.Error, also where somebody reads for longer than :data:`LOCK_WAIT`; what was dropped until then is.
    """
    connection.execute("select set_config('lock_timeout', %s, false)", (LOCK_WAIT,))
    dropped = 0
    for (no,) in connection.execute("select no from gate_log order by no").fetchall():
        with connection.transaction():
            dropped += _cut(connection, no, before)
    for day in [each for each in _days(connection, "event") if each < before]:
        with connection.transaction():
            table = sql.Identifier(name_of("event", day))
            connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(table))
            kept = sql.SQL("select from {} e join gate_log l on l.no = e.log_no where e.seq >= l.kept_from limit 1")
            if connection.execute(kept.format(table)).fetchone() is None:
                connection.execute(sql.SQL("drop table {}").format(table))
            else:  # a clock that was behind: the record's neighbours must stay
                gone = sql.SQL("delete from {} e using gate_log l where l.no = e.log_no and e.seq < l.kept_from")
                connection.execute(gone.format(table))
    for day in [each for each in _days(connection, "crossing") if each < before]:
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(name_of("crossing", day))))
    connection.execute("delete from tally where day < %s", (before,))
    connection.execute("delete from crossing_count where at < now() - make_interval(days => %s)", (COUNTED_DAYS,))
    connection.execute(
        "delete from event e using gate_log l where e.day = %s and l.no = e.log_no and e.seq < l.kept_from", (ODD,)
    )
    return dropped


def _days(connection: Connection, parent: str) -> list[date]:
    """Of which there are partitions, without :data:`ODD`."""
    assert parent in TABLES
    rows = connection.execute(
        "select relid::regclass::text from pg_partition_tree(%s::regclass) where isleaf and relid <> %s::regclass",
        (parent, parent),
    )
    names = [name.removeprefix(f"{parent}_") for (name,) in rows]
    return sorted(date.fromisoformat(name) for name in names if name.isdecimal())


def _cut(connection: Connection, no: int, before: date) -> int:
    """Note that a log begins later from now on: behind the records before the first that must stay. One with a hole is evidence, and stays whole."""
    found = connection.execute(
        "select kept_from, through, edge, edge_hash from gate_log where no = %s for update", (no,)
    ).fetchone()
    assert found is not None
    kept_from, through, edge, last = found
    first = connection.execute(
        "select min(seq) from event where log_no = %s and (day >= %s or (day = %s and received >= %s))", (no, before, ODD, before)
    ).fetchone()
    end = min(through + 1, first[0] if first and first[0] else through + 1)
    if end <= kept_from:
        return 0
    size = kept_from - 1
    peaks = dict(zip(_levels(size), edge, strict=True))
    frontier = Frontier.of(size, lambda level, _number: bytes(peaks[level]))
    asked = {"no": no, "begin": kept_from, "end": end}
    for row, leaf in records(connection, "log_no = %(no)s and seq >= %(begin)s and seq < %(end)s", asked):
        if row[0] != frontier.size + 1:
            return 0
        level, _, node = frontier.add(leaf_of(row, leaf))[-1]
        peaks = {each: value for each, value in peaks.items() if each > level} | {level: node}
        last = row[7]
    if frontier.size != end - 1:
        return 0
    connection.execute(
        "update gate_log set kept_from = %s, edge = %s, edge_hash = %s where no = %s",
        (end, [peaks[level] for level in _levels(end - 1)], last, no),
    )
    # Nothing can be held against these any more.
    connection.execute("delete from checkpoint where log_no = %s and size < %s", (no, end - 1))
    return int(end - kept_from)


def _levels(size: int) -> list[int]:
    """Of the complete subtrees at the edge of a tree of that size, largest first."""
    return [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
