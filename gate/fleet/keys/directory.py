"""The key directory: who may speak in the fleet, with which key, from when until when, and who may no more.

A file of JSON in one form only (:func:`encoded`). An entry is worth something by itself: two people have signed for it
(:mod:`gate.fleet.keys.enrolment`), so that whoever can write the file can add nobody. Taking away needs no proof: a key that is marked as
revoked counts for nothing from then on, whatever it signed and whenever; what had been received before stays.

As ``keys.json`` the file is a target of the fleet's updates, so that gates learn which collectors and directors to believe.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from gate.audit.chain import AuditError
from gate.audit.note import VerifierKey
from gate.fleet.messages import EnvelopeError, Text, key_id
from pki.durable import read_file, write_file
from pki.errors import PkiError
from pki.signed_statement import QUORUM, parse_signers

Purpose = Literal[
    "gate", "collector", "director", "authority", "page", "rules", "trust", "roster", "registry", "snapshot", "witness"
]
"""``gate`` to ``page`` speak over the broker (``page`` only listens); the others are people and registries whose signatures gates count."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
MOST_BYTES, MOST_ENTRIES = 16 << 20, 20_000
"""Of a directory: 3,000 gates with a few keys of the past each, some 700 bytes an entry."""
Name = Annotated[str, Meta(pattern=r"^([A-Z]{3}\.)?[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")]
"""A gate's id, or one word."""
PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
At = Annotated[datetime, Meta(tz=True)]
_CONTEXT = b"autogate fleet entry 1\n"


class KeysError(Exception):
    """No directory, no request or no certificate of a fleet, or not entitled; says why. Nothing in it was believed."""


class Revoked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and why a key was taken out, and by whom."""

    at: At
    because: Annotated[str, Meta(min_length=1, max_length=200)]
    by: Text = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key. ``name`` is a gate's id, else a name of one word."""

    purpose: Purpose
    name: Name
    public: PublicKey
    since: At
    until: At
    """The first instant at which it no more counts."""
    audit: Annotated[str, Meta(max_length=300)] = ""
    """Of a gate: the key of its log's checkpoints (:class:`gate.audit.note.VerifierKey` as text); empty where it signs none."""
    approvals: Annotated[dict[PublicKey, Signature], Meta(max_length=8)] = {}
    """Person's public key → signature over :attr:`message`."""
    revoked: Revoked | None = None

    @property
    def id(self) -> bytes:
        return key_id(bytes.fromhex(self.public))

    @property
    def message(self) -> bytes:
        """What people sign: everything but their signatures and a later revocation."""
        return _CONTEXT + _encode(msgspec.structs.replace(self, approvals={}, revoked=None))

    def approved_by(self, people: Mapping[str, str]) -> tuple[str, ...]:
        """Who of ``people`` (public key → name) signed for it, each once."""
        message = self.message
        found = {people[key] for key, value in self.approvals.items() if key in people and _good(key, value, message)}
        return tuple(sorted(found))

    def is_live(self, now: datetime) -> bool:
        return self.revoked is None and self.since <= now < self.until


