"""A folder of numbered versions, none of which ever changes, and which of them is in force by what two people signed.

::

    versions/000003-<SHA-256>…          version 3, named by its number and digest; what it holds is its store's own business
    statements/000002-000003.json       statement 2, that version 3 shall be in force, with its signatures so far
    active                              the newest statement that was brought into force: a copy, replaced as a whole
    lock                                one writer at a time

A gate trusts nothing of this but what it can prove: two people's signatures on ``active``, whose digest the version has.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.durable import read_file, sync_folder, unusable, write_file
from pki.errors import PkiError, ReasonCode
from pki.signed_statement import MAX_STATEMENT, QUORUM, Action, AnyStatement, S, SignedStatement, parse_signed

_NUMBERED = re.compile(r"(\d{6})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """``digest`` is what ``path`` should have."""

    number: int
    digest: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest statement that a gate has worked under, as it remembers it."""

    sequence: int
    statement: str
    version: int

    @classmethod
    def of(cls, one: AnyStatement) -> Seen:
        return cls(sequence=one.sequence, statement=one.digest, version=one.version)


class SignedVersions(Generic[S]):
    """The folder. Reading raises PkiError; changing takes the lock and raises OSError, too, everything then being as before."""

    def __init__(self, folder: Path, statement: type[S], *, suffix: str, command: str) -> None:
        """``suffix`` ends a version's name; ``command`` is what people change the folder with."""
        self.folder, self._kind, self._suffix, self._command = folder, statement, suffix, command
        self._versions, self._statements, self._active = folder / "versions", folder / "statements", folder / "active"

    def versions(self) -> tuple[Version, ...]:
        """By number."""
        if self._versions.is_symlink():
            raise unusable(self._versions, "is a link")
        found = (
            (path, _NUMBERED.fullmatch(path.name.removesuffix(self._suffix))) for path in self._versions.glob(f"*{self._suffix}")
        )
        known = [Version(number=int(name[1]), digest=name[2], path=path) for path, name in found if name]
        return tuple(sorted(known, key=lambda version: version.number))

    def version(self, number: int, digest: str) -> Version:
        """The version of this number and digest, whether it is there or not."""
        return Version(number=number, digest=digest, path=self._versions / f"{number:06}-{digest}{self._suffix}")

    def find(self, name: str) -> Version:
        """By number, or by how its digest begins. Raises PkiError."""
        number = int(name) if name.isdecimal() and len(name) < 7 else None
        found = [one for one in self.versions() if one.number == number or (len(name) >= 8 and one.digest.startswith(name))]
        if len(found) != 1:
            raise unusable(self.folder, f"{'no version' if not found else 'several versions'} {name}: {self._command} list")
        return found[0]

    def in_force(self) -> SignedStatement[S] | None:
        """The newest statement that was brought into force, unverified; None where there is none yet."""
        return self._read_statement(self._active) if os.path.lexists(self._active) else None

    def pending(self) -> tuple[SignedStatement[S], ...]:
        """Statements that could come into force next."""
        before = self.in_force()
        found = map(self._read_statement, sorted(self._statements.glob(f"{_next(before):06}-*.json")))
        return tuple(one for one in found if one.statement.replaces == _digest(before))

    def before(self, statement: S) -> SignedStatement[S] | None:
        """The statement that ``statement`` replaces, unverified but for its digest; None where its file is gone."""
        found = map(self._read_statement, sorted(self._statements.glob(f"{statement.sequence - 1:06}-*.json")))
        return next((one for one in found if one.statement.digest == statement.replaces), None)

    def adopt(self, signed: SignedStatement[S], version: Version, file: bytes) -> None:
        """Take over what is in force elsewhere, where a version is one ``file``: whoever calls has proven all three. Raises PkiError, OSError."""
        with self._locked():
            write_file(self.version(version.number, version.digest).path, file)
            write_file(self._path(signed.statement), signed.encoded)
            write_file(self._active, signed.encoded)

    def _sign(self, signed: SignedStatement[S], key: Ed25519PrivateKey) -> SignedStatement[S]:
        """``signed``, with one more signature and on the disk."""
        signed = signed.signed_with(key)
        write_file(self._path(signed.statement), signed.encoded)
        return signed

    def _activate(
        self, version: Version, signed: SignedStatement[S] | None, action: Action, signers: Mapping[str, str] | None
    ) -> SignedStatement[S]:
        """Bring ``signed`` into force where it is the statement meant and two of ``signers`` (None: a demonstration's) signed it."""
        if signed is None:
            raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"version {version.number}: nobody has signed for it")
        if signed.statement.action != action:
            what = f"version {version.number}: to {signed.statement.action}, not to {action}"
            raise PkiError(ReasonCode.STORE_OUTDATED, what)
        if signers is not None:
            enough(signed, signers)
        write_file(self._active, signed.encoded)
        return signed

    def _drafted(
        self, version: Version, now: datetime, because: str, *, back_for_nothing: bool = False, **particulars: Any
    ) -> SignedStatement[S]:
        """The statement that would bring ``version`` into force, unsigned. ``particulars``: what its kind says besides."""
        before = self.in_force()
        back = before is not None and version.number < before.statement.version
        if back and not (because or back_for_nothing or self._pending_for(version)):
            raise PkiError(ReasonCode.STORE_OUTDATED, f"version {version.number}: going back needs a reason (--because)")
        statement = self._kind(
            action="rollback" if back else "activate",
            version=version.number,
            store=version.digest,
            sequence=_next(before),
            replaces=_digest(before),
            date=now.astimezone(UTC).isoformat(timespec="seconds"),
            because=because,
            **particulars,
        )
        return parse_signed(SignedStatement(statement=statement).encoded, self._kind)

    def _pending_for(self, version: Version) -> SignedStatement[S] | None:
        wanted = (version.number, version.digest)
        return next((one for one in self.pending() if (one.statement.version, one.statement.store) == wanted), None)

    def _path(self, statement: S) -> Path:
        return self._statements / f"{statement.sequence:06}-{statement.version:06}.json"

    def _prepare(self, mark: str = "") -> None:
        """Make the folder where there is none, with ``mark`` in it."""
        if self._versions.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if mark:
            write_file(self.folder / mark, b"For demonstration only.\n")
        for folder in (self._statements, self._versions):  # the versions last: with them the folder is made
            folder.mkdir(exist_ok=True)
        sync_folder(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Raises PkiError where somebody else is at work here."""
        if not self._versions.is_dir() or self._statements.is_symlink():
            raise unusable(self.folder, f"is no folder of {self._kind.WHAT}s")
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise unusable(self.folder, "is being changed by another command: wait for its end") from None
        finally:
            os.close(descriptor)

    def _read_statement(self, path: Path) -> SignedStatement[S]:
        try:
            return parse_signed(read_file(path, MAX_STATEMENT), self._kind)
        except PkiError as error:
            raise PkiError(error.code, f"{path}: {error.detail.removeprefix(f'{path}: ')}") from None


def enough(signed: SignedStatement[S], signers: Mapping[str, str]) -> tuple[str, ...]:
    """Who of ``signers`` (public key → name) signed. Raises PkiError(STORE_NOT_SIGNED) where they are fewer than must."""
    people = signed.people(signers)
    if len(people) < QUORUM:
        by = f" ({', '.join(people)})" if people else ""
        what = f"statement {signed.statement.sequence} is signed by {len(people)} of {QUORUM} people{by}"
        raise PkiError(ReasonCode.STORE_NOT_SIGNED, what)
    return people


def check_forward(statement: AnyStatement, seen: Seen) -> None:
    """Raises PkiError(STORE_OUTDATED) where a gate that has worked under ``seen`` may not take ``statement``."""
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


def _next(before: SignedStatement[S] | None) -> int:
    return before.statement.sequence + 1 if before else 1


def _digest(before: SignedStatement[S] | None) -> str:
    return before.statement.digest if before else ""
