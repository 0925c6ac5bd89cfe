"""Passive authentication (Doc 9303-11 §5.1): did the State that the document names sign what is in its chip?

The proof. A step that does not pass ends it with a reason code; which codes reject is in :mod:`pki.errors`.

 1. *decode*: EF.SOD is one SignedData with one signer, its content an LDS security object (Doc 9303-10 §4.6.2).
 2. *signer*: the SignerInfo's identifier, never a position, picks the document signer certificate (RFC 5652 §5.3).
 3. *attributes*: signed contentType and messageDigest are those of the content (RFC 5652 §5.4, §11.1, §11.2).
 4. *signature*: the signer's key signed the attributes, by the SignerInfo's algorithms (Doc 9303-11 §5.1 step 3).
 5. *chain*: a CSCA of the trust store issued the signer certificate (Doc 9303-12 §7.1; Doc 9303-11 §5.1 step 2).
 6. *validity*: the signer is entitled to sign documents and was valid when it signed; without a signing time, now.
 7. *country*: signer and CSCA name one State (Doc 9303-12 §7.1.1).
 8. *revocation*: no CRL of that State lists the signer (Doc 9303-12 §7.1.4). No CRL or a stale one is reported, not judged.
 9. *hashes*: each data group at hand is listed and has its signed hash (Doc 9303-11 §5.1 step 5).
10. *issuing state*: the MRZ names the State that signed; a rogue State could otherwise vouch for another's document.

Steps 1 to 8 need no data group and run while the chip still sends (:func:`authenticate_sod`); 9 and 10 are
:func:`bind_data_groups`. Left to the caller: that DG1 is the MRZ printed in the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from pki import der
from pki.certificates import DIGITAL_SIGNATURE, Certificate, parse_certificate
from pki.cms import CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SignedData, SignerInfo
from pki.countries import countries_of
from pki.data_group_1 import issuing_state_of
from pki.errors import PkiError, ReasonCode
from pki.path import find_csca
from pki.results import Authentic, PassiveAuthResult, Rejected, SignedHashes, Step, Undetermined
from pki.revocation import Revocation, revocation_of
from pki.signatures import HASH_NAMED, digest, hash_of, scheme_of, verifies
from pki.sod import LDS_SECURITY_OBJECT, LdsSecurityObject, parse_security_object, parse_sod
from pki.trust import Csca, TrustStore

CLOCK_TOLERANCE = timedelta(days=1)
"""How far ahead of our clock a signing time may lie: States write local days, gates may be a little off."""

_OTHER_SIGNERS = "2.23.136.1.1."
"""Arc of the extended key usages that ICAO gives to signers of lists and seals (Doc 9303-12 §7.1.1): none signs documents."""


def passive_authentication(
    sod: bytes, data_groups: Mapping[int, bytes], trust: TrustStore, now: datetime, *, mrz_issuing_state: str | None = None
) -> PassiveAuthResult:
    """All ten steps. See :func:`authenticate_sod` and :func:`bind_data_groups`. Raises nothing on any bytes."""
    match authenticate_sod(sod, trust, now):
        case SignedHashes() as signed:
            return bind_data_groups(signed, data_groups, mrz_issuing_state=mrz_issuing_state)
        case Rejected() | Undetermined() as verdict:
            return verdict


def authenticate_sod(sod: bytes, trust: TrustStore, now: datetime) -> SignedHashes | Rejected | Undetermined:
    """Steps 1 to 8 for an EF.SOD as read, header included. ``now`` is aware UTC. Raises nothing on any bytes."""
    proof = _Proof()
    try:
        with proof.step(1, "decode"):
            signed = parse_sod(sod)
            signer, security_object = _only_signer(signed), _security_object(signed)
        with proof.step(2, "signer"):
            certificate = _signer_certificate(signer, signed)
            proof.detail = signer_label = _label(certificate)
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
            proof.detail = f"signed {signed_at:%Y-%m-%d}" if signed_at else "no signing time: judged now"
        with proof.step(7, "country"):
            proof.detail = country = _country(certificate, csca)
        with proof.step(8, "revocation"):
            revocation = _revocation(certificate, trust, now)
            proof.detail = revocation.value
    except PkiError as error:
        return proof.verdict(error)
    return SignedHashes(
        hash_algorithm=security_object.hash.name,
        hashes=security_object.hashes,
        issuing_country=country,
        signer=signer_label,
        csca=csca_label,
        signed_at=signed_at,
        revocation=revocation,
        steps=proof.steps,
    )


def bind_data_groups(
    signed: SignedHashes, data_groups: Mapping[int, bytes], *, mrz_issuing_state: str | None = None
) -> PassiveAuthResult:
    """Steps 9 and 10 for data groups as read (number → bytes with header). Groups that are listed but not at hand are no fault.

    ``mrz_issuing_state`` is the three-letter code of the printed MRZ; None takes the one in the verified DG1. Raises nothing.
    """
    proof = _Proof(signed.steps)
    try:
        with proof.step(9, "hashes"):
            _check_hashes(signed, data_groups)
            proof.detail = " ".join(f"DG{number}" for number in sorted(data_groups))
        with proof.step(10, "issuing state"):
            proof.detail = _check_issuing_state(signed, data_groups, mrz_issuing_state)
    except PkiError as error:
        return proof.verdict(error)
    return Authentic(
        data_groups=MappingProxyType(dict(data_groups)),
        issuing_country=signed.issuing_country,
        signer=signed.signer,
        csca=signed.csca,
        signed_at=signed.signed_at,
        revocation=signed.revocation,
        steps=proof.steps,
        lists_dg14=14 in signed.hashes,
        lists_dg15=15 in signed.hashes,
    )


class _Proof:
    """The trail of steps; a PkiError inside a step ends it there."""

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self.steps, self.detail = steps, ""

    @contextmanager
    def step(self, number: int, name: str) -> Iterator[None]:
        self.detail = ""
        try:
            yield
        except PkiError as error:
            result: Literal["failed", "undetermined"] = "failed" if error.code.rejects else "undetermined"
            self.steps += (Step(number=number, name=name, result=result, detail=str(error)),)
            raise
        self.steps += (Step(number=number, name=name, result="successful", detail=self.detail),)

    def verdict(self, error: PkiError) -> Rejected | Undetermined:
        kind = Rejected if error.code.rejects else Undetermined
        return kind(code=error.code, step=self.steps[-1].name, detail=error.detail, steps=self.steps)


# --- step 1


def _only_signer(signed: SignedData) -> SignerInfo:
    if len(signed.signers) != 1:
        raise PkiError(ReasonCode.SIGNER_COUNT, f"{len(signed.signers)} signers")
    return signed.signers[0]


def _security_object(signed: SignedData) -> LdsSecurityObject:
    if signed.content_type != LDS_SECURITY_OBJECT:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    return parse_security_object(signed.content)


# --- step 2


def _signer_certificate(signer: SignerInfo, signed: SignedData) -> Certificate:
    """The certificate that the SignerInfo names. Others in the bag are strangers, whatever they say and wherever they stand."""
    for certificate in map(parse_certificate, signed.certificates):
        if signer.issuer is None:
            named = signer.key_identifier == certificate.extensions.subject_key_identifier
        else:
            named = signer.serial == certificate.serial and signer.issuer.same_as(certificate.issuer)
        if named:
            return certificate
    raise PkiError(ReasonCode.SIGNER_NOT_FOUND, f"none of {len(signed.certificates)} certificates is the signer's")


def _label(certificate: Certificate) -> str:
    return f"{certificate.subject}, serial {certificate.serial:x}"


# --- steps 3 and 4


def _check_attributes(signer: SignerInfo, signed: SignedData) -> None:
    content_type, message_digest = (_attribute(signer, oid) for oid in (CONTENT_TYPE, MESSAGE_DIGEST))
    if content_type.oid() != signed.content_type:
        raise PkiError(ReasonCode.CONTENT_TYPE_MISMATCH, f"signed is {content_type.oid()}")
    if message_digest.octets() != digest(hash_of(signer.digest_algorithm), signed.content):
        raise PkiError(ReasonCode.MESSAGE_DIGEST_MISMATCH, "the content is not what was signed")


def _attribute(signer: SignerInfo, oid: str) -> der.Element:
    try:
        return signer.attributes[oid]
    except KeyError:
        raise PkiError(ReasonCode.MALFORMED, f"signed attribute {oid} is missing") from None


def _check_signature(signer: SignerInfo, certificate: Certificate) -> None:
    scheme = scheme_of(signer.signature_algorithm, hash_of(signer.digest_algorithm))
    if not verifies(certificate.public_key(), scheme, signer.signature, signer.signed_attributes):
        raise PkiError(ReasonCode.SIGNATURE_INVALID, f"not signed by {_label(certificate)}")


# --- steps 6 to 8


def _signing_time(signer: SignerInfo) -> datetime | None:
    element = signer.attributes.get(SIGNING_TIME)
    return element.time() if element else None


def _check_entitled(certificate: Certificate) -> None:
    extensions = certificate.extensions
    usage = extensions.key_usage
    lists = any(purpose.startswith(_OTHER_SIGNERS) for purpose in extensions.extended_key_usage)
    if extensions.is_issuer or lists or (usage is not None and not usage & DIGITAL_SIGNATURE):
        raise PkiError(ReasonCode.SIGNER_NOT_ENTITLED, f"{_label(certificate)} may not sign documents")
    if extensions.unknown_critical:
        raise PkiError(ReasonCode.UNSUPPORTED_EXTENSION, ", ".join(extensions.unknown_critical))


def _check_valid(certificate: Certificate, signed_at: datetime | None, now: datetime) -> None:
    if signed_at and signed_at > now + CLOCK_TOLERANCE:
        raise PkiError(ReasonCode.SIGNED_IN_FUTURE, f"signed {signed_at:%Y-%m-%d}")
    time = signed_at or now
    if not certificate.valid_at(time):
        period = f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
        raise PkiError(ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, f"valid {period}, used {time:%Y-%m-%d}")


def _country(certificate: Certificate, csca: Csca) -> str:
    countries = {certificate.subject.country, certificate.issuer.country, csca.parsed.subject.country}
    if "" in countries:
        raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, "a certificate names no country")
    if len(countries) > 1:
        raise PkiError(ReasonCode.ISSUING_COUNTRY_MISMATCH, f"certificates of {', '.join(sorted(countries))}")
    return countries.pop()


def _revocation(certificate: Certificate, trust: TrustStore, now: datetime) -> Revocation:
    authorities = (anchor.parsed for anchor in trust.named(certificate.issuer))
    found = revocation_of(certificate, authorities, trust.crls_of(certificate.issuer), now)
    if found is Revocation.REVOKED:
        raise PkiError(ReasonCode.SIGNER_REVOKED, f"{_label(certificate)} is revoked")
    return found


# --- steps 9 and 10


def _check_hashes(signed: SignedHashes, data_groups: Mapping[int, bytes]) -> None:
    algorithm = HASH_NAMED[signed.hash_algorithm]
    for number, content in data_groups.items():
        if number not in signed.hashes:
            raise PkiError(ReasonCode.DATA_GROUP_NOT_SIGNED, f"DG{number} is not in the SOD")
        if digest(algorithm, content) != signed.hashes[number]:
            raise PkiError(ReasonCode.DATA_GROUP_HASH_MISMATCH, f"DG{number} is not what was signed")


def _check_issuing_state(signed: SignedHashes, data_groups: Mapping[int, bytes], state: str | None) -> str:
    if state is None:
        if 1 not in data_groups:
            raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, "neither an MRZ nor DG1 at hand")
        state = issuing_state_of(data_groups[1])
    if not (countries := countries_of(state)):
        raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, f"MRZ says {state!r}")
    if signed.issuing_country not in countries:
        raise PkiError(ReasonCode.ISSUING_COUNTRY_MISMATCH, f"MRZ says {state}, signed by {signed.issuing_country}")
    return state
