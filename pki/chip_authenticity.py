"""Is the chip the one that the State issued, or a copy? (Doc 9303-11 §6; the only word about it that a policy may read.)

A protocol that ran is no verdict: a clone runs it with its own key. It counts only with a key out of a data group that
passive authentication verified, or, for PACE with chip authentication mapping, out of an EF.CardSecurity that the same State
signed (§4.4.3.5.2, §6). And what the *signed* document lists must have been done: a copy that hides DG14 and DG15, or refuses,
is a copy.

Chip authentication and PACE with its mapping prove the same thing, that the chip holds a private key, and a terminal need
not know the mapping (§4.4). So one stands in for the other where that was *not run*, never where it failed. The mapping does so
only if EF.CardSecurity and the verified DG14 share a key of the chip: EF.CardSecurity names no document, so that by itself it
would let one broken chip of a State vouch for copies of every other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, assert_never

from pki.active_authentication import ActiveAuthenticationEvidence, answers
from pki.card_access import CardAccessVerdict
from pki.card_security import CardSecurity, CardSecurityVerdict
from pki.errors import PkiError
from pki.results import Authentic, Rejected, Undetermined
from pki.security_infos import (
    CHIP_AUTHENTICATION,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfos,
    active_authentication_hash,
    parse_data_group_14,
    parse_data_group_15,
)

Verdict = Literal["genuine", "not_genuine", "not_supported", "undetermined"]

TRIPLE_DES_SUFFIX = ".1"
"""Last arc of id-CA-*-3DES-CBC-CBC, the one protocol of chips that give a key without ChipAuthenticationInfo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationEvidence:
    """The SubjectPublicKeyInfo that the terminal agreed a key with, the protocol (OID) and key id that it chose, and whether
    a secured exchange under the new keys succeeded.
    """

    public_key: bytes = field(repr=False)
    oid: str
    key_id: int | None
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceCamEvidence:
    """PACE with chip authentication mapping: the SubjectPublicKeyInfo out of EF.CardSecurity under which the chip's authentication
    data fitted (``b""`` if none did), the protocol (OID) that ran, whether one fitted, and whether all files were read in the one
    session that it opened.
    """

    public_key: bytes = field(repr=False)
    oid: str
    succeeded: bool
    one_session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticity:
    """``protocols`` are those that proved it; ``code`` says why it is not proven, empty when genuine.

    ``genuine``: every protocol that the signed document offers was passed. ``not_genuine``: one was not passed, not run, or
    its file was not read. ``not_supported``: the signed document lists neither DG14 nor DG15, and no mapping was offered.
    ``undetermined``: it lists one, but with nothing in it that can be judged here.
    """

    verdict: Verdict
    protocols: tuple[str, ...]
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """How one protocol ended."""

    protocol: str
    verdict: Verdict
    code: str = ""
    detail: str = ""


