"""What is unusual about a certificate and was read nonetheless: each has its code, so that people see what a State really issues.

Refused outright elsewhere, as they are dangerous: a second extension of the same kind, an outer algorithm that is not the signed
one, indefinite lengths, wrong ones in what limits a key, octets after the end, padded object identifiers, curve parameters of one's
own, points off the curve, RSA moduli that are even or shorter than 1024 bits, PSS parameters that are absent, twice or out of order,
a mask that is not MGF1. Off the hot path: a verdict on a document does not ask for oddities.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum, unique

from pki import der
from pki.certificates import AUTHORITY_KEY, HINTS, KEY_CERT_SIGN, Certificate
from pki.errors import DerError
from pki.signatures import ECDSA, RSA_ENCRYPTION, scheme_of

MAX_SERIAL_OCTETS, SMALLEST_GOOD_EXPONENT, LARGEST_COMMON_EXPONENT = 20, 65537, 1 << 32
"""RFC 5280 §4.1.2.2; an exponent of 3 or 17 is sound only with sound padding; longer ones make verifying slow."""
_GENERALIZED_FROM = 2050
"""RFC 5280 §4.1.2.5: UTCTime until 2049."""
_BASIC_CONSTRAINTS, _COUNTRY = "2.5.29.19", "2.5.4.6"


@unique
class Oddity(StrEnum):
    """Codes; the comment says which clause a conforming certificate would keep."""

    # harmless: another encoding of the same statement
    VERSION_1 = "VERSION_1"  # Doc 9303-12 §7.1.1: v3
    NEGATIVE_SERIAL = "NEGATIVE_SERIAL"  # RFC 5280 §4.1.2.2
    ZERO_SERIAL = "ZERO_SERIAL"
    LONG_SERIAL = "LONG_SERIAL"
    PADDED_SERIAL = "PADDED_SERIAL"  # X.690 §8.3.2
    LONG_LENGTH = "LONG_LENGTH"  # X.690 §10.1: DER takes the fewest octets
    DEFAULT_ENCODED = "DEFAULT_ENCODED"  # X.690 §11.5: CA = false, critical = false
    GENERALIZED_TIME_TOO_EARLY = "GENERALIZED_TIME_TOO_EARLY"
    TIME_WITHOUT_SECONDS = "TIME_WITHOUT_SECONDS"
    ECDSA_WITH_NULL = "ECDSA_WITH_NULL"  # RFC 5758 §3.2: parameters are absent
    LOWER_CASE_COUNTRY = "LOWER_CASE_COUNTRY"  # Doc 9303-12 §7.1.1: upper case
    SHORT_COEFFICIENT = "SHORT_COEFFICIENT"  # SEC 1 §2.3.5: as many octets as the prime
    SEED_WITH_UNUSED_BITS = "SEED_WITH_UNUSED_BITS"
    NEGATIVE_MODULUS = "NEGATIVE_MODULUS"  # leading zero octet missing
    PATH_LENGTH_WITHOUT_ISSUER = "PATH_LENGTH_WITHOUT_ISSUER"  # RFC 5280 §4.2.1.9
    EMPTY_AUTHORITY_KEY_IDENTIFIER = "EMPTY_AUTHORITY_KEY_IDENTIFIER"  # the extension is there, the key identifier not

    # it matters: what another check could have leaned on is missing
    NO_COUNTRY = "NO_COUNTRY"
    COUNTRY_NOT_TWO_LETTERS = "COUNTRY_NOT_TWO_LETTERS"
    NO_AUTHORITY_KEY_IDENTIFIER = "NO_AUTHORITY_KEY_IDENTIFIER"  # the search falls back to names
    NO_SUBJECT_KEY_IDENTIFIER = "NO_SUBJECT_KEY_IDENTIFIER"
    WRONG_LENGTH_IN_KEY_IDENTIFIER = "WRONG_LENGTH_IN_KEY_IDENTIFIER"  # counts as absent
    NO_KEY_USAGE = "NO_KEY_USAGE"
    EXTENDED_KEY_USAGE = "EXTENDED_KEY_USAGE"  # Doc 9303-12 §7.1: list signers alone have one
    SHA1_SIGNATURE = "SHA1_SIGNATURE"
    SALT_NOT_HASH_LENGTH = "SALT_NOT_HASH_LENGTH"
    SMALL_EXPONENT = "SMALL_EXPONENT"
    LARGE_EXPONENT = "LARGE_EXPONENT"
    UNKNOWN_CRITICAL_EXTENSION = "UNKNOWN_CRITICAL_EXTENSION"

    # it matters in an anchor: the certificate does not say that it is a CSCA's (see anchor_oddities)
    NOT_AN_ISSUER = "NOT_AN_ISSUER"  # basicConstraints absent or CA = false
    NO_KEY_CERT_SIGN = "NO_KEY_CERT_SIGN"  # vouches for nobody


def oddities(certificate: Certificate) -> frozenset[Oddity]:
    """Of any certificate that was parsed. Raises PkiError where its key or signature algorithm cannot be read."""
    outer = der.read(certificate.encoded).children()
    found = {Oddity.LONG_LENGTH} if _has_long_length(outer[0]) else set()
    for part in (_serial(certificate, outer[0]), _times(outer[0]), _names(certificate), _extensions(certificate, outer[0])):
        found.update(part)
    return frozenset(found.union(_signature(certificate), _key(certificate)))


def anchor_oddities(certificate: Certificate) -> frozenset[Oddity]:
    """Also what only a CSCA certificate must say. States publish such ones in their master lists, so they are coded, not refused."""
    found = set(oddities(certificate))
    usage = certificate.extensions.key_usage
    if not certificate.extensions.is_issuer:
        found.add(Oddity.NOT_AN_ISSUER)
    if usage is not None and not usage & KEY_CERT_SIGN:
        found.add(Oddity.NO_KEY_CERT_SIGN)
    if certificate.subject.same_as(certificate.issuer):  # RFC 5280 §4.2.1.1: self-signed ones need none
        found.discard(Oddity.NO_AUTHORITY_KEY_IDENTIFIER)
    return frozenset(found)


def _has_long_length(element: der.Element) -> bool:
    if element.encoded != der.encode(element.tag, element.content):
        return True
    return bool(element.tag & 0x20) and any(map(_has_long_length, element.children()))


def _serial(certificate: Certificate, signed: der.Element) -> Iterator[Oddity]:
    fields = signed.fields()
    fields.optional(0xA0)
    if fields.take().content != der.read(der.encode_integer(certificate.serial)).content:
        yield Oddity.PADDED_SERIAL
    if certificate.serial < 0:
        yield Oddity.NEGATIVE_SERIAL
    if certificate.serial == 0:
        yield Oddity.ZERO_SERIAL
    if certificate.serial.bit_length() > 8 * MAX_SERIAL_OCTETS:
        yield Oddity.LONG_SERIAL


def _times(signed: der.Element) -> Iterator[Oddity]:
    fields = signed.fields()
    if fields.optional(0xA0) is None:
        yield Oddity.VERSION_1
    for _ in range(3):  # serial number, algorithm, issuer
        fields.take()
    for element in fields.take().children():
        if element.tag == der.GENERALIZED_TIME and element.time().year < _GENERALIZED_FROM:
            yield Oddity.GENERALIZED_TIME_TOO_EARLY
        if len(element.content) == len("yymmddhhmmZ" if element.tag == der.UTC_TIME else "yyyymmddhhmmZ"):
            yield Oddity.TIME_WITHOUT_SECONDS


def _names(certificate: Certificate) -> Iterator[Oddity]:
    for name in (certificate.subject, certificate.issuer):
        country = next((value for kind, value in name.parts if kind == _COUNTRY), "")
        if not country:
            yield Oddity.NO_COUNTRY
        elif len(country) != 2:
            yield Oddity.COUNTRY_NOT_TWO_LETTERS
        if country != country.upper():
            yield Oddity.LOWER_CASE_COUNTRY


def _extensions(certificate: Certificate, signed: der.Element) -> Iterator[Oddity]:
    extensions = certificate.extensions
    if extensions.subject_key_identifier is None:
        yield Oddity.NO_SUBJECT_KEY_IDENTIFIER
    if extensions.key_usage is None:
        yield Oddity.NO_KEY_USAGE
    if extensions.unknown_critical:
        yield Oddity.UNKNOWN_CRITICAL_EXTENSION
    if extensions.extended_key_usage:
        yield Oddity.EXTENDED_KEY_USAGE
    present = set()
    holder = next((element for element in signed.children() if element.tag == 0xA3), None)
    for extension in holder.only_child().children() if holder else ():
        fields = extension.fields()
        oid, critical, value = fields.take().oid(), fields.optional(der.BOOLEAN), fields.take().octets()
        present.add(oid)
        if critical and not critical.boolean():
            yield Oddity.DEFAULT_ENCODED
        if oid == _BASIC_CONSTRAINTS:
            yield from _constraints(der.read(value).children())
        if oid in HINTS and not _whole(value):
            yield Oddity.WRONG_LENGTH_IN_KEY_IDENTIFIER
    if extensions.authority_key_identifier is None:
        listed = AUTHORITY_KEY in present
        yield Oddity.EMPTY_AUTHORITY_KEY_IDENTIFIER if listed else Oddity.NO_AUTHORITY_KEY_IDENTIFIER


def _whole(value: bytes) -> bool:
    try:
        der.read(value)
    except DerError:
        return False
    return True


def _constraints(parts: list[der.Element]) -> Iterator[Oddity]:
    issuer = bool(parts) and parts[0].tag == der.BOOLEAN and parts[0].boolean()
    if parts and parts[0].tag == der.BOOLEAN and not issuer:
        yield Oddity.DEFAULT_ENCODED
    if not issuer and any(part.tag == der.INTEGER for part in parts):
        yield Oddity.PATH_LENGTH_WITHOUT_ISSUER


def _signature(certificate: Certificate) -> Iterator[Oddity]:
    identifier = der.read(certificate.signature_algorithm)
    scheme = scheme_of(identifier)
    if scheme.hash.name == "sha1":
        yield Oddity.SHA1_SIGNATURE
    if scheme.salt_length not in (None, scheme.hash.digest_size):
        yield Oddity.SALT_NOT_HASH_LENGTH
    oid, *parameters = identifier.children()
    if oid.oid() in ECDSA and parameters:
        yield Oddity.ECDSA_WITH_NULL


def _key(certificate: Certificate) -> Iterator[Oddity]:
    certificate.public_key()
    identifier, key = der.read(certificate.subject_public_key_info).children()
    oid, *parameters = identifier.children()
    if oid.oid() == RSA_ENCRYPTION:
        modulus, exponent = der.read(key.bits()).children()
        if modulus.integer() < 0:
            yield Oddity.NEGATIVE_MODULUS
        if not exponent.integer() >= SMALLEST_GOOD_EXPONENT:
            yield Oddity.SMALL_EXPONENT
        if exponent.integer() > LARGEST_COMMON_EXPONENT:
            yield Oddity.LARGE_EXPONENT
    elif parameters and parameters[0].tag == der.SEQUENCE:
        yield from _explicit(parameters[0])


def _explicit(parameters: der.Element) -> Iterator[Oddity]:
    _, field, coefficients, *_ = parameters.children()
    size = len(field.children()[1].content.lstrip(b"\0"))
    a, b, *seed = coefficients.children()
    if len(a.content) < size or len(b.content) < size:
        yield Oddity.SHORT_COEFFICIENT
    if seed and seed[0].content[:1] != b"\0":
        yield Oddity.SEED_WITH_UNUSED_BITS
