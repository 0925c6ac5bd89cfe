"""What States really issue: every oddity of the published certificates is read and coded; each code has a case of its own."""

from __future__ import annotations

import contextlib
from collections import Counter
from itertools import chain

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import der
from pki.certificates import parse_certificate
from pki.cms import parse_signed_data
from pki.curves import CURVES
from pki.errors import DerError, PkiError
from pki.oddities import Oddity, anchor_oddities, oddities

VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(8)
"""Positions in TBSCertificate."""


def extension(oid: str, *value: bytes, flag: bytes = b"") -> bytes:
    return der.encode(der.SEQUENCE, der.encode_oid(oid), flag, der.encode(der.OCTET_STRING, *value))


def put(position: int, value: bytes):
    return lambda fields: fields.__setitem__(position, value)


def name(country: bytes) -> bytes:
    pair = der.encode(der.SEQUENCE, der.encode_oid("2.5.4.6"), der.encode(0x13, country))
    return der.encode(der.SEQUENCE, der.encode(der.SET, pair))


def validity(*times: tuple[int, bytes]) -> bytes:
    return der.encode(der.SEQUENCE, *(der.encode(tag, text) for tag, text in times))


def extensions(*items: bytes) -> bytes:
    return der.encode(0xA3, der.encode(der.SEQUENCE, *items))


SKI = extension("2.5.29.14", der.encode(der.OCTET_STRING, bytes(20)))
AKI = extension("2.5.29.35", der.encode(der.SEQUENCE, der.encode(0x80, bytes(20))))
USAGE = extension("2.5.29.15", der.encode(der.BIT_STRING, b"\x07\x80"))
UTC, LATER = (der.UTC_TIME, b"260101000000Z"), (der.UTC_TIME, b"360101000000Z")
FALSE = der.encode(der.BOOLEAN, b"\0")


def rsa_key(exponent: int) -> bytes:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    return rsa.RSAPublicNumbers(exponent, numbers.n).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def unsigned_modulus() -> bytes:
    key = rsa.generate_private_key(65537, 1024).public_key()
    numbers = key.public_numbers()
    algorithm = der.read(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).children()[0].encoded
    modulus = der.encode(der.INTEGER, numbers.n.to_bytes(128, "big"))
    pair = der.encode(der.SEQUENCE, modulus, der.encode_integer(numbers.e))
    return der.encode(der.SEQUENCE, algorithm, der.encode(der.BIT_STRING, b"\0", pair))


CASES = {
    Oddity.VERSION_1: lambda fields: fields.pop(VERSION),
    Oddity.NEGATIVE_SERIAL: put(SERIAL, der.encode_integer(-5)),
    Oddity.ZERO_SERIAL: put(SERIAL, der.encode_integer(0)),
    Oddity.LONG_SERIAL: put(SERIAL, der.encode_integer(1 << 161)),
    Oddity.PADDED_SERIAL: put(SERIAL, b"\x02\x02\x00\x05"),
    Oddity.LONG_LENGTH: put(SERIAL, b"\x02\x81\x01\x05"),
    Oddity.DEFAULT_ENCODED: put(EXTENSIONS, extensions(SKI, AKI, USAGE, extension("1.2.3", b"", flag=FALSE))),
    Oddity.GENERALIZED_TIME_TOO_EARLY: put(VALIDITY, validity(UTC, (der.GENERALIZED_TIME, b"20360101000000Z"))),
    Oddity.TIME_WITHOUT_SECONDS: put(VALIDITY, validity((der.UTC_TIME, b"2601010000Z"), LATER)),
    Oddity.LOWER_CASE_COUNTRY: put(SUBJECT, name(b"id")),
    Oddity.COUNTRY_NOT_TWO_LETTERS: put(SUBJECT, name(b"LTU")),
    Oddity.NO_COUNTRY: put(SUBJECT, der.encode(der.SEQUENCE)),
    Oddity.NEGATIVE_MODULUS: put(KEY, unsigned_modulus()),
    Oddity.SMALL_EXPONENT: put(KEY, rsa_key(3)),
    Oddity.LARGE_EXPONENT: put(KEY, rsa_key((1 << 33) + 1)),
    Oddity.NO_SUBJECT_KEY_IDENTIFIER: put(EXTENSIONS, extensions(AKI, USAGE)),
    Oddity.NO_AUTHORITY_KEY_IDENTIFIER: put(EXTENSIONS, extensions(SKI, USAGE)),
    Oddity.EMPTY_AUTHORITY_KEY_IDENTIFIER: put(
        EXTENSIONS, extensions(SKI, USAGE, extension("2.5.29.35", der.encode(der.SEQUENCE)))
    ),
    Oddity.NO_KEY_USAGE: put(EXTENSIONS, extensions(SKI, AKI)),
    Oddity.EXTENDED_KEY_USAGE: put(
        EXTENSIONS, extensions(SKI, AKI, USAGE, extension("2.5.29.37", der.encode(der.SEQUENCE, der.encode_oid("1.2.3"))))
    ),
    Oddity.UNKNOWN_CRITICAL_EXTENSION: put(
        EXTENSIONS, extensions(SKI, AKI, USAGE, extension("1.2.3", b"", flag=der.encode(der.BOOLEAN, b"\xff")))
    ),
    Oddity.PATH_LENGTH_WITHOUT_ISSUER: put(
        EXTENSIONS, extensions(SKI, AKI, USAGE, extension("2.5.29.19", der.encode(der.SEQUENCE, der.encode_integer(0))))
    ),
}


