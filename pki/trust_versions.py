"""A folder of trust store versions, none of which ever changes, and which of them is in force.

::

    versions/000003-<SHA-256>.store     what an import made (pki.trust_file), named by its number and digest
    statements/000002-000003.json       statement 2, that version 3 shall be in force, with its signatures so far
    active                              the statement in force: a copy, replaced as a whole
    lock, DEMO                          one writer at a time; the mark of a store that only demonstrations open

A gate trusts nothing of this but what it can prove: two people's signatures on ``active``, whose digest the version's octets have.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.durable import read_file, sync_folder, unusable, write_file
from pki.errors import PkiError, ReasonCode
from pki.trust import DEMO_MARKER, Csca, TrustStore
from pki.trust_file import MAX_TRUST_FILE, read_trust_body, trust_body
from pki.trust_statement import MAX_STATEMENT, QUORUM, Action, SignedStatement, Statement, parse_statement

_VERSION_FILE = re.compile(r"(\d{6})-([0-9a-f]{64})\.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """``digest`` is what its file should have."""

    number: int
    digest: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest statement that a gate has worked under, as it remembers it."""

    sequence: int
    statement: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveStore:
    """The store in force; ``people`` signed for it (nobody for a demonstration's)."""

    store: TrustStore
    statement: Statement
    people: tuple[str, ...]

    @property
    def seen(self) -> Seen:
        one = self.statement
        return Seen(sequence=one.sequence, statement=one.digest, version=one.version)


