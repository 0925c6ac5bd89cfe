"""From what a chip said and what passive authentication proved to the facts that policy reads.

Only an authentic document gives more than the verdict on it: everything else here counts because a signature bound it.
"""

from __future__ import annotations

from typing import assert_never, cast

from gate.evidence import CheckResult, Fact, found, not_performed
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds import dg1_mrz, dg2_image
from hardware.emrtd.reader import AccessEvidence, ChipData
from mrz import MrzRecord
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.card_access import CardAccessVerdict, card_access_agrees
from pki.card_security import CardSecurityVerdict
from pki.chip_authenticity import ChipAuthenticationEvidence, ChipAuthenticity, PaceCamEvidence, chip_authenticity
from pki.errors import ReasonCode
from pki.results import Authentic, PassiveAuthResult, Rejected, Undetermined


def data_groups(chip: ChipData) -> dict[int, bytes]:
    """What was read, by number: copies, but for the portrait, which is hashed and cut here and never kept."""
    groups = {int(name[2:]): content for name, content in chip.files.items() if name.startswith("DG")}
    return {number: cast("bytes", content) if number == 2 else bytes(content) for number, content in groups.items()}


def access_fact(access: AccessEvidence) -> Fact:
    """How the chip was opened; the code names PACE's protocol, its domain parameters and the password."""
    if access.protocol == "bac":
        return found(access.tolerance or "bac", source="chip")
    return found("pace", code=f"{access.oid} {access.parameter_id} {access.password}", source="chip")


def passive_facts(verdict: PassiveAuthResult) -> dict[str, Fact]:
    """The verdict on EF.SOD and the data groups."""
    match verdict:
        case Authentic():
            return {"passive_authentication": found("authentic", code=verdict.csca[:80], source="pki")}
        case Rejected() if verdict.code == ReasonCode.SIGNER_REVOKED:
            revoked = CheckResult.FAILED
            return {
                "passive_authentication": found("signer_revoked", revoked, code=verdict.code, source="pki"),
                "revocation": found("revoked", revoked, source="pki"),
            }
        case Rejected():
            return {"passive_authentication": found("rejected", CheckResult.FAILED, code=verdict.code, source="pki")}
        case Undetermined():
            word = "no_trust_anchor" if verdict.code == ReasonCode.NO_TRUST_ANCHOR else "undetermined"
            return {"passive_authentication": found(word, CheckResult.UNDETERMINED, code=verdict.code, source="pki")}
    assert_never(verdict)


def bound_facts(
    verdict: Authentic, chip: ChipData, record: MrzRecord, card_security: CardSecurityVerdict | None
) -> dict[str, Fact]:
    """What counts only because passive authentication bound it."""
    card_access = chip.files.get("EF.CardAccess")
    offer = card_access_agrees(None if card_access is None else bytes(card_access), verdict, card_security=card_security)
    authenticity = _authenticity(verdict, chip, card_security, offer)
    genuine = authenticity.verdict == "genuine"
    return {
        "dg1_mrz": _compare_mrz(verdict, record),
        "revocation": found(verdict.revocation, _result(verdict.revocation == "good"), source="pki"),
        "card_access": found(offer.verdict, _result(offer.verdict in {"agrees", "not_offered"}), code=offer.code, source="pki"),
        "chip_authenticity": found(
            authenticity.verdict, _result(genuine), code=authenticity.code or " ".join(authenticity.protocols), source="pki"
        ),
    }


def _authenticity(
    verdict: Authentic, chip: ChipData, card_security: CardSecurityVerdict | None, offer: CardAccessVerdict
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
        cam=PaceCamEvidence(public_key=cam.public_key, oid=cam.oid, succeeded=cam.succeeded) if cam else None,
        card_security=card_security,
        card_access=offer,
    )


def _compare_mrz(verdict: Authentic, record: MrzRecord) -> Fact:
    """DG1 against the optical MRZ. A DG1 that was not read is no difference; one that cannot be read is."""
    if 1 not in verdict.data_groups:
        return not_performed("DG1_UNREAD", "reader")
    try:
        equal = dg1_mrz(verdict.data_groups[1]) == "".join(record.lines)
    except LdsError:
        equal = False
    return found("equal" if equal else "different", _result(equal), source="reader")


def _result(good: bool) -> CheckResult:
    return CheckResult.SUCCESSFUL if good else CheckResult.FAILED


def portrait(verdict: Authentic) -> bytes:
    """The encoded image out of the verified DG2, empty where there is none."""
    try:
        return dg2_image(verdict.data_groups[2]).image
    except (KeyError, LdsError):
        return b""
