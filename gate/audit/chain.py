"""The chain of the audit log: what a record is, how records hang together, and what an examination finds.

Each record carries HMAC-SHA256 under a key of the gate over all its columns and the hash before it; the first one continues the
hash of the meta row. So a changed, removed, added or reordered record breaks the chain at its place. What a chain cannot see by
itself is a tail that was cut off, or a log that was written anew by somebody who has the key: for that there are checkpoints, which a
witness keeps elsewhere (``notary.py``, ``verify.py``).
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar

import msgspec

from gate.audit.fields import opened
from gate.records import TransactionRecord

KEY_BYTES = 32
"""Fewest bytes of the gate's key."""
DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged file raises: sqlite3 quotes bytes of the file in its messages, and they need not be UTF-8."""
Row = tuple[int, bytes, float, bytes, bytes, bytes, bytes, bytes]
"""A record as it lies in the file, its columns in their order; text as bytes."""
_TYPES = (int, bytes, float, bytes, bytes, bytes, bytes, bytes)
_COLUMNS = "seq, at, boot, transaction_id, kind, body, previous, hash"
T = TypeVar("T")


class AuditError(Exception):
    """The log cannot be opened, read or written; says which file and what to do. Nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record. ``at`` is ISO 8601 in UTC, ``boot`` seconds since boot, ``body`` canonical JSON with all personal fields that can be opened;
    ``gone``: the kinds of those that cannot (``fields.py``), in whose places there are blanks.
    """

    seq: int
    at: str
    boot: float
    transaction: str
    kind: str
    body: bytes = field(repr=False)
    previous: bytes = field(repr=False)
    hash: bytes
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """Something is wrong with the log. ``seq`` 0 = the file or its meta row."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain: an anchor against cutting off its tail."""

    seq: int
    hash: bytes


class FieldKeys(Protocol):
    """Opens personal fields: :data:`gate.audit.fields.Unseal`, and AuditError where the keys cannot be used at all."""

    def unseal(self, number: int, box: bytes, where: bytes) -> bytes | None: ...
    def close(self) -> None: ...


class AuditReader:
    """Reads a log. Safe beside the one writer. ``key`` is needed only by :meth:`verify`; without ``fields`` nothing sealed is opened."""

    def __init__(self, connection: sqlite3.Connection, path: Path, key: bytes | None, fields: FieldKeys | None = None) -> None:
        self._connection, self._path, self._fields = connection, path, fields
        self._key = chain_key(key) if key is not None else None

    def close(self) -> None:
        self._connection.close()
        if self._fields:
            self._fields.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self, kind: str | None = None) -> Iterator[AuditRecord]:
        """All records (of one kind), oldest first. Raises AuditError where the file is damaged."""
        try:
            for row in self._rows():
                if kind is None or row[4] == kind.encode():
                    yield self._record(row)
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error

    def newest(self, count: int) -> list[AuditRecord]:
        """The last ``count`` records, oldest first. Raises AuditError where the file is damaged."""
        try:
            return [self._record(row) for row in self._rows(newest=count)][::-1]
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error}); `autogate audit verify` tells what is lost") from error

    def transactions(self) -> Iterator[TransactionRecord]:
        """The transactions that ended, oldest first. Raises AuditError where a record cannot be decoded."""
        for record in self.records("transaction"):
            yield decode(record, TransactionRecord)

    def head(self) -> Head:
        """The end of the chain now."""
        try:
            row = self._connection.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
            seq, last = row or (0, self._meta()[3])
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error
        return Head(seq=seq, hash=last)

    def rows(self, after: int, most: int, kind: str | None = None) -> list[Row]:
        """Up to ``most`` records (of one kind) behind number ``after``. Raises AuditError where the file is damaged there."""
        try:
            if kind is not None:
                return list(self._select("WHERE seq > ? AND kind = ? ORDER BY seq LIMIT ?", after, kind, most))
            return list(self._select("WHERE seq > ? ORDER BY seq LIMIT ?", after, most))
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error

    def row(self, seq: int) -> Row | None:
        """The record with that number, None where there is none. Raises AuditError where it cannot be read."""
        try:
            return next(self._select("WHERE seq = ?", seq), None)
        except DAMAGE as error:
            raise AuditError(f"{self._path}: record {seq} cannot be read ({error})") from error

    def record(self, seq: int) -> AuditRecord:
        """The record with that number, as far as it can be opened. Raises AuditError where there is none or it cannot be read."""
        row = self.row(seq)
        if row is None:
            raise AuditError(f"{self._path}: there is no record {seq}")
        try:
            return self._record(row)
        except UnicodeDecodeError as error:
            raise AuditError(f"{self._path}: record {seq} cannot be read ({error})") from error

    def opened(self, row: Row) -> AuditRecord:
        """What :meth:`rows` or :meth:`row` gave, with its personal fields. Raises AuditError where it was changed, UnicodeDecodeError."""
        return self._record(row)

    def start(self) -> Head:
        """What the first record continues: the hash of the meta row. Raises AuditError where it cannot be read."""
        try:
            return Head(seq=0, hash=self._meta()[3])
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error

    def log_id(self) -> str:
        """Sixteen digits that no other log has. Raises AuditError where the meta row cannot be read."""
        try:
            return hashlib.sha256(b"autogate audit log\n" + self._meta()[2]).hexdigest()[:16]
        except DAMAGE as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error

    def verify(self, anchor: Head | None = None) -> list[AuditFinding]:
        """Check every column of every record, and that ``anchor`` is part of the chain. Empty = nothing found."""
        key = self.need_key()
        findings = self.verify_meta()
        try:
            last = Head(seq=0, hash=self._meta()[3])
            anchored = anchor in (None, last)
            for row in self._rows():
                findings += [AuditFinding(seq=row[0], what=what) for what in faults(row, last, key)]
                last = Head(seq=row[0], hash=row[7])
                anchored = anchored or anchor == last
        except DAMAGE as error:
            return [*findings, AuditFinding(seq=0, what=f"the file is damaged: {error}")]
        if anchor is not None and not anchored:
            findings.append(
                AuditFinding(seq=anchor.seq, what="the remembered head is not in the chain: records were cut off or replaced")
            )
        return findings

    def verify_meta(self) -> list[AuditFinding]:
        """Check the meta row alone: format, and that this is the log's key."""
        key = self.need_key()
        try:
            version, created, nonce, found = self._meta()
        except DAMAGE as error:
            return [AuditFinding(seq=0, what=f"the file is damaged: {error}")]
        if not hmac.compare_digest(found, meta_hash(key, version, created, nonce)):
            return [AuditFinding(seq=0, what="the meta row was changed, or the key is another")]
        return []

    def _meta(self) -> tuple[int, bytes, bytes, bytes]:
        rows = self._connection.execute("SELECT format, created, nonce, hash FROM meta").fetchall()
        if len(rows) != 1 or tuple(map(type, rows[0])) != (int, bytes, bytes, bytes):
            raise sqlite3.DatabaseError("the meta row is gone, double or of other types")
        version, created, nonce, found = rows[0]
        return version, created, nonce, found

    def need_key(self) -> bytes:
        """The key of the chain. Raises AuditError where the log was opened without one."""
        if self._key is None:
            raise AuditError(f"{self._path}: verifying needs the gate's key")
        return self._key

    def _rows(self, newest: int | None = None) -> Iterator[Row]:
        return self._select("ORDER BY seq") if newest is None else self._select("ORDER BY seq DESC LIMIT ?", newest)

    def _select(self, which: str, *values: int | str) -> Iterator[Row]:
        """Text as bytes: a flipped byte need not be UTF-8 any more; and a damaged page may hold other types than the schema's."""
        for row in self._connection.cursor().execute(f"SELECT {_COLUMNS} FROM record {which}", values):  # noqa: S608 (constants)
            if tuple(map(type, row)) != _TYPES:
                raise sqlite3.DatabaseError(f"record {row[0]!r} has columns of other types")
            yield row

    def _record(self, row: Row) -> AuditRecord:
        transaction, kind = row[3].decode(), row[4].decode()
        try:
            body, gone = opened(transaction, kind, row[5], self._fields.unseal if self._fields else None)
        except ValueError as error:
            raise AuditError(f"record {row[0]}: {error}") from error
        return AuditRecord(
            seq=row[0],
            at=row[1].decode(),
            boot=row[2],
            transaction=transaction,
            kind=kind,
            body=body,
            previous=row[6],
            hash=row[7],
            gone=gone,
        )


