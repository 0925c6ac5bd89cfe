"""Certificates of Doc 9303-12 (CSCA, link, document signer), as far as passive authentication reads them.

Own reader, because genuine CSCA certificates break stricter ones: NULL after ECDSA, explicit curves, negative serial numbers,
GeneralizedTime before 2050 (figures: the German and Dutch master lists).
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from pki import der
from pki.countries import two_letters
from pki.errors import DerError
from pki.signatures import PublicKey, load_public_key, scheme_of, signed_by

KEY_CERT_SIGN, DIGITAL_SIGNATURE = 1 << 5, 1 << 0
"""Bits of keyUsage (RFC 5280 §4.2.1.3)."""
MAX_EXTENSIONS, MAX_DOCUMENT_TYPES = 64, 64
MAX_NAME_OCTETS, MAX_NAME, MAX_SERIAL = 4096, 200, 64
"""Octets of a name; characters of it, and of a serial number, that are shown. Real names stay below 400 octets."""

_COUNTRY, _COMMON_NAME = "2.5.4.6", "2.5.4.3"
_LABELS = {"2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.10": "O", "2.5.4.11": "OU"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A distinguished name: as sent, as (type, value) pairs to show, and ``folded`` (a line for each pair) to compare."""

    encoded: bytes = field(repr=False)
    parts: tuple[tuple[str, str], ...]
    folded: str = field(repr=False)

    def same_as(self, other: Name) -> bool:
        """Equal but for letter case, spaces and string type (RFC 5280 §7.1). Cheap, as it is asked for each trust anchor."""
        return self.folded == other.folded

    @property
    def country(self) -> str:
        """Two letters in upper case, empty if none: some States write theirs in lower case, or three letters."""
        return two_letters(next((value.strip().upper() for kind, value in self.parts if kind == _COUNTRY), ""))

    @property
    def countries(self) -> frozenset[str]:
        """All that it names, as :attr:`country`; the profile has one."""
        return frozenset(two_letters(value.strip().upper()) for kind, value in self.parts if kind == _COUNTRY)

    def __str__(self) -> str:
        """For people and records: one printable line of bounded length, whatever a stranger wrote into the name."""
        line = ", ".join(f"{_LABELS.get(kind, kind)}={value}" for kind, value in self.parts)[:MAX_NAME]
        return line if line.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """The extensions that are read, None or empty where absent."""

    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    key_usage: int | None = None
    is_issuer: bool = False
    """basicConstraints with CA = true."""
    extended_key_usage: tuple[str, ...] = ()
    key_period_start: datetime | None = None
    key_period_end: datetime | None = None
    """privateKeyUsagePeriod (Doc 9303-12 §7.1.1): from when until when the key may sign."""
    document_types: tuple[str, ...] | None = None
    """documentTypeList (Doc 9303-12 §7.1.1): the document codes that a signer may sign; None where it does not say."""
    unknown_critical: tuple[str, ...] = ()
    """Critical extensions that are not read here: such a certificate may not be relied on (RFC 5280 §4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says. Nothing of it is proven before :meth:`issued` or a trust store says so."""

    encoded: bytes = field(repr=False)
    signed_part: bytes = field(repr=False)
    serial: int
    issuer: Name
    subject: Name
    not_before: datetime
    not_after: datetime
    subject_public_key_info: bytes = field(repr=False)
    signature_algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    extensions: Extensions

    @property
    def label(self) -> str:
        """For people and records."""
        return f"{self.subject}, serial {f'{self.serial:x}'[:MAX_SERIAL]}"

    @property
    def may_issue(self) -> bool:
        """Whether the key is for certificates: keyCertSign (RFC 5280 §4.2.1.3), or no word on its use by a root or one with CA = true.

        basicConstraints alone do not decide: published CSCA certificates say CA = false.
        """
        usage = self.extensions.key_usage
        if usage is None:
            return self.extensions.is_issuer or self.subject.same_as(self.issuer)
        return bool(usage & KEY_CERT_SIGN)

    def public_key(self) -> PublicKey:
        """Raises PkiError as :func:`pki.signatures.load_public_key`."""
        return load_public_key(self.subject_public_key_info)

    def issued(self, other: Certificate) -> bool:
        """Whether this certificate's key signed ``other``. Raises PkiError if key or algorithm is not supported."""
        scheme = scheme_of(der.read(other.signature_algorithm))
        return signed_by(self.subject_public_key_info, scheme, other.signature, other.signed_part)

    def valid_at(self, time: datetime) -> bool:
        return self.not_before <= time <= self.not_after

    def may_sign_at(self, time: datetime) -> bool:
        """Within the certificate's validity and the private key's usage period."""
        start, end = self.extensions.key_period_start, self.extensions.key_period_end
        return self.valid_at(time) and (start is None or start <= time) and (end is None or time <= end)


