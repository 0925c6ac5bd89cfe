"""Signatures of the virtual chip in active authentication, opened with the public key alone (Doc 9303-11 §6.1.2)."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hardware.sim.chip_protocols import TRAILERS, active_signature

CHALLENGE = bytes(range(8))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
HASHES = [hashes.SHA1(), hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]


def opened(signature: bytes) -> bytes:
    public = RSA_KEY.public_key().public_numbers()
    return pow(int.from_bytes(signature), public.e, public.n).to_bytes(128)


@pytest.mark.parametrize("trailer", [None, b"\x33\xcc", b"\x34\xcc", b"\xbc"], ids=["own", "33CC", "34CC", "BC"])
@pytest.mark.parametrize("algorithm", HASHES, ids=lambda algorithm: algorithm.name)
def test_rsa_signatures_are_those_of_iso_9796_2(algorithm: hashes.HashAlgorithm, trailer: bytes | None) -> None:
    message = opened(active_signature(RSA_KEY, CHALLENGE, algorithm, trailer=trailer))
    end = TRAILERS[algorithm.name] if trailer is None else trailer
    body = message[1 : -len(end)]
    filler, digest = body[: -algorithm.digest_size], body[-algorithm.digest_size :]
    assert (message[:1], message[-len(end) :]) == (b"\x6a", end)
    assert digest == hashlib.new(algorithm.name, filler + CHALLENGE).digest()


def test_the_lesser_of_two_signatures_opens_to_one_of_two_messages() -> None:
    public = RSA_KEY.public_key().public_numbers()
    for _ in range(16):
        signature = active_signature(RSA_KEY, CHALLENGE, hashes.SHA256(), least=True)
        assert 2 * int.from_bytes(signature) <= public.n
        message = opened(signature)
        turned = (public.n - int.from_bytes(message)).to_bytes(128)
        assert sum(each.startswith(b"\x6a") and each.endswith(b"\x34\xcc") for each in (message, turned)) == 1


@pytest.mark.parametrize("der", [False, True])
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP521R1(), ec.BrainpoolP384R1()], ids=lambda curve: curve.name)
def test_ecdsa_signatures_come_plain_or_in_der(curve: ec.EllipticCurve, der: bool) -> None:
    key = ec.generate_private_key(curve)
    signature = active_signature(key, CHALLENGE, hashes.SHA256(), der=der)
    half = (curve.group_order.bit_length() + 7) // 8
    if not der:
        assert len(signature) == 2 * half
        signature = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    key.public_key().verify(signature, CHALLENGE, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, CHALLENGE + b"\0", ec.ECDSA(hashes.SHA256()))
