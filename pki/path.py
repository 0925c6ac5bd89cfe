"""From a document signer certificate to the CSCA that issued it (Doc 9303-12 §7.1; one step, links are anchors of their own)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pki.certificates import Certificate
from pki.errors import PkiError, ReasonCode
from pki.trust import Csca


def find_csca(signer: Certificate, anchors: Iterable[Csca]) -> Csca:
    """The anchor whose key issued ``signer``: candidates by key identifier first, then by name.

    Raises PkiError. ``SIGNER_CERTIFICATE_FORGED``: an anchor matches by name *and* key identifier, and its key did not sign:
    the certificate says it comes from that very key, and lies. ``UNSUPPORTED_*``: the only matching anchor has a key or the
    signature an algorithm unknown here. ``NO_TRUST_ANCHOR``: everything else, also same name but no verifying key, since a
    State we hold an old CSCA of signs with a new one. ``CSCA_NOT_VALID_AT_ISSUE``: verified, but issued outside the CSCA's
    validity or key usage period. A CSCA that expired since is fine (Doc 9303-12 §5).
    """
    problems = [PkiError(ReasonCode.NO_TRUST_ANCHOR, f"no CSCA for issuer {signer.issuer}")]
    for anchor in _candidates(signer, list(anchors)):
        try:
            problem = _problem(signer, anchor.parsed)
        except PkiError as error:
            problem = error
        if problem is None:
            return anchor
        problems.append(problem)
    raise min(problems, key=lambda problem: _PRECEDENCE.get(problem.code, len(_PRECEDENCE)))


_PRECEDENCE = {
    code: rank
    for rank, code in enumerate(
        (
            ReasonCode.CSCA_NOT_VALID_AT_ISSUE,
            ReasonCode.SIGNER_CERTIFICATE_FORGED,
            ReasonCode.UNSUPPORTED_CURVE,
            ReasonCode.UNSUPPORTED_ALGORITHM,
            ReasonCode.NO_TRUST_ANCHOR,
        )
    )
}
"""What is said where several anchors were tried in vain: the one that came nearest."""


def _problem(signer: Certificate, authority: Certificate) -> PkiError | None:
    """Why ``authority`` is not the issuer; None if it is. Raises PkiError if its key or the algorithm is unknown here."""
    same_name = authority.subject.same_as(signer.issuer)
    if not authority.issued(signer):
        forged = same_name and _named_by(signer, authority)
        code = ReasonCode.SIGNER_CERTIFICATE_FORGED if forged else ReasonCode.NO_TRUST_ANCHOR
        return PkiError(code, f"not signed by {authority.subject}")
    if not authority.may_sign_at(signer.not_before):
        return PkiError(ReasonCode.CSCA_NOT_VALID_AT_ISSUE, f"issued {signer.not_before:%Y-%m-%d}")
    return None


def _candidates(signer: Certificate, anchors: list[Csca]) -> Iterator[Csca]:
    yield from (anchor for anchor in anchors if _named_by(signer, anchor.parsed))
    yield from (
        anchor for anchor in anchors if not _named_by(signer, anchor.parsed) and anchor.parsed.subject.same_as(signer.issuer)
    )


def _named_by(signer: Certificate, authority: Certificate) -> bool:
    identifier = signer.extensions.authority_key_identifier
    return identifier is not None and identifier == authority.extensions.subject_key_identifier
