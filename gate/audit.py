"""The audit log: a chain of records in SQLite. A record is durable when ``append`` returns, and changing it later is found.

Each record carries HMAC-SHA256 under the gate's key over all its columns and the hash before it; the first one continues the hash of
the meta row. So a changed, removed, added or reordered record breaks the chain at its place. What a chain cannot see by itself is a
tail that was cut off: for that, remember :meth:`AuditReader.head` elsewhere and hand it to :meth:`AuditReader.verify`.

No record type has a field for a name, a number or an image; bodies are canonical JSON, decoded by msgspec.
"""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, TypeVar, get_args

import msgspec

from gate.records import TransactionRecord

Kind = Literal["permit", "decision", "transaction", "event"]
"""``permit``: the decision that opens a door, written before the door is commanded; ``decision``: every other one;
``transaction``: one that ended; ``event``: what the lane did or lost."""

FILE_NAME = "audit.sqlite3"
"""Name of the log within a state folder."""
FORMAT = 1
APPLICATION_ID = 0x41554741
"""``AUGA``: marks the file as an autogate audit log."""
KEY_BYTES = 32
MAX_BODY = 1 << 20
"""Bytes; a transaction with two decisions takes about 8 kB."""
BUSY_S = 2.0
"""A reader's checkpoint may hold the file this long; then the append fails rather than keep a traveller."""

_META = "CREATE TABLE meta (format INTEGER NOT NULL, created TEXT NOT NULL, nonce BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
_RECORD = (
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, boot REAL NOT NULL, transaction_id TEXT NOT NULL, "
    "kind TEXT NOT NULL, body BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
)
_Row = tuple[int, bytes, float, bytes, bytes, bytes, bytes, bytes]
_COLUMNS = "seq, at, boot, transaction_id, kind, body, previous, hash"


T = TypeVar("T")


class AuditError(Exception):
    """The log cannot be opened, read or written; says which file and what to do. Nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record as stored. ``at`` is ISO 8601 in UTC, ``boot`` seconds since boot, ``body`` canonical JSON."""

    seq: int
    at: str
    boot: float
    transaction: str
    kind: str
    body: bytes = field(repr=False)
    previous: bytes = field(repr=False)
    hash: bytes


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


class AuditReader:
    """Reads a log. Safe beside the one writer. ``key`` is needed only by :meth:`verify`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, key: bytes | None) -> None:
        self._connection, self._path, self._key = connection, path, key

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self, kind: Kind | None = None) -> Iterator[AuditRecord]:
        """All records (of one kind), oldest first. Raises AuditError where the file is damaged."""
        try:
            for row in self._rows():
                record = AuditRecord(
                    seq=row[0],
                    at=row[1].decode(),
                    boot=row[2],
                    transaction=row[3].decode(),
                    kind=row[4].decode(),
                    body=row[5],
                    previous=row[6],
                    hash=row[7],
                )
                if kind is None or record.kind == kind:
                    yield record
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error

    def transactions(self) -> Iterator[TransactionRecord]:
        """The transactions that ended, oldest first. Raises AuditError where a record cannot be decoded."""
        for record in self.records("transaction"):
            yield decode(record, TransactionRecord)

    def head(self) -> Head:
        """The end of the chain now."""
        try:
            row = self._connection.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
            seq, last = row or (0, self._connection.execute("SELECT hash FROM meta").fetchone()[0])
        except (sqlite3.Error, TypeError) as error:
            raise AuditError(f"{self._path}: cannot be read ({error})") from error
        return Head(seq=seq, hash=last)

    def verify(self, anchor: Head | None = None) -> list[AuditFinding]:
        """Check every column of every record, and that ``anchor`` is part of the chain. Empty = nothing found."""
        key = self._need_key()
        findings = self.verify_meta()
        try:
            meta = self._connection.execute("SELECT hash FROM meta").fetchone()
            last = Head(seq=0, hash=meta[0] if meta else b"")
            anchored = anchor in (None, last)
            for row in self._rows():
                findings += [AuditFinding(seq=row[0], what=what) for what in _wrong(row, last, key)]
                last = Head(seq=row[0], hash=row[7])
                anchored = anchored or anchor == last
        except sqlite3.Error as error:
            return [*findings, AuditFinding(seq=0, what=f"the file is damaged: {error}")]
        if anchor is not None and not anchored:
            findings.append(
                AuditFinding(seq=anchor.seq, what="the remembered head is not in the chain: records were cut off or replaced")
            )
        return findings

    def verify_meta(self) -> list[AuditFinding]:
        """Check the meta row alone: format, and that this is the log's key."""
        key = self._need_key()
        try:
            rows = self._connection.execute("SELECT format, created, nonce, hash FROM meta").fetchall()
        except sqlite3.Error as error:
            return [AuditFinding(seq=0, what=f"the file is damaged: {error}")]
        if len(rows) != 1 or not hmac.compare_digest(rows[0][3], _meta_hash(key, *rows[0][:3])):
            return [AuditFinding(seq=0, what="the meta row was changed, or the key is another")]
        return []

    def _need_key(self) -> bytes:
        if self._key is None:
            raise AuditError(f"{self._path}: verifying needs the gate's key")
        return self._key

    def _rows(self) -> Iterator[_Row]:
        """Text as bytes: a flipped byte need not be UTF-8 any more."""
        cursor = self._connection.cursor()
        yield from cursor.execute(f"SELECT {_COLUMNS} FROM record ORDER BY seq")  # noqa: S608 (constant column list)


