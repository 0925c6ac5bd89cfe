"""Key roll-over of CSCAs as a graph (Doc 9303-12 §4.1.1, §7.1.1): which certificate was signed by whose key, and whom that vouches for.

A CSCA that changes its key signs the new one with the old: a link certificate. So keys are the nodes, certificates the edges:
from the key that signed to the key that is certified. Names do not matter (they may change on the way), the arithmetic does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pki.certificates import KEY_CERT_SIGN, Certificate
from pki.errors import PkiError, ReasonCode
from pki.path import candidates
from pki.trust import Csca, TrustStore

MAX_CHECKS = 20_000
"""Signature checks for one graph. The union of all published lists (915) takes about 2,700."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and the one whose key signed it: itself if self-signed, None if that one is not at hand."""

    certificate: Csca
    issuer: Csca | None

    @property
    def self_signed(self) -> bool:
        return self.issuer is self.certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class RollOver:
    """``issued`` has one entry for each certificate, in their order."""

    issued: tuple[Issued, ...]

    @property
    def self_signed(self) -> tuple[Csca, ...]:
        return tuple(entry.certificate for entry in self.issued if entry.self_signed)

    @property
    def chained(self) -> tuple[Csca, ...]:
        """Link certificates whose issuer is at hand."""
        return tuple(entry.certificate for entry in self.issued if entry.issuer and not entry.self_signed)

    @property
    def orphans(self) -> tuple[Csca, ...]:
        """Link certificates whose issuer is not."""
        return tuple(entry.certificate for entry in self.issued if entry.issuer is None)


def roll_over(certificates: Sequence[Csca], *, budget: int = MAX_CHECKS) -> RollOver:
    """Find each certificate's issuer among ``certificates``. Raises PkiError(SEARCH_EXHAUSTED) beyond ``budget`` checks.

    A certificate whose key or algorithm is not supported counts as not issued by anybody, and issues nothing.
    """
    search = _Search(TrustStore(anchors=tuple(certificates)), budget)
    return RollOver(issued=tuple(Issued(certificate=one, issuer=search.issuer(one)) for one in certificates))


def vouched_for(trusted: Iterable[Csca], offered: Sequence[Csca], *, budget: int = MAX_CHECKS) -> tuple[Csca, ...]:
    """Those of ``offered`` that a chain of links leads to from the keys of ``trusted``, in their order.

    A certificate is vouched for if a vouched key of its own country signed it, or if it certifies a vouched key (the new root
    beside its link). It must say that it is a CSCA's: document signers are signed by the same keys, and vouch for nobody.
    """
    known, eligible = tuple(trusted), [csca for csca in offered if _is_csca(csca.parsed)]
    every = {csca.certificate: csca for csca in (*eligible, *known)}
    edges = [
        (_node(entry.issuer), _node(entry.certificate))
        for entry in roll_over(tuple(every.values()), budget=budget).issued
        if entry.issuer and entry.issuer.country == entry.certificate.country
    ]
    vouched = set(map(_node, known))
    while grown := {certified for signing, certified in edges if signing in vouched} - vouched:
        vouched |= grown
    return tuple(csca for csca in eligible if _node(csca) in vouched)


def _node(csca: Csca) -> tuple[bytes, str]:
    """A key, in the hands of one country."""
    return csca.parsed.subject_public_key_info, csca.country


def _is_csca(certificate: Certificate) -> bool:
    usage = certificate.extensions.key_usage
    return certificate.extensions.is_issuer and (usage is None or bool(usage & KEY_CERT_SIGN))


class _Search:
    """Looks issuers up and counts the signature checks."""

    def __init__(self, store: TrustStore, budget: int) -> None:
        self._store, self._left = store, budget

    def issuer(self, certificate: Csca) -> Csca | None:
        parsed = certificate.parsed
        others = (other for other in candidates(parsed, self._store) if other.certificate != certificate.certificate)
        first = (certificate,) if parsed.subject.same_as(parsed.issuer) else ()
        last = () if first else (certificate,)
        return next((other for other in (*first, *others, *last) if self._signed(other.parsed, parsed)), None)

    def _signed(self, issuer: Certificate, certificate: Certificate) -> bool:
        if self._left == 0:
            raise PkiError(ReasonCode.SEARCH_EXHAUSTED, "too many signature checks for one roll-over graph")
        self._left -= 1
        try:
            return issuer.issued(certificate)
        except PkiError:
            return False
