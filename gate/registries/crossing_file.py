"""The file behind the outbox of crossings: SQLite in WAL mode with ``synchronous=FULL``, each payload sealed, one writer.

A row begins as ``permitted`` and becomes ``passed`` or ``uncertain``, in which states it is sent, oldest first. One that has a reason
(``why``) is set aside until the next start: a person has to look at it. What is over is deleted, with its bytes. Plain in the file are
ids of transactions, states and times.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gate.registries.crossing_record import Ended
from gate.registries.sealed import SealBroken, SnapshotKey, new_salt

BUSY_S = 2.0
"""As long may somebody who reads hold the file; then the exit stays shut rather than keep a traveller."""
DAMAGE = (sqlite3.Error, OSError, ValueError, TypeError, OverflowError)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS salt (salt BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS crossing (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, at TEXT NOT NULL,
    sealed BLOB NOT NULL, why TEXT NOT NULL DEFAULT '') STRICT;
"""


class OutboxError(Exception):
    """The file cannot be used, or the disk takes no more; what was asked for is not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A crossing that waits to be sent. ``plain``: what was sealed when it was permitted."""

    transaction: str
    plain: bytes = field(repr=False)
    ended: Ended
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``open``: permitted and not ended. ``waiting``: to be sent. ``aside``: the registry will not take them. ``oldest``: of those waiting."""

    open: int = 0
    waiting: int = 0
    aside: int = 0
    oldest: datetime | None = None


class CrossingFile:
    """For one thread at a time. Every method is durable when it returns, and raises OutboxError where it is not done."""

    def __init__(self, path: Path, key: SnapshotKey, now: datetime) -> None:
        self._path = path
        with ExitStack() as undo:
            try:
                self._lock = _lock(path)
                undo.callback(os.close, self._lock)
                self._file = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
                undo.callback(self._file.close)
                self._key = key.for_file(_prepare(self._file))
            except DAMAGE as error:
                raise OutboxError(f"{path}: cannot be opened ({error})") from error
            with self._written() as file:
                file.execute("UPDATE crossing SET state = 'uncertain', at = ? WHERE state = 'permitted'", (_text(now),))
                file.execute("UPDATE crossing SET why = ''")
            undo.pop_all()

    def permitted(self, transaction: str, plain: bytes, at: datetime) -> None:
        """A new row; the one before, if it never ended, becomes uncertain. A permit of the same transaction, not used yet, gives way to this
        one: the lane's came to nothing, and an officer let the traveller pass.
        """
        sealed = self._key.seal(plain, transaction.encode())
        with self._written() as file:
            file.execute(
                "UPDATE crossing SET state = 'uncertain', at = ? WHERE state = 'permitted' AND id <> ?", (_text(at), transaction)
            )
            file.execute("DELETE FROM crossing WHERE state = 'permitted'")
            row = (transaction, "permitted", _text(at), sealed)
            file.execute("INSERT INTO crossing (id, state, at, sealed) VALUES (?, ?, ?, ?)", row)

    def ended(self, transaction: str, end: Ended, at: datetime) -> None:
        """What is uncertain stays so: it may have been told already."""
        with self._written() as file:
            ended = (end, _text(at), transaction)
            file.execute("UPDATE crossing SET state = ?, at = ? WHERE id = ? AND state = 'permitted'", ended)

    def set_aside(self, transaction: str, why: str) -> None:
        with self._written() as file:
            file.execute("UPDATE crossing SET why = ? WHERE id = ? AND state <> 'permitted'", (why, transaction))

    def dropped(self, transaction: str, *states: str) -> None:
        """Delete the row if it is in one of ``states``; once none is left, its last trace in the write-ahead log as well."""
        with self._written() as file:
            for state in states:
                file.execute("DELETE FROM crossing WHERE id = ? AND state = ?", (transaction, state))
            empty = file.execute("SELECT NOT EXISTS (SELECT 1 FROM crossing)").fetchone()[0]
        if empty:
            with suppress(sqlite3.Error):  # somebody reads: the next one clears it
                self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def next(self) -> Pending | None:
        """The oldest one to send. One whose seal is broken is set aside."""
        while row := self._oldest():
            transaction, ended, at, sealed = row
            try:
                plain = self._key.open(sealed, transaction.encode())
                return Pending(transaction=transaction, plain=plain, ended=ended, ended_at=datetime.fromisoformat(at))
            except (SealBroken, ValueError, TypeError):
                self.set_aside(transaction, "broken")
        return None

    def _oldest(self) -> tuple[str, Ended, str, bytes] | None:
        query = "SELECT id, state, at, sealed FROM crossing WHERE state <> 'permitted' AND why = '' ORDER BY seq LIMIT 1"
        try:
            row: tuple[str, Ended, str, bytes] | None = self._file.execute(query).fetchone()
        except DAMAGE as error:
            raise OutboxError(f"{self._path}: cannot be read ({error})") from error
        return row

    def standing(self) -> Standing:
        return _standing(self._file, self._path)

    def close(self) -> None:
        self._file.close()
        os.close(self._lock)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.execute("BEGIN IMMEDIATE")
            yield self._file
            self._file.execute("COMMIT")
        except DAMAGE as error:
            if self._file.in_transaction:
                with suppress(sqlite3.Error):
                    self._file.execute("ROLLBACK")
            raise OutboxError(f"{self._path}: not recorded ({error}); free space or check the disk") from error


def standing(path: Path) -> Standing:
    """Of the file at ``path``, beside its writer; nothing waits where there is none. Raises OutboxError where it cannot be read."""
    if not path.is_file():
        return Standing()
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as file:
            return _standing(file, path)
    except DAMAGE as error:
        raise OutboxError(f"{path}: cannot be read ({error})") from error


def _standing(file: sqlite3.Connection, path: Path) -> Standing:
    try:
        kind = "CASE WHEN state = 'permitted' THEN 'open' WHEN why = '' THEN 'waiting' ELSE 'aside' END"
        counted = file.execute(f"SELECT {kind}, count(*) FROM crossing GROUP BY 1").fetchall()  # noqa: S608 - a constant
        oldest = file.execute("SELECT min(at) FROM crossing WHERE state <> 'permitted' AND why = ''").fetchone()[0]
        return Standing(**dict(counted), oldest=datetime.fromisoformat(oldest) if oldest else None)
    except DAMAGE as error:
        raise OutboxError(f"{path}: cannot be read ({error})") from error


def _prepare(file: sqlite3.Connection) -> bytes:
    """Durable from here on, with its tables. Returns the file's salt."""
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.execute("PRAGMA secure_delete = ON")
    file.executescript(_SCHEMA)
    file.execute("INSERT INTO salt SELECT ? WHERE NOT EXISTS (SELECT 1 FROM salt)", (new_salt(),))
    salt: bytes = file.execute("SELECT salt FROM salt").fetchone()[0]
    return salt


def _lock(path: Path) -> int:
    """Become the only writer, for as long as the descriptor is open, and make the file before SQLite does, with a mode of its own."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        os.close(lock)
        raise
    return lock


def _text(at: datetime) -> str:
    """In UTC, so that texts sort as times do. Raises ValueError, which undoes what was begun."""
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")
