"""The keys of the log's personal fields: a file of their own, from which they are taken away for good.

Each sealed part of a record has a key of its own (AES-256-GCM). Keys are wrapped (RFC 3394) under a key of the day and of the kind of
field, and that under the gate's sealing key, which lies elsewhere. To destroy a field is to delete its key; when a day's time is over, its
wrapping key goes with all under it. SQLite overwrites what it deletes here (``secure_delete``), and the write-ahead log is cut off afterwards.

Keys are made ahead, so that handing one out waits for no disk: whatever was handed out is on it. What was destroyed stands in the same file,
in the same transaction, until the lane has put it into the log.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gate.audit.chain import AuditError
from gate.audit.fields import Box, place
from gate.audit.own_file import Mode, OwnFile
from gate.registries.sealed import private

FILE_NAME = "audit-keys.sqlite3"
"""Name of the file within a state folder."""
KEY_BYTES, NONCE_BYTES = 32, 12
AHEAD = 32
"""Keys of a kind that are made at once: a traveller takes about three."""
WANTS_ORDER = 1
_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS period (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, day TEXT NOT NULL, wrapped BLOB NOT NULL, UNIQUE (kind, day)) STRICT;
CREATE TABLE IF NOT EXISTS key (
    number INTEGER PRIMARY KEY AUTOINCREMENT, period INTEGER NOT NULL, wrapped BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS key_of_period ON key (period);
CREATE TABLE IF NOT EXISTS destroyed (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, until TEXT NOT NULL, keys INTEGER NOT NULL, at TEXT NOT NULL,
    why TEXT NOT NULL, signed_by TEXT NOT NULL, logged INTEGER NOT NULL DEFAULT 0) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """``keys`` of a kind were destroyed: all of the days up to ``until``, or single ones (then ``until`` is empty). ``number`` counts up."""

    number: int
    kind: str
    until: str
    keys: int
    at: str
    why: str
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why keys are destroyed, who ordered it (nobody: the periods), when."""

    why: str
    signed_by: tuple[str, ...] = ()
    at: datetime


