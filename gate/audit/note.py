"""What is signed about a log: checkpoints, in the form that public witnesses understand.

A checkpoint (C2SP tlog-checkpoint) is a few lines of text: the log's name, its size, the root of its Merkle tree, and two lines of our own, the
end of its hash chain and the gate's instant. A note (C2SP signed-note) is a text with signatures below it: the gate's (Ed25519), and those of
witnesses, which say when they found it consistent with all that they had seen before (C2SP tlog-cosignature, ``cosignature/v1``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gate.audit.chain import AuditError
from gate.audit.tree import HASH_BYTES

GATE, WITNESS = 1, 4
"""Kinds of keys: Ed25519 of a note, Ed25519 of a cosignature."""
MOST_BYTES, MOST_SIGNATURES = 16_384, 32
"""Of a note: a checkpoint has some 300 bytes, and 100 a signature."""
MOST_RECORDS = 1 << 53
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+]{1,128}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class NoteError(AuditError):
    """No key, no note or no checkpoint; says why. Nothing in it was believed."""


class Signer(Protocol):
    """Signs for the gate, or for a witness: with a key in a file (demonstrations), or one that never leaves its hardware."""

    @property
    def name(self) -> str: ...

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes (RFC 8032)."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes. Raises AuditError where the key cannot be used now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSigner:
    """A key in memory, out of a file. Whoever can read the file can sign."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """Whose signatures are believed. As text (C2SP signed-note, ``vkey``): ``NAME+ID+KEY``."""

    name: str
    public: bytes
    kind: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        told, _, encoded = rest.partition("+")
        raw = _decoded(encoded)
        if not _NAME.fullmatch(name) or len(raw) != 33 or raw[0] not in {GATE, WITNESS}:
            raise NoteError("no key: write it as autogate audit keygen printed it")
        key = cls(name=name, public=raw[1:], kind=raw[0])
        if told != key.id.hex():
            raise NoteError(f"the key of {name} was miscopied")
        return key

    @classmethod
    def of(cls, signer: Signer, kind: int = GATE) -> Self:
        return cls(name=signer.name, public=signer.public, kind=kind)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encoded(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log ``origin`` had ``size`` records, this ``root`` over them, and a chain that ended in ``head``, at the instant ``at``."""

    origin: str
    size: int
    root: bytes
    head: bytes
    at: datetime

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_encoded(self.root)}\nhead {_encoded(self.head)}\nat {self.at.isoformat()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteError for everything but what :attr:`text` gives."""
        lines = text.split("\n")
        if len(lines) != 6 or not _NAME.fullmatch(lines[0]) or not _NUMBER.fullmatch(lines[1]):
            raise NoteError("not a checkpoint of a gate's log")
        try:
            at = datetime.fromisoformat(lines[4].removeprefix("at "))
        except ValueError:
            raise NoteError("not a checkpoint of a gate's log") from None
        found = cls(
            origin=lines[0],
            size=int(lines[1]),
            root=_decoded(lines[2]),
            head=_decoded(lines[3].removeprefix("head ")),
            at=at,
        )
        whole = len(found.root) == len(found.head) == HASH_BYTES and found.size < MOST_RECORDS and at.tzinfo is not None
        if not whole or found.text != text:
            raise NoteError("not a checkpoint of a gate's log")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and what stands below it, unverified: name, key's id, signature."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()

    @classmethod
    def parse(cls, encoded: str) -> Self:
        """Raises NoteError."""
        text, gap, below = encoded.rpartition("\n\n")
        if not gap or len(encoded) > MOST_BYTES or not below.endswith("\n"):
            raise NoteError("not a signed note")
        return cls(text=text + "\n").with_lines(below)

    def with_lines(self, lines: str) -> Self:
        """With signatures added, each of whose lines is as :func:`signed` gives it. Raises NoteError."""
        found = []
        for line in lines.splitlines():
            name, _, encoded = line.removeprefix(_DASH).partition(" ")
            raw = _decoded(encoded)
            if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(raw) < 4:
                raise NoteError("not a signed note: a line below it is no signature")
            found.append((name, raw[:4], raw[4:]))
        whole = tuple(dict.fromkeys((*self.signatures, *found)))
        if len(whole) > MOST_SIGNATURES:
            raise NoteError(f"a note with more than {MOST_SIGNATURES} signatures")
        return replace(self, signatures=whole)

    @property
    def encoded(self) -> str:
        return f"{self.text}\n" + "".join(_line(name, id_ + value) for name, id_, value in self.signatures)

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Whether one of the key's signatures stands below, and all of them are good."""
        found = self._of(key)
        return bool(found) and all(_good(key, value, self.text.encode()) for value in found)

    def cosigned(self, key: VerifierKey) -> int | None:
        """When the witness signed it (seconds of POSIX), the earliest; None where it did not, or a signature under its name is not good."""
        found = [(struct.unpack(">Q", value[:8])[0], value[8:]) for value in self._of(key) if len(value) == 72]
        if len(found) < len(self._of(key)) or not all(_good(key, value, _cosigned(self.text, at)) for at, value in found):
            return None
        return min((at for at, _ in found), default=None)

    def _of(self, key: VerifierKey) -> list[bytes]:
        return [value for name, id_, value in self.signatures if (name, id_) == (key.name, key.id)]


def signed(text: str, signer: Signer) -> str:
    """The gate's signature on ``text``, as a line of a note. Raises AuditError."""
    return _line(signer.name, VerifierKey.of(signer).id + signer.sign(text.encode()))


def cosigned(text: str, signer: Signer, at: int) -> str:
    """A witness's signature on the checkpoint ``text``, as a line of a note; ``at`` in seconds of POSIX. Raises AuditError."""
    value = struct.pack(">Q", at) + signer.sign(_cosigned(text, at))
    return _line(signer.name, VerifierKey.of(signer, WITNESS).id + value)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _line(name: str, value: bytes) -> str:
    return f"{_DASH}{name} {_encoded(value)}\n"


def _good(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decoded(text: str) -> bytes:
    """Raises NoteError for everything but what :func:`_encoded` gives."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if _encoded(raw) != text:
        raise NoteError("not base64 as it is written")
    return raw