class AuditLog(AuditReader):
    """The one writer of a log. ``key`` (32 bytes) is the gate's; the file is created with mode 0600 where it is absent.

    Raises AuditError for a foreign schema, another key, a file in use by another writer, a disk that takes no more.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise AuditError(f"{path}: the key must have {KEY_BYTES} bytes")
        with ExitStack() as undo:
            try:
                self._lock = _lock(path)
                undo.callback(os.close, self._lock)
                connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
                undo.callback(connection.close)
                connection.text_factory = bytes
                super().__init__(connection, path, key)
                self._head = _prepare(connection, path, key)
            except (sqlite3.Error, OSError) as error:
                raise AuditError(f"{path}: cannot be opened ({error})") from error
            undo.pop_all()
        self._secret = key

    def close(self) -> None:
        super().close()
        os.close(self._lock)

    def append(self, kind: Kind, transaction: str, body: bytes | msgspec.Struct, at: datetime, boot: float) -> int:
        """Add a record; it is on the disk when this returns its number. Raises AuditError, and then it is not recorded."""
        raw = body if isinstance(body, bytes) else encode(body)
        if kind not in get_args(Kind) or len(raw) > MAX_BODY or at.tzinfo is None:
            raise AuditError(f"{self._path}: record refused: kind {kind!r}, {len(raw)} bytes (limit {MAX_BODY}), time {at!r}")
        moment, since_boot = at.astimezone(UTC).isoformat(), float(boot) + 0.0  # SQLite keeps no negative zero
        try:
            columns = (self._head.seq + 1, moment.encode(), since_boot, transaction.encode(), kind.encode(), raw, self._head.hash)
            digest = _record_hash(self._secret, *columns)
            self._insert((columns[0], moment, since_boot, transaction, kind, raw, self._head.hash, digest))
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise AuditError(f"{self._path}: not recorded ({error}); free space or check the disk") from error
        self._head = Head(seq=columns[0], hash=digest)
        return columns[0]

    def _insert(self, row: tuple[object, ...]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _lock(path: Path) -> int:
    """Become the only writer, for as long as the descriptor is open. A file of its own: SQLite's locks must not be disturbed."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # before SQLite makes it with the umask's mode
    except OSError as error:
        os.close(lock)
        what = "another process writes to it" if isinstance(error, BlockingIOError) else str(error)
        raise AuditError(f"{path}: {what}") from error
    return lock