@pytest.fixture(scope="module")
def published_sample(workshop, rsa_state):
    """An explicit curve, a named one, RSA, and what is odd about each of the cases above."""
    odd = [workshop.reissued(case).certificate for case in CASES.values()]
    return [workshop.state.csca, rsa_state.csca, workshop.reissued(put(KEY, explicit_key())).certificate, *odd]


def explicit_key() -> bytes:
    """A P-256 key with its parameters spelt out, a seed among them."""
    curve = next(curve for curve in CURVES if curve.name == "secp256r1")

    def octets(value: int) -> bytes:
        return der.encode(der.OCTET_STRING, value.to_bytes(32, "big"))

    point = b"\x04" + b"".join(value.to_bytes(32, "big") for value in curve.g)
    parameters = (
        der.encode_integer(1),
        der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.1.1"), der.encode_integer(curve.p)),
        der.encode(der.SEQUENCE, octets(curve.a), octets(curve.b), der.encode(der.BIT_STRING, b"\0" + bytes(20))),
        der.encode(der.OCTET_STRING, point),
        der.encode_integer(curve.n),
        der.encode_integer(curve.h),
    )
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), der.encode(der.SEQUENCE, *parameters))
    return der.encode(der.SEQUENCE, algorithm, der.encode(der.BIT_STRING, b"\0", point))


@pytest.mark.conforms("Doc 9303-12 §7.1.1, profile", "positive")
def test_an_ordinary_signer_and_its_csca_have_no_oddity(workshop, rsa_state):
    for state in (workshop.state, rsa_state):
        assert not oddities(parse_certificate(state.signer.certificate))
        assert not anchor_oddities(parse_certificate(state.csca))


@pytest.mark.parametrize("oddity", CASES, ids=str)
def test_oddity_is_read_and_coded(oddity, workshop):
    certificate = parse_certificate(workshop.reissued(CASES[oddity]).certificate)
    assert oddities(certificate) == {oddity}
    assert workshop.parsed_csca.issued(certificate)


WRONG = {"too long": b"\x04\x15", "too short": b"\x04\x13", "far too long": b"\x04\x82\x01\x00"}
"""What 20 octets of a key identifier stand behind. Genuine certificates with a wrong length inside are in circulation (Lithuania)."""


