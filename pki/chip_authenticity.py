"""Is the chip the one that the State issued, or a copy? (Doc 9303-11 §6; the only word about it that a policy may read.)

A protocol that ran is no verdict: a clone runs it with its own key. It counts only with a key out of a data group that
passive authentication verified. And what the *signed* document lists must have been done: a copy that hides DG14 and DG15,
or refuses, is a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pki.active_authentication import ActiveAuthenticationEvidence, answers
from pki.errors import PkiError
from pki.results import Authentic
from pki.security_infos import (
    CHIP_AUTHENTICATION,
    ChipAuthenticationInfo,
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
class ChipAuthenticity:
    """``protocols`` are those that proved it; ``code`` says why it is not proven, empty when genuine.

    ``genuine``: every protocol that the signed document offers was passed. ``not_genuine``: one was not passed, not run, or
    its data group was not read. ``not_supported``: the signed document lists neither DG14 nor DG15. ``undetermined``: it lists
    one, but with nothing in it that can be judged here.
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
    pa: Authentic, *, active: ActiveAuthenticationEvidence | None, chip: ChipAuthenticationEvidence | None
) -> ChipAuthenticity:
    """Judge the evidence against the verified DG14 and DG15; None means that the protocol was not run. Raises nothing."""
    if not (pa.lists_dg14 or pa.lists_dg15):
        return ChipAuthenticity(
            verdict="not_supported", protocols=(), code="NOT_OFFERED", detail="SOD lists neither DG14 nor DG15"
        )
    findings = list(_findings(pa, active, chip))
    protocols = tuple(finding.protocol for finding in findings if finding.verdict == "genuine")
    for verdict in ("not_genuine", "undetermined"):
        for finding in findings:
            if finding.verdict == verdict:
                return ChipAuthenticity(verdict=verdict, protocols=protocols, code=finding.code, detail=finding.detail)
    if not protocols:
        return ChipAuthenticity(verdict="undetermined", protocols=(), code="NO_PROTOCOL_OFFERED", detail="DG14 offers none")
    return ChipAuthenticity(verdict="genuine", protocols=protocols, code="", detail="")


def _findings(
    pa: Authentic, active: ActiveAuthenticationEvidence | None, chip: ChipAuthenticationEvidence | None
) -> Iterator[_Finding]:
    infos = None
    if pa.lists_dg14 and 14 not in pa.data_groups:
        yield _Finding(protocol="chip_authentication", verdict="not_genuine", code="DG14_NOT_READ", detail="listed, not read")
    elif pa.lists_dg14:
        try:
            infos = parse_data_group_14(pa.data_groups[14])
        except PkiError as error:
            yield _Finding(
                protocol="chip_authentication", verdict="undetermined", code=error.code, detail=f"DG14: {error.detail}"
            )
        if infos and (infos.public_keys or infos.chip_authentication):
            yield _judge_chip_authentication(infos, chip)
    if pa.lists_dg15 and 15 not in pa.data_groups:
        yield _Finding(protocol="active_authentication", verdict="not_genuine", code="DG15_NOT_READ", detail="listed, not read")
    elif pa.lists_dg15:
        yield _judge_active_authentication(pa.data_groups[15], infos, active)


def _judge_active_authentication(
    data_group_15: bytes, infos: SecurityInfos | None, evidence: ActiveAuthenticationEvidence | None
) -> _Finding:
    protocol = "active_authentication"
    if evidence is None:
        return _Finding(protocol=protocol, verdict="not_genuine", code="AA_NOT_RUN", detail="DG15 is listed, not used")
    try:
        algorithm = infos.active_authentication if infos else None
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
    """Whether the verified DG14 holds this very key, under this id, for this protocol."""
    keys = [key for key in infos.public_keys if (key.public_key, key.key_id) == (evidence.public_key, evidence.key_id)]
    return any(_offered(infos.chip_authentication, key.family, evidence) for key in keys)


def _offered(offers: tuple[ChipAuthenticationInfo, ...], family: str, evidence: ChipAuthenticationEvidence) -> bool:
    prefix = f"{CHIP_AUTHENTICATION}{family}"
    if not offers:  # Doc 9303-11 §9.2.5: older chips give only the key and mean 3DES
        return evidence.oid == prefix + TRIPLE_DES_SUFFIX
    return evidence.oid.startswith(f"{prefix}.") and any(
        (offer.oid, offer.key_id) == (evidence.oid, evidence.key_id) for offer in offers
    )
