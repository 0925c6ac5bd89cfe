"""What a set of trust anchors is worth: kinds of keys, oddities, roll-over, and which States are about to be without an anchor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pki import der
from pki.certificates import Certificate
from pki.errors import PkiError
from pki.oddities import anchor_oddities
from pki.rollover import roll_over
from pki.signatures import scheme_of
from pki.trust import Csca


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Counts; ``unusable`` and ``orphans`` (links whose issuer is not at hand) are named one by one."""

    certificates: int
    countries: int
    keys: Mapping[str, int]
    signatures: Mapping[str, int]
    oddities: Mapping[str, int]
    self_signed: int
    chained: int
    orphans: tuple[str, ...]
    unusable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Of one State: until when one of its keys signs document signers, and until when an anchor is valid; None: no usable one."""

    country: str
    signs_until: datetime | None
    valid_until: datetime | None


def take_inventory(anchors: Sequence[Csca]) -> Inventory:
    """Look at every certificate. Raises PkiError(SEARCH_EXHAUSTED) where their roll-over costs too many signature checks."""
    usable = [anchor for anchor in anchors if is_usable(anchor.parsed)]
    parsed = [anchor.parsed for anchor in usable]
    graph = roll_over(anchors)
    return Inventory(
        certificates=len(anchors),
        countries=len({anchor.country for anchor in anchors}),
        keys=_counted(map(key_kind, parsed)),
        signatures=_counted(map(signature_kind, parsed)),
        oddities=_counted(oddity.value for oddity in chain.from_iterable(map(anchor_oddities, parsed))),
        self_signed=len(graph.self_signed),
        chained=len(graph.chained),
        orphans=tuple(sorted(anchor.parsed.label for anchor in graph.orphans)),
        unusable=tuple(sorted(anchor.parsed.label for anchor in anchors if anchor not in usable)),
    )


def outlook(anchors: Iterable[Csca]) -> tuple[Outlook, ...]:
    """Each State, the one that will be without a signing key soonest first."""
    states: dict[str, list[Certificate]] = {}
    for anchor in anchors:
        states.setdefault(anchor.country, []).extend(
            [anchor.parsed] if anchor.parsed.may_issue and is_usable(anchor.parsed) else []
        )
    found = [
        Outlook(
            country=country,
            signs_until=max((_signs_until(one) for one in certificates), default=None),
            valid_until=max((one.not_after for one in certificates), default=None),
        )
        for country, certificates in states.items()
    ]
    return tuple(sorted(found, key=lambda state: (state.signs_until is not None, state.signs_until, state.country)))


def is_usable(certificate: Certificate) -> bool:
    """Whether key and signature algorithm are supported here."""
    try:
        certificate.public_key()
        scheme_of(der.read(certificate.signature_algorithm))
    except PkiError:
        return False
    return True


def key_kind(certificate: Certificate) -> str:
    """``RSA-4096``, ``brainpoolP384r1`` … Raises PkiError where the key is not supported."""
    key = certificate.public_key()
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else key.curve.name


def signature_kind(certificate: Certificate) -> str:
    """``PKCS#1 sha256``, ``PSS sha256``, ``ECDSA sha384`` … Raises PkiError where the algorithm is not supported."""
    scheme = scheme_of(der.read(certificate.signature_algorithm))
    family = "ECDSA" if scheme.padding is None else "PSS" if isinstance(scheme.padding, padding.PSS) else "PKCS#1"
    return f"{family} {scheme.hash.name}"


def _signs_until(certificate: Certificate) -> datetime:
    end = certificate.extensions.key_period_end
    return certificate.not_after if end is None else min(end, certificate.not_after)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
