"""EF.CardSecurity (Doc 9303-10 §3.11.4): signed SecurityInfos, with the key of PACE's chip authentication mapping among them.

Judged as EF.SOD is, by the same steps (:mod:`pki.passive_authentication`, 1 to 8): it differs in its content alone. It names no
document, so that it vouches for keys of the State's chips, not for the one that lies on the reader: that comes from elsewhere
(:mod:`pki.chip_authenticity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pki import der
from pki.cms import SignedData, SignerInfo, parse_signed_data
from pki.cms_signature import only_signer
from pki.errors import PkiError, ReasonCode
from pki.inspection_record import Step
from pki.proof import Proof, prove_signature, verdict_of
from pki.results import Rejected, Undetermined
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
    proof = Proof()
    decoded: tuple[SignedData, SignerInfo, SecurityInfos] | None = None
    with proof.step(1):
        signed = parse_signed_data(der.read(card_security, limit=MAX_CARD_SECURITY).expect(der.SEQUENCE))
        decoded = signed, only_signer(signed), _infos(signed)
    if decoded is None:
        return verdict_of(proof.steps[0], proof.steps)
    signed, signer, infos = decoded
    signature = prove_signature(proof, signed, signer, trust, now)
    if decider := proof.decider:
        return verdict_of(decider, proof.steps)
    return CardSecurity(
        infos=infos,
        issuing_country=signature.issuing_country,
        signer=signature.signer,
        csca=signature.csca,
        signed_at=signature.signed_at,
        revocation=signature.revocation,
        steps=proof.steps,
    )


def _infos(signed: SignedData) -> SecurityInfos:
    if signed.content_type != SECURITY_OBJECT:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    return parse_security_infos(der.read(signed.content))
