"""Certificates, revocation lists and EF.SODs built octet by octet; every part has an honest default and can be replaced.

All names say that they are pretended. What stands here builds; what a document ought to be answered is said in ``cases_*``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from forge_keys import HASH_OIDS, Key, Scheme, identifier, key, sequence

from pki import der

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
CSCA_START, CSCA_END, CSCA_KEY_END = NOW - YEAR, NOW + 14 * YEAR, NOW + 3 * YEAR
SIGNER_START, SIGNER_END, SIGNER_KEY_END = NOW - 30 * DAY, NOW + 11 * YEAR, NOW + 60 * DAY
MARK = "DEMONSTRATION ONLY"

SIGNED_DATA, DATA, LDS_SECURITY_OBJECT = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1", "2.23.136.1.1.1"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (f"1.2.840.113549.1.9.{arc}" for arc in (3, 4, 5))
SUBJECT_KEY, KEY_USAGE, KEY_PERIOD, CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.16", "2.5.29.19"
AUTHORITY_KEY, EXTENDED_KEY_USAGE = "2.5.29.35", "2.5.29.37"
NAME_CHANGE, DOCUMENT_TYPES = "2.23.136.1.1.6.1", "2.23.136.1.1.6.2"
DIGITAL_SIGNATURE, CERT_AND_CRL_SIGN = b"\x07\x80", b"\x01\x06"

TRUE = der.encode(der.BOOLEAN, b"\xff")
EMPTY_SET = der.encode(der.SET)


def octet_string(content: bytes) -> bytes:
    return der.encode(der.OCTET_STRING, content)


def bit_string(content: bytes) -> bytes:
    return der.encode(der.BIT_STRING, b"\0", content)


def utc_time(at: datetime) -> bytes:
    return der.encode(der.UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(at: datetime) -> bytes:
    return der.encode(der.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def edited(element: bytes, position: int, *parts: bytes) -> bytes:
    """A constructed ``element`` whose child at ``position`` is ``parts`` instead (none: left out)."""
    parsed = der.read(element)
    children = [child.encoded for child in parsed.children(1 << 16)]
    children[position : position + 1] = parts
    return der.encode(parsed.tag, *children)


def appended(element: bytes, *parts: bytes) -> bytes:
    """A constructed ``element`` with ``parts`` after its last child."""
    parsed = der.read(element)
    return der.encode(parsed.tag, parsed.content, *parts)


# --- names and certificates


def name(*parts: tuple[str, str], text: int = 0x0C) -> bytes:
    """A Name of (type, value); countries are PrintableStrings, other values have the tag ``text`` (UTF8String)."""
    pairs = (
        sequence(der.encode_oid(oid), der.encode(0x13 if oid == "2.5.4.6" else text, value.encode())) for oid, value in parts
    )
    return sequence(*(der.encode(der.SET, pair) for pair in pairs))


def pretended(country: str, common_name: str, *, text: int = 0x0C) -> bytes:
    return name(("2.5.4.6", country), ("2.5.4.10", MARK), ("2.5.4.3", common_name), text=text)


def extension(oid: str, value: bytes, *, critical: bytes = b"") -> bytes:
    """An Extension; ``critical`` is its BOOLEAN as encoded."""
    return sequence(der.encode_oid(oid), critical, octet_string(value))


def key_identifier(public: bytes) -> bytes:
    """Method 1 of RFC 5280 §4.2.1.2."""
    return hashlib.sha1(der.read(public).children()[1].bits()).digest()


def authority_key(identifier_: bytes) -> bytes:
    return extension(AUTHORITY_KEY, sequence(der.encode(0x80, identifier_)))


def subject_key(identifier_: bytes) -> bytes:
    return extension(SUBJECT_KEY, octet_string(identifier_))


def key_usage(flags: bytes) -> bytes:
    return extension(KEY_USAGE, der.encode(der.BIT_STRING, flags), critical=TRUE)


def key_period(start: datetime | None, end: datetime | None) -> bytes:
    times = ((0x80, start), (0x81, end))
    return extension(KEY_PERIOD, sequence(*(der.encode(tag, at.strftime("%Y%m%d%H%M%SZ").encode()) for tag, at in times if at)))


def document_types(*types: str) -> bytes:
    """DocumentTypeListSyntax of Doc 9303-12: a version and the set of types the signer may sign."""
    return sequence(der.encode_integer(0), der.encode_set([der.encode(0x13, each.encode()) for each in types]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The parts of a TBSCertificate, each encoded, in their order; ``extensions`` by identifier."""

    version: bytes = der.encode(0xA0, der.encode_integer(2))
    serial: bytes
    issuer: bytes
    not_before: bytes
    not_after: bytes
    subject: bytes
    public: bytes
    extensions: Mapping[str, bytes]
    after: bytes = b""

    def but(self, **changes: bytes) -> Certificate:
        return replace(self, **changes)

    def valid(self, start: datetime, end: datetime) -> Certificate:
        return replace(self, not_before=utc_time(start), not_after=utc_time(end))

    def having(self, *extensions: bytes) -> Certificate:
        """With ``extensions`` (encoded) in the place of those of the same kind, or after all."""
        named = {der.read(each).children()[0].oid(): each for each in extensions}
        return replace(self, extensions={**self.extensions, **named})

    def lacking(self, *oids: str) -> Certificate:
        return replace(self, extensions={oid: each for oid, each in self.extensions.items() if oid not in oids})

    def signed(self, signer: Key, scheme: Scheme | None = None, *, inner: bytes = b"") -> bytes:
        """The certificate; ``inner`` replaces the signed copy of the algorithm."""
        scheme = scheme or signer.scheme
        extensions = der.encode(0xA3, sequence(*self.extensions.values())) if self.extensions else b""
        validity = sequence(self.not_before, self.not_after)
        signed = sequence(
            self.version, self.serial, inner or scheme.identifier, self.issuer, validity, self.subject, self.public, extensions, self.after
        )  # fmt: skip
        return sequence(signed, scheme.identifier, bit_string(signer.sign(signed, scheme)))


