"""Honest gates for measurements of the fleet: each has a key and a log of its own, and records as a simulated lane writes them.

``fleet_traveller.jsonl`` holds what one traveller of ``make trial`` left in a log: two permits, the transaction that ended, and an event of the
lane, without anything personal, for nobody is simulated who has a name. Here a traveller leaves twenty records, as the fleet is sized for:
these three and seventeen events, each with a transaction's number and times of its own. What a gate in operation seals is as long as sealed, and noise.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate.audit.chain import Head, Row, chain_key, meta_hash, record_hash
from gate.audit.fields import Box, sealed, taken
from gate.audit.log import FORMAT
from gate.audit.notary import gate_name
from gate.audit.note import FileSigner, VerifierKey
from gate.fleet.keys.directory import Directory, Entry, write_directory

TRAVELLER = Path(__file__).with_name("fleet_traveller.jsonl")
RECORDS = 20
"""Of one traveller."""
REVIVED = 9_900
"""Number of the gate whose log all those begin with whose power failed."""
KEY, SEAL = 100_000, 28
"""Number of a record's key; octets of AES-GCM's nonce and tag."""
AIRPORTS = ("CGK", "DPS")
COLLECTOR = "collector"
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Body = tuple[str, bytes]
"""Kind and body of a record to be."""


@dataclass(frozen=True, slots=True)
class _Template:
    permits: tuple[str, str]
    transaction: str
    event: bytes
    id: str
    lane: str
    started: str
    ended: str


@cache
def _template() -> _Template:
    first, second, transaction, event = TRAVELLER.read_text(encoding="utf-8").splitlines()
    told = json.loads(transaction)
    names = (told[name] for name in ("transaction", "lane", "started", "ended"))
    return _Template(
        (_sealed("permit", first), _sealed("permit", second)), _sealed("transaction", transaction), event.encode(), *names
    )


def _sealed(kind: str, body: str) -> str:
    """As long as a gate would write it."""
    clear, parts = taken(kind, body.encode())
    boxes = {name: Box(key=KEY, box=hashlib.shake_256(part).digest(len(part) + SEAL)) for name, part in parts.items()}
    return sealed(clear, boxes).decode()


def traveller(transaction: str, lane: str, at: datetime) -> Iterator[Body]:
    """What one who began at ``at`` leaves, in its order. ``transaction``: its number, 32 digits."""
    of = _template()

    def own(body: str) -> bytes:
        return body.replace(of.id, transaction).replace(of.lane, lane).encode()

    ended = own(of.transaction.replace(of.started, _instant(at)).replace(of.ended, _instant(at + timedelta(seconds=10))))
    events: Body = ("event", of.event)
    yield from [events] * 5
    yield "permit", own(of.permits[0])
    yield from [events] * 6
    yield "permit", own(of.permits[1])
    yield from [events] * 6
    yield "transaction", ended


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class MemoryLog:
    """A log as :class:`gate.audit.log.AuditLog`, chained by the same function under a key of its own, that lies in memory alone.

    What the centre has given its receipt for may be forgotten (:meth:`forget`), so that an hour of 3,000 gates needs no disk.
    """

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self.key, created = chain_key(key), FROM.isoformat().encode()
        self._id = hashlib.sha256(b"autogate audit log\n" + nonce).hexdigest()[:16]
        self._start = Head(seq=0, hash=meta_hash(self.key, FORMAT, created, nonce))
        self._head, self._rows = self._start, deque[Row]()

    def append(self, kind: str, transaction: str, body: bytes, at: datetime, boot: float) -> int:
        moment = at.astimezone(UTC).isoformat().encode()
        columns = (self._head.seq + 1, moment, boot, transaction.encode(), kind.encode(), body, self._head.hash)
        row = (*columns, record_hash(self.key, *columns))
        self._rows.append(row)
        self._head = Head(seq=row[0], hash=row[7])
        return row[0]

    def rows(self, after: int, most: int, kind: str | None = None) -> list[Row]:
        skipped = max(0, after + 1 - self._rows[0][0]) if self._rows else 0
        behind = islice(self._rows, skipped, None)
        wanted = behind if kind is None else (row for row in behind if row[4] == kind.encode())
        return list(islice(wanted, most))

    def row(self, seq: int) -> Row | None:
        found = self.rows(seq - 1, 1)
        return found[0] if found and found[0][0] == seq else None

    def head(self) -> Head:
        return self._head

    def start(self) -> Head:
        return self._start

    def log_id(self) -> str:
        return self._id

    def forget(self, through: int) -> None:
        """All before record ``through``."""
        while self._rows and self._rows[0][0] < through:
            self._rows.popleft()

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The ``number``-th of a run. ``log_of``: its log was begun under another number (:mod:`benchmarks.fleet_power`)."""

    number: int
    log_of: int = -1

    @property
    def id(self) -> str:
        return f"{AIRPORTS[self.number % len(AIRPORTS)]}.B{self.number // 100:02}-{self.number % 100:02}"

    @property
    def lane(self) -> str:
        return self.id.partition(".")[2]

    @property
    def secret(self) -> bytes:
        """The gate's key, which chains its log."""
        return _seed(f"log {self.number if self.log_of < 0 else self.log_of}").hex().encode()

    @property
    def signer(self) -> FileSigner:
        return FileSigner(name=self.id, key=Ed25519PrivateKey.from_private_bytes(_seed(f"gate {self.number}")))

    @property
    def auditor(self) -> FileSigner:
        """Signs the checkpoints of its log."""
        return FileSigner(name=gate_name(self.lane), key=Ed25519PrivateKey.from_private_bytes(_seed(f"audit {self.number}")))

    @property
    def entry(self) -> Entry:
        """In the key directory."""
        audit = str(VerifierKey.of(self.auditor))
        return Entry(purpose="gate", name=self.id, public=self.signer.public.hex(), since=FROM, until=UNTIL, audit=audit)

    def memory_log(self) -> MemoryLog:
        return MemoryLog(self.secret, hashlib.md5(self.secret, usedforsecurity=False).digest())

    def one_traveller(self, log: MemoryLog, count: int, at: datetime | None = None) -> int:
        """Write down what its ``count``-th traveller leaves. Returns the number of the last record. ``log``: an AuditLog as well."""
        moment, seq = at or datetime.now(UTC), 0
        transaction = f"{self.number:016x}{count:016x}"
        for kind, body in traveller(transaction, self.lane, moment):
            seq = log.append(kind, transaction if kind != "event" else "", body, moment, time.monotonic())
        return seq


def collector_signer() -> FileSigner:
    return FileSigner(name=COLLECTOR, key=Ed25519PrivateKey.from_private_bytes(_seed(COLLECTOR)))


def write_collector_key(path: Path) -> None:
    """As ``autogate audit keygen`` writes one. Raises OSError."""
    raw = collector_signer().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(raw)
    path.chmod(0o600)


def _seed(what: str) -> bytes:
    """Everybody can make these keys: they are of no gate."""
    return hashlib.sha256(f"autogate fleet measurement: {what}".encode()).digest()


def write_keys(path: Path, gates: list[Gate]) -> None:
    """The key directory of a run: its gates, and one collector."""
    collector = Entry(purpose="collector", name=COLLECTOR, public=collector_signer().public.hex(), since=FROM, until=UNTIL)
    write_directory(path, Directory(sequence=1, entries=(*(gate.entry for gate in gates), collector)))
