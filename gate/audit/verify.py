"""The examination of a log: against its own chain, against the checkpoints that the gate signed, and against what a witness has seen.

The chain finds whoever lacks the gate's key. Checkpoints find a tail that was cut off by somebody who did not sign new ones. A witness's file
finds all else, up to the last checkpoint that the witness took: a log that was cut off, forked or written anew with every key of the gate.
A file whose pages are damaged is read as far as it can be, and what is lost is told by its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from gate.audit.chain import AuditError, AuditFinding, AuditReader, Head, Row, faults, leaf_data
from gate.audit.ledger import is_log_of, ledger_lines
from gate.audit.note import Checkpoint, Note, NoteError, VerifierKey
from gate.audit.store import BATCH, TreeStore
from gate.audit.tree import Frontier, leaf_hash

MOST_FINDINGS = 1000
"""More say nothing that these do not."""
MOST_UNKNOWN = 1_000_000
"""Records that a damaged file is believed to have beyond those that the tree knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the log is held against: whose signatures count, and the witness's file. ``earlier``: logs of this gate that are kept elsewhere."""

    gate: VerifierKey | None = None
    witness: VerifierKey | None = None
    ledger: Path | None = None
    earlier: frozenset[str] = frozenset()
    received: tuple[tuple[str, Head], ...] = ()
    """Log and record up to which a fleet's centre acknowledged it (:mod:`gate.fleet.receipts`), each proven to be the centre's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``lost``: numbers of records that cannot be read, first and last of each run. Honest are a log without findings and its witness."""

    findings: tuple[AuditFinding, ...]
    lost: tuple[tuple[int, int], ...]
    head: Head
    origin: str
    checkpoints: int
    witnessed: int
    """Records up to which a witness's word was found, 0 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """Somebody signed for a state of the log; ``who`` says it."""

    checkpoint: Checkpoint
    who: str


@dataclass(slots=True)
class _Walk:
    """What one pass over the records gives."""

    findings: list[AuditFinding]
    lost: list[int] = field(default_factory=list)
    states: dict[int, tuple[bytes | None, bytes]] = field(default_factory=dict)
    """Size → root and head, for the sizes asked for; no root where a lost record's hash is not known either."""
    head: Head = field(default_factory=lambda: Head(seq=0, hash=b""))


def verify_log(log: AuditReader, tree: TreeStore | None, evidence: Evidence) -> Verdict:
    """Examine ``log``. Raises AuditError where it has no key or its meta row cannot be read, and for a witness's file that cannot."""
    findings = log.verify_meta()
    origin = log.log_id()
    own, said = _own_claims(tree, evidence, origin)
    seen, seen_said, origins = _seen_claims(evidence, origin)
    received = [head for name, head in evidence.received if name == origin]
    walk = _walked(log, tree, {claim.checkpoint.size for claim in (*own, *seen)} | {head.seq for head in received})
    findings += walk.findings + said + seen_said + _held_against(walk, own) + _held_against(walk, seen)
    if tree is not None:
        findings += _unreceipted(tree, evidence, seen)
    findings += _not_as_received(walk, received)
    findings += [
        AuditFinding(seq=0, what=f"the centre holds {head.seq} records of another log of this gate, {name}: verify that one, too")
        for name, head in evidence.received
        if name not in {origin, *evidence.earlier}
    ]
    findings += [
        AuditFinding(seq=0, what=f"the witness knows {size} records of another log of this gate, {name}: verify that one, too")
        for name, size in origins.items()
        if name.rpartition("/")[2] not in evidence.earlier
    ]
    return Verdict(
        findings=tuple(findings[:MOST_FINDINGS]),
        lost=_runs(walk.lost),
        head=walk.head,
        origin=origin,
        checkpoints=len(own),
        witnessed=max((claim.checkpoint.size for claim in seen), default=_receipted(tree, evidence)),
    )


# --- what was signed ---------------------------------------------------------------------------------------------------------