def csca_parts(subject: bytes, public: bytes, *, serial: int = 1) -> Certificate:
    """A self-issued CSCA by the profile of Doc 9303-12 §7.1."""
    identifier_ = key_identifier(public)
    extensions = (
        authority_key(identifier_),
        subject_key(identifier_),
        key_period(CSCA_START, CSCA_KEY_END),
        key_usage(CERT_AND_CRL_SIGN),
        extension(CONSTRAINTS, sequence(TRUE, der.encode_integer(0)), critical=TRUE),
    )
    return _parts(subject, subject, public, serial).valid(CSCA_START, CSCA_END).having(*extensions)


def signer_parts(issuer: bytes, issuer_public: bytes, subject: bytes, public: bytes, *, serial: int = 2) -> Certificate:
    """A document signer by the profile of Doc 9303-12 §7.1."""
    extensions = (
        authority_key(key_identifier(issuer_public)),
        subject_key(key_identifier(public)),
        key_period(SIGNER_START, SIGNER_KEY_END),
        key_usage(DIGITAL_SIGNATURE),
    )
    return _parts(issuer, subject, public, serial).valid(SIGNER_START, SIGNER_END).having(*extensions)


def _parts(issuer: bytes, subject: bytes, public: bytes, serial: int) -> Certificate:
    number = der.encode_integer(serial)
    start, end = utc_time(CSCA_START), utc_time(CSCA_END)
    return Certificate(
        serial=number, issuer=issuer, not_before=start, not_after=end, subject=subject, public=public, extensions={}
    )


# --- data groups and what a State signs about them


def mrz(state: str = "UTO", code: str = "P<") -> bytes:
    """The 88 characters of a passport (Doc 9303-4) whose holder does not exist."""
    first = f"{code}{state:<3}SPECIMEN<<ANNA".replace(" ", "<").ljust(44, "<")
    return (first + f"X000000003{state:<3}9001011F3001010".replace(" ", "<").ljust(42, "<") + "08").encode()


