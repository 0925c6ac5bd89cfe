"""EF.CardSecurity (Doc 9303-10 §3.11.4): signed SecurityInfos, with the key of PACE's chip authentication mapping among them.

Judged as EF.SOD is, by the same steps (:mod:`pki.passive_authentication`, 1 to 8): it differs in its content alone. It names no
document, so that it vouches for keys of the State's chips, not for the one that lies on the reader: that comes from elsewhere
(:mod:`pki.chip_authenticity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pki import der
from pki.cms import SignedData, parse_signed_data
from pki.errors import PkiError, ReasonCode
from pki.passive_authentication import (
    _check_attributes,
    _check_entitled,
    _check_signature,
    _check_valid,
    _country,
    _label,
    _only_signer,
    _Proof,
    _revocation,
    _signer_certificate,
    _signing_time,
)
from pki.path import find_csca
from pki.results import Rejected, Step, Undetermined
from pki.revocation import Revocation
from pki.security_infos import SecurityInfos, parse_security_infos
from pki.trust import TrustStore

SECURITY_OBJECT = "0.4.0.127.0.7.3.2.1"
"""id-SecurityObject."""
MAX_CARD_SECURITY = 64 * 1024
"""Octets; as for EF.SOD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSecurity:
    """A trusted State signed these SecurityInfos. The fields are those of :class:`pki.results.Authentic`."""

    infos: SecurityInfos
    issuing_country: str
    signer: str
    csca: str
    signed_at: datetime | None
    revocation: Revocation
    steps: tuple[Step, ...]


CardSecurityVerdict = CardSecurity | Rejected | Undetermined


def authenticate_card_security(card_security: bytes, trust: TrustStore, now: datetime) -> CardSecurityVerdict:
    """Judge EF.CardSecurity as read. ``now`` is aware UTC. Raises nothing on any bytes."""
    proof = _Proof()
    try:
        with proof.step(1, "decode"):
            signed = parse_signed_data(der.read(card_security, limit=MAX_CARD_SECURITY).expect(der.SEQUENCE))
            signer, infos = _only_signer(signed), _infos(signed)
        with proof.step(2, "signer"):
            certificate = _signer_certificate(signer, signed)
            proof.detail = label = _label(certificate)
        with proof.step(3, "attributes"):
            _check_attributes(signer, signed)
        with proof.step(4, "signature"):
            _check_signature(signer, certificate)
        with proof.step(5, "chain"):
            csca = find_csca(certificate, trust)
            proof.detail = csca_label = f"{csca.parsed.subject} ({csca.provenance})"
        with proof.step(6, "validity"):
            signed_at = _signing_time(signer)
            _check_entitled(certificate)
            _check_valid(certificate, signed_at, now)
        with proof.step(7, "country"):
            proof.detail = country = _country(certificate, csca)
        with proof.step(8, "revocation"):
            revocation = _revocation(certificate, trust, now)
            proof.detail = revocation.value
    except PkiError as error:
        return proof.verdict(error)
    return CardSecurity(
        infos=infos,
        issuing_country=country,
        signer=label,
        csca=csca_label,
        signed_at=signed_at,
        revocation=revocation,
        steps=proof.steps,
    )


def _infos(signed: SignedData) -> SecurityInfos:
    if signed.content_type != SECURITY_OBJECT:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    return parse_security_infos(der.read(signed.content))
