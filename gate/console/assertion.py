"""One WebAuthn assertion (W3C Web Authentication Level 2 §7.2), held against what it has to say. Strict: what we do not ask for is refused.

ES256 alone: every authenticator has it. Attestation, extensions and keys that leave their device are no part of this.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gate.console.acts import RP_ID, Refused

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP = 0x01, 0x04, 0x08, 0x10
"""Flags of authenticator data (§6.1); any other one set means something that was not asked for."""
AUTHENTICATOR_DATA = 37
"""Octets without attested data and extensions: hash of the relying party, flags, counter."""
MOST_CLIENT_DATA, MOST_SIGNATURE = 1024, 80
RP_HASH = hashlib.sha256(RP_ID.encode()).digest()


class _ClientData(msgspec.Struct, frozen=True, kw_only=True):
    """§5.8.1. Further members may come and mean nothing to us; a frame of another origin does."""

    type: str
    challenge: str
    origin: str
    crossOrigin: bool = False  # noqa: N815 - the standard's word
    topOrigin: str | None = None  # noqa: N815 - the standard's word


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an authenticator handed over, unbelieved."""

    authenticator_data: bytes
    client_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """``refused`` None: the key signed ``challenge``, its holder verified; then ``counter`` counts."""

    refused: Refused | None = None
    counter: int = 0


def prove(assertion: Assertion, *, key: EllipticCurvePublicKey, challenge: bytes, origin: str) -> Proven:
    """Hold ``assertion`` against the key it should be made with, the challenge and the page's origin. Never raises."""
    data = assertion.authenticator_data
    if len(data) != AUTHENTICATOR_DATA or not 0 < len(assertion.signature) <= MOST_SIGNATURE:
        return Proven(refused=Refused.MALFORMED)
    if refused := _client(assertion.client_data, challenge, origin) or _flags(data):
        return Proven(refused=refused)
    try:
        key.verify(assertion.signature, data + hashlib.sha256(assertion.client_data).digest(), ECDSA(SHA256()))
    except InvalidSignature:
        return Proven(refused=Refused.SIGNATURE_BAD)
    return Proven(counter=int.from_bytes(data[33:37], "big"))


def _client(raw: bytes, challenge: bytes, origin: str) -> Refused | None:
    if len(raw) > MOST_CLIENT_DATA:
        return Refused.MALFORMED
    try:
        client = msgspec.json.decode(raw, type=_ClientData)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Refused.MALFORMED
    if client.type != "webauthn.get":
        return Refused.WRONG_TYPE
    if client.challenge != encoded(challenge):
        return Refused.WRONG_CHALLENGE
    if client.origin != origin or client.crossOrigin or client.topOrigin is not None:
        return Refused.WRONG_ORIGIN
    return None


def _flags(data: bytes) -> Refused | None:
    flags = data[32]
    if data[:32] != RP_HASH:
        return Refused.WRONG_RELYING_PARTY
    if flags & ~(PRESENT | VERIFIED | BACKUP_ELIGIBLE | BACKED_UP):
        return Refused.MALFORMED
    if not flags & PRESENT:
        return Refused.USER_NOT_PRESENT
    if not flags & VERIFIED:
        return Refused.USER_NOT_VERIFIED
    return Refused.KEY_LEAVES_DEVICE if flags & (BACKUP_ELIGIBLE | BACKED_UP) else None


def public_key(text: str) -> EllipticCurvePublicKey:
    """A P-256 key out of its SubjectPublicKeyInfo in base64url. Raises ValueError."""
    try:
        key = load_der_public_key(decoded(text))
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError("no key on P-256") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("no key on P-256")  # noqa: TRY004 - said like the text's other faults
    return key


def encoded(raw: bytes) -> str:
    """base64url without padding, as WebAuthn writes octets."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """The octets of base64url without padding, in its one canonical form. Raises ValueError."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encoded(raw) != text:
        raise ValueError("not base64url")
    return raw
