"""SignedData of the Cryptographic Message Syntax (RFC 5652 §5): parsed into values, nothing verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pki import der
from pki.certificates import Name, parse_name

SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
MAX_CERTIFICATES = 16
"""A SOD carries one, at most a few; a master list has its certificates elsewhere."""
MAX_SIGNERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """Who signed and what (RFC 5652 §5.3). Either issuer and serial or key identifier name the signer."""

    issuer: Name | None
    serial: int | None
    key_identifier: bytes | None
    digest_algorithm: der.Element
    attributes: Mapping[str, der.Element]
    """Value of each signed attribute by its type."""
    signed_attributes: bytes = field(repr=False)
    """The octets the signature covers: a SET in DER (§5.4), whatever tag and order were sent."""
    signature_algorithm: der.Element
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """``certificates`` are as sent, in DER, unparsed."""

    content_type: str
    content: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)
    signers: tuple[SignerInfo, ...]


def parse_signed_data(content_info: der.Element) -> SignedData:
    """ContentInfo holding a SignedData with its content inside. Raises DerError."""
    outer = content_info.fields()
    if (oid := outer.take().oid()) != SIGNED_DATA:
        raise content_info.error(f"content {oid} instead of SignedData")
    fields = outer.take(0xA0).only_child().fields()
    outer.end()
    fields.take(der.INTEGER)
    fields.take(der.SET)  # digestAlgorithms: a hint only, SignerInfo rules
    encapsulated = fields.take().fields()
    content_type, content = encapsulated.take().oid(), encapsulated.take(0xA0).only_child().octets()
    encapsulated.end()
    certificates = fields.optional(0xA0)
    fields.optional(0xA1)  # CRLs: revocation is judged by the trust store's, never by the document's own
    signers = fields.take(der.SET).children(MAX_SIGNERS)
    fields.end()
    return SignedData(
        content_type=content_type,
        content=content,
        certificates=tuple(item.encoded for item in certificates.children(MAX_CERTIFICATES)) if certificates else (),
        signers=tuple(map(_signer_info, signers)),
    )


def _signer_info(element: der.Element) -> SignerInfo:
    fields = element.fields()
    fields.take(der.INTEGER)
    identifier = fields.take()
    issuer, serial, key_identifier = None, None, None
    if identifier.tag == 0x80:
        key_identifier = identifier.content
    else:
        pair = identifier.fields()
        issuer, serial = parse_name(pair.take()), pair.take().number()
        pair.end()
    digest_algorithm = fields.take(der.SEQUENCE)
    # Mandatory for any content but id-data (§5.3). Without them a set of attributes could pass as content.
    attributes = fields.take(0xA0).children()
    algorithm, signature = fields.take(der.SEQUENCE), fields.take().octets()
    fields.optional(0xA1)  # unsigned attributes prove nothing
    fields.end()
    return SignerInfo(
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest_algorithm=digest_algorithm,
        attributes=_attributes(attributes),
        signed_attributes=der.encode_set([attribute.encoded for attribute in attributes]),
        signature_algorithm=algorithm,
        signature=signature,
    )


def _attributes(elements: list[der.Element]) -> dict[str, der.Element]:
    """Each attribute once, with exactly one value (§11.1, §11.2)."""
    values: dict[str, der.Element] = {}
    for element in elements:
        fields = element.fields()
        oid, value = fields.take().oid(), fields.take(der.SET)
        if oid in values:
            raise element.error(f"signed attribute {oid} twice")
        values[oid] = value.only_child() if oid in _READ else value
    return values


_READ = frozenset((CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME))