class TrustVersions:
    """The folder. Reading raises PkiError; changing takes the lock and raises OSError, too, everything then being as before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions, self._statements, self._active = folder / "versions", folder / "statements", folder / "active"

    @property
    def demo(self) -> bool:
        return (self.folder / DEMO_MARKER).exists()

    def versions(self) -> tuple[Version, ...]:
        """By number."""
        if self._versions.is_symlink():
            raise unusable(self._versions, "is a link")
        found = [(path, _VERSION_FILE.fullmatch(path.name)) for path in self._versions.glob("*.store")]
        known = [Version(number=int(name[1]), digest=name[2], path=path) for path, name in found if name]
        return tuple(sorted(known, key=lambda version: version.number))

    def version(self, number: int, digest: str) -> Version:
        """The version of this number and digest, whether its file is there or not."""
        return Version(number=number, digest=digest, path=self._versions / f"{number:06}-{digest}.store")

    def find(self, name: str) -> Version:
        """By number, or by how its digest begins. Raises PkiError."""
        number = int(name) if name.isdecimal() and len(name) < 7 else None
        found = [one for one in self.versions() if one.number == number or (len(name) >= 8 and one.digest.startswith(name))]
        if len(found) != 1:
            raise unusable(self.folder, f"{'no version' if not found else 'several versions'} {name}: autogate trust list")
        return found[0]

    def read(self, version: Version) -> TrustStore:
        """What ``version`` holds, its octets compared with its digest."""
        file = read_file(version.path, MAX_TRUST_FILE)
        if not _has_digest(file, version.digest):
            raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"{version.path}: was changed: its digest is another")
        number, store = read_trust_body(file)
        if number != version.number:
            raise unusable(version.path, f"calls itself version {number}")
        return store

    def in_force(self) -> SignedStatement | None:
        """The statement in force, unverified; None where there is none yet."""
        return _statement(self._active) if os.path.lexists(self._active) else None

    def pending(self) -> tuple[SignedStatement, ...]:
        """Statements that could come into force next."""
        before = self.in_force()
        found = map(_statement, sorted(self._statements.glob(f"{_next(before):06}-*.json")))
        return tuple(one for one in found if one.statement.replaces == _digest(before))

    def add(self, store: TrustStore, *, onto: int | None = None) -> Version:
        """Keep ``store`` as a new version; the newest one where that holds the same. ``onto``: the number of the newest one that
        it was made from (0: none), refused where there is a newer one by now. Raises PkiError, OSError.
        """
        self._prepare(store.demo)
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
    ) -> SignedStatement:
        """Put a signature under the statement that brings ``version`` into force; the first one writes it.

        Whoever signs after him signs the same: raises PkiError where the reason or the confirmations given are others, and where
        the index of the version says anything else about a certificate than the certificate does, as a gate believes the index.
        """
        with self._locked():
            store = self.read(version)
            if any(anchor != Csca.of(anchor.certificate, anchor.provenance) for anchor in store.anchors):
                raise unusable(version.path, "its index is not that of its certificates: import again")
            drafted = self._drafted(version, now, because, confirmed)
            signed = self._pending_for(version) or drafted
            if because not in {"", signed.statement.because} or set(confirmed) - set(signed.statement.confirmed):
                raise unusable(self._path(signed.statement), "was signed with another reason or other confirmations")
            signed = signed.signed_with(key)
            write_file(self._path(signed.statement), signed.encoded)
            return signed

    def activate(self, version: Version, action: Action, signers: Mapping[str, str], *, now: datetime) -> SignedStatement:
        """Bring ``version`` into force where two of ``signers`` signed that. A demonstration's needs no signature."""
        with self._locked():
            store = self.read(version)
            signed = self._drafted(version, now, "", ()) if store.demo else self._pending_for(version)
            if signed is None:
                raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"version {version.number}: nobody has signed for it")
            if signed.statement.action != action:
                raise PkiError(
                    ReasonCode.STORE_OUTDATED, f"version {version.number}: to {signed.statement.action}, not to {action}"
                )
            if not store.demo:
                _enough(signed, signers)
            write_file(self._active, signed.encoded)
            return signed

    def _drafted(self, version: Version, now: datetime, because: str, confirmed: tuple[str, ...]) -> SignedStatement:
        before = self.in_force()
        back = before is not None and version.number < before.statement.version
        if back and not (because or self._pending_for(version) or self.demo):
            raise PkiError(ReasonCode.STORE_OUTDATED, f"version {version.number}: going back needs a reason (--because)")
        earlier = before.statement.confirmed if before else ()
        statement = Statement(
            action="rollback" if back else "activate",
            version=version.number,
            store=version.digest,
            sequence=_next(before),
            replaces=_digest(before),
            date=now.astimezone(UTC).isoformat(timespec="seconds"),
            because=because,
            confirmed=tuple(sorted({*earlier, *confirmed})),
        )
        return parse_statement(SignedStatement(statement=statement).encoded)

    def _pending_for(self, version: Version) -> SignedStatement | None:
        wanted = (version.number, version.digest)
        return next((one for one in self.pending() if (one.statement.version, one.statement.store) == wanted), None)

    def _path(self, statement: Statement) -> Path:
        return self._statements / f"{statement.sequence:06}-{statement.version:06}.json"

    def _prepare(self, demo: bool) -> None:
        """Make the folder where there is none, and see that it takes stores of this kind."""
        if not self._versions.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            if demo:
                write_file(self.folder / DEMO_MARKER, b"For demonstration only.\n")
            for folder in (self._statements, self._versions):  # the versions last: with them the folder is made
                folder.mkdir(exist_ok=True)
            sync_folder(self.folder)
        if demo != self.demo:
            raise unusable(self.folder, f"is {'' if self.demo else 'not '}marked as a demonstration's ({DEMO_MARKER})")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Raises PkiError where somebody else is at work here."""
        if not self._versions.is_dir() or self._statements.is_symlink():
            raise unusable(self.folder, "is no folder of trust stores")
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise unusable(self.folder, "is being changed by another command: wait for its end") from None
        finally:
            os.close(descriptor)


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
    people = () if demo else _enough(signed, signers)
    if seen is not None:
        _check_forward(statement, seen)
    store = versions.read(versions.version(statement.version, statement.store))
    if store.demo != demo:
        raise unusable(folder, "is a demonstration's store" if store.demo else "is no demonstration's store")
    return ActiveStore(store=store, statement=statement, people=people)


def _enough(signed: SignedStatement, signers: Mapping[str, str]) -> tuple[str, ...]:
    people = signed.people(signers)
    if len(people) < QUORUM:
        by = f" ({', '.join(people)})" if people else ""
        what = f"statement {signed.statement.sequence} is signed by {len(people)} of {QUORUM} people{by}"
        raise PkiError(ReasonCode.STORE_NOT_SIGNED, what)
    return people


def _check_forward(statement: Statement, seen: Seen) -> None:
    number = f"statement {statement.sequence}"
    if statement.sequence < seen.sequence:
        raise PkiError(ReasonCode.STORE_OUTDATED, f"{number} is older than {seen.sequence}, which was in force")
    if statement.sequence == seen.sequence and statement.digest != seen.statement:
        raise PkiError(ReasonCode.STORE_OUTDATED, f"{number} is not the one that was in force")
    if statement.sequence == seen.sequence + 1:
        if statement.replaces != seen.statement:
            raise PkiError(ReasonCode.STORE_OUTDATED, f"{number} does not replace the one that was in force")
        if statement.version < seen.version and statement.action != "rollback":
            raise PkiError(ReasonCode.STORE_OUTDATED, f"{number} goes back to version {statement.version} without saying so")


def _statement(path: Path) -> SignedStatement:
    try:
        return parse_statement(read_file(path, MAX_STATEMENT))
    except PkiError as error:
        raise PkiError(error.code, f"{path}: {error.detail.removeprefix(f'{path}: ')}") from None


def _has_digest(file: bytes, digest: str) -> bool:
    return hashlib.sha256(file).hexdigest() == digest


def _next(before: SignedStatement | None) -> int:
    return before.statement.sequence + 1 if before else 1


def _digest(before: SignedStatement | None) -> str:
    return before.statement.digest if before else ""
