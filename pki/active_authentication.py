"""Active authentication (Doc 9303-11 §6.1): did the chip sign our challenge with the private key of DG15?"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pki.errors import PkiError, ReasonCode
from pki.signatures import HASHES, EcPublicKey, SignatureScheme, digest, load_public_key, verifies

CHALLENGE_SIZE = 8
"""Octets of RND.IFD (Doc 9303-11 §6.1.2)."""

_SHA1, _SHA224, _SHA256, _SHA384, _SHA512 = HASHES.values()
_TRAILERS = {0x33: _SHA1, 0x34: _SHA256, 0x35: _SHA512, 0x36: _SHA384, 0x38: _SHA224}
"""Hash identifiers of ISO/IEC 10118-3, as they stand before CC in the trailer of ISO/IEC 9796-2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationEvidence:
    """What went to the chip and what came back; ``response`` is empty where the chip refused."""

    challenge: bytes
    response: bytes = field(repr=False)


def answers(
    evidence: ActiveAuthenticationEvidence, subject_public_key_info: bytes, ecdsa_hash: hashes.HashAlgorithm | None
) -> bool:
    """Whether the response is the key's signature over the challenge.

    ``ecdsa_hash`` is what DG14's ActiveAuthenticationInfo names; RSA carries its hash in the trailer. Raises PkiError where the
    key is not supported, or an EC key comes without a hash.
    """
    key = load_public_key(subject_public_key_info)
    if len(evidence.challenge) != CHALLENGE_SIZE:
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa_answers(key, evidence)
    if ecdsa_hash is None:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, "EC key without ActiveAuthenticationInfo in DG14")
    return _ecdsa_answers(key, evidence, ecdsa_hash)


def _ecdsa_answers(key: EcPublicKey, evidence: ActiveAuthenticationEvidence, algorithm: hashes.HashAlgorithm) -> bool:
    """Plain r ‖ s (BSI TR-03111 §5.2.1), or the DER form that some chips send instead."""
    scheme, size, response = SignatureScheme(hash=algorithm, padding=None), (key.key_size + 7) // 8, evidence.response
    if len(response) == 2 * size:
        plain = encode_dss_signature(int.from_bytes(response[:size], "big"), int.from_bytes(response[size:], "big"))
        if verifies(key, scheme, plain, evidence.challenge):
            return True
    return verifies(key, scheme, response, evidence.challenge)


def _rsa_answers(key: rsa.RSAPublicKey, evidence: ActiveAuthenticationEvidence) -> bool:
    """ISO/IEC 9796-2 digital signature scheme 1 with partial recovery: the signature holds M1 and a hash over M1 ‖ challenge."""
    numbers = key.public_numbers()
    signature = int.from_bytes(evidence.response, "big")
    if len(evidence.response) > (key.key_size + 7) // 8 or signature >= numbers.n:
        return False
    opened = pow(signature, numbers.e, numbers.n)
    if opened & 0x0F != 0x0C:  # ISO/IEC 9796-2 allows the signer to send the smaller of J and n - J
        opened = numbers.n - opened
    block = opened.to_bytes((opened.bit_length() + 7) // 8, "big")  # shortest form: chips pad with zeros at will
    if len(block) < (key.key_size + 7) // 8 - 1:
        return False
    found = _trailer(block)
    start = _header(block)
    if found is None or start is None:
        return False
    algorithm, trailer_size = found
    end = len(block) - trailer_size - algorithm.digest_size
    recovered, hashed = block[start:end], block[end : len(block) - trailer_size]
    return end >= start and hmac.compare_digest(hashed, digest(algorithm, recovered + evidence.challenge))


def _trailer(block: bytes) -> tuple[hashes.HashAlgorithm, int] | None:
    """Hash and length of the trailer: BC alone means SHA-1, else an identifier before CC.

    None for any other: with a small exponent a clone can choose the last octets, so an odd trailer is no excuse but a failure.
    """
    if block[-1] == 0xBC:
        return _SHA1, 1
    if block[-1] != 0xCC:
        return None
    algorithm = _TRAILERS.get(block[-2])
    return (algorithm, 2) if algorithm else None


def _header(block: bytes) -> int | None:
    """Where M1 begins: after 6A, or after 6B BB … BA where M1 is shorter than its room. None: no header for partial recovery."""
    if block[0] == 0x6A:
        return 1
    end = next((index for index in range(1, len(block)) if block[index] != 0xBB), 0)
    return end + 1 if block[0] == 0x6B and block[end] == 0xBA else None
