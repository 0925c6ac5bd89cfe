"""The trail of a proof, and its steps that every signed file of a State shares: who signed it, and whether that State did.

The numbers are those of :mod:`pki.passive_authentication`, which says what each step is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType

from pki.certificates import DIGITAL_SIGNATURE, Certificate
from pki.cms import SignedData, SignerInfo
from pki.cms_signature import check_attributes, check_signature, signer_certificate, signing_time
from pki.errors import PkiError, ReasonCode
from pki.inspection_record import Result, Step, deciding
from pki.path import find_csca
from pki.results import Claims, Rejected, Undetermined
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
    """The trail of steps. A PkiError ends its step, not the proof: each later one that does not need it is judged, too.

    ``result``, ``code`` and ``detail`` are how the running step ends, if no PkiError does. Only a ReasonCode weighs in the verdict.
    """

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self.steps, self._number = steps, 0
        self.result: Result = "successful"
        self.code = self.detail = ""

    def step(self, number: int) -> Proof:
        """Begin a step: ``with proof.step(4):``. What it should have given must be preset, as it may end early."""
        self._number, self.result, self.code, self.detail = number, "successful", "", ""
        return self

    def fail(self, code: str, detail: str) -> None:
        """The running step, one that the verdict does not rest on, did not pass."""
        self.result, self.code, self.detail = "failed", code, detail

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is not None:
            if not isinstance(error, PkiError):
                return False  # a bug is not a finding
            self.result = "failed" if error.code.rejects else "undetermined"
            self.code, self.detail = error.code, error.detail
        self.steps += (Step(number=self._number, result=self.result, code=self.code, detail=self.detail),)
        return True

    def replace(self, step: Step) -> None:
        """Judge a step again, as more is known."""
        self.steps = tuple(step if known.number == step.number else known for known in self.steps)

    @property
    def decider(self) -> Step | None:
        """The step that speaks against a proof; None where none does."""
        return deciding(self.steps)


def verdict_of(
    decider: Step, steps: tuple[Step, ...], claims: Claims | None = None, certificate: Certificate | None = None
) -> Rejected | Undetermined:
    """The verdict that ``decider`` leads to."""
    assert decider.finding is not None
    kind = Rejected if decider.finding.rejects else Undetermined
    return kind(
        code=decider.finding, step=decider.name, detail=decider.detail, steps=steps, claims=claims, certificate=certificate
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSignature:
    """What steps 2 to 8 found; None or empty where one did not pass."""

    certificate: Certificate | None
    signer: str
    csca: str
    signed_at: datetime | None
    issuing_country: str
    revocation: Revocation


def prove_signature(proof: Proof, signed: SignedData, signer: SignerInfo, trust: TrustStore, now: datetime) -> StateSignature:
    """Steps 2 to 8, each left in ``proof``; those that need the signer's certificate or its CSCA only with these. ``now`` is aware UTC."""
    certificate: Certificate | None = None
    csca: Csca | None = None
    signed_at: datetime | None = None
    signer_label, csca_label, country, revocation = "", "", "", Revocation.NO_CRL
    with proof.step(2):
        certificate = signer_certificate(signer, signed)
        proof.detail = signer_label = certificate.label
    with proof.step(3):
        check_attributes(signer, signed)
    if certificate:
        with proof.step(4):
            check_signature(signer, certificate)
        with proof.step(5):
            csca = find_csca(certificate, trust)
            proof.detail = csca_label = f"{csca.parsed.subject} ({csca.provenance})"
        with proof.step(6):
            signed_at = signing_time(signer)
            _check_entitled(certificate)
            check_valid(certificate, signed_at, now)
            proof.detail = f"signed {signed_at:%Y-%m-%d}" if signed_at else "no signing time: judged now"
        if csca:
            with proof.step(7):
                proof.detail = country = country_of(certificate, csca)
        with proof.step(8):
            revocation = check_not_revoked(certificate, trust, now)
            if revocation is not Revocation.GOOD:
                proof.result, proof.code = "undetermined", revocation.name
    return StateSignature(
        certificate=certificate,
        signer=signer_label,
        csca=csca_label,
        signed_at=signed_at,
        issuing_country=country,
        revocation=revocation,
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
