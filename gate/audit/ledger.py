"""What a witness has seen of gates' logs: a file to which it only ever appends, a signed checkpoint a line.

The same file serves a witness that countersigns (``witness.py``) and, on a medium that its keeper makes append-only, one that merely
keeps. A checkpoint is taken only where it is consistent with the last one of the same log (RFC 6962 §2.1.2), so of each log there is one story.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gate.audit.chain import AuditError
from gate.audit.note import MOST_BYTES, Checkpoint, Note, NoteError, Signer, VerifierKey, cosigned
from gate.audit.tree import EMPTY, is_consistent


class WitnessAway(AuditError):
    """The witness cannot be reached, cannot write, or answered something strange. What it has seen stands."""


class WitnessConflict(AuditError):
    """The witness has seen another state of the log last."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has seen {size} records of this log")
        self.size = size


class WitnessRefused(AuditError):
    """The witness does not take the checkpoint; ``status`` as in C2SP tlog-witness."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"the witness refuses the checkpoint: {what}")
        self.status = status


class Witness(Protocol):
    """Somebody off the gate who remembers checkpoints."""

    def add(self, old: int, path: Sequence[bytes], note: str) -> str:
        """Hand over a checkpoint with its proof of consistency from ``old`` records. Returns the witness's signatures, a line each; empty from one that merely keeps.

        Raises WitnessConflict, WitnessRefused, WitnessAway.
        """


class Ledger:
    """Of the gates whose keys it is given. With ``signer`` it countersigns."""

    def __init__(
        self, path: Path, gates: Sequence[VerifierKey], signer: Signer | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._path, self._gates, self._signer, self._clock = path, gates, signer, clock
        self._seen: dict[str, tuple[int, bytes]] = {}
        self._read = 0

    def add(self, old: int, path: Sequence[bytes], note: str) -> str:
        """:meth:`Witness.add`."""
        try:
            found = Note.parse(note)
            checkpoint = Checkpoint.parse(found.text)
        except NoteError as error:
            raise WitnessRefused(400, str(error)) from error
        self._check_signed(found, checkpoint)
        if not old <= checkpoint.size:
            raise WitnessRefused(400, f"it has {checkpoint.size} records, fewer than {old}")
        with self._held() as file:
            self._read_on(file)
            size, root = self._seen.get(checkpoint.origin, (0, EMPTY))
            if old != size or (old == checkpoint.size and root != checkpoint.root):
                raise WitnessConflict(size)
            if not is_consistent(old, checkpoint.size, root, checkpoint.root, path):
                raise WitnessRefused(422, f"the log does not continue the {old} records that were seen")
            line = cosigned(found.text, self._signer, int(self._clock())) if self._signer else ""
            if line or checkpoint.size > size:
                self._append(file, found.with_lines(line).encoded)
            self._seen[checkpoint.origin] = checkpoint.size, checkpoint.root
        return line

    def _check_signed(self, note: Note, checkpoint: Checkpoint) -> None:
        keys = [key for key in self._gates if is_log_of(key, checkpoint.origin)]
        if not keys:
            raise WitnessRefused(404, f"no gate of the log {checkpoint.origin} is known")
        if not any(note.is_signed_by(key) for key in keys):
            raise WitnessRefused(403, "it is not signed by its gate")

    @contextmanager
    def _held(self) -> Iterator[int]:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            raise WitnessAway(f"{self._path}: {error.strerror}") from error

    def _read_on(self, file: int) -> None:
        """Take in what was appended since the last look, be it by another process."""
        with os.fdopen(os.dup(file), "rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # who wrote it was interrupted
                self._read += len(line)
                self._take_in(line)

    def _take_in(self, line: bytes) -> None:
        try:
            note = parse_line(line)
            checkpoint = Checkpoint.parse(note.text)
            self._check_signed(note, checkpoint)
        except (NoteError, WitnessRefused):
            return
        if checkpoint.size > self._seen.get(checkpoint.origin, (0, EMPTY))[0]:
            self._seen[checkpoint.origin] = checkpoint.size, checkpoint.root

    def _append(self, file: int, note: str) -> None:
        """On the disk when this returns. A line that was torn by a power cut stays, as a line of its own."""
        torn = os.fstat(file).st_size > self._read
        line = b"\n" * torn + json.dumps(note).encode() + b"\n"
        if os.write(file, line) != len(line):
            raise WitnessAway(f"{self._path}: the disk took half a line")
        os.fsync(file)


def is_log_of(key: VerifierKey, origin: str) -> bool:
    """Whether ``origin`` names a log of the gate whose key it is."""
    return origin.rpartition("/")[0] == key.name


def parse_line(line: bytes) -> Note:
    """A line of a ledger. Raises NoteError."""
    try:
        text = json.loads(line) if len(line) <= 2 * MOST_BYTES else None
    except (ValueError, RecursionError):
        text = None
    if not isinstance(text, str):
        raise NoteError("not a line of a witness's file")
    return Note.parse(text)


def ledger_lines(path: Path) -> Iterator[tuple[int, Note | None]]:
    """Number, counted from 1, and note of each line of a witness's file; None where it is none. Raises AuditError where it cannot be read."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield number, parse_line(line)
                except NoteError:
                    yield number, None
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}") from error