def data_group_1(text: bytes | None = None) -> bytes:
    return der.encode(0x61, der.encode(0x5F1F, mrz() if text is None else text))


DATA_GROUPS: Mapping[int, bytes] = {1: data_group_1(), 2: der.encode(0x75, b"a portrait of nobody, " * 8)}


def entry(number: int, value: bytes) -> bytes:
    """DataGroupHash."""
    return sequence(der.encode_integer(number), octet_string(value))


def security_object(
    data_groups: Mapping[int, bytes] = DATA_GROUPS,
    hash_: str = "sha256",
    *,
    version: int = 0,
    algorithm: bytes = b"",
    entries: Iterable[bytes] | None = None,
    after: bytes = b"",
) -> bytes:
    """LDSSecurityObject (Doc 9303-10 §4.6.2.2)."""
    if entries is None:
        entries = (entry(number, hashlib.new(hash_, content).digest()) for number, content in sorted(data_groups.items()))
    return sequence(der.encode_integer(version), algorithm or identifier(HASH_OIDS[hash_]), sequence(*entries), after)


def lds_version(lds: str = "0108", unicode: str = "040000") -> bytes:
    """LDSVersionInfo."""
    return sequence(der.encode(0x13, lds.encode()), der.encode(0x13, unicode.encode()))


def attribute(oid: str, *values: bytes) -> bytes:
    return sequence(der.encode_oid(oid), der.encode(der.SET, *values))


def attributes(
    content: bytes, hash_: str = "sha256", *, content_type: str = LDS_SECURITY_OBJECT, at: datetime | None = NOW
) -> dict[str, bytes]:
    """The signed attributes of a SOD by identifier; without signingTime where ``at`` is None."""
    values = {
        CONTENT_TYPE: der.encode_oid(content_type),
        MESSAGE_DIGEST: octet_string(hashlib.new(hash_, content).digest()),
    } | ({SIGNING_TIME: utc_time(at)} if at else {})
    return {oid: attribute(oid, value) for oid, value in values.items()}


def issuer_and_serial(certificate: bytes) -> bytes:
    fields = [child.encoded for child in der.read(certificate).children()[0].children()]
    version = fields[0][0] == 0xA0
    return sequence(fields[2 + version], fields[version])


