"""Master lists (Doc 9303-12 §9): the CSCA certificates that one State believes, signed by that State."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pki import der
from pki.errors import PkiError
from pki.signed_list import MAX_LIST, ListKind, open_signed_list
from pki.trust import Csca, TrustStore

MASTER_LIST = ListKind(content_type="2.23.136.1.1.2", purpose="2.23.136.1.1.3")
MAX_CERTIFICATES = 10_000
"""Of one list. The longest published has 588."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterList:
    """A verified list: who signed it and when, its certificates with this list as their provenance.

    ``unreadable`` says in one line each which entries are no certificates: the others are no worse for it.
    """

    country: str
    signer: str
    anchor: str
    signed_at: datetime | None
    certificates: tuple[Csca, ...] = field(repr=False)
    unreadable: tuple[str, ...] = ()


def open_master_list(encoded: bytes, anchors: TrustStore, now: datetime) -> MasterList:
    """Verify a CMS master list and split it. See :func:`pki.signed_list.open_signed_list`. Raises PkiError, nothing else."""
    found = open_signed_list(encoded, MASTER_LIST, anchors, now)
    date = f", {found.signed_at:%Y-%m-%d}" if found.signed_at else ""
    provenance = f"master list of {found.country}{date}, signed by {found.signer}"
    certificates: dict[bytes, Csca] = {}
    unreadable = []
    for element in _certificates(found.content):
        try:
            certificates[element.encoded] = Csca.of(element.encoded, provenance)
        except PkiError as error:
            unreadable.append(f"entry at {element.start}: {error.detail}")
    return MasterList(
        country=found.country,
        signer=found.signer,
        anchor=found.anchor,
        signed_at=found.signed_at,
        certificates=tuple(certificates.values()),
        unreadable=tuple(unreadable),
    )


def _certificates(content: bytes) -> list[der.Element]:
    """CscaMasterList, version 0: a SET of certificates. Raises DerError."""
    fields = der.read(content, limit=MAX_LIST).fields()
    version = fields.take(der.INTEGER)
    if version.integer() != 0:
        raise version.error("master list of unknown version")
    certificates = fields.take(der.SET).children(MAX_CERTIFICATES)
    fields.end()
    return certificates
