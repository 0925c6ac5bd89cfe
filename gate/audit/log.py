"""The audit log: a chain of records in SQLite. A record is durable when ``append`` returns, and changing it later is found.

No record type has a field for a traveller's name, a number or an image; bodies are canonical JSON, decoded by msgspec. How the chain holds is
said in ``chain.py``, which fields are sealed in ``fields.py``.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import msgspec

from gate.audit.chain import (
    DAMAGE,
    AuditError,
    AuditFinding,
    AuditReader,
    AuditRecord,
    Head,
    chain_key,
    decode,
    encode,
    meta_hash,
    record_hash,
)

__all__ = [
    "AuditError",
    "AuditFinding",
    "AuditLog",
    "AuditReader",
    "AuditRecord",
    "AuditWriter",
    "Head",
    "decode",
    "encode",
    "open_readonly",
]

Kind = Literal["permit", "decision", "transaction", "event", "panel", "officer", "watch", "viewed", "pictures", "tally"]
"""``permit``: the decision that opens a door, written before the door is commanded; ``decision``: every other one;
``transaction``: one that ended; ``event``: what the lane did or lost; ``officer``: what an officer ordered, carried out or refused;
``watch``: who went on watch, which counts as supervision, and when that ended;
``viewed``: who looked at a case, as far as is known; ``pictures``: that a traveller's pictures were handed out to be looked at;
``tally``: with how many official books travellers came on a day (``tally.py``)."""

FILE_NAME = "audit.sqlite3"
"""Name of the log within a state folder."""
KEY_FILE = "gate.key"
"""Name of the gate's key within a state folder, as text."""
SEALING_KEY_FILE = "sealing.key"
"""Name of a demonstration's sealing key within its state folder, as 64 hexadecimal digits."""
FORMAT = 1
APPLICATION_ID = 0x41554741
"""``AUGA``: marks the file as an autogate audit log."""
MAX_BODY = 1 << 20
"""Bytes; a transaction with two decisions takes about 8 kB."""
DAMAGED = "a damaged log is evidence: `autogate audit verify` tells what is lost; move it and what lies beside it away, and start: another begins"
"""What to do with a file that cannot be opened or read."""
BUSY_S = 2.0
"""A reader's checkpoint may hold the file this long; then the append fails rather than keep a traveller."""

_META = "CREATE TABLE meta (format INTEGER NOT NULL, created TEXT NOT NULL, nonce BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
_RECORD = (
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, boot REAL NOT NULL, transaction_id TEXT NOT NULL, "
    "kind TEXT NOT NULL, body BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
)


class AuditLog(AuditReader):
    """The one writer of a log. ``key`` is the gate's (at least 32 bytes); the file is created with mode 0600 where it is absent.

    Raises AuditError for a foreign schema, another key, a file in use by another writer, a disk that takes no more.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._secret = chain_key(key)
        with ExitStack() as undo:
            try:
                self._lock = _lock(path)
                undo.callback(os.close, self._lock)
                connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
                undo.callback(connection.close)
                connection.text_factory = bytes
                super().__init__(connection, path, key)
                self._head = _prepare(connection, path, key)
            except (*DAMAGE, OSError) as error:
                raise AuditError(f"{path}: cannot be opened ({error}); {_remedy(error)}") from error
            undo.pop_all()

    def close(self) -> None:
        with suppress(
            sqlite3.Error
        ):  # a reader beside us keeps SQLite from doing so by itself; what cannot be is done at the next start
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        super().close()
        os.close(self._lock)

    def append(self, kind: str, transaction: str, body: bytes | msgspec.Struct, at: datetime, boot: float) -> int:
        """Add a record; it is on the disk when this returns its number. Raises AuditError, and then it is not recorded."""
        raw = body if isinstance(body, bytes) else encode(body)
        if kind not in get_args(Kind) or len(raw) > MAX_BODY or at.tzinfo is None:
            raise AuditError(f"{self._path}: record refused: kind {kind!r}, {len(raw)} bytes (limit {MAX_BODY}), time {at!r}")
        moment, since_boot = at.astimezone(UTC).isoformat(), float(boot) + 0.0  # SQLite keeps no negative zero
        try:
            columns = (self._head.seq + 1, moment.encode(), since_boot, transaction.encode(), kind.encode(), raw, self._head.hash)
            digest = record_hash(self._secret, *columns)
            self._insert((columns[0], moment, since_boot, transaction, kind, raw, self._head.hash, digest))
        except (*DAMAGE, UnicodeEncodeError) as error:
            raise AuditError(f"{self._path}: not recorded ({error}); free space or check the disk") from error
        self._head = Head(seq=columns[0], hash=digest)
        return columns[0]

    def _insert(self, row: tuple[object, ...]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._connection.execute("COMMIT")
        except DAMAGE:
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
    if not fresh and (
        _schema(connection) != [(b"meta", _META.encode()), (b"record", _RECORD.encode())] or _mark(connection) != APPLICATION_ID
    ):
        raise AuditError(f"{path}: not an audit log of this release; move it away")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if fresh:
        _create(connection, chain_key(key))
    reader = AuditReader(connection, path, key)
    if findings := reader.verify_meta():
        raise AuditError(f"{path}: {findings[0].what}; move the file away or give the right key")
    try:
        return reader.head()
    except AuditError as error:
        raise AuditError(f"{error}; {DAMAGED}") from error


def _remedy(error: Exception) -> str:
    """SQLite calls operational what is not the file's own fault."""
    damaged = isinstance(error, DAMAGE) and not isinstance(error, sqlite3.OperationalError)
    return DAMAGED if damaged else "free space, or check the disk and who may write there"