def _prepare(connection: sqlite3.Connection, path: Path, key: bytes) -> Head:
    """Create or check the schema, switch to durable WAL, check the key and the end of the chain. Returns the head."""
    fresh = not _schema(connection)
    if not fresh and (_schema(connection) != [("meta", _META), ("record", _RECORD)] or _mark(connection) != APPLICATION_ID):
        raise AuditError(f"{path}: not an audit log of this release; move it away")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if fresh:
        _create(connection, key)
    reader = AuditReader(connection, path, key)
    if findings := reader.verify_meta():
        raise AuditError(f"{path}: {findings[0].what}; move the file away or give the right key")
    return reader.head()


def _create(connection: sqlite3.Connection, key: bytes) -> None:
    created, nonce = datetime.now(UTC).isoformat(), secrets.token_bytes(16)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_META)
    connection.execute(_RECORD)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    digest = _meta_hash(key, FORMAT, created.encode(), nonce)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?)", (FORMAT, created, nonce, digest))
    connection.execute("COMMIT")


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return [(name.decode(), (sql or b"").decode()) for name, sql in rows]


def _mark(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA application_id").fetchone()[0]


class AuditWriter:
    """The log behind one long-lived thread, for the lane's loop: ``await append(...)`` returns when the record is durable."""

    def __init__(self, log: AuditLog, thread: ThreadPoolExecutor) -> None:
        self._log, self._thread = log, thread

    @classmethod
    async def open(cls, path: Path, key: bytes) -> AuditWriter:
        """Open or create the log. Raises AuditError."""
        thread = ThreadPoolExecutor(1, "audit")
        try:
            log = await asyncio.get_running_loop().run_in_executor(thread, AuditLog, path, key)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(log, thread)

    async def append(self, kind: Kind, transaction: str, body: bytes | msgspec.Struct, at: datetime, boot: float) -> int:
        """As :meth:`AuditLog.append`. Appends keep the order in which they were asked for."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._log.append, kind, transaction, body, at, boot)

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._log.close)
        self._thread.shutdown()


def open_readonly(path: Path, key: bytes | None = None) -> AuditReader:
    """Open an existing log for reading, beside its writer. Raises AuditError where it is absent or unreadable."""
    if not path.is_file():
        raise AuditError(f"{path}: there is no audit log")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise AuditError(f"{path}: cannot be opened ({error})") from error
    connection.text_factory = bytes
    return AuditReader(connection, path, key)


def encode(body: msgspec.Struct) -> bytes:
    """Canonical JSON: fields in their order, keys of mappings sorted."""
    return msgspec.json.encode(body, order="deterministic")


def decode(record: AuditRecord, body: type[T]) -> T:
    """The body of ``record``, e.g. as a DecisionRecord. Raises AuditError."""
    try:
        return msgspec.json.decode(record.body, type=body)
    except msgspec.MsgspecError as error:
        raise AuditError(f"record {record.seq}: {error}") from error


def _wrong(row: _Row, last: Head, key: bytes) -> Iterator[str]:
    """What is wrong with ``row``, given the record before it."""
    if row[0] != last.seq + 1:
        yield f"a gap: the record before it has number {last.seq}"
    if not hmac.compare_digest(row[6], last.hash):
        yield "does not continue the record before it"
    if not hmac.compare_digest(row[7], _record_hash(key, *row[:7])):
        yield "a column was changed"


def _record_hash(key: bytes, seq: int, at: bytes, boot: float, *rest: bytes) -> bytes:
    return _hash(key, b"record", struct.pack(">q", seq), at, struct.pack(">d", boot), *rest)


def _meta_hash(key: bytes, version: int, created: bytes, nonce: bytes) -> bytes:
    return _hash(key, b"meta", struct.pack(">q", version), created, nonce)


def _hash(key: bytes, *columns: bytes) -> bytes:
    """HMAC-SHA256 over the columns, each behind its length: no two rows give the same bytes."""
    return hmac.digest(key, b"".join(struct.pack(">I", len(column)) + column for column in columns), "sha256")