def parse_certificate(encoded: bytes) -> Certificate:
    """One X.509 certificate in DER. Raises DerError; never anything else."""
    certificate = der.read(encoded).fields()
    to_be_signed, algorithm, signature = (certificate.take(tag) for tag in (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING))
    certificate.end()
    fields = to_be_signed.fields()
    fields.optional(0xA0)  # version: v1 CSCAs exist, and extensions speak for themselves
    serial, signed_algorithm, issuer = fields.take().number(), fields.take(der.SEQUENCE), parse_name(fields.take())
    if signed_algorithm.encoded != algorithm.encoded:  # RFC 5280 §4.1.1.2
        raise algorithm.error("signature algorithm differs from the signed one")
    validity, subject, key = fields.take().fields(), parse_name(fields.take()), fields.take(der.SEQUENCE)
    for unique_id in (0x81, 0x82):  # issuerUniqueID, subjectUniqueID: not read
        fields.optional(unique_id)
    extensions = fields.optional(0xA3)
    fields.end()
    return Certificate(
        encoded=encoded,
        signed_part=to_be_signed.encoded,
        serial=serial,
        issuer=issuer,
        subject=subject,
        not_before=validity.take().time(),
        not_after=validity.take().time(),
        subject_public_key_info=key.encoded,
        signature_algorithm=algorithm.encoded,
        signature=signature.bits(),
        extensions=_extensions(extensions.only_child()) if extensions else Extensions(),
    )


def parse_name(element: der.Element) -> Name:
    """A Name (RFC 5280 §4.1.2.4). Raises DerError."""
    if element.end - element.start > MAX_NAME_OCTETS:
        raise element.error(f"name of more than {MAX_NAME_OCTETS} octets")
    try:
        return _name(element.encoded)
    except DerError as error:
        raise error.moved(element.start) from None


@lru_cache(maxsize=512)
def _name(encoded: bytes) -> Name:
    """Cached: all documents of a State name the same few issuers."""
    parts = []
    for relative in der.read(encoded).expect(der.SEQUENCE).children():
        for attribute in relative.expect(der.SET).children():
            pair = attribute.fields()
            parts.append((pair.take().oid(), pair.take().text()))
    folded = "\n".join(f"{kind}={' '.join(value.casefold().split())}" for kind, value in parts)
    return Name(encoded=encoded, parts=tuple(parts), folded=folded)


def _extensions(element: der.Element) -> Extensions:
    values: dict[str, der.Element] = {}
    seen: set[str] = set()
    unknown_critical = []
    for extension in element.expect(der.SEQUENCE).children(MAX_EXTENSIONS):
        fields = extension.fields()
        oid, critical = fields.take().oid(), fields.optional(der.BOOLEAN)
        if oid in seen:  # RFC 5280 §4.2
            raise extension.error(f"extension {oid} twice")
        seen.add(oid)
        if oid in _READ:
            with suppress(DerError) if oid in HINTS else nullcontext():
                values[oid] = der.read(fields.take().octets())
        elif critical and critical.boolean():
            unknown_critical.append(oid)
    period = dict.fromkeys((0x80, 0x81)) | {part.tag: _period_end(part) for part in _inside(values.get(_KEY_PERIOD))}
    constraints = _inside(values.get(_BASIC_CONSTRAINTS))
    return Extensions(
        subject_key_identifier=values[SUBJECT_KEY].octets() if SUBJECT_KEY in values else None,
        authority_key_identifier=next((part.content for part in _inside(values.get(AUTHORITY_KEY)) if part.tag == 0x80), None),
        key_usage=values[_KEY_USAGE].flags() if _KEY_USAGE in values else None,
        is_issuer=bool(constraints) and constraints[0].tag == der.BOOLEAN and constraints[0].boolean(),
        extended_key_usage=tuple(part.oid() for part in _inside(values.get(_EXTENDED_KEY_USAGE))),
        key_period_start=period[0x80],
        key_period_end=period[0x81],
        document_types=_document_types(values.get(_DOCUMENT_TYPES)),
        unknown_critical=tuple(unknown_critical),
    )


SUBJECT_KEY, AUTHORITY_KEY, _KEY_USAGE = "2.5.29.14", "2.5.29.35", "2.5.29.15"
HINTS = frozenset((SUBJECT_KEY, AUTHORITY_KEY))
"""Extensions that say where to look first, and prove nothing: one with a wrong length inside counts as absent."""
_BASIC_CONSTRAINTS, _EXTENDED_KEY_USAGE, _KEY_PERIOD = "2.5.29.19", "2.5.29.37", "2.5.29.16"
_DOCUMENT_TYPES = "2.23.136.1.1.6.2"
_LETTERS = frozenset((0x0C, 0x13, 0x16))
"""UTF8String, PrintableString (the profile's), IA5String: one letter is the same in all."""
_READ = frozenset((SUBJECT_KEY, AUTHORITY_KEY, _KEY_USAGE, _BASIC_CONSTRAINTS, _EXTENDED_KEY_USAGE, _KEY_PERIOD, _DOCUMENT_TYPES))


def _inside(extension: der.Element | None) -> list[der.Element]:
    return extension.expect(der.SEQUENCE).children() if extension else []


def _document_types(extension: der.Element | None) -> tuple[str, ...] | None:
    if extension is None:
        return None
    fields = extension.fields()
    fields.take(der.INTEGER)
    types = fields.take(der.SET).children(MAX_DOCUMENT_TYPES)
    for element in types:
        if element.tag not in _LETTERS:
            raise element.error("document type that is no text")
    return tuple(element.text() for element in types)


def _period_end(part: der.Element) -> datetime:
    return part._replace(tag=der.GENERALIZED_TIME).time()  # implicitly tagged GeneralizedTime
