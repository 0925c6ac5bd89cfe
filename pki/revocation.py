"""Revocation by CRL (Doc 9303-12 §7.1.4): offline, from the trust store alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from functools import lru_cache

from pki import der
from pki.certificates import Certificate, Name, parse_name
from pki.errors import PkiError
from pki.signatures import scheme_of, signed_by

MAX_ENTRIES = 100_000
"""Revoked certificates of one CRL. States revoke document signers by the handful."""


@unique
class Revocation(StrEnum):
    """What the CRLs at hand say of a document signer. ``REVOKED`` never stands in a verdict of *authentic*."""

    GOOD = "good"
    REVOKED = "revoked"
    NO_CRL = "no_crl"
    STALE_CRL = "stale_crl"
    """A good CRL of that State, but past its nextUpdate, without one or partial: says who was revoked, not who was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """A certificate revocation list (RFC 5280 §5.1), unverified."""

    signed_part: bytes = field(repr=False)
    issuer: Name
    this_update: datetime
    next_update: datetime | None
    revoked: frozenset[int]
    """Serial numbers read as unsigned, whatever reason or date is given."""
    partial: bool
    """It, or an entry, has a critical extension (a delta, a list for some reasons only): what it does not list may still be revoked."""
    signature_algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@lru_cache(maxsize=512)
def parse_crl(encoded: bytes) -> Crl:
    """One CRL in DER. Raises DerError. Cached, as the store's CRLs are asked for every document."""
    outer = der.read(encoded).fields()
    to_be_signed, algorithm, signature = (outer.take(tag) for tag in (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING))
    outer.end()
    fields = to_be_signed.fields()
    fields.optional(der.INTEGER)
    if fields.take(der.SEQUENCE).encoded != algorithm.encoded:
        raise algorithm.error("signature algorithm differs from the signed one")
    issuer, this_update = parse_name(fields.take()), fields.take().time()
    next_update = fields.optional(der.UTC_TIME, der.GENERALIZED_TIME)
    entries, extensions = fields.optional(der.SEQUENCE), fields.optional(0xA0)
    revoked = [_entry(entry) for entry in entries.children(MAX_ENTRIES)] if entries else []
    return Crl(
        signed_part=to_be_signed.encoded,
        issuer=issuer,
        this_update=this_update,
        next_update=next_update.time() if next_update else None,
        revoked=frozenset(serial for serial, _ in revoked),
        partial=any(conditional for _, conditional in revoked)
        or (extensions is not None and any(map(_critical, extensions.only_child().children()))),
        signature_algorithm=algorithm.encoded,
        signature=signature.bits(),
    )


def _entry(entry: der.Element) -> tuple[int, bool]:
    """The serial number, and whether a critical extension says more than that it is revoked (RFC 5280 §5.3)."""
    fields = entry.fields()
    serial = int.from_bytes(fields.take(der.INTEGER).content, "big")
    fields.optional(der.UTC_TIME, der.GENERALIZED_TIME)
    extensions = fields.optional(der.SEQUENCE)
    return serial, extensions is not None and any(map(_critical, extensions.children()))


def _unsigned(serial: int) -> int:
    """A negative serial number as its octets read without a sign: a list may write 00FB for the certificate's FB."""
    return serial if serial >= 0 else serial + (1 << 8 * (serial.bit_length() // 8 + 1))


def _critical(extension: der.Element) -> bool:
    fields = extension.fields()
    fields.take(der.OID)
    flag = fields.optional(der.BOOLEAN)
    return flag is not None and flag.boolean()


def revocation_of(
    certificate: Certificate, authorities: Iterable[Certificate], crls: Iterable[bytes], now: datetime
) -> Revocation:
    """Look ``certificate`` up in those ``crls`` that its issuer (by name) issued and one of ``authorities`` verifiably signed.

    A State signs its CRL with its newest CSCA key, also for certificates of older ones: hence all of that name are tried.
    A revoked serial counts even in a stale list. Raises nothing.
    """
    lists = _verified(certificate, authorities, crls)
    if any(_unsigned(certificate.serial) in crl.revoked for crl in lists):
        return Revocation.REVOKED
    if any(not crl.partial and crl.next_update and crl.this_update <= now <= crl.next_update for crl in lists):
        return Revocation.GOOD
    return Revocation.STALE_CRL if lists else Revocation.NO_CRL


def is_revoked(certificate: Certificate, authorities: Iterable[Certificate], crls: Iterable[bytes]) -> bool:
    """As :func:`revocation_of`, where only the bad answer matters. Raises nothing."""
    return any(_unsigned(certificate.serial) in crl.revoked for crl in _verified(certificate, authorities, crls))


def _verified(certificate: Certificate, authorities: Iterable[Certificate], crls: Iterable[bytes]) -> list[Crl]:
    """The lists that speak about the certificate."""
    named = [crl for crl in crls if parse_crl(crl).issuer.same_as(certificate.issuer)]
    if not named:
        return []
    keys = [authority.subject_public_key_info for authority in authorities if authority.subject.same_as(certificate.issuer)]
    return [parse_crl(crl) for crl in named if any(_signed(crl, key) for key in keys)]


@lru_cache(maxsize=512)
def _signed(encoded: bytes, subject_public_key_info: bytes) -> bool:
    """Whether this key signed this CRL. Cached like the CRLs: the answer depends on nothing but these octets."""
    crl = parse_crl(encoded)
    try:
        scheme = scheme_of(der.read(crl.signature_algorithm))
        return signed_by(subject_public_key_info, scheme, crl.signature, crl.signed_part)
    except PkiError:  # a list that cannot be verified is no list
        return False
