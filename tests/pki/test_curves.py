"""Curves and the arithmetic of our own, against the openssl command and against ``cryptography`` where it has the curve."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pki import der
from pki.curves import CURVES, curve_of
from pki.elliptic import CurveKey, _sum_of_multiples, curve_key
from pki.errors import PkiError
from pki.signatures import SignatureScheme, load_public_key, verifies

OPENSSL_NAMES = {"secp192r1": "prime192v1", "secp256r1": "prime256v1"}
SHA256 = SignatureScheme(hash=hashes.SHA256(), padding=None)
LACKING = [curve for curve in CURVES if curve.arithmetic is None]


def by_name(curve) -> str:
    return curve.name


@pytest.mark.parametrize("curve", CURVES, ids=by_name)
def test_parameters_are_those_of_openssl_named_and_explicit(curve, openssl):
    name = OPENSSL_NAMES.get(curve.name, curve.name)
    for encoding in ("named_curve", "explicit"):
        parameters = openssl("ecparam", "-name", name, "-param_enc", encoding, "-outform", "DER")
        assert curve_of(der.read(parameters)) is curve


@pytest.mark.parametrize("curve", CURVES, ids=by_name)
def test_generator_has_the_order_and_lies_on_the_curve(curve):
    x, y = curve.g
    assert (x**3 + curve.a * x + curve.b - y * y) % curve.p == 0
    assert _sum_of_multiples(curve, curve.n, 0, (*curve.g, 1))[2] == 0
    assert _sum_of_multiples(curve, 1, curve.n - 1, (*curve.g, 1))[2] == 0
    assert curve.h == 1


@pytest.mark.parametrize("name", ["secp192r1", "secp256r1", "brainpoolP256r1", "secp521r1"])
def test_arithmetic_agrees_with_cryptography(name, dice):
    """Random multiples, both sums that meet the special cases (equal and opposite points) included."""
    curve = next(curve for curve in CURVES if curve.name == name)

    def multiple(scalar: int) -> tuple[int, int]:
        numbers = ec.derive_private_key(scalar % curve.n, curve.arithmetic).public_key().public_numbers()
        return numbers.x, numbers.y

    scalars = [(dice.randrange(1, curve.n), dice.randrange(1, curve.n), dice.randrange(1, curve.n)) for _ in range(3)]
    for u, v, secret in [*scalars, (3, 3, 1), (5, 1, 5), (1, 1, 1), (7, 2, 1)]:
        x, y, z = _sum_of_multiples(curve, u, v, (*multiple(secret), 1))
        affine = x * pow(z, -2, curve.p) % curve.p, y * pow(z, -3, curve.p) % curve.p
        assert affine == multiple(u + v * secret)


@pytest.mark.parametrize("name", ["secp224r1", "secp384r1", "brainpoolP512r1"])
def test_verdicts_agree_with_cryptography(name, dice):
    curve = next(curve for curve in CURVES if curve.name == name)
    private = ec.generate_private_key(curve.arithmetic)
    numbers = private.public_key().public_numbers()
    key = CurveKey(curve=curve, x=numbers.x, y=numbers.y)
    for algorithm in (hashes.SHA1(), hashes.SHA256(), hashes.SHA512()):
        scheme, message = SignatureScheme(hash=algorithm, padding=None), dice.randbytes(40)
        good = private.sign(message, ec.ECDSA(algorithm))
        r, s = decode_dss_signature(good)
        for signature in (good, encode_dss_signature(r, s ^ 1), encode_dss_signature(r, curve.n - s), encode_dss_signature(s, r)):
            assert verifies(key, scheme, signature, message) == verifies(private.public_key(), scheme, signature, message)


@pytest.mark.parametrize("encoding", ["named_curve", "explicit"])
@pytest.mark.parametrize("curve", LACKING, ids=by_name)
def test_signatures_of_openssl_on_curves_that_cryptography_lacks(curve, encoding, tmp_path, openssl):
    secret, message = tmp_path / "key.pem", tmp_path / "message"
    message.write_bytes(b"signed by somebody else")
    secret.write_bytes(openssl("ecparam", "-name", curve.name, "-genkey", "-noout", "-param_enc", encoding))
    key = load_public_key(openssl("ec", "-in", str(secret), "-pubout", "-outform", "DER", "-param_enc", encoding))
    signature = openssl("dgst", "-sha256", "-sign", str(secret), str(message))
    assert isinstance(key, CurveKey)
    assert verifies(key, SHA256, signature, message.read_bytes())
    assert not verifies(key, SHA256, signature, b"something else")


@pytest.mark.parametrize(
    "numbers",
    [(0, 0), (0, 1), (1, 0), (-1, 5), ("n", 1), (1, "n"), (1, 1)],
    ids=["00", "01", "10", "negative", "r=n", "s=n", "11"],
)
def test_numbers_that_are_no_signature(numbers):
    curve = LACKING[-1]
    key = curve_key(curve, b"\x04" + b"".join(value.to_bytes(40, "big") for value in curve.g))
    r, s = (curve.n if number == "n" else number for number in numbers)
    encoded = der.encode(der.SEQUENCE, der.encode_integer(r), der.encode_integer(s))
    assert not key.verifies(encoded, hashlib.sha256(b"message").digest())


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"\x30\x80", bytes(80), b"\x30\x06\x02\x01\x01\x02\x01\x01\x00"])
def test_octets_that_are_no_signature(junk):
    curve = LACKING[0]
    key = curve_key(curve, b"\x04" + b"".join(value.to_bytes(20, "big") for value in curve.g))
    assert not key.verifies(junk, bytes(32))


@pytest.mark.parametrize("curve", LACKING, ids=by_name)
def test_point_off_the_curve_at_infinity_or_beyond_the_field_is_refused(curve):
    size = (curve.p.bit_length() + 7) // 8
    x, y = curve.g
    for point in (
        b"\0",
        b"\x04" + bytes(2 * size),
        b"\x02" + x.to_bytes(size, "big"),
        b"\x04" + x.to_bytes(size, "big") + (y ^ 1).to_bytes(size, "big"),
        b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big") + b"\0",
    ):
        spki = der.encode(
            der.SEQUENCE,
            der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), der.encode_oid(curve.oid)),
            der.encode(der.BIT_STRING, b"\0" + point),
        )
        with pytest.raises(PkiError, match="not on the curve"):
            load_public_key(spki)