def _create(connection: sqlite3.Connection, key: bytes) -> None:
    created, nonce = datetime.now(UTC).isoformat(), secrets.token_bytes(16)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_META)
    connection.execute(_RECORD)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    digest = meta_hash(key, FORMAT, created.encode(), nonce)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?)", (FORMAT, created, nonce, digest))
    connection.execute("COMMIT")


def _schema(connection: sqlite3.Connection) -> list[tuple[object, object]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def _mark(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA application_id").fetchone()[0]


class FieldSealer(Protocol):
    """Seals the personal fields of what is to be written."""

    async def sealed(self, kind: str, transaction: str, body: bytes, *, whole: bool) -> bytes:
        """``body``, its personal fields sealed; with ``whole`` AuditError where they cannot be, else without them. Returns at once where there are none."""


class AuditWriter:
    """The log behind one long-lived thread, for the lane's loop: ``await append(...)`` returns when the record is durable."""

    def __init__(self, log: AuditLog) -> None:
        self._log, self._thread, self._turn = log, ThreadPoolExecutor(1, "audit"), asyncio.Lock()
        self.sealer: FieldSealer | None = None
        """Without it, records are written as they come."""

    async def append(
        self, kind: str, transaction: str, body: bytes | msgspec.Struct, at: datetime, boot: float, *, whole: bool = False
    ) -> int:
        """As :meth:`AuditLog.append`. Appends keep the order in which they were asked for. ``whole``: rather nothing than without personal fields."""
        raw = body if isinstance(body, bytes) else encode(body)
        async with self._turn:
            if self.sealer:
                raw = await self.sealer.sealed(kind, transaction, raw, whole=whole)
            done = self._begun(self._log.append, kind, transaction, raw, at, boot)
        return int(await done)

    async def caught_up(self) -> None:
        """Returns once everything that was asked for before is done: soon, unless the disk hangs."""
        async with self._turn:
            done = self._begun(lambda: None)
        await done

    def _begun(self, work: Callable[..., Any], *arguments: object) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """Finish what was asked for, then close the file. Blocks for as long as the disk takes."""
        self._thread.shutdown()
        self._log.close()


class _FieldKeysOf:
    """The keys of personal fields that lie beside a log: looked for when the first sealed record is read, and loaded by name, because the
    lane starts with this module too and loads no cryptography.
    """

    def __init__(self, folder: Path, key_file: Path | None) -> None:
        self._folder, self._key_file = folder, key_file or folder / SEALING_KEY_FILE
        self._needed = key_file is not None
        self._keys: Any = None

    def unseal(self, number: int, box: bytes, where: bytes) -> bytes | None:
        if self._keys is None:
            if not self._needed and not self._key_file.exists():
                return None
            self._keys = importlib.import_module("gate.audit.keyring").Keyring.of(self._folder, self._key_file)
        found: bytes | None = self._keys.unseal(number, box, where)
        return found

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()


def open_readonly(path: Path, key: bytes | None = None, sealing_key: Path | None = None) -> AuditReader:
    """Open an existing log for reading, beside its writer. Raises AuditError where it is absent or unreadable.

    ``sealing_key``: the file with the key that opens personal fields, by default a demonstration's, beside the log.
    """
    if not path.is_file():
        raise AuditError(f"{path}: there is no audit log")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise AuditError(f"{path}: cannot be opened ({error})") from error
    connection.text_factory = bytes
    return AuditReader(connection, path, key, _FieldKeysOf(path.parent, sealing_key))


def gate_key(file: Path) -> bytes:
    """The gate's key out of its file (file keys are for demonstrations). Raises OSError."""
    try:
        return file.read_text(encoding="ascii").strip().encode()
    except UnicodeDecodeError as error:
        raise OSError(f"{file}: not a key: write 64 hexadecimal digits") from error
