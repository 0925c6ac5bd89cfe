"""A trust store in one file: what two people signed is what is loaded, byte for byte, with nothing parsed that is not used.

It is no cache beside a source of truth that could differ from it, and needs no secret at the gate: the file authenticates itself
by Ed25519 signatures (RFC 8032) over its digest, of people whose public keys the caller knows. Its ``sequence`` only grows: to go
back to older content, two people sign that content again under a new number.

::

    file       = body ‖ signature*              signature = public key (32 octets) ‖ Ed25519 signature (64 octets)
    body       = magic ‖ size of body (4 octets) ‖ size of index (4 octets) ‖ index (JSON) ‖ certificates ‖ revocation lists
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pki.errors import PkiError, ReasonCode
from pki.trust import Csca, TrustStore

MAGIC = b"autogate trust store 1\n"
QUORUM = 2
"""People who must have signed: nobody changes alone whom the gate believes."""
MAX_SIGNATURES, MAX_TRUST_FILE = 8, 256 << 20
_KEY, _SIGNATURE = 32, 64
_SIZES_AT = len(MAGIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedStore:
    """A store whose signatures were verified; ``signers`` are the public keys that did."""

    store: TrustStore
    sequence: int
    signers: frozenset[bytes]


def trust_body(store: TrustStore, sequence: int) -> bytes:
    """The part of the file that is signed, the same octets for the same store and sequence."""
    provenances = sorted({anchor.provenance for anchor in store.anchors})
    index = {
        "sequence": sequence,
        "demo": store.demo,
        "provenances": provenances,
        "anchors": [_entry(anchor, provenances) for anchor in store.anchors],
        "crls": [len(crl) for crl in store.crls],
    }
    header = json.dumps(index, separators=(",", ":"), sort_keys=True).encode()
    content = b"".join((len(header).to_bytes(4, "big"), header, *(one.certificate for one in store.anchors), *store.crls))
    return MAGIC + (_SIZES_AT + 4 + len(content)).to_bytes(4, "big") + content


def _entry(anchor: Csca, provenances: list[str]) -> list[int | str | None]:
    identifier = anchor.key_identifier
    place = provenances.index(anchor.provenance)
    return [len(anchor.certificate), place, anchor.country, anchor.subject, None if identifier is None else identifier.hex()]


def statement(body: bytes) -> bytes:
    """What a person signs for ``body``."""
    return MAGIC + hashlib.sha256(body).digest()


def seal(body: bytes, signatures: Mapping[bytes, bytes]) -> bytes:
    """The file: ``signatures`` are public key → signature over :func:`statement`, 32 and 64 octets."""
    return body + b"".join(chain.from_iterable(sorted(signatures.items())))


def open_trust_file(file: bytes, accepted: Collection[bytes], *, quorum: int = QUORUM, at_least: int = 0) -> SealedStore:
    """Load a file that ``quorum`` of the ``accepted`` public keys signed, of sequence ``at_least`` or later.

    Raises PkiError: STORE_NOT_SIGNED, STORE_OUTDATED, MALFORMED. Nothing but the signatures is looked at before they are good.
    """
    if not file.startswith(MAGIC) or len(file) > MAX_TRUST_FILE:
        raise _malformed("no trust store of this version")
    body = file[: int.from_bytes(file[_SIZES_AT : _SIZES_AT + 4], "big")]
    signers = _signers(file[len(body) :], statement(body), frozenset(accepted))
    if len(signers) < quorum:
        raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"signed by {len(signers)} of {quorum} people")
    try:
        sequence, store = _store(body)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:  # signed, but not made by trust_body
        raise _malformed(f"index: {error}") from None
    if sequence < at_least:
        raise PkiError(ReasonCode.STORE_OUTDATED, f"trust store {sequence} is older than {at_least}")
    return SealedStore(store=store, sequence=sequence, signers=signers)


def _signers(block: bytes, message: bytes, accepted: frozenset[bytes]) -> frozenset[bytes]:
    """The accepted keys with a good signature in ``block``; a key counts once, however often it signed."""
    size = _KEY + _SIGNATURE
    if len(block) % size or len(block) > MAX_SIGNATURES * size:
        raise _malformed("octets after its body that are no signatures")
    pairs = ((block[at : at + _KEY], block[at + _KEY : at + size]) for at in range(0, len(block), size))
    return frozenset(key for key, signature in pairs if key in accepted and _good(key, signature, message))


def _good(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _store(body: bytes) -> tuple[int, TrustStore]:
    start = _SIZES_AT + 8
    end = start + int.from_bytes(body[start - 4 : start], "big")
    index: dict[str, Any] = json.loads(body[start:end])
    anchors, position = [], end
    for size, place, country, subject, identifier in index["anchors"]:
        certificate, position = body[position : position + size], position + size
        anchors.append(
            Csca(
                certificate=certificate,
                provenance=index["provenances"][place],
                subject=subject,
                country=country,
                key_identifier=None if identifier is None else bytes.fromhex(identifier),
            )
        )
    crls = []
    for size in index["crls"]:
        crls.append(body[position : position + size])
        position += size
    if position != len(body):
        raise ValueError("sizes do not add up")
    if type(index["sequence"]) is not int:
        raise TypeError("sequence is no number")
    return index["sequence"], TrustStore(anchors=tuple(anchors), crls=tuple(crls), demo=index["demo"])


def _malformed(what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"trust store: {what}")
