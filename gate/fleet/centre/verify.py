"""An examination of what the centre holds, out of its database alone, by a program that shares nothing with the one that filled it.

Of every log: each number once, each record continuing the one before, and the Merkle root over them equal to the one in each checkpoint that the
gate signed. That a record is the one that the lane wrote follows from these: the keyed hash in it cannot be checked without the gate's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from gate.audit.note import Checkpoint, Note, NoteError, VerifierKey
from gate.audit.tree import Frontier
from gate.fleet.centre.records import leaf_of, records

MOST_FINDINGS = 1000
"""Of one log; more say nothing that these do not."""
GRACE_S = 60.0
"""Ended transactions come before the records between them, by design, and records follow within seconds."""
_STRAYS = """
with recursive found (no) as (
    (select log_no from event order by log_no limit 1)
    union all select (select e.log_no from event e where e.log_no > f.no order by e.log_no limit 1) from found f where f.no is not null
)
select no from found where no is not null and no <> all(%s)
"""
"""Logs of which there are records, from one to the next by their key: reading every record once more would take as long as all the rest."""
AuditKeys = Callable[[str], tuple[VerifierKey, ...]]
"""Gate → keys by which its checkpoints may be signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``kind``: gap, fork, root, signature or progress. ``seq`` 0: the whole log."""

    gate: str
    log: str
    seq: int
    kind: str
    what: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found. ``unsigned``: checkpoints whose signature could not be checked because the gate's key is not known here."""

    gates: int = 0
    logs: int = 0
    events: int = 0
    waiting: int = 0
    """Records that came before those between, and count for nothing yet."""
    dropped: int = 0
    """Whose time was over."""
    destroyed: int = 0
    """Records without their personal fields any more, by an order."""
    checkpoints: int = 0
    unsigned: int = 0
    gaps: int = 0
    forks: int = 0
    findings: list[Finding]

    @property
    def good(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    no: int
    gate: str
    log: str
    start: bytes
    through: int
    hash: bytes
    kept_from: int
    edge: tuple[bytes, ...]
    edge_hash: bytes | None


def verify(dsn: str, keys: AuditKeys = lambda _gate: (), gate: str = "", grace_s: float = GRACE_S) -> Report:
    """Examine all logs, or those of one gate, as they are at one moment, beside collectors that go on. Raises psycopg.Error.

    ``grace_s``: for so long a record may wait for those before it, without that being a gap.
    """
    report = Report(findings=[])
    with psycopg.connect(dsn, connect_timeout=5, options="-c jit=off") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("set local enable_sort = off")  # by the key, piece by piece, not a day's records in one sort
        logs = list(_logs(connection, gate))
        for log in logs:
            found = list(_examined(connection, log, keys(log.gate), report))
            report.findings += found[:MOST_FINDINGS]
        report.findings += _beside(connection, {log.no: log for log in logs}, gate, grace_s)
    report.gates, report.logs = len({log.gate for log in logs}), len(logs)
    report.gaps = sum(each.kind == "gap" for each in report.findings)
    report.forks = sum(each.kind == "fork" for each in report.findings)
    return report


def _logs(connection: psycopg.Connection[Any], gate: str) -> Iterator[_Log]:
    names = "no, gate, log, start, through, hash, kept_from, edge, edge_hash"
    for row in connection.execute(f"select {names} from gate_log where gate = %s or %s = '' order by gate, no", (gate, gate)):  # noqa: S608 (constants)
        no, name, log, start, through, digest, kept_from, edge, edge_hash = row
        yield _Log(
            no=no, gate=name, log=log, start=start, through=through, hash=digest, kept_from=kept_from, edge=tuple(edge), edge_hash=edge_hash
        )  # fmt: skip


def _examined(connection: psycopg.Connection[Any], log: _Log, keys: tuple[VerifierKey, ...], report: Report) -> Iterator[Finding]:
    """One pass over the records of a log."""

    def finding(seq: int, kind: str, what: str) -> Finding:
        return Finding(gate=log.gate, log=log.log, seq=seq, kind=kind, what=what)

    claims, wrong = _claims(connection, log, keys, report)
    yield from (finding(size, "signature", what) for size, what in wrong)
    last, head, edge = log.kept_from - 1, log.edge_hash or log.start, _frontier(log)
    report.dropped += last
    yield from (finding(*each) for each in _held(claims, last, edge.root(), head))
    for row, leaf in records(connection, "log_no = %(no)s and seq >= %(begin)s", {"no": log.no, "begin": log.kept_from}):
        if row[0] > log.through:
            report.waiting += 1
            continue
        report.events += 1
        if row[0] != last + 1:
            yield finding(last + 1, "gap" if row[0] > last else "fork", f"record {row[0]} stands behind record {last}")
        elif row[6] != head:
            yield finding(row[0], "fork", "it does not continue the record before")
        last, head = row[0], row[7]
        report.destroyed += leaf is not None
        edge.add(leaf_of(row, leaf))
        if last in claims:
            yield from (finding(*each) for each in _held(claims, last, edge.root(), head))
    if (last, head) != (log.through, log.hash):
        yield finding(last + 1, "gap", f"receipts were given up to record {log.through}, and the records end with {last}")


def _claims(
    connection: psycopg.Connection[Any], log: _Log, keys: tuple[VerifierKey, ...], report: Report
) -> tuple[dict[int, list[Checkpoint]], list[tuple[int, str]]]:
    """Size → what the gate signed about it; and what is no such thing."""
    claims: dict[int, list[Checkpoint]] = {}
    wrong: list[tuple[int, str]] = []
    for size, encoded in connection.execute("select size, note from checkpoint where log_no = %s order by size", (log.no,)):
        try:
            note = Note.parse(encoded)
            checkpoint = Checkpoint.parse(note.text)
        except NoteError as error:
            wrong.append((size, f"no checkpoint: {error}"))
            continue
        report.checkpoints += 1
        report.unsigned += not keys
        if keys and not any(note.is_signed_by(key) and checkpoint.origin == f"{key.name}/{log.log}" for key in keys):
            wrong.append((size, "a checkpoint that the gate did not sign"))
        elif checkpoint.size >= log.kept_from - 1:  # of what was dropped before, nothing can be said any more
            claims.setdefault(checkpoint.size, []).append(checkpoint)
    return claims, wrong


def _held(claims: dict[int, list[Checkpoint]], size: int, root: bytes, head: bytes) -> Iterator[tuple[int, str, str]]:
    for claim in claims.get(size, ()):
        if (claim.root, claim.head) != (root, head):
            yield size, "root", "the gate signed for other records than these"


def _frontier(log: _Log) -> Frontier:
    """The tree over the records that were dropped. Were its hashes changed, no later root would come out."""
    size = log.kept_from - 1
    levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
    peaks = dict(zip(levels, log.edge, strict=False))
    return Frontier.of(size, lambda level, _number: peaks.get(level, b""))


def _beside(connection: psycopg.Connection[Any], logs: dict[int, _Log], gate: str, grace_s: float) -> list[Finding]:
    """What the collectors found themselves, and records that belong to no log."""
    found = []
    for no, seq, what in connection.execute("select log_no, seq, what from fork where settled is null order by log_no, seq"):
        if no in logs:
            found.append(Finding(gate=logs[no].gate, log=logs[no].log, seq=seq, kind="fork", what=what))
    missing = connection.execute(
        "select l.no, l.through + 1 from gate_log l where exists "
        "(select from pending p where p.log_no = l.no and p.received <= now() - make_interval(secs => %s))",
        (grace_s,),
    ).fetchall()
    for no, seq in missing:
        if no in logs:
            found.append(Finding(gate=logs[no].gate, log=logs[no].log, seq=seq, kind="gap", what="records behind it are here"))
    if not gate:
        strays = connection.execute(_STRAYS, (list(logs),)).fetchall()
        found += [
            Finding(gate="", log=str(no), seq=0, kind="progress", what="records of a log that is not known") for (no,) in strays
        ]
    return found


def summary(report: Report, at: datetime) -> dict[str, Any]:
    """As JSON tells it."""
    counts = ("gates", "logs", "events", "waiting", "dropped", "destroyed", "checkpoints", "unsigned", "gaps", "forks")
    told = [
        {"gate": each.gate, "log": each.log, "seq": each.seq, "kind": each.kind, "what": each.what} for each in report.findings
    ]
    return {"at": at.isoformat(), "good": report.good, **{name: getattr(report, name) for name in counts}, "findings": told}
