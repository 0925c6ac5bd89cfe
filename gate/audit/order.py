"""The order to destroy personal fields before, or when, their time is over: what, of which log, and why, signed by two people.

The same file goes to whoever keeps copies of the keys (a centre): it says what to destroy, and by whom that was ordered. It is not secret, and
carried out twice it does nothing more than once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date
from typing import Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gate.audit.chain import AuditError
from gate.audit.fields import kinds
from pki.signed_statement import MAX_SIGNATURES, MAX_TEXT, QUORUM

CONTEXT = b"autogate destruction order 1\n"
"""Goes before what is signed, so that such a signature is good for nothing else."""
MAX_BYTES, MAX_TRANSACTIONS = 1 << 20, 10_000
_LOG, _TRANSACTION = re.compile(r"[0-9a-f]{16}"), re.compile(r"[!-~]{1,64}")
_KEY, _SIGNATURE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{128}")


class DestructionOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Destroy the keys of these ``kinds`` of field in the log ``log``: of ``transactions``, or of all days up to ``until`` (ISO 8601)."""

    log: str
    kinds: tuple[str, ...]
    transactions: tuple[str, ...] = ()
    until: str = ""
    because: str
    date: str

    @property
    def encoded(self) -> bytes:
        """What is signed, behind :data:`CONTEXT`."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()

    def check(self) -> None:
        """Raises ValueError for an order that says nothing, too much, or what cannot be."""
        if bool(self.transactions) == bool(self.until) or len(self.transactions) > MAX_TRANSACTIONS:
            raise ValueError("an order names transactions, or the last of the days; one of the two")
        if self.until:
            date.fromisoformat(self.until)
        date.fromisoformat(self.date)
        if not self.kinds or not set(self.kinds) <= set(kinds()):
            raise ValueError(f"kinds of field are {', '.join(kinds())}")
        if not _LOG.fullmatch(self.log) or not all(map(_TRANSACTION.fullmatch, self.transactions)):
            raise ValueError("not the id of a log, or not one of a transaction")
        if not (0 < len(self.because) <= MAX_TEXT and self.because.isprintable()):
            raise ValueError(f"an order says why, in 1 to {MAX_TEXT} letters")


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order and what was signed under it, unverified: public key → signature, in hexadecimal."""

    order: DestructionOrder
    signatures: dict[str, str] = {}

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises AuditError, and nothing else, for any other bytes."""
        if len(raw) > MAX_BYTES:
            raise AuditError(f"no order to destroy: longer than {MAX_BYTES} bytes")
        try:
            found = msgspec.json.decode(raw, type=cls)
            found.order.check()
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise AuditError(f"no order to destroy: {error}") from error
        whole = all(_KEY.fullmatch(key) and _SIGNATURE.fullmatch(value) for key, value in found.signatures.items())
        if not whole or len(found.signatures) > MAX_SIGNATURES:
            raise AuditError("no order to destroy: what stands below it is no signature")
        return found

    @property
    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self, order="sorted")) + b"\n"

    def signed_with(self, key: Ed25519PrivateKey) -> SignedOrder:
        public = key.public_key().public_bytes_raw().hex()
        return SignedOrder(order=self.order, signatures={**self.signatures, public: key.sign(CONTEXT + self.order.encoded).hex()})

    def people(self, signers: Mapping[str, str]) -> tuple[str, ...]:
        """Who of ``signers`` (public key → name) signed: names, each once."""
        message = CONTEXT + self.order.encoded
        return tuple(
            sorted({signers[key] for key, value in self.signatures.items() if key in signers and _good(key, value, message)})
        )

    def enough(self, signers: Mapping[str, str]) -> tuple[str, ...]:
        """Who signed. Raises AuditError where they are fewer than must."""
        people = self.people(signers)
        if len(people) < QUORUM:
            raise AuditError(f"the order is signed by {len(people)} of {QUORUM} people{f' ({people[0]})' if people else ''}")
        return people


def _good(key: str, signature: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