def chip_authenticity(
    pa: Authentic,
    *,
    active: ActiveAuthenticationEvidence | None,
    chip: ChipAuthenticationEvidence | None,
    cam: PaceCamEvidence | None = None,
    card_security: CardSecurityVerdict | None = None,
    card_access: CardAccessVerdict | None = None,
    active_key_compromised: bool = False,
) -> ChipAuthenticity:
    """Judge the evidence against the verified DG14, DG15 and EF.CardSecurity; None means not run, or not read. Raises nothing.

    ``active_key_compromised``: the State says that the key of active authentication is known to others (Doc 9303-12 §10). It then
    proves nothing any more, and still must not fail.
    """
    cam_shown = cam is not None or (card_access is not None and card_access.offers_cam)
    if not (pa.lists_dg14 or pa.lists_dg15 or cam_shown):
        return ChipAuthenticity(
            verdict="not_supported", protocols=(), code="NOT_OFFERED", detail="SOD lists neither DG14 nor DG15"
        )
    findings = list(_findings(pa, active, chip, _Mapping(evidence=cam, shown=cam_shown, card_security=card_security)))
    if active_key_compromised:
        findings = [each for each in findings if (each.protocol, each.verdict) != ("active_authentication", "genuine")]
    protocols = tuple(finding.protocol for finding in findings if finding.verdict == "genuine")
    for verdict in ("not_genuine", "undetermined"):
        for finding in findings:
            if finding.verdict == verdict:
                return ChipAuthenticity(verdict=verdict, protocols=protocols, code=finding.code, detail=finding.detail)
    if not protocols and active_key_compromised and pa.lists_dg15:
        detail = "by the State's own word others hold the key of DG15"
        return ChipAuthenticity(verdict="undetermined", protocols=(), code="AA_KEY_COMPROMISED", detail=detail)
    if not protocols:
        return ChipAuthenticity(verdict="undetermined", protocols=(), code="NO_PROTOCOL_OFFERED", detail="DG14 offers none")
    return ChipAuthenticity(verdict="genuine", protocols=protocols, code="", detail="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    """All that is known of PACE with chip authentication mapping; ``shown``: it ran, or EF.CardAccess offers it."""

    evidence: PaceCamEvidence | None
    shown: bool
    card_security: CardSecurityVerdict | None


def _findings(
    pa: Authentic,
    active: ActiveAuthenticationEvidence | None,
    chip: ChipAuthenticationEvidence | None,
    mapping: _Mapping,
) -> Iterator[_Finding]:
    infos = SecurityInfos()
    if pa.lists_dg14 and 14 not in pa.data_groups:
        yield _Finding(protocol="chip_authentication", verdict="not_genuine", code="DG14_NOT_READ", detail="listed, not read")
    elif pa.lists_dg14:
        try:
            infos = parse_data_group_14(pa.data_groups[14])
        except PkiError as error:
            yield _Finding(
                protocol="chip_authentication", verdict="undetermined", code=error.code, detail=f"DG14: {error.detail}"
            )
    yield from _key_agreements(pa, infos, chip, mapping)
    if pa.lists_dg15 and 15 not in pa.data_groups:
        yield _Finding(protocol="active_authentication", verdict="not_genuine", code="DG15_NOT_READ", detail="listed, not read")
    elif pa.lists_dg15:
        yield _judge_active_authentication(pa.data_groups[15], infos, active)


def _key_agreements(
    pa: Authentic, infos: SecurityInfos, chip: ChipAuthenticationEvidence | None, mapping: _Mapping
) -> Iterator[_Finding]:
    """Of chip authentication and the mapping those that are offered or ran, less the one that the other stands in for."""
    offered = bool(infos.public_keys or infos.chip_authentication)
    keyed = _judge_chip_authentication(infos, chip) if offered else None
    one_chip = _of_one_chip(infos, mapping.card_security)
    mapped = _judge_mapping(pa, mapping, one_chip=one_chip) if mapping.shown or infos.offers_cam else None
    if keyed and mapped and mapping.evidence is None and keyed.verdict == "genuine":
        mapped = None
    if keyed and mapped and chip is None and mapped.verdict == "genuine" and one_chip:
        keyed = None
    yield from (finding for finding in (mapped, keyed) if finding)


def _of_one_chip(infos: SecurityInfos, card_security: CardSecurityVerdict | None) -> bool:
    """Whether a key stands in both signed files; keys are drawn for each chip."""
    return isinstance(card_security, CardSecurity) and not _keys(infos).isdisjoint(_keys(card_security.infos))


def _keys(infos: SecurityInfos) -> set[bytes]:
    return {key.public_key for key in infos.public_keys}


def _judge_mapping(pa: Authentic, mapping: _Mapping, *, one_chip: bool) -> _Finding:
    """EF.CardSecurity names no document. Only a key that DG14 shares, or the one session that carried all files, ties it to this one:
    else the files may be a copy's, and the mapping that of another chip laid down after the tag was lost.
    """
    verdict, code, detail = _mapping_verdict(pa, mapping)
    if verdict == "genuine" and not one_chip and not (mapping.evidence and mapping.evidence.one_session):
        verdict, code, detail = "undetermined", "CAM_OF_ANOTHER_SESSION", "nothing ties the mapped key to the chip that was read"
    return _Finding(protocol="pace_cam", verdict=verdict, code=code, detail=detail)


def _mapping_verdict(pa: Authentic, mapping: _Mapping) -> tuple[Verdict, str, str]:
    evidence, card_security = mapping.evidence, mapping.card_security
    if evidence is None:
        return "not_genuine", "CAM_NOT_RUN", "chip authentication mapping is offered, not used"
    if not evidence.succeeded:
        return "not_genuine", "CAM_FAILED", "no key of EF.CardSecurity fits the chip's authentication data"
    match card_security:
        case None:
            return "not_genuine", "CARD_SECURITY_NOT_READ", "no EF.CardSecurity to bind the key"
        case Rejected():
            return "not_genuine", "CARD_SECURITY_REJECTED", f"EF.CardSecurity: {card_security.code}: {card_security.detail}"
        case Undetermined():
            return "undetermined", card_security.code, f"EF.CardSecurity: {card_security.detail}"
        case CardSecurity():
            if card_security.issuing_country != pa.issuing_country:
                return "not_genuine", "CARD_SECURITY_OF_OTHER_STATE", f"signed by {card_security.issuing_country}"
            if not _maps(card_security.infos, evidence):
                return "not_genuine", "CAM_KEY_NOT_SIGNED", "key or protocol not in EF.CardSecurity"
            return "genuine", "", ""
    assert_never(card_security)


def _maps(infos: SecurityInfos, evidence: PaceCamEvidence) -> bool:
    """Whether the signed copy offers this mapping, and holds the key that fitted."""
    offered = any(info.maps_chip_authentication and info.oid == evidence.oid for info in infos.pace)
    return offered and evidence.public_key in _keys(infos)


def _judge_active_authentication(
    data_group_15: bytes, infos: SecurityInfos, evidence: ActiveAuthenticationEvidence | None
) -> _Finding:
    protocol = "active_authentication"
    if evidence is None:
        return _Finding(protocol=protocol, verdict="not_genuine", code="AA_NOT_RUN", detail="DG15 is listed, not used")
    try:
        algorithm = infos.active_authentication
        ecdsa_hash = active_authentication_hash(algorithm) if algorithm else None
        passed = answers(evidence, parse_data_group_15(data_group_15), ecdsa_hash)
    except PkiError as error:
        return _Finding(protocol=protocol, verdict="undetermined", code=error.code, detail=f"DG15: {error.detail}")
    if not passed:
        return _Finding(protocol=protocol, verdict="not_genuine", code="AA_FAILED", detail="the key of DG15 did not answer")
    return _Finding(protocol=protocol, verdict="genuine")


def _judge_chip_authentication(infos: SecurityInfos, evidence: ChipAuthenticationEvidence | None) -> _Finding:
    protocol = "chip_authentication"
    if evidence is None:
        return _Finding(protocol=protocol, verdict="not_genuine", code="CA_NOT_RUN", detail="DG14 is listed, not used")
    if not _bound(infos, evidence):
        return _Finding(protocol=protocol, verdict="not_genuine", code="CA_KEY_NOT_SIGNED", detail="key or protocol not in DG14")
    if not evidence.succeeded:
        return _Finding(protocol=protocol, verdict="not_genuine", code="CA_FAILED", detail="no exchange under the new keys")
    return _Finding(protocol=protocol, verdict="genuine")


def _bound(infos: SecurityInfos, evidence: ChipAuthenticationEvidence) -> bool:
    """Whether the verified DG14 holds this very key, and offers this protocol for it."""
    return any(key.public_key == evidence.public_key and _offered(infos, key, evidence) for key in infos.public_keys)


def _offered(infos: SecurityInfos, key: ChipAuthenticationPublicKeyInfo, evidence: ChipAuthenticationEvidence) -> bool:
    """Ids tell which key an offer means, so a key and an offer that are alone belong together whatever their ids say."""
    prefix = f"{CHIP_AUTHENTICATION}{key.family}"
    if not infos.chip_authentication:  # Doc 9303-11 §9.2.5: older chips give only the key and mean 3DES
        return evidence.oid == prefix + TRIPLE_DES_SUFFIX and evidence.key_id == key.key_id
    alone = len(infos.public_keys) == len(infos.chip_authentication) == 1
    return evidence.oid.startswith(f"{prefix}.") and any(
        offer.oid == evidence.oid and evidence.key_id in {key.key_id, offer.key_id} and (alone or key.key_id == offer.key_id)
        for offer in infos.chip_authentication
    )
