"""What the centre acknowledged: the newest receipt that is believed. It is the outbox's cursor, and evidence against a log that is cut back later.

A newer receipt for less says that the centre lost what it had acknowledged, as a database does that was put back from a copy: then that much goes again.
A receipt counts only where the log itself has the record that it names, with that hash. One that is signed and names another is told of: the centre
holds another history of this gate than the gate does, because somebody rewrote one of the two, or because a collector lies.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from gate.audit.chain import AuditError, AuditReader
from gate.fleet.keys.directory import KeysError
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import EnvelopeError, Keys, Receipt, believed, instant
from pki.durable import read_file, write_file
from pki.errors import PkiError

FILE_NAME = "fleet-receipt"
"""Name of the newest receipt within a state folder: an envelope, as it came."""
MOST_RECEIPT = 4096
"""Bytes; an honest one has about 300."""
BACK_S = 600.0
"""By so much the later is a receipt that takes something back: collectors' clocks may differ, and receipts overtake each other."""
OTHER_LOG, FORK = "other_log", "fork"
"""Refused besides :data:`gate.fleet.messages.REFUSALS`: of a log that this gate had before; of another history of this one."""


class Receipts:
    """For one thread."""

    def __init__(self, path: Path, gate: str, log: AuditReader, keys: Keys) -> None:
        """Takes up what is kept at ``path``, as far as it is believed. Raises AuditError where the log cannot be read."""
        self._path, self._gate, self._log, self._keys = path, gate, log, keys
        self._log_id = log.log_id()
        self.newest: Receipt | None = None
        self.refused: Counter[str] = Counter()
        """What was not believed, by why."""
        self.problem = ""
        """Why the newest one could not be kept, or not be taken up; costs nothing but sending again."""
        self._forked: int | None = None
        self._most = 0
        self._take_up()

    @property
    def through(self) -> int:
        """Up to which record the centre holds this log."""
        return self.newest.through if self.newest else 0

    @property
    def fork(self) -> str:
        """That the centre holds another history, in words; empty where it does not."""
        return f"the centre's record {self._forked} is not the one in this log" if self._forked is not None else ""

    @property
    def lost(self) -> int:
        """How many records the centre has no more, of those that it acknowledged since the start."""
        return max(0, self._most - self.through)

    def take(self, raw: bytes) -> bool:
        """Believe ``raw``, or count why not; whether :attr:`through` moved. Raises AuditError where the log cannot be read."""
        told = self._believed(raw)
        if told is None or told.through == self.through or (told.through < self.through and not self._takes_back(told)):
            return False
        self._most = max(self._most, self.through, told.through)
        self.newest = told
        if self._forked is None or told.through >= self._forked:
            self._forked = None
            self._keep(raw)
        return True

    def _believed(self, raw: bytes) -> Receipt | None:
        try:
            told = receipt_in(raw, self._gate, self._keys)
        except EnvelopeError as error:
            self.refused[error.code] += 1
            return None
        if told.log != self._log_id:
            self.refused[OTHER_LOG] += 1
            return None
        if not is_of(told, self._log):
            self.refused[FORK] += 1
            self._forked = told.through
            return None
        return told

    def _takes_back(self, told: Receipt) -> bool:
        assert self.newest is not None
        later, before = instant(told.at), instant(self.newest.at)
        return later is not None and before is not None and (later - before).total_seconds() > BACK_S

    def _keep(self, raw: bytes) -> None:
        try:
            write_file(self._path, raw)
            self.problem = ""
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"

    def _take_up(self) -> None:
        if not os.path.lexists(self._path):
            return
        try:
            raw = read_file(self._path, MOST_RECEIPT)
        except PkiError as error:
            self.problem = error.detail
            return
        before = self.refused.total()
        self.newest = self._believed(raw)
        if self.refused.total() > before:
            why = self.fork or f"refused ({', '.join(self.refused)})"
            self.problem = f"{self._path}: {why}"


def receipt_in(raw: bytes, gate: str, keys: Keys) -> Receipt:
    """A receipt for ``gate``, signed by a collector. Raises EnvelopeError."""
    if len(raw) > MOST_RECEIPT:
        raise EnvelopeError("oversized", f"{len(raw)} bytes")
    told = believed(raw, Receipt, keys, "collector")
    if told.gate != gate:
        raise EnvelopeError("other_gate", f"a receipt for {told.gate}")
    return told


def read_receipt(path: Path, keys: Path) -> Receipt:
    """A kept receipt, proven by the directory of keys in the file ``keys``. Raises AuditError."""
    try:
        return believed(read_file(path, MOST_RECEIPT), Receipt, FileKeys(keys), "collector")
    except PkiError as error:
        raise AuditError(error.detail) from error
    except (EnvelopeError, KeysError) as error:
        raise AuditError(f"{path}: {error}") from error


def is_of(receipt: Receipt, log: AuditReader) -> bool:
    """Whether ``log`` has the record that ``receipt`` names. Raises AuditError where it cannot be read."""
    if receipt.through == 0:
        return receipt.hash == log.start().hash
    row = log.row(receipt.through)
    return row is not None and row[7] == receipt.hash
