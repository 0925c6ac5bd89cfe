"""A list that a State signs for other States (master list, deviation list; Doc 9303-12 §9, §10): CMS, judged as documents are.

Its signer must come from an anchor that was given out of band. The certificates that lie in the list, or beside it, prove
nothing: a list that vouches for its own signer vouches for anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pki import der
from pki.certificates import DIGITAL_SIGNATURE, Certificate
from pki.cms import parse_signed_data
from pki.cms_signature import check_attributes, check_signature, only_signer, signer_certificate, signing_time
from pki.errors import PkiError, ReasonCode
from pki.path import find_csca
from pki.proof import check_not_revoked, check_valid, country_of
from pki.trust import TrustStore

MAX_LIST = 16 << 20
"""Octets. The German master list has 0.9 MB, the longest deviation list known 1.9 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKind:
    """``content_type`` of the list, and ``purpose``: the extended key usage that its signer must have."""

    content_type: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedList:
    """A list whose signature and signer were proven. ``signer`` and ``anchor`` are names, ``country`` has two letters."""

    content: bytes
    country: str
    signer: str
    anchor: str
    signed_at: datetime | None


def open_signed_list(encoded: bytes, kind: ListKind, anchors: TrustStore, now: datetime) -> SignedList:
    """Verify a list against ``anchors``. Without a signing time its signer must be valid ``now``. Raises PkiError, nothing else."""
    signed = parse_signed_data(der.read(encoded, limit=MAX_LIST))
    if signed.content_type != kind.content_type:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    signer = only_signer(signed)
    certificate = signer_certificate(signer, signed)
    check_attributes(signer, signed)
    check_signature(signer, certificate)
    anchor = find_csca(certificate, anchors)
    _check_entitled(certificate, kind.purpose)
    signed_at = signing_time(signer)
    check_valid(certificate, signed_at, now)
    country = country_of(certificate, anchor)
    check_not_revoked(certificate, anchors, now)
    return SignedList(
        content=signed.content,
        country=country,
        signer=certificate.label,
        anchor=f"{anchor.parsed.subject} ({anchor.provenance})",
        signed_at=signed_at,
    )


def _check_entitled(certificate: Certificate, purpose: str) -> None:
    extensions = certificate.extensions
    usage = extensions.key_usage
    entitled = purpose in extensions.extended_key_usage and (usage is None or usage & DIGITAL_SIGNATURE)
    if extensions.is_issuer or not entitled:
        raise PkiError(ReasonCode.SIGNER_NOT_ENTITLED, f"{certificate.label} may not sign such lists")
    if extensions.unknown_critical:
        raise PkiError(ReasonCode.UNSUPPORTED_EXTENSION, ", ".join(extensions.unknown_critical))