def _own_claims(tree: TreeStore | None, evidence: Evidence, origin: str) -> tuple[list[_Claim], list[AuditFinding]]:
    """The gate's own checkpoints, as far as its key signed them."""
    claims, findings = [], []
    for kept in tree.checkpoints() if tree else ():
        try:
            note = Note.parse(kept.note)
            checkpoint = Checkpoint.parse(note.text)
        except NoteError as error:
            findings.append(AuditFinding(seq=kept.size, what=f"the checkpoint kept here is broken: {error}"))
            continue
        if evidence.gate and not (note.is_signed_by(evidence.gate) and is_log_of(evidence.gate, checkpoint.origin)):
            findings.append(AuditFinding(seq=kept.size, what="the checkpoint kept here is not signed by the gate"))
        elif checkpoint.origin.rpartition("/")[2] != origin or checkpoint.size != kept.size:
            findings.append(AuditFinding(seq=kept.size, what="the checkpoint kept here is of another log"))
        else:
            claims.append(_Claim(checkpoint=checkpoint, who="the gate signed"))
        if kept.witnessed and evidence.witness and note.cosigned(evidence.witness) is None:
            findings.append(AuditFinding(seq=kept.size, what="the witness's receipt is gone, or forged"))
    return claims, findings


def _seen_claims(evidence: Evidence, origin: str) -> tuple[list[_Claim], list[AuditFinding], dict[str, int]]:
    """What the witness's file says of this log, and the sizes of other logs of this gate in it."""
    claims: list[_Claim] = []
    findings: list[AuditFinding] = []
    others: dict[str, int] = {}
    for number, note in ledger_lines(evidence.ledger) if evidence.ledger else ():
        if note is None:
            continue  # torn by a power cut of the witness's
        try:
            checkpoint = Checkpoint.parse(note.text)
        except NoteError:
            continue
        name, _, log_id = checkpoint.origin.rpartition("/")
        if evidence.gate and name != evidence.gate.name:
            continue  # one file may serve many gates
        if evidence.gate and not note.is_signed_by(evidence.gate):
            findings.append(
                AuditFinding(seq=checkpoint.size, what=f"line {number} of the witness's file is not signed by the gate")
            )
        elif evidence.witness and note.cosigned(evidence.witness) is None:
            findings.append(
                AuditFinding(seq=checkpoint.size, what=f"line {number} of the witness's file is not signed by the witness")
            )
        elif log_id == origin:
            claims.append(_Claim(checkpoint=checkpoint, who="the witness saw"))
        else:
            others[checkpoint.origin] = max(checkpoint.size, others.get(checkpoint.origin, 0))
    return claims, findings, others


def _unreceipted(tree: TreeStore, evidence: Evidence, seen: list[_Claim]) -> list[AuditFinding]:
    """Receipts that are missing here or there. The newest that the witness gave may still be on its way."""
    if evidence.ledger is None:
        return []
    here, there = {kept.size for kept in tree.checkpoints() if kept.witnessed}, {claim.checkpoint.size for claim in seen}
    gone = [
        AuditFinding(seq=size, what="the witness took a checkpoint here, and the gate does not know of it")
        for size in sorted(there - here - {max(there, default=0)})
    ]
    return gone + [
        AuditFinding(seq=size, what="the witness took a checkpoint here, as the gate says, and its file lacks it")
        for size in sorted(here - there)
    ]


def _receipted(tree: TreeStore | None, evidence: Evidence) -> int:
    """Records up to which a receipt is kept here, as far as the witness's key says so."""
    kept = tree.witnessed() if tree and evidence.witness else None
    try:
        good = kept is not None and evidence.witness is not None and Note.parse(kept.note).cosigned(evidence.witness) is not None
    except NoteError:
        good = False
    return kept.size if kept and good else 0


# --- what is there -----------------------------------------------------------------------------------------------------------


