"""A folder of trust store versions, none of which ever changes, and which of them is in force (:mod:`pki.signed_versions`).

::

    versions/000003-<SHA-256>.store     what an import made (pki.trust_file), named by its number and digest
    statements, active, lock            what two people signed
    DEMO                                the mark of a store that only demonstrations open
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.durable import read_file, unusable, write_file
from pki.errors import PkiError, ReasonCode
from pki.signed_versions import Seen, SignedVersions, Version, check_forward, enough
from pki.trust import DEMO_MARKER, Csca, TrustStore
from pki.trust_file import MAX_TRUST_FILE, read_trust_body, trust_body
from pki.trust_statement import Action, SignedStatement, Statement

__all__ = ["ActiveStore", "Seen", "TrustVersions", "Version", "open_active"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveStore:
    """The store in force; ``people`` signed for it (nobody for a demonstration's)."""

    store: TrustStore
    statement: Statement
    people: tuple[str, ...]

    @property
    def seen(self) -> Seen:
        return Seen.of(self.statement)


class TrustVersions(SignedVersions[Statement]):
    """The folder. Reading raises PkiError; changing takes the lock and raises OSError, too, everything then being as before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Statement, suffix=".store", command="autogate trust")

    @property
    def demo(self) -> bool:
        return (self.folder / DEMO_MARKER).exists()

    def read(self, version: Version) -> TrustStore:
        """What ``version`` holds, its octets compared with its digest."""
        file = read_file(version.path, MAX_TRUST_FILE)
        if not _has_digest(file, version.digest):
            raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"{version.path}: was changed: its digest is another")
        number, store = read_trust_body(file)
        if number != version.number:
            raise unusable(version.path, f"calls itself version {number}")
        return store

    def add(self, store: TrustStore, *, onto: int | None = None) -> Version:
        """Keep ``store`` as a new version; the newest one where that holds the same. ``onto``: the number of the newest one that
        it was made from (0: none), refused where there is a newer one by now. Raises PkiError, OSError.
        """
        self._prepare(DEMO_MARKER if store.demo else "")
        if store.demo != self.demo:
            raise unusable(self.folder, f"is {'' if self.demo else 'not '}marked as a demonstration's ({DEMO_MARKER})")
        with self._locked():
            newest = next(reversed(self.versions()), None)
            if onto not in {None, newest.number if newest else 0}:
                raise unusable(self.folder, "was changed meanwhile: import again")
            if newest and _has_digest(trust_body(store, newest.number), newest.digest):
                return newest
            body = trust_body(store, number := newest.number + 1 if newest else 1)
            version = self.version(number, hashlib.sha256(body).hexdigest())
            write_file(version.path, body)
            return version

    def sign(
        self, version: Version, key: Ed25519PrivateKey, *, now: datetime, because: str = "", confirmed: tuple[str, ...] = ()
    ) -> SignedStatement[Statement]:
        """Put a signature under the statement that brings ``version`` into force; the first one writes it.

        Whoever signs after him signs the same: raises PkiError where the reason or the confirmations given are others, and where
        the index of the version says anything else about a certificate than the certificate does, as a gate believes the index.
        """
        with self._locked():
            store = self.read(version)
            if any(anchor != Csca.of(anchor.certificate, anchor.provenance) for anchor in store.anchors):
                raise unusable(version.path, "its index is not that of its certificates: import again")
            drafted = self._with_confirmed(version, now, because, confirmed)
            signed = self._pending_for(version) or drafted
            if because not in {"", signed.statement.because} or set(confirmed) - set(signed.statement.confirmed):
                raise unusable(self._path(signed.statement), "was signed with another reason or other confirmations")
            return self._sign(signed, key)

    def activate(
        self, version: Version, action: Action, signers: Mapping[str, str], *, now: datetime
    ) -> SignedStatement[Statement]:
        """Bring ``version`` into force where two of ``signers`` signed that. A demonstration's needs no signature."""
        with self._locked():
            demo = self.read(version).demo
            signed = self._with_confirmed(version, now) if demo else self._pending_for(version)
            return self._activate(version, signed, action, None if demo else signers)

    def _with_confirmed(
        self, version: Version, now: datetime, because: str = "", confirmed: tuple[str, ...] = ()
    ) -> SignedStatement[Statement]:
        """A confirmation stays with later versions."""
        before = self.in_force()
        earlier = before.statement.confirmed if before else ()
        every = tuple(sorted({*earlier, *confirmed}))
        return self._drafted(version, now, because, back_for_nothing=self.demo, confirmed=every)


def open_active(folder: Path, signers: Mapping[str, str], *, demo: bool, seen: Seen | None = None) -> ActiveStore:
    """The store in force, proven: signed by two of ``signers`` (public key → name), not before ``seen``, every octet as signed.

    A demonstration (``demo``) needs no signatures, opens stores that are marked as such, and nobody else opens those.
    Raises PkiError: STORE_NOT_SIGNED, STORE_OUTDATED, MALFORMED.
    """
    versions = TrustVersions(folder)
    signed = versions.in_force()
    if signed is None:
        raise unusable(folder, "has no version in force: autogate trust activate")
    statement = signed.statement
    people = () if demo else enough(signed, signers)
    if seen is not None:
        check_forward(statement, seen)
    store = versions.read(versions.version(statement.version, statement.store))
    if store.demo != demo:
        raise unusable(folder, "is a demonstration's store" if store.demo else "is no demonstration's store")
    return ActiveStore(store=store, statement=statement, people=people)


def _has_digest(file: bytes, digest: str) -> bool:
    return hashlib.sha256(file).hexdigest() == digest
