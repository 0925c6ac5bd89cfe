"""A SQLite file of the audit's beside the log: made for its user alone, and every failure the room's own error."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Literal, Self

from gate.audit.chain import DAMAGE, AuditError

BUSY_S = 2.0
Mode = Literal["read", "change", "make"]
"""``make`` makes the file where it is absent."""


class OwnFile:
    """For one thread at a time; several processes may have the file open. Every method raises AuditError where it cannot be used."""

    SCHEMA: ClassVar[str]
    REMEDY: ClassVar[str] = ""
    """Follows what is wrong with a file that cannot be used."""

    def __init__(self, path: Path, mode: Mode) -> None:
        self._path = path
        with self._guarded():
            if mode == "make":
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            uri = f"{path.resolve().as_uri()}?mode={'ro' if mode == 'read' else 'rw'}"
            self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                if mode == "make":
                    self._db.execute("PRAGMA journal_mode = WAL")
                    self._db.executescript(self.SCHEMA)
                self._examine()
            except BaseException:
                self._db.close()
                raise

    def _examine(self) -> None:
        """What is to be set and looked at before the file is used; closed again where this fails."""

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (*DAMAGE, OSError, ValueError, TypeError) as error:
            raise AuditError(f"{self._path}: cannot be used ({error}){self.REMEDY}") from error

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Durable when it is left; undone where something fails."""
        with self._guarded():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise
