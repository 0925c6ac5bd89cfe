"""Gates that tell the centre what they please: honest ones, and others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.chain import chain_key, encode, leaf_data, record_hash
from gate.audit.note import Checkpoint, FileSigner, Note, VerifierKey, signed
from gate.audit.tree import Frontier, leaf_hash
from gate.evidence import Direction
from gate.fleet.centre.database import migrate
from gate.fleet.engines import RunningPostgres
from gate.fleet.messages import CheckpointNote, EnvelopeError, Kind, Parcel, Row, Status, key_id, sealed
from gate.outcome import Outcome
from gate.records import StageTiming, TransactionRecord

BEGIN = datetime.now(UTC).replace(microsecond=0)
PARTIES: dict[bytes, tuple[str, str, bytes]] = {}
"""Key id → name, purpose, public key."""


class AllKeys:
    """:class:`gate.fleet.messages.Keys` of every gate that a test made."""

    revoked: set[str]

    def __init__(self) -> None:
        self.revoked = set()

    def public(self, key: bytes, gate: str, purpose: str) -> bytes:
        if key not in PARTIES or PARTIES[key][1] != purpose:
            raise EnvelopeError("unknown_key", key.hex())
        name, _, public = PARTIES[key]
        if purpose == "gate" and name != gate:
            raise EnvelopeError("other_gate", name)
        if name in self.revoked:
            raise EnvelopeError("revoked", name)
        return public


def signer_of(name: str, purpose: str) -> FileSigner:
    signer = FileSigner(name=name, key=Ed25519PrivateKey.generate())
    PARTIES[key_id(signer.public)] = name, purpose, signer.public
    return signer


@dataclass
class Gate:
    """A gate and its log, in memory."""

    name: str = "CGK.D07"
    log: str = "00112233445566aa"
    at: datetime = BEGIN
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = signer_of(self.name, "gate")
        self.auditor = FileSigner(name=f"autogate/{self.name[4:]}", key=Ed25519PrivateKey.generate())
        self.secret = chain_key(hashlib.sha256(self.log.encode()).digest())
        self.start = hashlib.sha256(b"meta" + self.log.encode()).digest()

    def write(self, count: int = 1, kind: str = "event", body: bytes = b'{"what":"nothing"}', transaction: str = "") -> list[Row]:
        made = []
        for _ in range(count):
            self.at += timedelta(milliseconds=250)
            previous = self.rows[-1].hash if self.rows else self.start
            columns = (
                len(self.rows) + 1,
                self.at.isoformat().encode(),
                12.5,
                transaction.encode(),
                kind.encode(),
                body,
                previous,
            )
            made.append(Row(*columns, record_hash(self.secret, *columns)))
            self.rows.append(made[-1])
        return made

    def cross(self, transaction: str = "t1", outcome: Outcome = Outcome.OPEN, document_class: str = "ordinary") -> Row:
        record = TransactionRecord(
            transaction=transaction,
            lane=self.name[4:],
            checkpoint=self.name[:3],
            direction=Direction.DEPARTURE,
            started=self.at,
            ended=self.at + timedelta(seconds=9),
            document_class=document_class,
            document_key="9f" * 16,
            outcome=outcome,
            reasons=() if outcome is Outcome.OPEN else ("face_no_match",),
            stages=(StageTiming(name="chip", start_ms=1.0, duration_ms=1800.0, result="successful"),),
            decisions=(),
            backends={},
            demonstration=True,
        )
        return self.write(1, "transaction", encode(record), transaction)[0]

    def parcel(self, rows: Sequence[Row], **change: object) -> bytes:
        return sealed(
            self.signer, Parcel(**{"gate": self.name, "log": self.log, "start": self.start, "rows": tuple(rows)} | change)
        )

    def note(self, size: int | None = None) -> bytes:
        edge, size = Frontier(), len(self.rows) if size is None else size
        for row in self.rows[:size]:
            edge.add(
                leaf_hash(leaf_data((row.seq, row.at, row.boot, row.transaction, row.kind, row.body, row.previous, row.hash)))
            )
        head = self.rows[size - 1].hash if size else self.start
        text = Checkpoint(origin=f"{self.auditor.name}/{self.log}", size=size, root=edge.root(), head=head, at=self.at).text
        whole = Note(text=text).with_lines(signed(text, self.auditor)).encoded
        return sealed(self.signer, CheckpointNote(gate=self.name, log=self.log, note=whole))

    def status(self, **change: object) -> bytes:
        told = {
            "at": datetime.now(UTC).isoformat(),
            "boot": 5.0,
            "head": len(self.rows),
            "receipted": 0,
            "state": "idle",
        } | change
        return sealed(self.signer, Status(gate=self.name, log=self.log, **told))

    @property
    def audit_key(self) -> VerifierKey:
        return VerifierKey.of(self.auditor)

    def subject(self, kind: Kind) -> str:
        return f"autogate.{self.name}.{kind}"


@pytest.fixture
def keys() -> AllKeys:
    return AllKeys()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def make_gate() -> Callable[..., Gate]:
    return Gate


@pytest.fixture
def collector_signer() -> FileSigner:
    return signer_of("centre", "collector")


@pytest.fixture(scope="session")
def migrated(postgres: RunningPostgres) -> str:
    """A database with the centre's tables. Making one takes half a second, emptying it hundredths."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create database centre")
    migrate(dsn := postgres.dsn_of("centre"))
    return dsn


@pytest.fixture
def centre(migrated: str) -> Iterator[str]:
    """The DSN of an empty centre."""
    yield migrated
    with psycopg.connect(migrated) as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition "
            "and relname not in ('schema_version', 'alert_rule')"
        )
        connection.execute(";".join(f"delete from {name}" for (name,) in rows))  # type: ignore[arg-type]