class Directory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. ``sequence`` only grows."""

    format: Literal[1] = 1
    sequence: Annotated[int, Meta(ge=1, lt=1 << 53)]
    entries: Annotated[tuple[Entry, ...], Meta(max_length=MOST_ENTRIES)] = ()

    def with_entries(self, entries: Iterable[Entry]) -> Directory:
        """The next directory."""
        return Directory(sequence=self.sequence + 1, entries=tuple(sorted(entries, key=_order)))


def encoded(directory: Directory) -> bytes:
    return _encode(msgspec.structs.replace(directory, entries=tuple(sorted(directory.entries, key=_order)))) + b"\n"


def parse_directory(raw: bytes) -> Directory:
    """Read what :func:`encoded` wrote. Raises KeysError for everything else, and where two entries have one key, or a key is weak."""
    if len(raw) > MOST_BYTES:
        raise KeysError(f"a key directory of {len(raw)} bytes")
    try:
        found = _decoder.decode(raw)
        canonical = encoded(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise KeysError(f"no key directory: {error}") from None
    if canonical != raw:
        raise KeysError("no key directory: not as it is written")
    if len({entry.id for entry in found.entries}) < len(found.entries):
        raise KeysError("no key directory: a key comes twice")
    for entry in found.entries:
        check_entry(entry)
    return found


def check_entry(entry: Entry) -> None:
    """Raises KeysError where an entry says what cannot be."""
    if (entry.purpose == "gate") != ("." in entry.name):
        raise KeysError(f"{entry.name}: a gate's name is TPI.GATE, and no other's")
    try:
        parse_signers([f"key:{entry.public}"])
        if entry.audit:
            VerifierKey.parse(entry.audit)
    except PkiError as error:
        raise KeysError(f"{entry.name}: {error.detail}") from None
    except AuditError as error:
        raise KeysError(f"{entry.name}: {error}") from None


class KeyDirectory:
    """:class:`gate.fleet.messages.Keys`: who may speak now. Look-ups take no longer for 3,000 gates than for one."""

    def __init__(
        self,
        directory: Directory,
        *,
        people: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``people`` (public key → name): entries for which no two of them signed count for nothing; None: a demonstration's, all count."""
        self.directory, self._now = directory, now
        approved = [one for one in directory.entries if people is None or len(one.approved_by(people)) >= QUORUM]
        self._entries = {entry.id: entry for entry in approved}
        self.unapproved = tuple(entry for entry in directory.entries if entry.id not in self._entries)
        """Entries that count for nothing."""

    def public(self, key: bytes, gate: str, purpose: Literal["gate", "collector", "director"]) -> bytes:
        """:meth:`gate.fleet.messages.Keys.public`."""
        entry = self._entries.get(key)
        if entry is None or entry.purpose != purpose:
            raise EnvelopeError("unknown_key", f"{key.hex()}: no key of a {purpose}")
        if purpose == "gate" and entry.name != gate:
            raise EnvelopeError("other_gate", f"{key.hex()} is the key of {entry.name}, not of {gate}")
        if entry.revoked:
            raise EnvelopeError("revoked", f"{entry.name}: {entry.revoked.because}")
        if not entry.is_live(self._now()):
            raise EnvelopeError("expired", f"{entry.name}: {entry.since.isoformat()} to {entry.until.isoformat()}")
        return bytes.fromhex(entry.public)

    def live(self, purpose: Purpose | None = None) -> tuple[Entry, ...]:
        """Entries that count now."""
        now = self._now()
        return tuple(one for one in self._entries.values() if one.is_live(now) and purpose in {None, one.purpose})

    def signers(self, purpose: Purpose) -> dict[str, str]:
        """Public key → name: whose signatures count for ``purpose`` now."""
        return {entry.public: entry.name for entry in self.live(purpose)}

    def audit_keys(self, gate: str) -> tuple[VerifierKey, ...]:
        """By which keys the checkpoints of the gate's logs may be signed: past ones, too, for what was received stays."""
        return tuple(VerifierKey.parse(one.audit) for one in self._entries.values() if one.name == gate and one.audit)

    def check_follows(self, before: KeyDirectory) -> None:
        """Raises KeysError where this is older than ``before``, or forgets that a key was revoked which would still count."""
        if self.directory.sequence < before.directory.sequence:
            raise KeysError(
                f"key directory {self.directory.sequence} is older than {before.directory.sequence}, which was in force"
            )
        if self.directory.sequence == before.directory.sequence and self.directory != before.directory:
            raise KeysError(f"key directory {self.directory.sequence} is not the one that was in force")
        now, mine = self._now(), {entry.id: entry for entry in self.directory.entries}
        for gone in (entry for entry in before.directory.entries if entry.revoked and now < entry.until):
            if gone.id not in mine or mine[gone.id].revoked is None:  # one that left it could come back with its approvals
                raise KeysError(f"key directory {self.directory.sequence} forgets that a key of {gone.name} is revoked")


def read_directory(path: Path) -> Directory:
    """Raises KeysError."""
    try:
        return parse_directory(read_file(path, MOST_BYTES))
    except PkiError as error:
        raise KeysError(error.detail) from None


def write_directory(path: Path, directory: Directory) -> None:
    """Replace it as a whole. Raises OSError, KeysError where nobody could read it."""
    parse_directory(raw := encoded(directory))
    write_file(path, raw)


def _order(entry: Entry) -> tuple[str, str, str]:
    return entry.purpose, entry.name, entry.public


@functools.lru_cache(maxsize=1 << 16)  # a directory that changed in one entry is examined in that entry alone
def _good(key: str, signature: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


_encode = msgspec.json.Encoder(order="sorted").encode
_decoder = msgspec.json.Decoder(Directory)
