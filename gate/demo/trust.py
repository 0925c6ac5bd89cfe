"""The demonstration's trust store: its pretend States, and real ones beside them where the person asks to see that they change nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pki.errors import PkiError, ReasonCode
from pki.trust import TrustStore
from pki.trust_versions import TrustVersions


def write_trust(pretend: TrustStore, folder: Path, beside: Path | None, now: datetime) -> None:
    """A store in ``folder``, marked as a demonstration's and in force without signatures. ``beside``: a folder of versions, whose
    certificates and revocation lists are put in, too. Raises PkiError, OSError.
    """
    real = _real(beside) if beside else TrustStore(anchors=())
    store = TrustStore(anchors=(*pretend.anchors, *real.anchors), crls=(*pretend.crls, *real.crls), demo=True)
    versions = TrustVersions(folder)
    versions.activate(versions.add(store), "activate", {}, now=now)


def _real(folder: Path) -> TrustStore:
    """The version in force, else the newest. Signed or not: a demonstration lets nobody through."""
    versions = TrustVersions(folder)
    if not (known := versions.versions()):
        raise PkiError(ReasonCode.MALFORMED, f"{folder}: no folder of trust stores: autogate trust import")
    signed = versions.in_force()
    return versions.read(versions.version(signed.statement.version, signed.statement.store) if signed else known[-1])
