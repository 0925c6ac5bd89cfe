"""Passive authentication (Doc 9303-11 §5.1): did the State that the document names sign what is in its chip?

The proof. A step that does not pass ends it with a reason code; which codes reject is in :mod:`pki.errors`.

 1. *decode*: EF.SOD is one SignedData with one signer, its content an LDS security object (Doc 9303-10 §4.6.2).
 2. *signer*: the SignerInfo's identifier, never a position, picks the document signer certificate (RFC 5652 §5.3).
 3. *attributes*: signed contentType and messageDigest are those of the content (RFC 5652 §5.4, §11.1, §11.2).
 4. *signature*: the signer's key signed the attributes, by the SignerInfo's algorithms (Doc 9303-11 §5.1 step 3).
 5. *chain*: a CSCA of the trust store issued the signer certificate (Doc 9303-12 §7.1; Doc 9303-11 §5.1 step 2).
 6. *validity*: the signer is entitled to sign documents, and was valid and its key in use when it signed; without a signing time: valid now.
 7. *country*: signer and CSCA name one State (Doc 9303-12 §7.1.1).
 8. *revocation*: no CRL of that State lists the signer (Doc 9303-12 §7.1.4). No CRL or a stale one is reported, not judged.
 9. *hashes*: each data group at hand is listed and has its signed hash (Doc 9303-11 §5.1 step 5).
10. *issuing state*: the MRZ names the State that signed; a rogue State could otherwise vouch for another's document.
11. *document type*: the signer's documentTypeList, if it has one, names the type of document that DG1 does (Doc 9303-12 §7.1.1).

Steps 1 to 8 need no data group and run while the chip still sends (:func:`authenticate_sod`); 9 to 11 are
:func:`bind_data_groups`. Left to the caller: that DG1 is the MRZ printed in the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from pki.cms import SignedData
from pki.cms_signature import only_signer
from pki.countries import countries_of
from pki.data_group_1 import document_code_of, issuing_state_of
from pki.errors import PkiError, ReasonCode
from pki.proof import Proof, prove_signature
from pki.results import Authentic, PassiveAuthResult, Rejected, SignedHashes, Undetermined
from pki.signatures import HASH_NAMED, digest
from pki.sod import LDS_SECURITY_OBJECT, LdsSecurityObject, parse_security_object, parse_sod
from pki.trust import TrustStore


def passive_authentication(
    sod: bytes, data_groups: Mapping[int, bytes], trust: TrustStore, now: datetime, *, mrz_issuing_state: str | None = None
) -> PassiveAuthResult:
    """All eleven steps. See :func:`authenticate_sod` and :func:`bind_data_groups`. Raises nothing on any bytes."""
    match authenticate_sod(sod, trust, now):
        case SignedHashes() as signed:
            return bind_data_groups(signed, data_groups, mrz_issuing_state=mrz_issuing_state)
        case Rejected() | Undetermined() as verdict:
            return verdict


def authenticate_sod(sod: bytes, trust: TrustStore, now: datetime) -> SignedHashes | Rejected | Undetermined:
    """Steps 1 to 8 for an EF.SOD as read, header included. ``now`` is aware UTC. Raises nothing on any bytes."""
    proof = Proof()
    try:
        with proof.step(1, "decode"):
            signed = parse_sod(sod)
            signer, security_object = only_signer(signed), _security_object(signed)
        signature = prove_signature(proof, signed, signer, trust, now)
    except PkiError as error:
        return proof.verdict(error)
    return SignedHashes(
        hash_algorithm=security_object.hash.name,
        hashes=security_object.hashes,
        issuing_country=signature.issuing_country,
        signer=signature.signer,
        csca=signature.csca,
        signed_at=signature.signed_at,
        revocation=signature.revocation,
        document_types=signature.document_types,
        steps=proof.steps,
    )


def bind_data_groups(
    signed: SignedHashes, data_groups: Mapping[int, bytes], *, mrz_issuing_state: str | None = None
) -> PassiveAuthResult:
    """Steps 9 to 11 for data groups as read (number → bytes with header). Groups that are listed but not at hand are no fault.

    ``mrz_issuing_state`` is the three-letter code of the printed MRZ; None takes the one in the verified DG1. Raises nothing.
    """
    proof = Proof(signed.steps)
    try:
        with proof.step(9, "hashes"):
            _check_hashes(signed, data_groups)
            proof.detail = " ".join(f"DG{number}" for number in sorted(data_groups))
        with proof.step(10, "issuing state"):
            proof.detail = _check_issuing_state(signed, data_groups, mrz_issuing_state)
        with proof.step(11, "document type"):
            proof.detail = _check_document_type(signed, data_groups)
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


# --- step 1


def _security_object(signed: SignedData) -> LdsSecurityObject:
    if signed.content_type != LDS_SECURITY_OBJECT:
        raise PkiError(ReasonCode.WRONG_CONTENT_TYPE, signed.content_type)
    return parse_security_object(signed.content)


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


def _check_document_type(signed: SignedHashes, data_groups: Mapping[int, bytes]) -> str:
    """A listed type of one letter covers the codes that begin with it: their second letter is the State's own (Doc 9303-4 §4.2.2)."""
    if signed.document_types is None:
        return "the signer is not limited"
    if 1 not in data_groups:
        return "DG1 not at hand"
    code = document_code_of(data_groups[1])
    if not {code, code[:1]} & {kind.rstrip("<") for kind in signed.document_types}:
        raise PkiError(ReasonCode.DOCUMENT_TYPE_MISMATCH, f"{code!r}, the signer may sign {', '.join(signed.document_types)}")
    return code