def _walked(log: AuditReader, tree: TreeStore | None, sizes: set[int]) -> _Walk:
    """One pass over the records: the chain, the tree's leaves, and the states at ``sizes``."""
    walk, last, edge, key = _Walk(findings=[]), log.start(), Frontier(), log.need_key()
    kept, broken = tree.leaves() if tree else repeat(None, 0), False
    for row in readable(log, tree.size if tree else 0):
        leaf = next(kept, None)
        if isinstance(row, int):
            walk.lost.append(row)
            last, broken = Head(seq=row, hash=b""), broken or leaf is None
            edge.add(leaf or b"")
            continue
        made = leaf_hash(leaf_data(row))
        after_loss = last.hash == b""
        before = Head(seq=last.seq, hash=row[6]) if after_loss else last
        walk.findings += [AuditFinding(seq=row[0], what=what) for what in faults(row, before, key)][
            : MOST_FINDINGS - len(walk.findings)
        ]
        if leaf not in {None, made} and len(walk.findings) < MOST_FINDINGS:
            walk.findings.append(AuditFinding(seq=row[0], what="it is not the record that went into the tree"))
        edge.add(made)
        last = Head(seq=row[0], hash=row[7])
        if edge.size in sizes:
            walk.states[edge.size] = (None if broken else edge.root()), last.hash
    walk.head = last
    if next(kept, None) is not None:
        walk.findings.append(AuditFinding(seq=edge.size + 1, what="the tree has more records than the log: its tail was cut off"))
    walk.findings += [AuditFinding(seq=first, what=_lost(first, end)) for first, end in _runs(walk.lost)]
    return walk


def readable(log: AuditReader, known: int) -> Iterator[Row | int]:
    """The records in their order; of one that cannot be read its number alone. ``known``: as many there were at least."""
    after = 0
    while True:
        try:
            rows = log.rows(after, BATCH)
        except AuditError:
            newest = max(known, min(_newest(log), known + MOST_UNKNOWN))
            yield from _one_by_one(log, after, newest)
            after += BATCH
            if after >= newest:
                return
            continue
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _one_by_one(log: AuditReader, after: int, newest: int) -> Iterator[Row | int]:
    """Where the file does not even tell where it ends, the first number that cannot be read is called lost, whatever comes behind it."""
    told = False
    for seq in range(after + 1, after + BATCH + 1):
        try:
            row = log.row(seq)
        except AuditError:
            if seq <= newest or not told:
                told = True
                yield seq
        else:
            if row is not None:
                yield row


def _newest(log: AuditReader) -> int:
    try:
        return log.head().seq
    except AuditError:
        return 0


def _held_against(walk: _Walk, claims: list[_Claim]) -> list[AuditFinding]:
    """The first claim that does not hold, and how many there are."""
    wrong = sorted((claim for claim in claims if not _holds(walk, claim.checkpoint)), key=lambda claim: claim.checkpoint.size)
    if not wrong:
        return []
    first, more = wrong[0], f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    size = first.checkpoint.size
    what = "the log ends before that" if size > walk.head.seq else "the log is another"
    return [AuditFinding(seq=size, what=f"{first.who} a checkpoint here{more}: {what}")]


def _not_as_received(walk: _Walk, received: list[Head]) -> list[AuditFinding]:
    """Records that the centre holds with another hash, or that are gone from here."""
    return [
        AuditFinding(
            seq=head.seq,
            what="the centre received another record"
            if head.seq <= walk.head.seq
            else "the centre received a record here: the log ends before that",
        )
        for head in received
        if head.seq not in walk.lost and walk.states.get(head.seq, (None, b""))[1] != head.hash
    ]


def _holds(walk: _Walk, checkpoint: Checkpoint) -> bool:
    if checkpoint.size not in walk.states:
        return checkpoint.size in walk.lost  # said already
    root, head = walk.states[checkpoint.size]
    return head == checkpoint.head and root in {None, checkpoint.root}


def _lost(first: int, last: int) -> str:
    return "it cannot be read" if first == last else f"it and all up to {last} cannot be read"


def _runs(numbers: list[int]) -> tuple[tuple[int, int], ...]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return tuple(runs)
