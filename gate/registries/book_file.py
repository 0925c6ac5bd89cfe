"""What a registry holds of each book, sealed in one SQLite file: written once, opened whole or not at all.

A row is a keyed hash of issuing State and document number, and the sealed records of that book. A head, sealed too, holds what the
registry signed and a code over all rows, which is computed again on opening: without it a row that was taken out, and a page that
rotted, would look like a book that nobody knows.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import msgspec

from gate.registries.sealed import SealBroken, SnapshotKey, new_salt
from gate.registries.snapshot import Entry, Head, SnapshotRefused

_SCHEMA = (
    "CREATE TABLE head (salt BLOB NOT NULL, sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE book (key BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
)
_HEAD_PLACE = b"head"
DAMAGE = (sqlite3.Error, msgspec.MsgspecError, OSError, TypeError, ValueError, MemoryError, OverflowError)
"""What a damaged file raises on its way through SQLite: columns of another type, text that is none, lengths beyond all measure."""


class SealedHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sealed at the head of the file. ``tally``: of all rows, in the order of their keys."""

    head: Head
    tally: bytes


def write_books(path: Path, key: SnapshotKey, head: Head, entries: Iterable[Entry]) -> None:
    """Make the file ``path``, which must not exist, out of ``entries``. Not durable yet, and not in its place (:func:`put_in_place`).

    Raises SnapshotRefused for two entries about one book, and whatever ``entries`` raises; OSError or sqlite3.Error for the disk.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    salt = new_salt()
    own = key.for_file(salt)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        for table in _SCHEMA:
            file.execute(table)
        file.execute("BEGIN")
        try:
            file.executemany("INSERT INTO book VALUES (?, ?)", _rows(own, entries))
        except sqlite3.IntegrityError:
            raise SnapshotRefused("contradictory", "it has two entries about one book") from None
        sealed = msgspec.json.encode(SealedHead(head=head, tally=_tally(file, own)))
        file.execute("INSERT INTO head VALUES (?, ?)", (salt, own.seal(sealed, _HEAD_PLACE)))
        file.execute("COMMIT")


def _rows(key: SnapshotKey, entries: Iterable[Entry]) -> Iterator[tuple[bytes, bytes]]:
    for entry in entries:
        row = key.hash(entry.issuing_state, entry.document_number)
        yield row, key.seal(msgspec.json.encode(entry.records), row)


def _tally(file: sqlite3.Connection, key: SnapshotKey) -> bytes:
    tally = key.tally()
    for row in file.execute("SELECT key, sealed FROM book ORDER BY key"):
        tally.add(*row)
    return tally.digest()


class BookFile:
    """An open file; for one thread at a time. Every method raises SnapshotRefused (``malformed``, ``forged``) for a damaged one."""

    def __init__(self, file: sqlite3.Connection, key: SnapshotKey, head: Head) -> None:
        self._file, self._key, self.head = file, key, head

    @classmethod
    def open(cls, path: Path, key: SnapshotKey) -> Self:
        """Open ``path`` and prove it whole: some 1.5 µs of it a row. ``key`` is the gate's, not the file's."""
        try:
            # The file is replaced and never changed, so SQLite need not look for locks, journals or changes.
            file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        except DAMAGE as error:
            raise _refused(error, str(path)) from None
        try:
            return cls(file, *_proven(file, key))
        except (SnapshotRefused, SealBroken, *DAMAGE) as error:
            file.close()
            raise _refused(error, str(path)) from None

    def records(self, issuing_state: str, document_number: str) -> bytes:
        """All that the registry holds of the book, as a JSON array: an empty one where it knows nothing."""
        row = self._key.hash(issuing_state, document_number)
        try:
            found = self._file.execute("SELECT sealed FROM book WHERE key = ?", (row,)).fetchone()
            return self._key.open(found[0], row) if found else b"[]"
        except (SealBroken, *DAMAGE) as error:
            raise _refused(error, "a book") from None

    def close(self) -> None:
        self._file.close()


def _proven(file: sqlite3.Connection, key: SnapshotKey) -> tuple[SnapshotKey, Head]:
    """The file's own key, and its head once all that hangs on it holds. Raises SnapshotRefused, SealBroken or what damage raises."""
    if tuple(sql for (sql,) in file.execute("SELECT sql FROM sqlite_master ORDER BY name DESC")) != _SCHEMA:
        raise SnapshotRefused("malformed", "not a snapshot of this release")
    salt, sealed = file.execute("SELECT salt, sealed FROM head").fetchone()
    own = key.for_file(salt)
    told = msgspec.json.decode(own.open(sealed, _HEAD_PLACE), type=SealedHead)
    if _tally(file, own) != told.tally:
        raise SnapshotRefused("forged", "its rows are not those that were imported")
    return own, told.head


def _refused(error: Exception, what: str) -> SnapshotRefused:
    if isinstance(error, SnapshotRefused):
        return error
    return SnapshotRefused("forged" if isinstance(error, SealBroken) else "malformed", f"{what}: {error}")


def put_in_place(fresh: Path, path: Path) -> None:
    """Make ``fresh`` durable and put it in the place of ``path``: after a crash there is the old file or the new one. Raises OSError."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