class Keyring(OwnFile):
    """For one thread at a time; several processes may have the file open. Every method raises AuditError where the file cannot be used."""

    SCHEMA = _SCHEMA

    def __init__(self, path: Path, secret: bytes | None, mode: Mode = "read") -> None:
        """``secret``: the gate's sealing key; without it nothing can be sealed or opened, only destroyed."""
        self._secret = secret
        self._made: dict[str, tuple[str, list[tuple[int, AESGCM]]]] = {}
        super().__init__(path, mode)

    def _examine(self) -> None:
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        newest = self._db.execute("SELECT wrapped FROM period ORDER BY number DESC LIMIT 1").fetchone()
        if newest and self._secret is not None and _unwrapped(self._secret, newest[0]) is None:
            raise AuditError(f"{self._path}: the sealing key is another than these keys' (moved away, what they open stays shut)")

    @classmethod
    def of(cls, state: Path, key_file: Path, mode: Mode = "read") -> Self:
        """That of the log in the folder ``state``. Raises AuditError."""
        return cls(state / FILE_NAME, sealing_key(key_file), mode)

    # --- sealing and opening -------------------------------------------------------------------------------------------------

    def seal(self, transaction: str, record: str, kind: str, plain: bytes, today: date) -> Box:
        """``plain``, the fields of ``kind`` of a record, under a key of their own that is on the disk."""
        self.stock(kind, today, least=1)
        number, key = self._made[kind][1].pop()
        nonce = os.urandom(NONCE_BYTES)
        return Box(key=number, box=nonce + key.encrypt(nonce, plain, place(transaction, record, kind, number)))

    def stock(self, kind: str, today: date, least: int = AHEAD // 2) -> None:
        """Make keys ahead where fewer than ``least`` are left."""
        day, made = self._made.get(kind, ("", []))
        if day == today.isoformat() and len(made) >= least:
            return
        with self._written() as db:
            period, wrapping = self._period(db, kind, today.isoformat())
            fresh = [os.urandom(KEY_BYTES) for _ in range(AHEAD)]
            rows = [(period, aes_key_wrap(wrapping, key)) for key in fresh]
            numbers = [db.execute("INSERT INTO key (period, wrapped) VALUES (?, ?)", row).lastrowid or 0 for row in rows]
        left = made if day == today.isoformat() else []
        self._made[kind] = today.isoformat(), [*((n, AESGCM(key)) for n, key in zip(numbers, fresh, strict=True)), *left]

    def _period(self, db: sqlite3.Connection, kind: str, day: str) -> tuple[int, bytes]:
        """Number and wrapping key of a day, made where there is none yet."""
        if self._secret is None:
            raise ValueError("no sealing key")
        found = db.execute("SELECT number, wrapped FROM period WHERE kind = ? AND day = ?", (kind, day)).fetchone()
        if found is not None:
            wrapping = _unwrapped(self._secret, found[1])
            if wrapping is None:
                raise ValueError("the sealing key is another")
            return found[0], wrapping
        wrapping = os.urandom(KEY_BYTES)
        row = (kind, day, aes_key_wrap(self._secret, wrapping))
        return db.execute("INSERT INTO period (kind, day, wrapped) VALUES (?, ?, ?)", row).lastrowid or 0, wrapping

    def unseal(self, number: int, box: bytes, where: bytes) -> bytes | None:
        """:data:`gate.audit.fields.Unseal`."""
        key = self._key(number)
        if key is None:
            return None
        try:
            return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], where)
        except (InvalidTag, ValueError):
            raise ValueError("a sealed part was changed, or is another record's") from None

    def _key(self, number: int) -> bytes | None:
        if self._secret is None:
            return None
        query = "SELECT key.wrapped, period.wrapped FROM key JOIN period ON period.number = key.period WHERE key.number = ?"
        with self._guarded():
            found = self._db.execute(query, (number,)).fetchone()
        wrapping = _unwrapped(self._secret, found[1]) if found else None
        return _unwrapped(wrapping, found[0]) if wrapping else None

    # --- destroying ----------------------------------------------------------------------------------------------------------

    def count(self, kind: str, until: date) -> int:
        """Keys of ``kind`` of the days up to ``until``."""
        query = "SELECT count(*) FROM key JOIN period ON period.number = key.period WHERE kind = ? AND day <= ?"
        with self._guarded():
            return int(self._db.execute(query, (kind, until.isoformat())).fetchone()[0])

    def destroy_days(self, kind: str, until: date, cause: Cause) -> int:
        """All keys of ``kind`` of the days up to ``until``, and what they were wrapped with. Returns how many; tells of it where there were any."""
        own = "SELECT number FROM period WHERE kind = ? AND day <= ?"
        which = (kind, until.isoformat())
        with self._written() as db:
            keys = db.execute(f"DELETE FROM key WHERE period IN ({own})", which).rowcount  # noqa: S608 (a constant)
            periods = db.execute("DELETE FROM period WHERE kind = ? AND day <= ?", which).rowcount
            if periods:
                _tell(db, kind, until.isoformat(), keys, cause)
        self.erase()
        return keys

    def destroy(self, numbers: Iterable[int], cause: Cause) -> int:
        """The keys of those numbers. Returns how many there were."""
        gone: dict[str, int] = {}
        with self._written() as db:
            for number in numbers:
                query = "SELECT kind FROM period JOIN key ON period.number = key.period WHERE key.number = ?"
                for (kind,) in db.execute(query, (number,)).fetchall():
                    db.execute("DELETE FROM key WHERE number = ?", (number,))
                    gone[kind] = gone.get(kind, 0) + 1
            for kind, keys in gone.items():
                _tell(db, kind, "", keys, cause)
        self.erase()
        return sum(gone.values())

    def erase(self) -> None:
        """Write what was deleted into the file, which overwrites it there, and cut off the write-ahead log."""
        with self._guarded():
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise AuditError(f"{self._path}: somebody reads it: destroyed keys stay in its write-ahead log until the next look")

    def demand_orders(self) -> None:
        """From now on nothing is destroyed here but by an order."""
        with self._guarded():
            self._db.execute(f"PRAGMA user_version = {WANTS_ORDER}")

    @property
    def wants_order(self) -> bool:
        """Whether nothing is to be destroyed here but by an order."""
        with self._guarded():
            return bool(self._db.execute("PRAGMA user_version").fetchone()[0] == WANTS_ORDER)

    def unlogged(self) -> list[Destruction]:
        """What was destroyed and does not stand in the log yet, oldest first."""
        query = "SELECT number, kind, until, keys, at, why, signed_by FROM destroyed WHERE NOT logged ORDER BY number"
        with self._guarded():
            return [
                Destruction(
                    number=n, kind=kind, until=until, keys=keys, at=at, why=why, signed_by=tuple(by.split("\n") if by else ())
                )
                for n, kind, until, keys, at, why, by in self._db.execute(query).fetchall()
            ]

    def logged(self, number: int) -> None:
        """Destruction ``number`` stands in the log."""
        with self._written() as db:
            db.execute("UPDATE destroyed SET logged = 1 WHERE number = ?", (number,))


def _tell(db: sqlite3.Connection, kind: str, until: str, keys: int, cause: Cause) -> None:
    row = (kind, until, keys, cause.at.astimezone(UTC).isoformat(timespec="seconds"), cause.why, "\n".join(cause.signed_by))
    db.execute("INSERT INTO destroyed (kind, until, keys, at, why, signed_by) VALUES (?, ?, ?, ?, ?, ?)", row)


def _unwrapped(wrapping: bytes, wrapped: bytes) -> bytes | None:
    """None where it was not wrapped with that key."""
    try:
        return aes_key_unwrap(wrapping, wrapped)
    except (InvalidUnwrap, ValueError):
        return None


def sealing_key(path: Path) -> bytes:
    """The gate's sealing key out of its file. Raises AuditError, also where everybody on this machine may read it."""
    try:
        text = private(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise AuditError(f"audit.sealing_key: {path}: {error.strerror}") from error
    except ValueError as error:
        raise AuditError(f"audit.sealing_key: {error}") from error
    if not _KEY.fullmatch(text):
        raise AuditError(f"audit.sealing_key: {path}: not a key: write {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(text)
