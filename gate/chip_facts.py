"""From what a chip said and what passive authentication proved to the facts that policy reads.

Only an authentic document gives more than the verdict on it: everything else here counts because a signature bound it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never, cast

from gate.evidence import CheckResult, Fact, found, not_performed
from gate.records import InspectionCheck
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds import dg1_mrz, dg2_image
from hardware.emrtd.reader import AccessEvidence, ChipData
from mrz import MrzRecord
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.card_access import CardAccessVerdict, card_access_agrees
from pki.card_security import CardSecurityVerdict
from pki.chip_authenticity import ChipAuthenticationEvidence, ChipAuthenticity, PaceCamEvidence, chip_authenticity
from pki.errors import ReasonCode
from pki.inspection_record import CHECKS, PRINTED_MRZ, InspectionRecord
from pki.known_defects import Reading
from pki.results import Authentic, Rejected, Undetermined

Places = frozenset[tuple[int, int]]
"""Lines and columns of a machine readable zone, both from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedZone:
    """What was read from the page; ``doubtful`` where another character would rather be our misreading than a forgery."""

    record: MrzRecord = field(repr=False)
    doubtful: Places = frozenset()


def data_groups(chip: ChipData) -> dict[int, bytes]:
    """What was read, by number: copies, but for the portrait, which is hashed and cut here and never kept."""
    groups = {int(name[2:]): content for name, content in chip.files.items() if name.startswith("DG")}
    return {number: cast("bytes", content) if number == 2 else bytes(content) for number, content in groups.items()}


def access_fact(access: AccessEvidence) -> Fact:
    """How the chip was opened; the code names PACE's protocol, its domain parameters and the password."""
    if access.protocol == "bac":
        return found(access.tolerance or "bac", source="chip")
    return found("pace", code=f"{access.oid} {access.parameter_id} {access.password}", source="chip")


REVOKED = frozenset({ReasonCode.SIGNER_REVOKED, ReasonCode.CSCA_REVOKED})
"""Either way the State took back its word for the signer."""


def passive_facts(reading: Reading) -> dict[str, Fact]:
    """The verdict on EF.SOD and the data groups; its code also names the defects that the State knows of the document."""
    verdict = reading.verdict
    match verdict:
        case Authentic():
            return {"passive_authentication": found("authentic", code=_code(verdict.csca[:80], reading), source="pki")}
        case Rejected() if verdict.code in REVOKED:
            revoked = CheckResult.FAILED
            return {
                "passive_authentication": found("signer_revoked", revoked, code=_code(verdict.code, reading), source="pki"),
                "revocation": found("revoked", revoked, code=verdict.code, source="pki"),
            }
        case Rejected():
            failed = CheckResult.FAILED
            return {"passive_authentication": found("rejected", failed, code=_code(verdict.code, reading), source="pki")}
        case Undetermined():
            word = "no_trust_anchor" if verdict.code == ReasonCode.NO_TRUST_ANCHOR else "undetermined"
            open_ = CheckResult.UNDETERMINED
            return {"passive_authentication": found(word, open_, code=_code(verdict.code, reading), source="pki")}
    assert_never(verdict)


def _code(code: str, reading: Reading) -> str:
    return f"{code} (known defects: {reading.named})" if reading.defects else code


def inspection_checks(record: InspectionRecord) -> tuple[InspectionCheck, ...]:
    """The record of the proof, for the gate's own."""
    return tuple(
        InspectionCheck(
            step=step.number,
            name=step.name,
            group=CHECKS[step.number].group,
            result=CheckResult(step.result),
            code=str(step.code),
            detail=step.detail,
        )
        for step in record.steps
    )


def judge_chip(
    verdict: Authentic, chip: ChipData, card_security: CardSecurityVerdict | None, *, active_key_compromised: bool
) -> tuple[ChipAuthenticity, CardAccessVerdict]:
    """Whether it is the chip that the State issued, and whether the offer that it was opened by was the State's."""
    card_access = chip.files.get("EF.CardAccess")
    offer = card_access_agrees(
        None if card_access is None else bytes(card_access),
        verdict,
        card_security=card_security if _one_session(chip) else None,  # else it may be another chip's
    )
    return _authenticity(verdict, chip, card_security, offer, active_key_compromised=active_key_compromised), offer


