"""The log's Merkle tree and its checkpoints: a file of their own beside the log, which the lane never opens.

The nodes follow from the log and may be thrown away. Checkpoints and the receipts below them (cosignatures of a witness) are evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gate.audit.chain import AuditError, AuditReader, Head, Row, leaf_data
from gate.audit.own_file import OwnFile
from gate.audit.tree import Frontier, leaf_hash

BATCH = 1000
"""Records that become part of the tree in one step: a reader holds the log's file for some milliseconds."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS node (level INTEGER, number INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, witnessed INTEGER NOT NULL) STRICT;
"""


class BentLogError(AuditError):
    """The log is not what it was when it was last looked at: it was changed, or cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A checkpoint as it is kept: a signed note (``note.py``), and whether the witness took it."""

    size: int
    note: str
    witnessed: bool


def tree_path(log: Path, log_id: str) -> Path:
    """Where the tree of that log lies. A log that was begun anew has one of its own."""
    return log.with_name(f"audit-tree-{log_id}.sqlite3")


class TreeStore(OwnFile):
    """One writer, and readers beside it. Every method raises AuditError where the file is damaged."""

    SCHEMA = _SCHEMA
    REMEDY = "; moved away, it is made anew, without its receipts"

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """With ``create`` it is made, for its user alone, where it is absent; else it is opened for reading."""
        super().__init__(path, "make" if create else "read")
        self._edge = Frontier.of(self.size, self.node) if create else None

    def _examine(self) -> None:
        _ = self.size  # it can be read

    # --- the tree ---------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Records that are part of the tree."""
        with self._guarded():
            (last,) = self._db.execute("SELECT max(number) FROM node WHERE level = 0").fetchone()
        return 0 if last is None else int(last) + 1

    def node(self, level: int, number: int) -> bytes:
        """:data:`gate.audit.tree.Node`."""
        with self._guarded():
            found = self._db.execute("SELECT hash FROM node WHERE level = ? AND number = ?", (level, number)).fetchone()
        if found is None or not isinstance(found[0], bytes):
            raise AuditError(f"{self._path}: node {number} of level {level} is not there")
        return found[0]

    def leaves(self) -> Iterator[bytes]:
        """All leaves' hashes, oldest first."""
        with self._guarded():
            for (found,) in self._db.cursor().execute("SELECT hash FROM node WHERE level = 0 ORDER BY number"):
                yield bytes(found)

    def extend(self, log: AuditReader) -> Head:
        """Take in what was appended to ``log``. Returns its end. Raises BentLogError where it does not continue what was taken in before."""
        assert self._edge is not None, "opened for reading"
        head = self._end_before(log)
        while rows := log.rows(head.seq, BATCH):
            made: list[tuple[int, int, bytes]] = []
            edge = self._edge
            for row in rows:
                if row[0] != head.seq + 1 or row[6] != head.hash:
                    self._edge = Frontier.of(self.size, self.node)
                    raise BentLogError(f"record {row[0]} of the log does not continue record {head.seq}")
                made += edge.add(leaf_hash(leaf_data(row)))
                head = Head(seq=row[0], hash=row[7])
            self._write("INSERT INTO node VALUES (?, ?, ?)", made)
        return head

    def _end_before(self, log: AuditReader) -> Head:
        """The record that the tree ends with, as it stands in the log now."""
        size = self.size
        if size == 0:
            return log.start()
        row: Row | None = log.row(size)
        if row is None:
            raise BentLogError(f"the log had {size} records and now ends with {log.head().seq}: its tail was cut off")
        if leaf_hash(leaf_data(row)) != self.node(0, size - 1):
            raise BentLogError(f"record {size} of the log is not the one it was")
        return Head(seq=size, hash=row[7])

    # --- checkpoints ------------------------------------------------------------------------------------------------------

    def checkpoints(self) -> list[Kept]:
        """All, smallest first."""
        return list(self._kept("ORDER BY size"))

    def newest(self) -> Kept | None:
        return next(self._kept("ORDER BY size DESC LIMIT 1"), None)

    def witnessed(self) -> Kept | None:
        """The newest that the witness took."""
        return next(self._kept("WHERE witnessed ORDER BY size DESC LIMIT 1"), None)

    def covering(self, seq: int) -> Kept | None:
        """The one to show record ``seq`` by: the oldest that the witness took and that covers it, else the newest that does."""
        return next(self._kept(f"WHERE size >= {int(seq)} ORDER BY witnessed DESC, size * (2 * witnessed - 1) LIMIT 1"), None)

    def at(self, size: int) -> Kept | None:
        return next(self._kept(f"WHERE size = {int(size)}"), None)

    def keep(self, size: int, note: str, *, witnessed: bool = False) -> None:
        """Keep a checkpoint, or its receipt; on the disk when this returns."""
        self._write("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", [(size, note, int(witnessed))])

    def _kept(self, which: str) -> Iterator[Kept]:
        with self._guarded():
            for size, note, witnessed in self._db.execute(f"SELECT size, note, witnessed FROM checkpoint {which}").fetchall():  # noqa: S608 (constants and whole numbers)
                yield Kept(size=size, note=note, witnessed=bool(witnessed))

    def _write(self, statement: str, rows: list[tuple[int, int, bytes]] | list[tuple[int, str, int]]) -> None:
        try:
            with self._written() as db:
                db.executemany(statement, rows)
        except AuditError:
            self._edge = None
            self._edge = Frontier.of(self.size, self.node)
            raise
