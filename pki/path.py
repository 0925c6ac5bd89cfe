"""From a document signer certificate to the CSCA that issued it (Doc 9303-12 §7.1; one step, links are anchors of their own)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from pki.certificates import Certificate
from pki.errors import PkiError, ReasonCode
from pki.revocation import is_revoked
from pki.trust import Csca, TrustStore

MAX_SIGNATURE_CHECKS = 64
"""For one signer. The State with the most CSCA certificates in the published lists has less than half as many."""


def find_csca(signer: Certificate, trust: TrustStore) -> Csca:
    """The anchor whose key issued ``signer``: candidates by key identifier first, then by name, then all of the issuer's State.

    Of the State, because names change at a roll-over (Doc 9303-12 §7.1.1, nameChange) and some signers carry no or a wrong key
    identifier: the key that verifies is the issuer. Raises PkiError. ``SIGNER_CERTIFICATE_FORGED``: an anchor matches by name
    *and* key identifier, and its key did not sign: the certificate says it comes from that very key, and lies.
    ``UNSUPPORTED_*``: the only matching anchor has a key or the signature an algorithm unknown here. ``NO_TRUST_ANCHOR``:
    everything else, also same name but no verifying key, since a State we hold an old CSCA of signs with a new one.
    ``CSCA_NOT_VALID_AT_ISSUE``: verified, but issued outside the CSCA's validity or key usage period. A CSCA that expired since
    is fine (Doc 9303-12 §5). ``CSCA_REVOKED``: verified, but its State revoked that key. ``SEARCH_EXHAUSTED``: not found within ``MAX_SIGNATURE_CHECKS``.
    """
    problems: list[PkiError] = []
    for count, anchor in enumerate(candidates(signer, trust)):
        if count == MAX_SIGNATURE_CHECKS:
            problems.append(PkiError(ReasonCode.SEARCH_EXHAUSTED, f"{count} anchors tried for issuer {signer.issuer}"))
            break
        try:
            problem = _problem(signer, anchor, trust)
        except PkiError as error:
            problem = error
        if problem is None:
            return anchor
        problems.append(problem)
    problems.append(PkiError(ReasonCode.NO_TRUST_ANCHOR, f"no CSCA for issuer {signer.issuer}"))
    raise min(problems, key=lambda problem: _PRECEDENCE.get(problem.code, len(_PRECEDENCE)))


_PRECEDENCE = {
    code: rank
    for rank, code in enumerate(
        (
            ReasonCode.CSCA_REVOKED,
            ReasonCode.CSCA_NOT_VALID_AT_ISSUE,
            ReasonCode.SIGNER_CERTIFICATE_FORGED,
            ReasonCode.SEARCH_EXHAUSTED,
            ReasonCode.UNSUPPORTED_CURVE,
            ReasonCode.UNSUPPORTED_ALGORITHM,
            ReasonCode.NO_TRUST_ANCHOR,
        )
    )
}
"""What is said where several anchors were tried in vain: the one that came nearest."""


def _problem(signer: Certificate, anchor: Csca, trust: TrustStore) -> PkiError | None:
    """Why ``anchor`` is not the issuer; None if it is. Raises PkiError if its key or the algorithm is unknown here."""
    authority = anchor.parsed
    if not authority.issued(signer):
        identifier = signer.extensions.authority_key_identifier
        named = identifier is not None and identifier == authority.extensions.subject_key_identifier
        forged = named and authority.subject.same_as(signer.issuer)
        code = ReasonCode.SIGNER_CERTIFICATE_FORGED if forged else ReasonCode.NO_TRUST_ANCHOR
        return PkiError(code, f"not signed by {authority.subject}")
    if _key_revoked(authority, trust):
        return PkiError(ReasonCode.CSCA_REVOKED, f"{authority.label} is revoked")
    if not authority.may_sign_at(signer.not_before):
        return PkiError(ReasonCode.CSCA_NOT_VALID_AT_ISSUE, f"issued {signer.not_before:%Y-%m-%d}")
    return None


def _key_revoked(authority: Certificate, trust: TrustStore) -> bool:
    """Whether any certificate of this key is revoked: a link certificate does not outlive the root that it stands beside."""
    if not trust.crls:
        return False
    alike = (anchor.parsed for anchor in trust.named(authority.subject))
    same_key = (one for one in alike if one.subject_public_key_info == authority.subject_public_key_info)
    return any(is_revoked(one, trust.authorities_of(one), trust.crls_of(one.issuer)) for one in same_key)


def candidates(signer: Certificate, trust: TrustStore) -> Iterator[Csca]:
    """Each anchor that may have issued ``signer`` once, the likeliest first; lazily, as the first is nearly always right."""
    seen: set[bytes] = set()
    # Lists hold signers of lists, directories document signers: in a store they vouch for nobody (RFC 5280 §4.2.1.3).
    by_key = trust.holding_key(signer.extensions.authority_key_identifier)
    for anchor in chain(by_key, trust.named(signer.issuer), trust.of_country(signer.issuer.country)):
        if anchor.certificate not in seen:
            seen.add(anchor.certificate)
            if anchor.parsed.may_issue:
                yield anchor
