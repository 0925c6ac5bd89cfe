"""Signed rule sets: a folder of versions, none of which ever changes, and which of them is in force from which instant.

::

    versions/000003-<SHA-256>/          the rule files, and manifest.json with their digests; the version's digest is the manifest's
    statements, active, lock            what two people signed (pki.signed_versions)

A statement names the instant from which its set judges; the set before judges until then. So a law that begins at midnight is signed for
in the week before. What a gate makes of such a folder says :mod:`gate.policy.examiner`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.policy.schema import RulesError, RuleSet, load_rules
from gate.policy.source import MAX_BYTES
from pki.durable import UNFINISHED, read_file, sync_folder, unusable, write_file
from pki.errors import PkiError, ReasonCode
from pki.signed_statement import Action, AnyStatement, SignedStatement
from pki.signed_versions import SignedVersions, Version

MANIFEST, FORMAT = "manifest.json", 1
MAX_MANIFEST = 1 << 14

FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}\.toml\Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesStatement(AnyStatement):
    """``begins``: the instant, with its offset, from which the set judges; the one before judges until then."""

    CONTEXT: ClassVar[bytes] = b"autogate rules statement 1\n"
    WHAT: ClassVar[str] = "rule set"

    begins: str

    @property
    def instant(self) -> datetime:
        return datetime.fromisoformat(self.begins)

    def is_sound(self) -> bool:
        return AnyStatement.is_sound(self) and _is_instant(self.begins)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rules``: the name of the set and the digest of what its files say; ``files``: SHA-256 of each one's octets."""

    format: int
    version: int
    rules: str
    files: dict[FileName, str]


class _AnyFormat(msgspec.Struct):
    format: int


class RulesVersions(SignedVersions[RulesStatement]):
    """The folder. Reading raises PkiError; changing takes the lock and raises OSError, too, everything then being as before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, RulesStatement, suffix="", command="autogate policy")

    def read(self, version: Version) -> tuple[Manifest, dict[str, bytes]]:
        """The manifest and every file of ``version`` by name, the manifest's own among them; all octets compared with their digests."""
        if version.path.is_symlink():
            raise unusable(version.path, "is a link")
        raw = read_file(version.path / MANIFEST, MAX_MANIFEST)
        if _sha256(raw) != version.digest:
            raise _changed(version.path / MANIFEST)
        manifest = _manifest(raw, version)
        files = {name: read_file(version.path / name, MAX_BYTES) for name in manifest.files}
        for name, content in files.items():
            if _sha256(content) != manifest.files[name]:
                raise _changed(version.path / name)
        return manifest, files | {MANIFEST: raw}

    def rules(self, version: Version) -> RuleSet:
        """The rule set, as this release reads it. Raises PkiError, also for a set that it refuses."""
        manifest, _ = self.read(version)
        try:
            rules = load_rules(version.path)
        except RulesError as error:
            more = f" (and {len(error.faults) - 1} faults more)" if len(error.faults) > 1 else ""
            raise unusable(version.path, f"this release refuses it: {error.faults[0]}{more}") from None
        if rules.version != manifest.rules:
            raise _changed(version.path)
        return rules

    def add(self, files: Mapping[str, bytes], rules: str) -> Version:
        """Keep ``files`` (name → octets), which say ``rules``, as a new version; the newest one where that has the same octets."""
        self._prepare()
        with self._locked():
            newest = next(reversed(self.versions()), None)
            if newest and _manifest_of(files, rules, newest.number)[0] == newest.digest:
                return newest
            number = newest.number + 1 if newest else 1
            digest, manifest = _manifest_of(files, rules, number)
            version = self.version(number, digest)
            _write_folder(version.path, {**files, MANIFEST: manifest})
            return version

    def sign(
        self, version: Version, key: Ed25519PrivateKey, *, now: datetime, begins: datetime | None = None, because: str = ""
    ) -> SignedStatement[RulesStatement]:
        """Put a signature under the statement that brings ``version`` into force from ``begins`` on (aware; None: from now on).

        Whoever signs after him signs the same: raises PkiError where the instant or the reason given is another, and where this
        release refuses the set.
        """
        with self._locked():
            self.rules(version)
            drafted = self._drafted(version, now, because, begins=(begins or now).isoformat(timespec="seconds"))
            signed = self._pending_for(version) or drafted
            one = signed.statement
            if because not in {"", one.because} or (begins and begins.replace(microsecond=0) != one.instant):
                raise unusable(self._path(one), "was signed with another reason or for another instant")
            self._check_postponed(one, now)
            return self._sign(signed, key)

    def _check_postponed(self, one: RulesStatement, now: datetime) -> None:
        """What was to begin would begin all the same, as a statement counts until its follower begins."""
        before = self.in_force()
        if before and before.statement.store == one.store and now < before.statement.instant < one.instant:
            already = f"version {one.version} begins at {before.statement.begins} already"
            raise unusable(self.folder, f"{already}: to put it off, bring back the version before it (--because), then sign anew")

    def activate(self, version: Version, action: Action, signers: Mapping[str, str]) -> SignedStatement[RulesStatement]:
        """Bring ``version`` into force where two of ``signers`` signed that."""
        with self._locked():
            self.rules(version)
            return self._activate(version, self._pending_for(version), action, signers)

    def copy(self, other: RulesVersions, sets: Sequence[tuple[SignedStatement[RulesStatement], Version]]) -> None:
        """Hold what ``sets`` (newest first) are in ``other``, and no newer statement. Raises PkiError, OSError."""
        self._prepare()
        with self._locked():
            for signed, version in reversed(sets):
                here = self.version(version.number, version.digest)
                if not self._is_whole(here):
                    shutil.rmtree(here.path, ignore_errors=True)
                    _write_folder(here.path, other.read(version)[1])
                write_file(self._path(signed.statement), signed.encoded)
            write_file(self._active, sets[0][0].encoded)

    def _is_whole(self, version: Version) -> bool:
        with suppress(PkiError):
            self.read(version)
            return True
        return False


# --- octets


def _manifest_of(files: Mapping[str, bytes], rules: str, number: int) -> tuple[str, bytes]:
    """The manifest's digest, and the manifest."""
    digests = {name: _sha256(content) for name, content in sorted(files.items())}
    raw = msgspec.json.encode(Manifest(format=FORMAT, version=number, rules=rules, files=digests))
    return _sha256(raw), raw


def _manifest(raw: bytes, version: Version) -> Manifest:
    path = version.path / MANIFEST
    try:
        written = msgspec.json.decode(raw, type=_AnyFormat).format
        if written != FORMAT:
            raise unusable(path, f"is of format {written}, and this release reads {FORMAT}: update autogate")
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise unusable(path, "is no manifest of a rule set") from None
    if manifest.version != version.number:
        raise unusable(path, f"calls itself version {manifest.version}")
    return manifest


def _write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make ``path`` with ``files`` in it as a whole; when this returns it is on the disk. Raises OSError, ``path`` then not being there."""
    fresh = path.with_name(UNFINISHED + path.name)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        for name, content in files.items():
            write_file(fresh / name, content)
        fresh.rename(path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    sync_folder(path.parent)


def _changed(path: Path) -> PkiError:
    return PkiError(ReasonCode.STORE_NOT_SIGNED, f"{path}: was changed: put back what was signed, or import and sign it anew")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_instant(text: object) -> bool:
    """Whether ``text`` is an instant as statements write it: to the second, with its offset."""
    if not isinstance(text, str) or len(text) > 40:
        return False
    with suppress(ValueError):
        instant = datetime.fromisoformat(text)
        return instant.tzinfo is not None and instant.isoformat() == text
    return False
