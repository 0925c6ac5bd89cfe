"""The signature of a SignedData (RFC 5652 §5.4, §5.6): who signed, what, and whether the key did. Every signed file uses these.

Chain, validity and entitlement of the signer differ from file to file and are not judged here.
"""

from __future__ import annotations

from datetime import datetime

from pki import der
from pki.certificates import Certificate, parse_certificate
from pki.cms import CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SignedData, SignerInfo
from pki.errors import PkiError, ReasonCode
from pki.signatures import digest, hash_of, scheme_of, signed_by


def only_signer(signed: SignedData) -> SignerInfo:
    """PkiError(SIGNER_COUNT) unless there is exactly one: which of several counts is not ours to choose."""
    if len(signed.signers) != 1:
        raise PkiError(ReasonCode.SIGNER_COUNT, f"{len(signed.signers)} signers")
    return signed.signers[0]


def signer_certificate(signer: SignerInfo, signed: SignedData) -> Certificate:
    """The certificate that the SignerInfo names. Others in the bag are strangers, whatever they say and wherever they stand.

    Raises DerError, PkiError(SIGNER_NOT_FOUND).
    """
    for certificate in map(parse_certificate, signed.certificates):
        if signer.issuer is None:
            named = signer.key_identifier == certificate.extensions.subject_key_identifier
        else:
            named = signer.serial == certificate.serial and signer.issuer.same_as(certificate.issuer)
        if named:
            return certificate
    raise PkiError(ReasonCode.SIGNER_NOT_FOUND, f"none of {len(signed.certificates)} certificates is the signer's")


def check_attributes(signer: SignerInfo, signed: SignedData) -> None:
    """The signed contentType and messageDigest are those of the content. PkiError(CONTENT_TYPE_MISMATCH, MESSAGE_DIGEST_MISMATCH)."""
    content_type, message_digest = (_attribute(signer, oid) for oid in (CONTENT_TYPE, MESSAGE_DIGEST))
    if content_type.oid() != signed.content_type:
        raise PkiError(ReasonCode.CONTENT_TYPE_MISMATCH, f"signed is {content_type.oid()}")
    if message_digest.octets() != digest(hash_of(signer.digest_algorithm), signed.content):
        raise PkiError(ReasonCode.MESSAGE_DIGEST_MISMATCH, "the content is not what was signed")


def check_signature(signer: SignerInfo, certificate: Certificate) -> None:
    """The certificate's key signed the attributes, by the SignerInfo's algorithms. PkiError(SIGNATURE_INVALID, UNSUPPORTED_*)."""
    scheme = scheme_of(signer.signature_algorithm, hash_of(signer.digest_algorithm))
    if not signed_by(certificate.subject_public_key_info, scheme, signer.signature, signer.signed_attributes):
        raise PkiError(ReasonCode.SIGNATURE_INVALID, f"not signed by {certificate.label}")


def signing_time(signer: SignerInfo) -> datetime | None:
    """None where the signer does not say. Raises DerError."""
    element = signer.attributes.get(SIGNING_TIME)
    return element.time() if element else None


def _attribute(signer: SignerInfo, oid: str) -> der.Element:
    try:
        return signer.attributes[oid]
    except KeyError:
        raise PkiError(ReasonCode.MALFORMED, f"signed attribute {oid} is missing") from None
