"""Makes checkpoints of the log while the lane writes it, and has a witness take them.

The lane hashes its records and knows nothing of this; whoever looks here only reads the log. A checkpoint is on the disk before the witness hears of
it, so of all that a witness has seen the gate has a copy, with the witness's signature below it once the answer came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gate.audit.chain import AuditError
from gate.audit.ledger import Witness, WitnessConflict, WitnessRefused
from gate.audit.log import open_readonly
from gate.audit.note import Checkpoint, Note, Signer, VerifierKey, signed
from gate.audit.store import BentLogError, Kept, TreeStore, tree_path
from gate.audit.tree import Frontier, consistency

TRIES = 3
"""Questions in a row to a witness that names another size each time."""
INCONSISTENT = 422


def gate_name(lane: str) -> str:
    """The name under which the gate of that lane signs."""
    return f"autogate/{lane}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the log is signed and witnessed. ``problem`` is for officers, empty for none; ``bent``: somebody has changed the log."""

    size: int = 0
    witnessed: int = 0
    problem: str = ""
    bent: bool = False


class Notary:
    """Of one log. Not for two threads; a process of the gate calls :meth:`look` now and then."""

    def __init__(
        self,
        log: Path,
        signer: Signer,
        witness: Witness | None = None,
        witness_key: VerifierKey | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``witness_key``: of a witness that countersigns; without it, the witness merely keeps. Raises AuditError where the log cannot be read."""
        self._signer, self._witness, self._witness_key, self._clock = signer, witness, witness_key, clock
        self._log = open_readonly(log)
        try:
            log_id = self._log.log_id()
            self.origin = f"{signer.name}/{log_id}"
            self._store = TreeStore(tree_path(log, log_id), create=True)
        except BaseException:
            self._log.close()
            raise

    def close(self) -> None:
        self._log.close()
        self._store.close()

    def look(self) -> Standing:
        """Take in what was appended, sign it, have it witnessed. Never raises AuditError: what is wrong is told."""
        problem, bent = "", False
        try:
            self._sign()
            self._have_witnessed()
        except BentLogError as error:
            problem, bent = str(error), True
        except AuditError as error:
            problem = str(error)
        try:
            newest, taken = self._store.newest(), self._store.witnessed()
        except AuditError as error:
            return Standing(problem=problem or str(error), bent=bent)
        return Standing(size=newest.size if newest else 0, witnessed=taken.size if taken else 0, problem=problem, bent=bent)

    def _sign(self) -> None:
        head, newest = self._store.extend(self._log), self._store.newest()
        if head.seq <= (newest.size if newest else 0):
            return
        root = Frontier.of(head.seq, self._store.node).root()
        text = Checkpoint(origin=self.origin, size=head.seq, root=root, head=head.hash, at=self._clock()).text
        self._store.keep(head.seq, Note(text=text).with_lines(signed(text, self._signer)).encoded)

    def _have_witnessed(self) -> None:
        newest, taken = self._store.newest(), self._store.witnessed()
        if self._witness is None or newest is None or newest.witnessed:
            return
        old = taken.size if taken else 0
        for _ in range(TRIES):
            seen = self._taken(newest, old)
            if seen is None:
                return
            old, lost = seen, self._store.at(seen)
            if lost and lost.size < newest.size and not lost.witnessed:
                self._taken(lost, old)  # the answer to an earlier question went astray: have it again
        raise AuditError("the witness names another size each time")

    def _taken(self, kept: Kept, old: int) -> int | None:
        """Hand over ``kept``; None where the witness took it, else how many records it has seen. Raises BentLogError, AuditError."""
        try:
            self._hand_over(kept, old)
        except WitnessConflict as conflict:
            if conflict.size == old or conflict.size > self._store.size:
                raise BentLogError(f"{conflict}, which are not those of this one") from conflict
            return conflict.size
        return None

    def _hand_over(self, kept: Kept, old: int) -> None:
        assert self._witness is not None
        try:
            lines = self._witness.add(old, consistency(self._store.node, old, kept.size), kept.note)
        except WitnessRefused as refused:
            if refused.status == INCONSISTENT:
                raise BentLogError(str(refused)) from refused
            raise
        note = Note.parse(kept.note).with_lines(lines)
        if self._witness_key and note.cosigned(self._witness_key) is None:
            raise AuditError("the witness answered without a signature of its own")
        self._store.keep(kept.size, note.encoded, witnessed=True)