def signer_info(
    signer: Key,
    sid: bytes,
    signed: Iterable[bytes],
    *,
    scheme: Scheme | None = None,
    digest: bytes = b"",
    version: int = 1,
    covers: bytes | None = None,
    signature: bytes | None = None,
    after: bytes = b"",
) -> bytes:
    """SignerInfo that sends the attributes ``signed`` as they are, its signature over them as a DER SET or over ``covers``."""
    scheme, sent = scheme or signer.scheme, list(signed)
    covers = der.encode_set(sent) if covers is None else covers
    signature = signer.sign(covers, scheme) if signature is None else signature
    return sequence(
        der.encode_integer(version), sid, digest or identifier(HASH_OIDS["sha256"]), der.encode(0xA0, *sent),
        scheme.identifier, octet_string(signature), after,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sod:
    """The parts of an EF.SOD around its content, each encoded."""

    version: bytes = der.encode_integer(3)
    digests: bytes = der.encode(der.SET, identifier(HASH_OIDS["sha256"]))
    content_type: str = LDS_SECURITY_OBJECT
    content: bytes = b""
    certificates: tuple[bytes, ...] = ()
    crls: bytes = b""
    signers: tuple[bytes, ...] = ()

    def encapsulated(self) -> bytes:
        return sequence(der.encode_oid(self.content_type), der.encode(0xA0, octet_string(self.content)))

    def parts(self) -> list[bytes]:
        bag = der.encode(0xA0, *self.certificates) if self.certificates else b""
        return [self.version, self.digests, self.encapsulated(), bag, self.crls, der.encode(der.SET, *self.signers)]

    def built(self, **changes: bytes) -> bytes:
        """EF.SOD; ``changes`` replace the parts called encapsulated, signed_data or content_info."""
        parts = self.parts()
        parts[2] = changes.get("encapsulated", parts[2])
        signed_data = changes.get("signed_data") or sequence(*parts)
        content_info = changes.get("content_info") or sequence(der.encode_oid(SIGNED_DATA), der.encode(0xA0, signed_data))
        return der.encode(0x77, content_info)


# --- States


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A document signer: its key and its certificate."""

    key: Key = field(repr=False)
    certificate: bytes = field(repr=False)

    def info(self, signed: Iterable[bytes], **changes) -> bytes:
        return signer_info(self.key, changes.pop("sid", None) or issuer_and_serial(self.certificate), signed, **changes)

    def sod(self, content: bytes | None = None, *, at: datetime | None = NOW, hash_: str = "sha256", **info) -> Sod:
        """A SOD over ``content``; ``info`` changes the SignerInfo, ``hash_`` is that of its message digest."""
        content = security_object() if content is None else content
        signed = sorted(attributes(content, hash_, at=at).values())
        digest = identifier(HASH_OIDS[hash_])
        made = self.info(signed, digest=digest, **info)
        return Sod(digests=der.encode(der.SET, digest), content=content, certificates=(self.certificate,), signers=(made,))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A State with one CSCA and one document signer, both honest; ``kind`` is that of their keys."""

    country: str
    kind: str
    csca_key: Key = field(repr=False)
    csca_parts: Certificate = field(repr=False)
    csca: bytes = field(repr=False)
    parts: Certificate = field(repr=False)
    """Of the signer's certificate."""
    signer: Signer = field(repr=False)

    def sod(self, content: bytes | None = None, **changes) -> bytes:
        return self.signer.sod(content, **changes).built()

    def issue(self, parts: Certificate, *, signer_key: Key | None = None, scheme: Scheme | None = None) -> Signer:
        """A signer with the certificate ``parts``, signed by the CSCA."""
        return Signer(key=signer_key or self.signer.key, certificate=parts.signed(self.csca_key, scheme))

    def crl(
        self,
        *revoked: int,
        at: datetime = NOW - DAY,
        until: datetime | None = NOW + 30 * DAY,
        issuer: bytes | None = None,
        signer: Key | None = None,
        extensions: Iterable[bytes] = (),
        entry_extensions: Iterable[bytes] = (),
    ) -> bytes:
        """A CRL that revokes serial numbers; ``extensions`` and those of its entries are encoded."""
        signer, inner = signer or self.csca_key, sequence(*entry_extensions) if (entry_extensions := [*entry_extensions]) else b""
        entries = [sequence(der.encode_integer(serial), utc_time(at), inner) for serial in revoked]
        parts = [der.encode_integer(1), signer.scheme.identifier, issuer or self.csca_parts.subject, utc_time(at)]
        parts += [utc_time(until)] if until else []
        parts += [sequence(*entries)] if entries else []
        parts += [der.encode(0xA0, sequence(*extensions))] if (extensions := [*extensions]) else []
        signed = sequence(*parts)
        return sequence(signed, signer.scheme.identifier, bit_string(signer.sign(signed, signer.scheme)))


@cache
def pretend(country: str = "UT", kind: str = "ec:secp256r1", label: str = "Pretendia", role: str = "") -> State:
    """The one State of these words; another ``role`` has other keys under the same names. Made once a run."""
    csca_key, signer_key = key(kind, f"csca {country} {role}"), key(kind, f"signer {country} {role}")
    subject = pretended(country, f"CSCA {label}")
    root = csca_parts(subject, csca_key.public)
    parts = signer_parts(subject, csca_key.public, pretended(country, f"Document Signer {label}"), signer_key.public)
    signer = Signer(key=signer_key, certificate=parts.signed(csca_key))
    return State(
        country=country, kind=kind, csca_key=csca_key, csca_parts=root, csca=root.signed(csca_key), parts=parts, signer=signer
    )
