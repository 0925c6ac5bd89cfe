"""What people sign about a store: that from now on, or from an instant on, this version of it is in force, in place of that one.

A statement is a small JSON object; Ed25519 (RFC 8032) signs its canonical encoding: sorted keys, no spaces, ASCII. Statements are
numbered, each names the one that it replaces, and their numbers only grow; what goes back is a statement of its own that says why.
What kind of store a statement is about goes before the signed octets, so that none is good for a store of another kind.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pki.errors import PkiError, ReasonCode

Action = Literal["activate", "rollback"]
QUORUM = 2
"""People who must have signed: nobody changes alone what the gate goes by."""
MAX_STATEMENT, MAX_SIGNATURES, MAX_TEXT = 1 << 16, 8, 400
"""Octets of a file, signatures in it, letters of a reason."""
_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8, _P - _ORDER_8})
"""Second coordinates of the points whose order divides 8 (cofactor of RFC 8032 §5.1): under such a key anybody signs anything."""
_SIGNER = re.compile(r"(?P<name>[^:\s]{1,32}):(?P<key>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyStatement:
    """``version`` and ``store`` (SHA-256 of what it holds) come into force as number ``sequence``; ``replaces`` is the digest of the
    statement before, empty for the first. What a kind of store says besides, its own statements add.
    """

    CONTEXT: ClassVar[bytes]
    """Goes before each signed encoding."""
    WHAT: ClassVar[str]
    """The kind of store, for people."""

    action: Action
    version: int
    store: str
    sequence: int
    replaces: str
    date: str
    because: str = ""

    @property
    def encoded(self) -> bytes:
        return _canonical(asdict(self))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Out of parsed JSON, its values unchecked. Raises TypeError, KeyError, ValueError."""
        return cls(**values)

    def is_sound(self) -> bool:
        """Whether every value is what it should be."""
        numbers, texts = (self.version, self.sequence), (self.date, self.because)
        return (
            self.action in get_args(Action)
            and all(type(number) is int and 1 <= number < 1_000_000 for number in numbers)
            and is_hex(self.store, 64)
            and (self.replaces == "" or is_hex(self.replaces, 64))
            and all(isinstance(text, str) and len(text) <= MAX_TEXT and text.isprintable() for text in texts)
        )


S = TypeVar("S", bound=AnyStatement)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement(Generic[S]):
    """A statement and what was signed under it, unverified: public key → signature, in hexadecimal."""

    statement: S
    signatures: Mapping[str, str] = field(default_factory=dict)

    def signed_with(self, key: Ed25519PrivateKey) -> SignedStatement[S]:
        signature = key.sign(self._message).hex()
        return replace(self, signatures={**self.signatures, key.public_key().public_bytes_raw().hex(): signature})

    def people(self, signers: Mapping[str, str]) -> tuple[str, ...]:
        """Who of ``signers`` (public key → name) signed: names, each once however many keys bear it."""
        message = self._message
        good = {signers[key] for key, value in self.signatures.items() if key in signers and _good(key, value, message)}
        return tuple(sorted(good))

    @property
    def encoded(self) -> bytes:
        return _canonical({"statement": asdict(self.statement), "signatures": dict(self.signatures)}) + b"\n"

    @property
    def _message(self) -> bytes:
        return self.statement.CONTEXT + self.statement.encoded


def parse_signed(encoded: bytes, kind: type[S]) -> SignedStatement[S]:
    """Read what :attr:`SignedStatement.encoded` wrote of a statement of this ``kind``. Raises PkiError(MALFORMED), nothing else."""
    try:
        whole: dict[str, Any] = json.loads(encoded[: MAX_STATEMENT + 1])
        signatures = whole["signatures"]
        statement = kind.of(whole["statement"])
        signed = SignedStatement(statement=statement, signatures=dict(signatures.items()))
        right = len(whole) == 2 and statement.is_sound() and len(signatures) <= MAX_SIGNATURES
        right = right and all(is_hex(key, 64) and is_hex(value, 128) for key, value in signatures.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        right = False
    if not right:
        raise PkiError(ReasonCode.MALFORMED, f"no statement about a {kind.WHAT}")
    return signed


def parse_signers(lines: Iterable[str]) -> dict[str, str]:
    """``NAME:PUBLIC KEY`` → public key → name. Raises PkiError where a line is none, a key is weak, or a name or key comes twice."""
    found = [_SIGNER.fullmatch(line) for line in lines]
    names = {match["key"]: match["name"] for match in found if match}
    if None in found:
        raise PkiError(ReasonCode.MALFORMED, "a signer is NAME:KEY, the key as 64 hexadecimal digits")
    if len(names) < len(found) or len(set(names.values())) < len(found):
        raise PkiError(ReasonCode.MALFORMED, "each signer has a name and a key of his own")
    for key, name in names.items():
        if int.from_bytes(bytes.fromhex(key), "little") & (2**255 - 1) in _WEAK:
            raise PkiError(ReasonCode.MALFORMED, f"the key of {name} is nobody's: anybody could sign under it")
    return names


def is_hex(text: object, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and not set(text) - set("0123456789abcdef")


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")


def _good(key: str, signature: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
