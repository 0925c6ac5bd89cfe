"""What gates and their centre tell each other over NATS, and how it is signed.

The gate's audit log is the outbox. A :class:`Parcel` carries a run of its records as they lie there, numbered and linked by their hashes; a
:class:`Receipt` says up to which number the centre holds them, committed and linked without a gap. A :class:`Status` says how a gate does, and only the
newest counts. Everything travels in an :class:`Envelope`: what was signed, and by which key; the broker is believed nothing.

Subjects: ``autogate.TPI.GATE.KIND``, kind one of :data:`KINDS`; receipts ``autogate-receipt.TPI.GATE``.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol, TypeVar, get_args

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

Kind = Literal["crossing", "record", "checkpoint", "status"]
"""``crossing``: parcels with ended transactions, sent before all others; ``record``: all other parcels; ``checkpoint``: signed notes of the log."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SUBJECT, RECEIPT_SUBJECT = "autogate", "autogate-receipt"
MOST_PARCEL = 256 << 10
"""Bytes of records in one parcel; a single record may have more (``gate.audit.log.MAX_BODY``)."""
MOST_MESSAGE = (1 << 20) + (1 << 16)
"""Bytes: a longer message is refused unread. The broker's ``max_payload`` is set to it."""

GATE = r"[A-Z]{3}\.[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
GateId = Annotated[str, Meta(pattern=rf"^{GATE}\Z")]
"""``TPI.GATE``, e.g. ``CGK.D07``: a checkpoint and the name of a lane there, as two tokens of a subject."""
LogId = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Text = Annotated[str, Meta(max_length=200)]
Instant = Annotated[str, Meta(max_length=40)]
"""ISO 8601 with its offset."""
Number = Annotated[int, Meta(ge=0, lt=1 << 53)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
_GATE = re.compile(GATE)


class EnvelopeError(Exception):
    """Not believed; ``code`` is a word of :data:`REFUSALS`."""

    def __init__(self, code: str, what: str) -> None:
        self.code = code
        super().__init__(what)


REFUSALS = ("oversized", "malformed", "unknown_key", "forged", "other_format", "other_gate", "revoked", "expired")


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A record of a gate's log, every column as it lies there (:data:`gate.audit.chain.Row`)."""

    seq: Number
    at: bytes
    boot: float
    transaction: bytes
    kind: bytes
    body: bytes
    previous: Hash
    hash: Hash


class Signed(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of what is signed. ``format`` is 1; whoever reads another refuses it."""

    format: int = 1
    gate: GateId


class Parcel(Signed, frozen=True, kw_only=True):
    """Records of one log, numbers ascending; with gaps where the ones between went, or will go, by themselves."""

    log: LogId
    start: Hash
    """What record 1 continues: the hash of the log's meta row."""
    rows: Annotated[tuple[Row, ...], Meta(min_length=1)]


class CheckpointNote(Signed, frozen=True, kw_only=True):
    """A checkpoint of the log as the gate's audit key signed it (:mod:`gate.audit.note`)."""

    log: LogId
    note: Annotated[str, Meta(max_length=16_384)]


class Status(Signed, frozen=True, kw_only=True):
    """How a gate does. Words and numbers of its own, nothing of a traveller."""

    at: Instant
    boot: float
    log: LogId
    head: Number
    """Number of the log's newest record."""
    receipted: Number
    """Up to which the gate holds the centre's receipt."""
    state: Text
    """Of the lane (``gate.lane.State``); empty where the lane is away."""
    troubles: Annotated[tuple[Text, ...], Meta(max_length=32)] = ()
    waiting_s: float = 0.0
    """How long somebody waits for an officer."""
    versions: Annotated[dict[Text, Text], Meta(max_length=32)] = {}
    """``software``, ``rules``, ``trust``, ``config``, ``pack`` → what is in force."""
    freshness: Annotated[dict[Text, Instant], Meta(max_length=32)] = {}
    """List → the instant as of which it speaks."""
    days_left: float | None = None
    """For how many days the disk takes records at the pace of the last week; None: not known yet."""
    refused: Annotated[dict[Text, Number], Meta(max_length=32)] = {}
    """What came from the centre and was not believed: word of :data:`REFUSALS`, or of an update → how often."""


class Receipt(Signed, frozen=True, kw_only=True):
    """The centre holds records 1 to ``through`` of ``log``, committed, linked without a gap; the last one's hash is ``hash``."""

    log: LogId
    through: Number
    hash: Hash
    at: Instant


class Assignment(Signed, frozen=True, kw_only=True):
    """What of all that is allowed this gate shall work with, as the director has it (:mod:`gate.fleet.updates`)."""

    number: Number
    """Only grows, for each gate: none is taken that is older than one that was."""
    at: Instant
    until: Instant
    """Nobody who holds back newer ones makes this one count longer."""
    targets: Annotated[dict[Text, Text], Meta(max_length=32)]
    """What it is for (``rules``, ``trust``, …) → the path of a target."""


AnySigned = Parcel | CheckpointNote | Status | Receipt | Assignment
_CONTEXT = b"autogate fleet message 1\n"
T = TypeVar("T", bound=Signed)


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """``key``: :func:`key_id` of the signer's; ``signature``: Ed25519 over a context of ours and ``payload``."""

    key: Annotated[bytes, Meta(min_length=8, max_length=8)]
    payload: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Signs(Protocol):
    """As :class:`gate.audit.note.Signer`."""

    @property
    def public(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class Keys(Protocol):
    """Whose signatures count now."""

    def public(self, key: bytes, gate: str, purpose: Literal["gate", "collector", "director"]) -> bytes:
        """The public key with that id, where it may speak for ``gate`` (a gate's own) or to it. Raises EnvelopeError: unknown_key, other_gate, revoked, expired."""


def key_id(public: bytes) -> bytes:
    return hashlib.sha256(b"autogate fleet key\n" + public).digest()[:8]


def sealed(signer: Signs, told: Signed) -> bytes:
    """``told``, signed, as it travels. Raises what the signer raises."""
    payload = msgspec.msgpack.encode(told)
    envelope = Envelope(key_id(signer.public), payload, signer.sign(_CONTEXT + payload))
    return msgspec.msgpack.encode(envelope)


_envelopes = msgspec.msgpack.Decoder(Envelope)
_signed = msgspec.msgpack.Decoder(AnySigned)


def believed(raw: bytes, kind: type[T], keys: Keys, purpose: Literal["gate", "collector", "director"]) -> T:
    """What travelled as ``raw``, once its signer is known to be entitled. Raises EnvelopeError."""
    if len(raw) > MOST_MESSAGE:
        raise EnvelopeError("oversized", f"{len(raw)} bytes")
    try:
        envelope = _envelopes.decode(raw)
        told = _signed.decode(envelope.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError("malformed", str(error)) from None
    if not isinstance(told, kind):
        raise EnvelopeError("malformed", f"{type(told).__name__}, not {kind.__name__}")
    if told.format != 1:
        raise EnvelopeError("other_format", f"format {told.format}: a newer release wrote it")
    public = keys.public(envelope.key, told.gate, purpose)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(envelope.signature, _CONTEXT + envelope.payload)
    except (InvalidSignature, ValueError):
        raise EnvelopeError("forged", f"not signed by {envelope.key.hex()}") from None
    return told


def gate_id(checkpoint: str, lane: str) -> str:
    """``TPI.GATE``. Raises ValueError where these make no two tokens of a subject."""
    name = f"{checkpoint}.{lane}"
    if not _GATE.fullmatch(name):
        raise ValueError(f"{name}: in a fleet a lane's name has letters, digits, hyphens and underscores alone")
    return name


def subject(gate: str, kind: Kind) -> str:
    return f"{SUBJECT}.{gate}.{kind}"


def receipt_subject(gate: str) -> str:
    return f"{RECEIPT_SUBJECT}.{gate}"


def inbox(gate: str) -> str:
    """Below which subject the broker answers what this gate asks: a prefix of its own, so that no gate hears another's answers."""
    return f"_INBOX.{gate}"


def last_receipt(gate: str) -> str:
    """Whom to ask for the newest receipt of a gate: the broker, of its stream RECEIPTS (direct get by subject)."""
    return f"$JS.API.DIRECT.GET.RECEIPTS.{receipt_subject(gate)}"


def gate_may_tell(gate: str) -> tuple[str, ...]:
    """All that a gate publishes to besides what its updates ask (:func:`gate.fleet.updates.broker.gate_may_ask`)."""
    return (*(subject(gate, kind) for kind in KINDS), last_receipt(gate))


def gate_may_hear(gate: str) -> tuple[str, ...]:
    """All that a gate subscribes to."""
    return receipt_subject(gate), f"{inbox(gate)}.>"


def gate_of(subject: str) -> str:
    """The gate that a subject names; empty where it names none."""
    gate = ".".join(subject.split(".")[1:3])
    return gate if _GATE.fullmatch(gate) else ""


def message_id(told: Parcel) -> str:
    """What the broker knows a parcel by, so that one sent again within its window is dropped (``Nats-Msg-Id``)."""
    rows = ",".join(str(row.seq) for row in (told.rows[0], told.rows[-1]))
    return f"{told.gate}/{told.log}/{rows}/{told.rows[-1].hash.hex()[:16]}"


def instant(text: str) -> datetime | None:
    """What an :data:`Instant` says, in UTC; None for any other text."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def printable(text: str, most: int = 200) -> str:
    """Its first ``most`` characters, for people, whoever wrote it."""
    return "".join(each if each.isprintable() else "?" for each in text[:most])
