"""The trail of a proof, and its steps that every signed file of a State shares: who signed it, and whether that State did.

The numbers are those of :mod:`pki.passive_authentication`, which says what each step is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Literal

from pki.certificates import DIGITAL_SIGNATURE, Certificate
from pki.cms import SignedData, SignerInfo
from pki.cms_signature import check_attributes, check_signature, signer_certificate, signing_time
from pki.errors import PkiError, ReasonCode
from pki.path import find_csca
from pki.results import Rejected, Step, Undetermined
from pki.revocation import Revocation, revocation_of
from pki.trust import Csca, TrustStore

CLOCK_TOLERANCE = timedelta(days=1)
"""How far ahead of our clock a signing time may lie: States write local days, gates may be a little off."""

_OTHER_PURPOSES = ("2.23.136.1.1.", "1.3.6.1.5.5.7.3.")
"""Arcs of extended key usages that no signer of documents has: ICAO's for signers of lists and seals (Doc 9303-12 §7.1.1), the
Internet's for servers, mail and code (RFC 5280 §4.2.1.12), as communication certificates under a CSCA have them. A purpose of a State's
own is let pass: what it means is not known, and a CSCA certificate with one is published.
"""


class Proof:
    """The trail of steps; a PkiError inside a step ends it there. ``detail`` is what the running step met."""

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self.steps, self.detail = steps, ""
        self._number, self._name = 0, ""

    def step(self, number: int, name: str) -> Proof:
        """Begin a step: ``with proof.step(4, "signature"):``."""
        self._number, self._name, self.detail = number, name, ""
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        result: Literal["successful", "failed", "undetermined"] = "successful"
        if error is not None and not isinstance(error, PkiError):
            return  # a bug is not a finding
        if error is not None:
            result, self.detail = "failed" if error.code.rejects else "undetermined", str(error)
        self.steps += (Step(number=self._number, name=self._name, result=result, detail=self.detail),)

    def verdict(self, error: PkiError) -> Rejected | Undetermined:
        """The verdict of the step that raised ``error``."""
        kind = Rejected if error.code.rejects else Undetermined
        return kind(code=error.code, step=self.steps[-1].name, detail=error.detail, steps=self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSignature:
    """Steps 2 to 8 passed: the fields are those of :class:`pki.results.Authentic`."""

    issuing_country: str
    signer: str
    csca: str
    signed_at: datetime | None
    revocation: Revocation
    document_types: tuple[str, ...] | None


def prove_signature(proof: Proof, signed: SignedData, signer: SignerInfo, trust: TrustStore, now: datetime) -> StateSignature:
    """Steps 2 to 8, each left in ``proof``. ``now`` is aware UTC. Raises PkiError."""
    with proof.step(2, "signer"):
        certificate = signer_certificate(signer, signed)
        proof.detail = signer_label = certificate.label
    with proof.step(3, "attributes"):
        check_attributes(signer, signed)
    with proof.step(4, "signature"):
        check_signature(signer, certificate)
    with proof.step(5, "chain"):
        csca = find_csca(certificate, trust)
        proof.detail = csca_label = f"{csca.parsed.subject} ({csca.provenance})"
    with proof.step(6, "validity"):
        signed_at = signing_time(signer)
        _check_entitled(certificate)
        check_valid(certificate, signed_at, now)
        proof.detail = f"signed {signed_at:%Y-%m-%d}" if signed_at else "no signing time: judged now"
    with proof.step(7, "country"):
        proof.detail = country = country_of(certificate, csca)
    with proof.step(8, "revocation"):
        revocation = check_not_revoked(certificate, trust, now)
        proof.detail = revocation.value
    return StateSignature(
        issuing_country=country,
        signer=signer_label,
        csca=csca_label,
        signed_at=signed_at,
        revocation=revocation,
        document_types=certificate.extensions.document_types,
    )


def _check_entitled(certificate: Certificate) -> None:
    extensions = certificate.extensions
    usage = extensions.key_usage
    otherwise = any(purpose.startswith(_OTHER_PURPOSES) for purpose in extensions.extended_key_usage)
    if extensions.is_issuer or otherwise or (usage is not None and not usage & DIGITAL_SIGNATURE):
        raise PkiError(ReasonCode.SIGNER_NOT_ENTITLED, f"{certificate.label} may not sign documents")
    if extensions.unknown_critical:
        raise PkiError(ReasonCode.UNSUPPORTED_EXTENSION, ", ".join(extensions.unknown_critical))


def check_valid(certificate: Certificate, signed_at: datetime | None, now: datetime) -> None:
    """PkiError unless the signer was valid, and its key in use, when it signed (SIGNED_IN_FUTURE, …_AT_SIGNING).

    Where it does not say when, it must be valid ``now``; its key's period of use is over by then as a rule, and asked for nothing.
    """
    if signed_at and signed_at > now + CLOCK_TOLERANCE:
        raise PkiError(ReasonCode.SIGNED_IN_FUTURE, f"signed {signed_at:%Y-%m-%d}")
    time = signed_at or now
    if not certificate.valid_at(time):
        period = f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
        raise PkiError(ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, f"valid {period}, used {time:%Y-%m-%d}")
    if signed_at and not certificate.may_sign_at(signed_at):
        raise PkiError(ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, f"key not in use any more or yet on {signed_at:%Y-%m-%d}")


def country_of(certificate: Certificate, csca: Csca) -> str:
    """The one country that signer and CSCA name. PkiError(ISSUING_STATE_UNKNOWN, ISSUING_COUNTRY_MISMATCH)."""
    names = (certificate.subject, certificate.issuer, csca.parsed.subject)
    countries = set().union(*(name.countries for name in names))
    if not all(name.country for name in names):
        raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, "a certificate names no country")
    if len(countries) > 1:
        raise PkiError(ReasonCode.ISSUING_COUNTRY_MISMATCH, f"certificates of {', '.join(sorted(countries))}")
    return countries.pop()


def check_not_revoked(certificate: Certificate, trust: TrustStore, now: datetime) -> Revocation:
    """What the CRLs in ``trust`` say; PkiError(SIGNER_REVOKED) where one lists the signer."""
    found = revocation_of(certificate, trust.authorities_of(certificate), trust.crls_of(certificate.issuer), now)
    if found is Revocation.REVOKED:
        raise PkiError(ReasonCode.SIGNER_REVOKED, f"{certificate.label} is revoked")
    return found