def encode(body: msgspec.Struct) -> bytes:
    """Canonical JSON: fields in their order, keys of mappings sorted."""
    return msgspec.json.encode(body, order="deterministic")


def decode(record: AuditRecord, body: type[T]) -> T:
    """The body of ``record``, e.g. as a DecisionRecord. Raises AuditError."""
    try:
        return msgspec.json.decode(record.body, type=body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AuditError(f"record {record.seq}: {error}") from error


def chain_key(key: bytes) -> bytes:
    """The key of the chain, out of the gate's, which also guards its link. Raises AuditError where that is too short."""
    if len(key) < KEY_BYTES:
        raise AuditError(f"the gate's key has {len(key)} bytes, must have at least {KEY_BYTES}")
    return hmac.digest(key, b"autogate audit chain", "sha256")


def faults(row: Row, last: Head, key: bytes) -> Iterator[str]:
    """What is wrong with ``row``, given the record before it."""
    if row[0] != last.seq + 1:
        yield f"a gap: the record before it has number {last.seq}"
    if not hmac.compare_digest(row[6], last.hash):
        yield "does not continue the record before it"
    if not hmac.compare_digest(row[7], record_hash(key, *row[:7])):
        yield "a column was changed"


def record_hash(key: bytes, seq: int, at: bytes, boot: float, *rest: bytes) -> bytes:
    return hmac.digest(key, _framed(b"record", struct.pack(">q", seq), at, struct.pack(">d", boot), *rest), "sha256")


def meta_hash(key: bytes, version: int, created: bytes, nonce: bytes) -> bytes:
    return hmac.digest(key, _framed(b"meta", struct.pack(">q", version), created, nonce), "sha256")


def leaf_data(row: Row) -> bytes:
    """What of a record goes into the Merkle tree: every column. The keyed hash among them keeps a leaf's hash from telling what the body is."""
    return _framed(b"record", struct.pack(">q", row[0]), row[1], struct.pack(">d", row[2]), *row[3:])


def _framed(*columns: bytes) -> bytes:
    """The columns, each behind its length: no two rows give the same bytes."""
    return b"".join(struct.pack(">I", len(column)) + column for column in columns)
