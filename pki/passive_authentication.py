"""Passive authentication (Doc 9303-11 §5.1): did the State that the document names sign what is in its chip?

The inspection, step by step. Each step is judged that can be, whatever became of the one before, and stands in the record
(:mod:`pki.inspection_record`). The verdict rests on the first eleven: it is that of the first one with a reason code; which codes
reject is in :mod:`pki.errors`.

 1. *decode*: EF.SOD is one SignedData with one signer, its content an LDS security object (Doc 9303-10 §4.6.2).
 2. *signer*: the SignerInfo's identifier, never a position, picks the document signer certificate (RFC 5652 §5.3).
 3. *attributes*: signed contentType and messageDigest are those of the content (RFC 5652 §5.4, §11.1, §11.2).
 4. *signature*: the signer's key signed the attributes, by the SignerInfo's algorithms (Doc 9303-11 §5.1 step 3).
 5. *chain*: a CSCA of the trust store issued the signer certificate (Doc 9303-12 §7.1; Doc 9303-11 §5.1 step 2).
 6. *validity*: the signer is entitled to sign documents, and was valid and its key in use when it signed; without a signing time:
    valid now, or on the date of issue in a signed DG12.
 7. *country*: signer and CSCA name one State (Doc 9303-12 §7.1.1).
 8. *revocation*: no CRL of that State lists the signer (Doc 9303-12 §7.1.4). No CRL or a stale one is undetermined, and not judged.
 9. *hashes*: each data group at hand is listed and has its signed hash (Doc 9303-11 §5.1 step 5).
10. *issuing state*: the MRZ names the State that signed; a rogue State could otherwise vouch for another's document.
11. *document type*: the signer's documentTypeList, if it has one, names the type of document that DG1 does (Doc 9303-12 §7.1.1).
12. *common data*: EF.COM names the data groups that are signed. It is unsigned itself: a difference is reported, and decides nothing.
13. *printed mrz*: DG1 is the MRZ printed in the document, if the caller gives that. Beside the verdict, which is about the chip alone.
14. *chip authenticity*, 15. *card access*: by :mod:`pki.chip_authenticity` and :mod:`pki.card_access`, for what is authentic.

Steps 1 to 8 need no data group and run while the chip still sends (:func:`authenticate_sod`); 9 to 13 are
:func:`bind_data_groups`, 14 and 15 :func:`with_chip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import assert_never

from pki.card_access import CardAccessVerdict
from pki.chip_authenticity import ChipAuthenticity
from pki.cms import SignedData, SignerInfo
from pki.cms_signature import only_signer
from pki.countries import countries_of
from pki.data_group_1 import document_code_of, issuing_state_of, mrz_of
from pki.errors import PkiError, ReasonCode
from pki.inspection_record import CARD_ACCESS, CHIP_AUTHENTICITY, PRINTED_MRZ, InspectionRecord, Result, Step
from pki.lds import date_of_issue, listed_in_common_data
from pki.proof import Proof, StateSignature, check_valid, prove_signature, verdict_of
from pki.results import Authentic, Claims, PassiveAuthResult, Rejected, SignedHashes, Undetermined
from pki.signatures import HASH_NAMED, digest
from pki.sod import LDS_SECURITY_OBJECT, LdsSecurityObject, parse_security_object, parse_sod
from pki.trust import TrustStore

DAY = timedelta(days=1)


def passive_authentication(
    sod: bytes,
    data_groups: Mapping[int, bytes],
    trust: TrustStore,
    now: datetime,
    *,
    mrz_issuing_state: str | None = None,
    mrz: str | None = None,
    common_data: bytes | None = None,
) -> PassiveAuthResult:
    """Steps 1 to 13. See :func:`authenticate_sod` and :func:`bind_data_groups`. Raises nothing on any bytes."""
    signed = authenticate_sod(sod, trust, now)
    return bind_data_groups(signed, data_groups, mrz_issuing_state=mrz_issuing_state, mrz=mrz, common_data=common_data)


def authenticate_sod(sod: bytes, trust: TrustStore, now: datetime) -> SignedHashes | Rejected | Undetermined:
    """Steps 1 to 8 for an EF.SOD as read, header included. ``now`` is aware UTC. Raises nothing on any bytes."""
    proof = Proof()
    decoded: tuple[SignedData, SignerInfo, LdsSecurityObject] | None = None
    with proof.step(1):
        signed = parse_sod(sod)
        decoded = signed, only_signer(signed), _security_object(signed)
    if decoded is None:
        return verdict_of(proof.steps[0], proof.steps)
    signed, signer, security_object = decoded
    found = prove_signature(proof, signed, signer, trust, now)
    decider = proof.decider
    undated = decider is not None and _may_be_settled(proof, decider, found)
    if decider and not undated:
        return verdict_of(decider, proof.steps, _claims(security_object, found), found.certificate)
    assert found.certificate is not None, "step 2 passed"
    return SignedHashes(
        hash_algorithm=security_object.hash.name,
        hashes=security_object.hashes,
        issuing_country=found.issuing_country,
        signer=found.signer,
        csca=found.csca,
        signed_at=found.signed_at,
        revocation=found.revocation,
        document_types=found.certificate.extensions.document_types,
        certificate=found.certificate,
        judged_at=now,
        undated=undated,
        steps=proof.steps,
    )


def bind_data_groups(
    signed: SignedHashes | Rejected | Undetermined,
    data_groups: Mapping[int, bytes],
    *,
    mrz_issuing_state: str | None = None,
    mrz: str | None = None,
    common_data: bytes | None = None,
) -> PassiveAuthResult:
    """Steps 9 to 13 for data groups as read (number → bytes with header). Groups that are listed but not at hand are no fault.

    What did not pass so far passes no more; the later steps then stand in its record. ``mrz_issuing_state`` is the three-letter
    code of the printed MRZ; None takes the one in DG1. ``mrz`` is all of the printed MRZ, ``common_data`` EF.COM as read; None where
    not at hand. Raises nothing.
    """
    proof = Proof(signed.steps)
    said = signed if isinstance(signed, SignedHashes) else signed.claims
    if said:
        with proof.step(9):
            _check_hashes(said, data_groups)
            proof.detail = " ".join(f"DG{number}" for number in sorted(data_groups))
        if isinstance(signed, SignedHashes) and signed.undated:
            _settle_validity(proof, signed, data_groups)
        if said.issuing_country or isinstance(said, SignedHashes):
            with proof.step(10):
                proof.detail = _check_issuing_state(said, data_groups, mrz_issuing_state)
        if 1 in data_groups:
            with proof.step(11):
                proof.detail = _check_document_type(said, data_groups)
        if common_data is not None:
            with proof.step(12):
                _compare_common_data(proof, said, common_data)
    if mrz is not None and 1 in data_groups:
        with proof.step(PRINTED_MRZ):
            _compare_mrz(proof, data_groups[1], mrz)
    match signed:
        case SignedHashes():
            decider = proof.decider
            if decider:
                return verdict_of(decider, proof.steps, None, signed.certificate)
            return _authentic(signed, data_groups, proof.steps)
        case Rejected() | Undetermined():
            return replace(signed, steps=proof.steps)
    assert_never(signed)


def with_chip(
    record: InspectionRecord, chip: ChipAuthenticity | None = None, card_access: CardAccessVerdict | None = None
) -> InspectionRecord:
    """``record`` with steps 14 and 15, as far as they are known."""
    if chip:
        word = _CHIP[chip.verdict]
        record = record.adding(
            Step(number=CHIP_AUTHENTICITY, result=word, code=chip.code, detail=chip.detail or " ".join(chip.protocols))
        )
    if card_access:
        word = _CARD_ACCESS[card_access.verdict]
        record = record.adding(Step(number=CARD_ACCESS, result=word, code=card_access.code, detail=card_access.detail))
    return record


_CHIP: Mapping[str, Result] = {
    "genuine": "successful",
    "not_genuine": "failed",
    "not_supported": "not_supported",
    "undetermined": "undetermined",
}
_CARD_ACCESS: Mapping[str, Result] = {
    "agrees": "successful",
    "not_offered": "successful",
    "differs": "failed",
    "unsigned": "undetermined",
}
"""That neither the chip nor its signed copy offers any PACE is agreement, too."""


def _authentic(signed: SignedHashes, data_groups: Mapping[int, bytes], steps: tuple[Step, ...]) -> Authentic:
    return Authentic(
        data_groups=MappingProxyType(dict(data_groups)),
        issuing_country=signed.issuing_country,
        signer=signed.signer,
        csca=signed.csca,
        signed_at=signed.signed_at,
        revocation=signed.revocation,
        steps=steps,
        lists_dg14=14 in signed.hashes,
        lists_dg15=15 in signed.hashes,
        certificate=signed.certificate,
    )


# --- step 1


def _security_object(signed: SignedData) -> LdsSecurityObject:
    if signed.content_type != LDS_SECURITY_OBJECT:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    return parse_security_object(signed.content)


def _claims(security_object: LdsSecurityObject, found: StateSignature) -> Claims:
    certificate = found.certificate
    return Claims(
        hash_algorithm=security_object.hash.name,
        hashes=security_object.hashes,
        issuing_country=certificate.subject.country if certificate else "",
        document_types=certificate.extensions.document_types if certificate else None,
    )


# --- step 6, where the SOD has no signing time


def _may_be_settled(proof: Proof, decider: Step, found: StateSignature) -> bool:
    """Whether a date of issue is all that is missing."""
    dated = found.signed_at is not None
    findings = [step for step in proof.steps if step.finding]
    return not dated and findings == [decider] and decider.finding is ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING


def _settle_validity(proof: Proof, signed: SignedHashes, data_groups: Mapping[int, bytes]) -> None:
    """The date counts only if it is signed. A day is met by any moment of it: nobody knows the hour."""
    group = data_groups.get(12)
    if group is None or digest(HASH_NAMED[signed.hash_algorithm], group) != signed.hashes.get(12):
        return
    try:
        day = date_of_issue(group)
        if day is None:
            return
        check_valid(signed.certificate, max(day, min(signed.certificate.not_before, day + DAY)), signed.judged_at)
    except PkiError:
        return  # the step stays as it was: not valid now, and no date that would help
    proof.replace(Step(number=6, result="successful", detail="no signing time: judged by the date of issue in DG12"))


# --- steps 9 to 13


def _check_hashes(signed: SignedHashes | Claims, data_groups: Mapping[int, bytes]) -> None:
    algorithm = HASH_NAMED[signed.hash_algorithm]
    for number, content in data_groups.items():
        if number not in signed.hashes:
            raise PkiError(ReasonCode.DATA_GROUP_NOT_SIGNED, f"DG{number} is not in the SOD")
        if digest(algorithm, content) != signed.hashes[number]:
            raise PkiError(ReasonCode.DATA_GROUP_HASH_MISMATCH, f"DG{number} is not what was signed")


def _check_issuing_state(signed: SignedHashes | Claims, data_groups: Mapping[int, bytes], state: str | None) -> str:
    if state is None:
        if 1 not in data_groups:
            raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, "neither an MRZ nor DG1 at hand")
        state = issuing_state_of(data_groups[1])
    if not (countries := countries_of(state)):
        raise PkiError(ReasonCode.ISSUING_STATE_UNKNOWN, f"MRZ says {state!r}")
    if signed.issuing_country not in countries:
        raise PkiError(ReasonCode.ISSUING_COUNTRY_MISMATCH, f"MRZ says {state}, signed by {signed.issuing_country}")
    return state


def _check_document_type(signed: SignedHashes | Claims, data_groups: Mapping[int, bytes]) -> str:
    """A listed type of one letter covers the codes that begin with it: their second letter is the State's own (Doc 9303-4 §4.2.2)."""
    if signed.document_types is None:
        return "the signer is not limited"
    code = document_code_of(data_groups[1])
    if not {code, code[:1]} & {kind.rstrip("<") for kind in signed.document_types}:
        raise PkiError(ReasonCode.DOCUMENT_TYPE_MISMATCH, f"{code!r}, the signer may sign {', '.join(signed.document_types)}")
    return code


def _compare_common_data(proof: Proof, signed: SignedHashes | Claims, common_data: bytes) -> None:
    named, listed = listed_in_common_data(common_data), signed.hashes.keys()
    if difference := named ^ listed:
        groups = " ".join(f"DG{number}" for number in sorted(difference))
        proof.fail("COMMON_DATA_DIFFERS", f"in one of EF.COM and EF.SOD only: {groups}")


def _compare_mrz(proof: Proof, data_group_1: bytes, mrz: str) -> None:
    if mrz_of(data_group_1) != mrz:
        proof.fail("MRZ_DIFFERS", "DG1 is not what is printed")