def bound_facts(
    verdict: Authentic, authenticity: ChipAuthenticity, offer: CardAccessVerdict, printed: PrintedZone
) -> dict[str, Fact]:
    """What counts only because passive authentication bound it."""
    genuine = authenticity.verdict == "genuine"
    return {
        "dg1_mrz": _mrz_fact(verdict, printed),
        "revocation": found(verdict.revocation, _result(verdict.revocation == "good"), source="pki"),
        "card_access": found(offer.verdict, _result(offer.verdict in {"agrees", "not_offered"}), code=offer.code, source="pki"),
        "chip_authenticity": found(
            authenticity.verdict, _result(genuine), code=authenticity.code or " ".join(authenticity.protocols), source="pki"
        ),
    }


def _one_session(chip: ChipData) -> bool:
    """Whether all files and proofs came in one run of access control, so from one chip."""
    return chip.access.sessions == 1


def _authenticity(
    verdict: Authentic,
    chip: ChipData,
    card_security: CardSecurityVerdict | None,
    offer: CardAccessVerdict,
    *,
    active_key_compromised: bool,
) -> ChipAuthenticity:
    """Hand the evidence of one room to the other, which may not know it."""
    active, keyed, cam = chip.active_authentication, chip.chip_authentication, chip.pace_cam
    return chip_authenticity(
        verdict,
        active=ActiveAuthenticationEvidence(challenge=active.challenge, response=active.response) if active else None,
        chip=ChipAuthenticationEvidence(
            public_key=keyed.public_key, oid=keyed.oid, key_id=keyed.key_id, succeeded=keyed.succeeded
        )
        if keyed
        else None,
        cam=PaceCamEvidence(public_key=cam.public_key, oid=cam.oid, succeeded=cam.succeeded, one_session=_one_session(chip))
        if cam
        else None,
        card_security=card_security,
        card_access=offer,
        active_key_compromised=active_key_compromised,
    )


def _mrz_fact(verdict: Authentic, printed: PrintedZone) -> Fact:
    """DG1 against the optical MRZ. A DG1 that was not read is no difference; one that cannot be read is. Where they differ only in
    characters that we read without much margin, it may be our mistake, so it accuses nobody: an officer looks.
    """
    step = verdict.record[PRINTED_MRZ]
    if step.result == "aborted":
        return not_performed("DG1_UNREAD", "reader")
    if step.result == "successful":
        return found("equal", source="reader")
    word = "doubtful" if _perhaps_misread(verdict, printed) else "different"
    return found(word, CheckResult.UNDETERMINED if word == "doubtful" else CheckResult.FAILED, source="reader")


def _perhaps_misread(verdict: Authentic, printed: PrintedZone) -> bool:
    try:
        signed = dg1_mrz(verdict.data_groups[1])
    except (KeyError, LdsError):
        return False
    read = [(line, column, ours) for line, text in enumerate(printed.record.lines, 1) for column, ours in enumerate(text, 1)]
    if len(signed) != len(read):
        return False
    return all(
        (line, column) in printed.doubtful for (line, column, ours), theirs in zip(read, signed, strict=True) if ours != theirs
    )


def _result(good: bool) -> CheckResult:
    return CheckResult.SUCCESSFUL if good else CheckResult.FAILED


def portrait(verdict: Authentic) -> tuple[bytes, str]:
    """The encoded image out of the verified DG2 and how it was stored, in the words of the records: the standard of the record, the kind of
    picture, and whether only its first bytes told that. Empty where there is none, with the reason.
    """
    try:
        found_image = dg2_image(verdict.data_groups[2])
    except KeyError:
        return b"", "DG2_UNREAD"
    except LdsError as error:
        return b"", error.code
    return found_image.image, f"{found_image.record} {found_image.kind} by {found_image.kind_by}, {found_image.encodings} faces"
