"""The chip's side of the protocols that prove something, for the virtual passport. Simulator code: private keys in plain memory."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hardware.emrtd import tlv
from hardware.emrtd.bac import KEYING, NONCE, AccessKey, BacExchange, seal, unseal
from hardware.emrtd.chip_authentication import (
    DO_DYNAMIC,
    DO_EPHEMERAL_KEY,
    DO_MECHANISM,
    ID_CA_ECDH,
    SUITES,
    encode_oid,
    new_session,
)
from hardware.emrtd.curves import CURVES, EcKey
from hardware.emrtd.errors import ChipError
from hardware.emrtd.secure_messaging import SecureMessaging

TRAILERS = {"sha1": b"\xbc", "sha224": b"\x38\xcc", "sha256": b"\x34\xcc", "sha384": b"\x36\xcc", "sha512": b"\x35\xcc"}
"""Trailer field of ISO/IEC 9796-2 by hash algorithm (hash identifiers of ISO/IEC 10118-3; BC: SHA-1 implied)."""


@dataclass(slots=True)
class BasicAccessControl:
    """Doc 9303-11 §4.3 on the chip. One challenge is good for one attempt."""

    mrz_information: str = field(repr=False)
    rnd_ic: bytes = b""

    def challenge(self) -> bytes:
        self.rnd_ic = secrets.token_bytes(NONCE)
        return self.rnd_ic

    def authenticate(self, sealed: bytes) -> tuple[bytes, SecureMessaging] | None:
        """Check the terminal's cryptogram; return our own and the session, None where it is wrong."""
        rnd_ic, self.rnd_ic = self.rnd_ic, b""
        cipher = AccessKey(self.mrz_information).cipher()
        plain = unseal(cipher, sealed)
        if not rnd_ic or plain is None or plain[NONCE : 2 * NONCE] != rnd_ic:
            return None
        k_ic = secrets.token_bytes(KEYING)
        run = BacExchange(rnd_ic=rnd_ic, rnd_ifd=plain[:NONCE], k_ifd=plain[2 * NONCE :])
        return seal(cipher, rnd_ic + run.rnd_ifd + k_ic), run.agreed(k_ic)


@dataclass(slots=True)
class ChipAuthentication:
    """Doc 9303-11 §6.2 on the chip: ``key`` belongs to the public key in DG14. Key references are taken as given."""

    key: EcKey
    oid: str = ""

    def set_key_agreement(self, data: bytes) -> SecureMessaging:
        """MSE:Set KAT, the way of 3DES. Raises ChipError."""
        ephemeral = {item.tag: item.value for item in tlv.children(data)}.get(DO_EPHEMERAL_KEY, b"")
        return new_session(f"{ID_CA_ECDH}.1", self.key.agree(ephemeral))

    def set_authentication(self, data: bytes) -> None:
        """MSE:Set AT: remember the protocol. Raises ChipError."""
        wanted = {item.tag: item.value for item in tlv.children(data)}.get(DO_MECHANISM)
        self.oid = next((oid for oid in SUITES if encode_oid(oid) == wanted), "")
        if not self.oid:
            raise ChipError("CA_UNSUPPORTED", "no such protocol")

    def general_authenticate(self, data: bytes) -> SecureMessaging:
        """GENERAL AUTHENTICATE, the way of AES. Raises ChipError."""
        if not self.oid:
            raise ChipError("CA_UNSUPPORTED", "no protocol was set")
        ephemeral = tlv.only(tlv.only(data, DO_DYNAMIC), DO_MECHANISM)
        return new_session(self.oid, self.key.agree(ephemeral))


def chip_authentication_key(key: ec.EllipticCurvePrivateKey | EcKey) -> EcKey:
    """``key`` as the room's own type. Raises ValueError for a curve that it lacks."""
    if isinstance(key, EcKey):
        return key
    for curve in CURVES:
        if curve.native is not None and curve.native.name == key.curve.name:
            return EcKey(curve=curve, scalar=key.private_numbers().private_value)
    raise ValueError(f"no such curve: {key.curve.name}")


def active_signature(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, challenge: bytes, algorithm: hashes.HashAlgorithm
) -> bytes:
    """Sign the challenge (Doc 9303-11 §6.1.2): plain r‖s for ECDSA, ISO/IEC 9796-2 scheme 1 with partial recovery for RSA."""
    if isinstance(key, rsa.RSAPrivateKey):
        return _sign_rsa(key, challenge, algorithm)
    r, s = decode_dss_signature(key.sign(challenge, ec.ECDSA(algorithm)))
    size = (key.curve.group_order.bit_length() + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def _sign_rsa(key: rsa.RSAPrivateKey, challenge: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    trailer = TRAILERS[algorithm.name]
    size = key.key_size // 8
    filler = secrets.token_bytes(size - 1 - algorithm.digest_size - len(trailer))
    digest = hashes.Hash(algorithm)
    digest.update(filler + challenge)
    message = b"\x6a" + filler + digest.finalize() + trailer
    numbers = key.private_numbers()
    return pow(int.from_bytes(message), numbers.d, numbers.public_numbers.n).to_bytes(size)
