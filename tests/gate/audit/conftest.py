"""A gate's log with checkpoints and a witness, small enough to be tampered with a thousand times."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.ledger import Ledger
from gate.audit.log import FILE_NAME, AuditLog
from gate.audit.notary import Notary
from gate.audit.note import WITNESS, FileSigner, VerifierKey

KEY = b"k" * 32
AT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def signer_named(name: str) -> FileSigner:
    return FileSigner(name=name, key=Ed25519PrivateKey.generate())


@dataclass(frozen=True)
class Gate:
    """A state folder, the keys of gate and witness, and the witness's file."""

    folder: Path
    signer: FileSigner
    witness: FileSigner

    @property
    def log(self) -> Path:
        return self.folder / FILE_NAME

    @property
    def seen(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.seen"

    @property
    def key(self) -> VerifierKey:
        return VerifierKey.of(self.signer)

    @property
    def witness_key(self) -> VerifierKey:
        return VerifierKey.of(self.witness, WITNESS)

    def write(self, count: int, body: bytes = b'{"n":%d}') -> None:
        log = AuditLog(self.log, KEY)
        try:
            for number in range(count):
                log.append("event", f"t-{number % 7}", body % number if b"%d" in body else body, AT, float(number))
        finally:
            log.close()

    def ledger(self) -> Ledger:
        return Ledger(self.seen, [self.key], self.witness)

    def notary(self, witness: object = None) -> Notary:
        return Notary(self.log, self.signer, witness or self.ledger(), self.witness_key)

    def look(self, witness: object = None):
        """Sign and have witnessed what there is."""
        notary = self.notary(witness)
        try:
            return notary.look()
        finally:
            notary.close()

    def copied(self, folder: Path) -> Gate:
        """The same gate, its files copied."""
        shutil.copytree(self.folder, folder)
        copy = Gate(folder, self.signer, self.witness)
        if self.seen.exists():
            shutil.copy(self.seen, copy.seen)
        return copy


@pytest.fixture(scope="session")
def gate_in() -> Callable[[Path], Gate]:
    """A gate with keys of its own, below a folder."""

    def make(folder: Path) -> Gate:
        (folder / "state").mkdir()
        return Gate(folder / "state", signer_named("autogate/L1"), signer_named("witness.example/w1"))

    return make


@pytest.fixture
def gate(tmp_path: Path, gate_in: Callable[[Path], Gate]) -> Gate:
    return gate_in(tmp_path)
