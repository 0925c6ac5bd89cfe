"""The chip's side of the protocols that prove something, for the virtual passport. Simulator code: private keys in plain memory."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.bac import KEYING, NONCE, BacExchange, seal, unseal
from hardware.emrtd.chip_authentication import (
    DO_DYNAMIC,
    DO_EPHEMERAL_KEY,
    DO_KEY_REFERENCE,
    DO_MECHANISM,
    DO_NONCE,
    DO_TOKEN,
    PROTOCOLS,
)
from hardware.emrtd.chip_authentication import NONCE as NONCE_V2
from hardware.emrtd.cipher_suites import SUITES, authentication_token
from hardware.emrtd.curves import CURVES, EcKey
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import PrivateKey, Random
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import encode_oid

TRAILERS = {"sha1": b"\xbc", "sha224": b"\x38\xcc", "sha256": b"\x34\xcc", "sha384": b"\x36\xcc", "sha512": b"\x35\xcc"}
"""Trailer field of ISO/IEC 9796-2 by hash algorithm (hash identifiers of ISO/IEC 10118-3; BC: SHA-1 implied)."""


@dataclass(slots=True)
class BasicAccessControl:
    """Doc 9303-11 §4.3 on the chip. One challenge is good for one attempt."""

    mrz_information: str = field(repr=False)
    rnd_ic: bytes = b""
    random: Random = secrets.token_bytes

    def challenge(self) -> bytes:
        self.rnd_ic = self.random(NONCE)
        return self.rnd_ic

    def authenticate(self, sealed: bytes) -> tuple[bytes, SecureMessaging] | None:
        """Check the terminal's cryptogram; return our own and the session, None where it is wrong."""
        rnd_ic, self.rnd_ic = self.rnd_ic, b""
        cipher = AccessKey(self.mrz_information).bac_cipher()
        plain = unseal(cipher, sealed)
        if not rnd_ic or plain is None or plain[NONCE : 2 * NONCE] != rnd_ic:
            return None
        k_ic = self.random(KEYING)
        run = BacExchange(rnd_ic=rnd_ic, rnd_ifd=plain[:NONCE], k_ifd=plain[2 * NONCE :])
        return seal(cipher, rnd_ic + run.rnd_ifd + k_ic), run.agreed(k_ic)


@dataclass(slots=True)
class ChipAuthentication:
    """Doc 9303-11 §6.2 on the chip: ``key`` belongs to the public key in DG14; with several, ``keys`` has them by their id.

    ``version`` 2 answers with a nonce and a token (BSI TR-03110-3 §A.4), which it asks ``random`` for.
    """

    key: PrivateKey
    oid: str = ""
    version: int = 1
    keys: Mapping[int, PrivateKey] = field(default_factory=dict)
    random: Random = secrets.token_bytes
    _chosen: PrivateKey | None = field(default=None, repr=False)

    def set_key_agreement(self, data: bytes) -> SecureMessaging:
        """MSE:Set KAT, the way of 3DES. Raises ChipError."""
        objects = {item.tag: item.value for item in tlv.children(data)}
        key = self._key(objects.get(DO_KEY_REFERENCE))
        ephemeral = key.group.check(objects.get(DO_EPHEMERAL_KEY, b""))
        return SecureMessaging(SUITES["1"].session_cipher(key.agree(ephemeral)))

    def set_authentication(self, data: bytes) -> None:
        """MSE:Set AT: remember protocol and key. Raises ChipError."""
        objects = {item.tag: item.value for item in tlv.children(data)}
        self.oid = next((oid for oid in PROTOCOLS if encode_oid(oid) == objects.get(DO_MECHANISM)), "")
        if not self.oid:
            raise ChipError("CA_UNSUPPORTED", "no such protocol")
        self._chosen = self._key(objects.get(DO_KEY_REFERENCE))

    def authenticate(self, data: bytes) -> tuple[bytes, SecureMessaging]:
        """GENERAL AUTHENTICATE: the response's data, and the session for what follows. Raises ChipError."""
        key, suite = self._chosen, PROTOCOLS.get(self.oid)
        if key is None or suite is None:
            raise ChipError("CA_UNSUPPORTED", "no protocol was set")
        ephemeral = key.group.check(tlv.only(tlv.only(data, DO_DYNAMIC), DO_MECHANISM))
        secret = key.agree(ephemeral)
        if self.version == 1:
            return tlv.encode(DO_DYNAMIC, b""), SecureMessaging(suite.session_cipher(secret))
        nonce = self.random(NONCE_V2)
        cipher = suite.session_cipher(secret + nonce)
        token = authentication_token(cipher, self.oid, key.group.public_key_tag, ephemeral)
        answer = tlv.encode(DO_NONCE, nonce) + tlv.encode(DO_TOKEN, token)
        return tlv.encode(DO_DYNAMIC, answer), SecureMessaging(cipher)

    def _key(self, reference: bytes | None) -> PrivateKey:
        if reference is None or not self.keys:
            return self.key
        key = self.keys.get(int.from_bytes(reference))
        if key is None:
            raise ChipError("KEY_NOT_FOUND", "no key of that id")
        return key


def chip_authentication_key(key: ec.EllipticCurvePrivateKey | PrivateKey) -> PrivateKey:
    """``key`` as the room's own type. Raises ValueError for a curve that it lacks."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    for curve in CURVES:
        if curve.native is not None and curve.native.name == key.curve.name:
            return EcKey(curve=curve, scalar=key.private_numbers().private_value)
    raise ValueError(f"no such curve: {key.curve.name}")


def active_signature(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    challenge: bytes,
    algorithm: hashes.HashAlgorithm,
    *,
    trailer: bytes | None = None,
    least: bool = False,
    der: bool = False,
) -> bytes:
    """Sign the challenge (Doc 9303-11 §6.1.2): plain r‖s for ECDSA, ISO/IEC 9796-2 scheme 1 with partial recovery for RSA.

    Chips stray: ``trailer`` is used instead of the one in :data:`TRAILERS`, ``least`` takes the lesser of σ and n - σ (ISO/IEC 9796-2
    §B.4), ``der`` gives ECDSA's signature as a SEQUENCE.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        return _sign_rsa(key, challenge, algorithm, TRAILERS[algorithm.name] if trailer is None else trailer, least=least)
    signature = key.sign(challenge, ec.ECDSA(algorithm))
    if der:
        return signature
    r, s = decode_dss_signature(signature)
    size = (key.curve.group_order.bit_length() + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def _sign_rsa(key: rsa.RSAPrivateKey, challenge: bytes, algorithm: hashes.HashAlgorithm, trailer: bytes, *, least: bool) -> bytes:
    size = key.key_size // 8
    filler = secrets.token_bytes(size - 1 - algorithm.digest_size - len(trailer))
    digest = hashes.Hash(algorithm)
    digest.update(filler + challenge)
    message = b"\x6a" + filler + digest.finalize() + trailer
    numbers = key.private_numbers()
    signature = pow(int.from_bytes(message), numbers.d, numbers.public_numbers.n)
    return (min(signature, numbers.public_numbers.n - signature) if least else signature).to_bytes(size)