@pytest.mark.parametrize("header", WRONG)
def test_wrong_length_in_a_key_identifier_is_coded_and_counts_as_absent(header, workshop):
    """It says where to look first, no more: the key that verifies is the issuer's."""
    wrong = extension("2.5.29.14", WRONG[header] + bytes(20))
    certificate = parse_certificate(workshop.reissued(put(EXTENSIONS, extensions(wrong, AKI, USAGE))).certificate)
    assert certificate.extensions.subject_key_identifier is None
    assert oddities(certificate) == {Oddity.WRONG_LENGTH_IN_KEY_IDENTIFIER, Oddity.NO_SUBJECT_KEY_IDENTIFIER}


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        ("2.5.29.15", b"\x03\x03\x07\x80"),  # key usage
        ("2.5.29.19", b"\x30\x04\x01\x01\xff"),  # basic constraints
        ("2.5.29.16", b"\x30\x12\x80\x0f20260101000000Z"),  # private key usage period
        ("2.23.136.1.1.6.2", b"\x30\x07\x02\x01\x00\x31\x03\x13\x01"),  # documentTypeList
    ],
)
def test_wrong_length_in_what_limits_a_key_is_refused(oid, value, workshop):
    with pytest.raises(DerError):
        parse_certificate(workshop.reissued(put(EXTENSIONS, extensions(SKI, AKI, extension(oid, value)))).certificate)


@pytest.mark.parametrize("position", [ISSUER, VALIDITY, SUBJECT])
def test_wrong_length_inside_a_name_or_the_validity_is_refused(position, workshop):
    def lengthen(fields: list[bytes]) -> None:
        inner = bytearray(der.read(fields[position]).content)
        inner[1] += 1
        fields[position] = der.encode(der.SEQUENCE, bytes(inner))

    with pytest.raises(DerError):
        parse_certificate(workshop.reissued(lengthen).certificate)


def test_wrong_length_in_an_extension_that_nobody_reads_is_harmless(workshop):
    other = extension("1.3.6.1.4.1.99999.1", b"\x30\x20\x05\x00")
    certificate = parse_certificate(workshop.reissued(put(EXTENSIONS, extensions(SKI, AKI, USAGE, other))).certificate)
    assert not oddities(certificate)


def test_signer_is_odd_as_an_anchor(workshop):
    assert anchor_oddities(parse_certificate(workshop.state.signer.certificate)) == {
        Oddity.NOT_AN_ISSUER,
        Oddity.NO_KEY_CERT_SIGN,
    }


@settings(max_examples=400)
@given(data=st.data())
def test_changed_certificate_has_oddities_or_raises_the_rooms_error(data, published_sample):
    good = data.draw(st.sampled_from(published_sample))
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PkiError):
        assert anchor_oddities(parse_certificate(bytes(changed))) <= set(Oddity)


@pytest.mark.shared
def test_oddities_of_the_published_certificates_are_those_counted(shared_dir):
    """The counts of the German list of 2026-05-28, by another parser: 13 lower-case countries, 7 short coefficients, …"""
    content = parse_signed_data(der.read((shared_dir / "data/pki/masterlists/DE_ML_2026-05-28.ml").read_bytes())).content
    encoded = [element.encoded for element in der.read(content).children()[1].children(2000)]
    found = Counter(chain.from_iterable(anchor_oddities(parse_certificate(item)) for item in encoded))
    assert len(encoded) == 588
    assert found == {
        Oddity.ECDSA_WITH_NULL: 13,
        Oddity.EXTENDED_KEY_USAGE: 1,
        Oddity.LOWER_CASE_COUNTRY: 13,
        Oddity.NEGATIVE_SERIAL: 1,
        Oddity.ZERO_SERIAL: 1,
        Oddity.NOT_AN_ISSUER: 8,
        Oddity.NO_AUTHORITY_KEY_IDENTIFIER: 2,
        Oddity.NO_KEY_USAGE: 1,
        Oddity.PATH_LENGTH_WITHOUT_ISSUER: 1,
        Oddity.SALT_NOT_HASH_LENGTH: 2,
        Oddity.SEED_WITH_UNUSED_BITS: 4,
        Oddity.SHA1_SIGNATURE: 34,
        Oddity.SHORT_COEFFICIENT: 7,
        Oddity.SMALL_EXPONENT: 14,
    }
