"""A gate of a fleet for tests: a log, its key and a collector's, and receipts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.log import AuditLog, open_readonly
from gate.audit.note import FileSigner
from gate.fleet.keys.directory import Directory, Entry, encoded
from gate.fleet.messages import EnvelopeError, Parcel, Receipt, key_id, sealed
from gate.fleet.outbox import Outbox

KEY = b"k" * 32
GATE = "CGK.D07"
START = datetime(2026, 11, 20, 6, tzinfo=UTC)


def signer(name: str, seed: int) -> FileSigner:
    return FileSigner(name=name, key=Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


GATE_SIGNER, COLLECTOR, STRANGER = signer(GATE, 1), signer("collector", 2), signer("stranger", 3)


class TwoKeys:
    """The gate's, and the collector's."""

    def public(self, key, gate, purpose):
        for known, entitled in ((GATE_SIGNER, "gate"), (COLLECTOR, "collector")):
            if key == key_id(known.public) and purpose == entitled:
                return known.public
        raise EnvelopeError("unknown_key", key.hex())


class Gate:
    """A state folder with a log that can be written, cut back and looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.cursor = folder, folder / "audit.sqlite3", folder / "fleet-receipt"
        self.written, self.start = 0, START
        self.outboxes: list[Outbox] = []

    def write(self, kinds: Iterable[str], body: bytes = b"{}") -> None:
        log = AuditLog(self.path, KEY)
        log._connection.execute("PRAGMA synchronous = OFF")  # how it is made durable is tested elsewhere
        for kind in kinds:
            at = self.start + timedelta(seconds=self.written)
            log.append(kind, f"t-{self.written // 5}", body, at, float(self.written))
            self.written += 1
        log.close()

    def outbox(self) -> Outbox:
        """As after a start."""
        self.outboxes.append(Outbox(self.path, self.cursor, GATE, TwoKeys()))
        return self.outboxes[-1]

    def rows(self):
        with open_readonly(self.path) as log:
            return log.rows(0, 1_000_000)

    def receipt(self, through: int, by: FileSigner = COLLECTOR, **changes) -> bytes:
        with open_readonly(self.path) as log:
            row = log.row(through)
            told = {"gate": GATE, "log": log.log_id(), "through": through, "hash": row[7] if row else b"\0" * 32}
        return sealed(by, Receipt(**(told | {"at": START.isoformat()} | changes)))

    def close(self) -> None:
        for outbox in self.outboxes:
            outbox.close()


def numbers(parcels: Iterable[Parcel]) -> list[int]:
    return [row.seq for parcel in parcels for row in parcel.rows]


def directory_file(path: Path) -> Path:
    """The same two keys as a demonstration's directory."""
    since, until = START - timedelta(days=9), START + timedelta(days=9000)
    entries = [
        Entry(purpose=purpose, name=name, public=each.public.hex(), since=since, until=until)
        for purpose, name, each in (("gate", GATE, GATE_SIGNER), ("collector", "collector", COLLECTOR))
    ]
    path.write_bytes(encoded(Directory(sequence=1, entries=tuple(entries))))
    return path
