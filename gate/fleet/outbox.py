"""The outbox: the gate's audit log behind the newest receipt. Nothing is written here but that receipt; what is on its way is known in memory alone.

Ended transactions go ahead of their turn (:meth:`Outbox.crossings`), everything else follows in order (:meth:`Outbox.rest`). After a start all that
is not acknowledged goes again: the centre knows records by gate, log and number.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gate.audit.chain import AuditError, AuditReader
from gate.audit.chain import Row as LogRow
from gate.audit.log import open_readonly
from gate.audit.store import TreeStore, tree_path
from gate.fleet.messages import MOST_PARCEL, CheckpointNote, Keys, Parcel, Row
from gate.fleet.receipts import Receipts

CROSSING = "transaction"
"""The kind of record that says that a traveller is done."""
MOST_ROWS = 500
"""Records in a parcel: the log's file is read for some milliseconds, and as many are owed to the pace at once."""
MOST_CROSSINGS = 64
"""Twice as many as go into a parcel."""
ROW_BYTES = 256
"""What a record has besides its body, at most nearly."""


class Outbox:
    """For one thread. Every method raises AuditError where the log cannot be read."""

    def __init__(self, log: Path, cursor: Path, gate: str, keys: Keys) -> None:
        """``cursor``: where the newest receipt is kept. Raises AuditError where there is no log yet."""
        self.path, self._gate = log, gate
        self.log: AuditReader = open_readonly(log)
        try:
            self.log_id, self._start = self.log.log_id(), self.log.start().hash
            self.receipts = Receipts(cursor, gate, self.log, keys)
        except BaseException:
            self.log.close()
            raise
        self._crossed = self._followed = self.receipts.through
        self._noted = self._noting = 0

    def close(self) -> None:
        self.log.close()

    @property
    def through(self) -> int:
        """Up to which record the centre holds the log."""
        return self.receipts.through

    @property
    def sent(self) -> int:
        """The highest number that went out since the start, or is acknowledged."""
        return max(self._crossed, self._followed)

    @property
    def head(self) -> int:
        """Number of the log's newest record."""
        return self.log.head().seq

    # --- what goes next -----------------------------------------------------------------------------------------------------

    def crossings(self) -> Parcel | None:
        """Ended transactions that did not go yet; None: all went."""
        return self._parcel(self.log.rows(self._crossed, MOST_CROSSINGS, CROSSING))

    def rest(self) -> Parcel | None:
        """Records that did not go yet; None: all went."""
        while rows := self.log.rows(self._followed, MOST_ROWS):
            left = [row for row in rows if row[0] > self._crossed or row[4] != CROSSING.encode()]
            if left:
                return self._parcel(left)
            self._followed = rows[-1][0]
        return None

    def behind(self) -> Parcel | None:
        """The records right behind the receipt, whether they went before or not; None: there are none."""
        return self._parcel(self.log.rows(self.through, MOST_ROWS))

    def note(self) -> CheckpointNote | None:
        """The newest signed checkpoint of the log, where it did not go yet. Where their file is damaged the audit tells officers, and records go on."""
        path = tree_path(self.path, self.log_id)
        try:
            if not path.exists():
                return None
            with TreeStore(path) as tree:
                newest = tree.newest()
        except AuditError:
            return None
        if newest is None or newest.size <= self._noted:
            return None
        self._noting = newest.size
        return CheckpointNote(gate=self._gate, log=self.log_id, note=newest.note)

    # --- what became of it --------------------------------------------------------------------------------------------------

    def went(self, parcel: Parcel, *, crossings: bool = False) -> None:
        """The broker has ``parcel``; ``crossings``: it is one of :meth:`crossings`."""
        last = parcel.rows[-1].seq
        if not crossings:
            self._followed = max(self._followed, last)
        if crossings or last > self._crossed:
            self._crossed = max(self._crossed, last)

    def noted(self) -> None:
        """The broker has what :meth:`note` gave last."""
        self._noted = self._noting

    def received(self, raw: bytes) -> bool:
        """Take what came as a receipt; whether another number is acknowledged now than before."""
        before, moved = self.through, self.receipts.take(raw)
        if self.through < before:  # the centre lost it
            self._crossed = self._followed = self.through
        self._crossed, self._followed = max(self._crossed, self.through), max(self._followed, self.through)
        return moved

    def _parcel(self, rows: Iterable[LogRow]) -> Parcel | None:
        """As many of the first ``rows`` as go into one, and one at least."""
        taken, size = list[Row](), 0
        for row in rows:
            size += len(row[5]) + ROW_BYTES
            if taken and size > MOST_PARCEL:
                break
            taken.append(Row(*row))
        return Parcel(gate=self._gate, log=self.log_id, start=self._start, rows=tuple(taken)) if taken else None
