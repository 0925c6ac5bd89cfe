"""Which officers there are, and their authenticators: a signed file, in a folder of versions that two people put into force.

::

    versions/000003-<SHA-256>.json      the officers: name, role, authenticator, valid dates
    statements, active, lock            what two people signed (pki.signed_versions)

No console can add anybody: it serves a page on which an authenticator makes its key, and what that page shows goes to those who sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from gate.console.acts import Role
from gate.console.assertion import decoded, public_key
from gate.console.passwords import HASH
from gate.console.shifts import SHIFT, WHOLE_DAY
from pki.durable import read_file, unusable, write_file
from pki.errors import PkiError, ReasonCode
from pki.signed_statement import Action, AnyStatement, SignedStatement
from pki.signed_versions import Seen, SignedVersions, Version, check_forward, enough

FORMAT, MOST_OFFICERS, MAX_ROSTER = 1, 500, 1 << 20
COMMAND = "autogate officers"

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")]
Base64Url = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,1400}\Z")]
Shift = Annotated[str, Meta(pattern=SHIFT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterStatement(AnyStatement):
    """That this roster is in force."""

    CONTEXT: ClassVar[bytes] = b"autogate roster statement 1\n"
    WHAT: ClassVar[str] = "roster of officers"


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody on a roster. Days are inclusive, the shift goes by the checkpoint's clock (:mod:`gate.console.shifts`)."""

    name: Name
    role: Role
    since: date
    until: date
    shift: Shift = WHOLE_DAY


class Officer(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One authenticator of an officer. ``credential``: its id, ``key``: P-256, as SubjectPublicKeyInfo, both in base64url."""

    credential: Base64Url
    key: Base64Url


class Viewer(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A password by which somebody may look at the console and do nothing. ``password``: as :func:`gate.console.passwords.hashed` makes it."""

    password: Annotated[str, Meta(pattern=HASH)]


class Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who stands on a roster, as people write it."""

    officers: Annotated[tuple[Officer, ...], Meta(max_length=MOST_OFFICERS)]
    viewers: Annotated[tuple[Viewer, ...], Meta(max_length=MOST_OFFICERS)] = ()


class Roster(Listed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    version: int

    def find(self, credential: str) -> Officer | None:
        return next((each for each in self.officers if each.credential == credential), None)

    def viewer(self, name: str) -> Viewer | None:
        return next((each for each in self.viewers if each.name == name), None)


def parse_roster(raw: bytes) -> Listed:
    """``{"officers": […], "viewers": […]}`` as people write it; no viewers where they are left out. Raises PkiError(MALFORMED), nothing else."""
    try:
        listed = msgspec.json.decode(raw, type=Listed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(str(error)) from None
    _check(listed)
    return listed


def parse_officers(raw: bytes) -> tuple[Officer, ...]:
    """Those of :func:`parse_roster` who order by authenticators. Raises PkiError(MALFORMED), nothing else."""
    return parse_roster(raw).officers


def _check(listed: Listed) -> None:
    """One key is one person's, one person has one role. Raises PkiError."""
    officers, viewers = listed.officers, listed.viewers
    for officer in officers:
        try:
            decoded(officer.credential)
            public_key(officer.key)
        except ValueError as error:
            raise _malformed(f"{officer.name}: {error}") from None
    people: tuple[Entry, ...] = (*officers, *viewers)
    for each in people:
        if each.since > each.until:
            raise _malformed(f"{each.name}: valid until before it begins")
    if len({each.credential for each in officers}) < len(officers) or len({each.key for each in officers}) < len(officers):
        raise _malformed("an authenticator stands there twice")
    if len({each.name for each in viewers}) < len(viewers):
        raise _malformed("a viewer stands there twice")
    if len({(each.name, each.role) for each in people}) > len({each.name for each in people}):
        raise _malformed("an officer has one role")


class RosterVersions(SignedVersions[RosterStatement]):
    """The folder. Reading raises PkiError; changing takes the lock and raises OSError, too, everything then being as before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, RosterStatement, suffix=".json", command=COMMAND)

    def read(self, version: Version) -> Roster:
        """What ``version`` holds, its octets compared with its digest."""
        raw = read_file(version.path, MAX_ROSTER)
        if hashlib.sha256(raw).hexdigest() != version.digest:
            raise PkiError(ReasonCode.STORE_NOT_SIGNED, f"{version.path}: was changed: its digest is another")
        try:
            roster = msgspec.json.decode(raw, type=Roster)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise unusable(version.path, "is no roster of officers") from None
        if (roster.format, roster.version) != (FORMAT, version.number):
            raise unusable(version.path, f"calls itself version {roster.version} in format {roster.format}")
        _check(roster)
        return roster

    def add(self, officers: tuple[Officer, ...], viewers: tuple[Viewer, ...] = ()) -> Version:
        """Keep them as a new version. Raises PkiError, OSError."""
        _check(Listed(officers=officers, viewers=viewers))
        self._prepare()
        with self._locked():
            newest = next(reversed(self.versions()), None)
            number = newest.number + 1 if newest else 1
            roster = Roster(format=FORMAT, version=number, officers=officers, viewers=viewers)
            raw = msgspec.json.format(msgspec.json.encode(roster))
            version = self.version(number, hashlib.sha256(raw).hexdigest())
            write_file(version.path, raw)
            return version

    def sign(
        self, version: Version, key: Ed25519PrivateKey, *, now: datetime, because: str = ""
    ) -> SignedStatement[RosterStatement]:
        """Put a signature under the statement that brings ``version`` into force; the first one writes it, whoever comes after signs the same."""
        with self._locked():
            self.read(version)
            signed = self._pending_for(version) or self._drafted(version, now, because)
            if because not in {"", signed.statement.because}:
                raise unusable(self._path(signed.statement), "was signed with another reason")
            return self._sign(signed, key)

    def activate(self, version: Version, action: Action, signers: Mapping[str, str]) -> SignedStatement[RosterStatement]:
        """Bring ``version`` into force where two of ``signers`` signed that."""
        with self._locked():
            self.read(version)
            return self._activate(version, self._pending_for(version), action, signers)


def open_roster(folder: Path, signers: Mapping[str, str], worked_under: Seen | None = None) -> tuple[Roster, Seen]:
    """The roster in force, proven: signed by two of ``signers`` (public key → name), not before ``worked_under``, every octet as signed.

    Raises PkiError: STORE_NOT_SIGNED, STORE_OUTDATED, MALFORMED.
    """
    versions = RosterVersions(folder)
    signed = versions.in_force()
    if signed is None:
        raise unusable(folder, f"has no roster in force: {COMMAND} activate")
    enough(signed, signers)
    statement = signed.statement
    if worked_under is not None:
        check_forward(statement, worked_under)
    return versions.read(versions.version(statement.version, statement.store)), Seen.of(statement)


def _malformed(what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"roster: {what}")
